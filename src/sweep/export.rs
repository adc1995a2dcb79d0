//! The store as a [`Report`], for every output format there is.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::store::{CredentialRow, Exposure, Store, StoreError};
use crate::finding::{
    Confidence, Credential, Finding, Fingerprint, Occurrence, Part, PartKind, Severity,
};
use crate::location::{Origin, Position, Span};
use crate::report::Report;
use crate::source::{Coverage, NotScanned};
use crate::verdict::{Cause, CauseKind, Live, Partition, Verdict};

/// Everything found and covered, as one report. Fingerprints are the first half of the keyed
/// identities, paths begin with the repository's name.
///
/// # Errors
/// Where the store fails.
pub fn report(store: &Store) -> Result<Report, StoreError> {
    let mut report = Report::default();
    for credential in store.credentials()? {
        let places = store.places(credential.secret_id)?;
        report.findings.push(finding(&credential, &places));
    }
    store.coverage(|row| -> Result<(), StoreError> {
        let not_read = |reason: String| NotScanned {
            path: row.repository.clone(),
            reason,
            incomplete: true,
        };
        match row.state.as_str() {
            "complete" | "gone" => {}
            "incomplete" => {
                let entries = row
                    .scan_id
                    .map(|scan| store.not_scanned(scan))
                    .transpose()?;
                for entry in entries.unwrap_or_default() {
                    report.not_scanned.push(NotScanned {
                        path: format!("{}: {}", row.repository, entry.what),
                        reason: entry.reason,
                        incomplete: entry.incomplete,
                    });
                }
            }
            state => {
                let reason = row
                    .reason
                    .clone()
                    .unwrap_or_else(|| "not yet scanned".to_owned());
                report
                    .not_scanned
                    .push(not_read(format!("{state}: {reason}")));
            }
        }
        report.coverage = Coverage {
            files: report.coverage.files + row.objects,
            bytes: report.coverage.bytes + row.bytes,
            ..report.coverage
        };
        Ok(())
    })?;
    report.not_scanned.sort();
    Ok(report)
}

fn finding(credential: &CredentialRow, places: &[Exposure]) -> Finding {
    let bytes = data_encoding::HEXLOWER.decode(credential.identity.as_bytes());
    let first = bytes
        .ok()
        .and_then(|bytes| Fingerprint::from_bytes(bytes.get(..16)?));
    let kind = match (&credential.access_key_id, credential.has_secret) {
        (Some(_), _) => PartKind::AccessKeyId,
        (None, _) => PartKind::Secret,
    };
    Finding {
        // Only an identity that somebody has written into the store by hand is no digest.
        fingerprint: first
            .unwrap_or_else(|| Fingerprint::of("", &[credential.identity.as_bytes()])),
        rule: credential.rule.as_str().into(),
        title: credential.title.as_str().into(),
        severity: severity(&credential.severity),
        confidence: confidence(&credential.confidence),
        credential: Credential {
            access_key_id: credential.access_key_id.clone(),
            account_id: credential.account_id.clone(),
            canary: credential.canary,
            ..Credential::default()
        },
        occurrences: places.iter().map(|place| occurrence(place, kind)).collect(),
        verdict: verdict(credential),
        provenance: None,
        standing: Default::default(),
    }
}

fn occurrence(place: &Exposure, kind: PartKind) -> Occurrence {
    let start = Position {
        line: place.line,
        column: place.column,
    };
    let path = PathBuf::from(format!("{}/{}", place.repository, place.path));
    let commit = place.commit.clone().unwrap_or_else(|| place.object.clone());
    Occurrence {
        origin: Origin::Commit {
            commit: commit.into(),
            path,
        },
        parts: vec![Part {
            span: Span { start, end: start },
            kind,
        }],
        excerpt: Vec::new(),
        allow: None,
    }
}

fn severity(word: &str) -> Severity {
    use Severity::{Critical, High, Low, Medium};
    let known = [Low, Medium, High, Critical]
        .into_iter()
        .find(|it| it.as_str() == word);
    known.unwrap_or(Critical)
}

fn confidence(word: &str) -> Confidence {
    use Confidence::{High, Low, Medium};
    let known = [Low, Medium, High]
        .into_iter()
        .find(|it| it.as_str() == word);
    known.unwrap_or(High)
}

fn verdict(credential: &CredentialRow) -> Verdict {
    let partition = credential
        .partition
        .as_deref()
        .and_then(|name| name.parse().ok());
    let partition = partition.unwrap_or(Partition::Aws);
    match credential.verdict.as_str() {
        "live" => Verdict::Live(Live {
            partition,
            identity: None,
            other_secret: false,
        }),
        "inactive" => Verdict::Inactive {
            partitions: BTreeSet::new(),
        },
        "secret-mismatch" => Verdict::SecretMismatch { partition },
        "expired" => Verdict::Expired { partition },
        "unknown" => Verdict::Unknown(Cause {
            kind: CauseKind::OtherError,
            detail: "see the store's table `verdict`".to_owned(),
        }),
        _ => Verdict::Unchecked,
    }
}
