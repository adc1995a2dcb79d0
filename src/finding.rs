//! A [`Finding`]: one credential, with every place where it was seen.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::location::{Origin, Span};
use crate::provenance::Provenance;
use crate::secret::Secret;
use crate::standing::{Allow, Standing};
use crate::verdict::Verdict;

pub use crate::verdict::Partition;

/// How bad it is if the credential is real. Ordered from harmless to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Reported, does not block by default.
    Low,
    /// Blocks by default.
    Medium,
    /// Usable by a stranger under some conditions.
    High,
    /// Usable by a stranger as it stands.
    Critical,
}

impl Severity {
    /// The word used in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// How sure the detector is that this is a credential at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Only a nearby word speaks for it.
    Low,
    /// Shape and context speak for it.
    Medium,
    /// The format is exact.
    High,
}

impl Confidence {
    /// The word used in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// Identity of a credential over files, commits and runs: a truncated SHA-256 of its parts.
///
/// It does not move when lines do. It holds the first 128 bits; [`Fingerprint::short`] is what
/// people read and type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The fingerprint of the byte strings `parts` in the name space `kind`. Parts are
    /// length-prefixed, so that no two lists of parts run together.
    #[must_use]
    pub fn of(kind: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update(kind.as_bytes());
        for part in parts {
            hash.update([0]);
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest = hash.finalize();
        let mut first = [0; 16];
        first.copy_from_slice(&digest[..16]);
        Self(first)
    }

    /// The fingerprint that was written as these bytes; `None` unless there are 16 of them.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The fingerprint of an AWS credential: of its access key ID and its secret, either of which
    /// may be empty, and not of its session token, which changes.
    #[must_use]
    pub fn of_aws(access_key_id: &[u8], secret: &[u8]) -> Self {
        Self::of("aws", &[access_key_id, secret])
    }

    /// Its 128 bits.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The first 8 hexadecimal digits.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Kind of an AWS access key, as its four-letter prefix says (IAM User Guide, "IAM identifiers").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyType {
    /// `AKIA`: a user's or the root user's key; valid until somebody deactivates it.
    LongTerm,
    /// `ASIA`: issued by STS; needs its session token and expires.
    Temporary,
    /// `ABIA`: STS service bearer token.
    ServiceBearer,
    /// `ACCA`: context-specific credential.
    ContextSpecific,
}

impl KeyType {
    /// The word used in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LongTerm => "long-term",
            Self::Temporary => "temporary",
            Self::ServiceBearer => "service-bearer-token",
            Self::ContextSpecific => "context-specific",
        }
    }
}

/// What was found, with what can be said of it offline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// The access key ID: an identifier, not a secret.
    pub access_key_id: Option<String>,
    /// Kind of the access key ID.
    pub key_type: Option<KeyType>,
    /// Twelve digits, decoded from the access key ID where that is possible.
    pub account_id: Option<String>,
    /// Whether the account is a known issuer of canary tokens.
    pub canary: bool,
    /// The secret access key, or another provider's secret.
    pub secret: Option<Secret>,
    /// The session token of a temporary key.
    pub session_token: Option<Secret>,
    /// Further secrets near the same access key ID, best first: what verification may try when
    /// AWS says that `secret` belongs to another id. At most two.
    pub alternatives: Vec<Secret>,
    /// Partitions that the text around it speaks of (`cn-north-1`, `us-gov-`,
    /// `amazonaws.com.cn`, `arn:aws-cn:`). Empty where nothing hints at one.
    pub partition_hints: BTreeSet<Partition>,
    /// Whether the text around it speaks of a store with S3's interface that is not AWS's (MinIO, an
    /// `endpoint_url` elsewhere): that AWS does not know the key then says little.
    pub other_store: bool,
}

impl Credential {
    /// Takes in what another place has shown of the same credential. In whatever order places come,
    /// the result is the same: files are read by several threads, and reports do not depend on them.
    ///
    /// A temporary key has one session token; of two readings the longer one is kept, because a
    /// token is cut more easily than lengthened.
    pub fn join(&mut self, mut other: Self) {
        self.partition_hints.append(&mut other.partition_hints);
        self.other_store |= other.other_store;
        let rank = |token: &Option<Secret>| token.as_ref().map(|it| (it.len(), it.clone()));
        if rank(&other.session_token) > rank(&self.session_token) {
            self.session_token = other.session_token;
        }
        let rank = |list: &Vec<Secret>| (list.len(), list.clone());
        if rank(&other.alternatives) > rank(&self.alternatives) {
            self.alternatives = other.alternatives;
        }
    }
}

