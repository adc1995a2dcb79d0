//! Findings for the tests of verification. The secrets are words.

use crate::finding::{Confidence, Credential, Finding, Fingerprint, KeyType, Severity};
use crate::secret::Secret;
use crate::verdict::Verdict;

/// A finding of a long-term key with this ID and secret.
pub(super) fn long_term(id: &str, secret: &str) -> Finding {
    Finding {
        fingerprint: Fingerprint::of("test", &[id.as_bytes(), secret.as_bytes()]),
        rule: "aws-access-key-pair".into(),
        title: "a pair".into(),
        severity: Severity::Critical,
        confidence: Confidence::High,
        credential: Credential {
            access_key_id: Some(id.to_owned()),
            key_type: Some(KeyType::LongTerm),
            account_id: Some("123456789012".to_owned()),
            secret: Some(Secret::new(secret.as_bytes())),
            ..Credential::default()
        },
        occurrences: Vec::new(),
        verdict: Verdict::Unchecked,
        provenance: None,
        standing: Default::default(),
    }
}

/// A finding of a temporary key.
pub(super) fn temporary(id: &str, secret: &str, token: &str) -> Finding {
    let mut finding = long_term(id, secret);
    let parts = [id, secret, token].map(str::as_bytes);
    finding.fingerprint = Fingerprint::of("test", &parts);
    finding.credential.key_type = Some(KeyType::Temporary);
    finding.credential.session_token = Some(Secret::new(token.as_bytes()));
    finding
}