/// Which part of a credential stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PartKind {
    /// An AWS access key ID.
    AccessKeyId,
    /// An AWS secret access key.
    SecretAccessKey,
    /// An AWS session token.
    SessionToken,
    /// Another provider's secret.
    Secret,
}

impl PartKind {
    /// The word used in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AccessKeyId => "access_key_id",
            Self::SecretAccessKey => "secret_access_key",
            Self::SessionToken => "session_token",
            Self::Secret => "secret",
        }
    }
}

/// One part of a credential at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part {
    /// Where.
    pub span: Span,
    /// What.
    pub kind: PartKind,
}

impl Part {
    /// Characters, where it stands on one line; 0 where it does not.
    #[must_use]
    pub fn length(&self) -> usize {
        match self.span.start.line == self.span.end.line {
            true => self.span.end.column.saturating_sub(self.span.start.column) as usize,
            false => 0,
        }
    }
}

/// A stretch of a source line that may be shown: never a secret's bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Text around the parts, with everything secret-like already taken out. May hold terminal
    /// escapes of the scanned file: sanitise before printing.
    Text(String),
    /// An access key ID, as it stands.
    Id(String),
    /// A hidden part: what it is, and how many characters it has.
    Hidden(PartKind, usize),
    /// Something left out that is not part of the finding.
    Elided,
}

/// A source line as it may be shown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExcerptLine {
    /// Line number, from 1.
    pub line: u64,
    /// What stands there, redacted.
    pub segments: Vec<Segment>,
}

/// One place where a credential was seen: its parts in one blob.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Occurrence {
    /// The blob.
    pub origin: Origin,
    /// The parts there, the access key ID first; never empty.
    pub parts: Vec<Part>,
    /// The lines of the parts, redacted, in order. May be empty where the text cannot be shown.
    pub excerpt: Vec<ExcerptLine>,
    /// The comment beside it that allows it, where there is one that reaches it.
    pub allow: Option<Allow>,
}

/// One credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Identity over runs.
    pub fingerprint: Fingerprint,
    /// Id of the rule that found it.
    pub rule: std::sync::Arc<str>,
    /// One line for people: "AWS access key with its secret".
    pub title: std::sync::Arc<str>,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub confidence: Confidence,
    /// What it is.
    pub credential: Credential,
    /// Where; sorted, never empty.
    pub occurrences: Vec<Occurrence>,
    /// What asking AWS has shown; [`Verdict::Unchecked`] until somebody asks.
    pub verdict: Verdict,
    /// Where in history it is; `None` where no history was scanned.
    pub provenance: Option<Box<Provenance>>,
    /// Whether it counts; [`Standing::New`] until the baseline has been looked at.
    pub standing: Standing,
}

impl Finding {
    /// Whether somebody has said that it does not count. A key that is known to work always
    /// counts.
    #[must_use]
    pub fn suppressed(&self) -> bool {
        self.standing.suppresses() && self.verdict.live().is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What three files may say of one key.
    fn readings() -> [Credential; 3] {
        let with = |token: Option<&str>, others: &[&str], hint: Option<Partition>| Credential {
            session_token: token.map(|token| Secret::new(token.as_bytes())),
            alternatives: others.iter().map(|it| Secret::new(it.as_bytes())).collect(),
            partition_hints: hint.into_iter().collect(),
            other_store: hint.is_some(),
            ..Credential::default()
        };
        [
            with(Some("whole token"), &["b"], None),
            with(Some("whole"), &["a", "c"], Some(Partition::AwsCn)),
            with(None, &["a", "b"], Some(Partition::AwsUsGov)),
        ]
    }

    #[test]
    fn readings_join_the_same_in_every_order() {
        let joined = |order: [usize; 3]| {
            let readings = readings();
            let [first, second, third] = order.map(|index| readings[index].clone());
            let mut credential = first;
            credential.join(second);
            credential.join(third);
            credential
        };
        let expected = joined([0, 1, 2]);
        assert_eq!(expected.session_token, Some(Secret::new(b"whole token")));
        assert_eq!(expected.alternatives.len(), 2);
        assert!(expected.other_store && expected.partition_hints.len() == 2);
        for order in [[0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            assert_eq!(joined(order), expected, "{order:?}");
        }
    }
}
