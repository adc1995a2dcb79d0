//! One finding, made from its JSON object.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use serde::Deserialize;
use serde::de::Error;

use super::super::json::{ExcerptObject, KnownObject, SegmentObject};
use super::provenance::ProvenanceObject;
use crate::finding::{
    Confidence, Credential, ExcerptLine, Finding, Fingerprint, KeyType, Occurrence, Part, PartKind,
    Segment, Severity,
};
use crate::location::{Origin, Position, Span};
use crate::standing::{Allow, Known, Marker, Standing};
use crate::verdict::{Cause, CauseKind, Identity, Live, Partition, Principal, SkipReason, Verdict};

/// Texts that many findings share, held once.
#[derive(Default)]
pub(super) struct Words(BTreeSet<Arc<str>>);

impl Words {
    fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let text: Arc<str> = text.into();
        self.0.insert(text.clone());
        text
    }
}

/// A finding as it was written.
#[derive(Deserialize)]
pub(super) struct FindingObject {
    fingerprint: String,
    rule: String,
    title: String,
    severity: Severity,
    confidence: Confidence,
    access_key_id: Option<String>,
    account_id: Option<String>,
    key_type: Option<String>,
    #[serde(default)]
    canary: bool,
    verdict: VerdictObject,
    provenance: Option<ProvenanceObject>,
    suppression: Option<SuppressionObject>,
    occurrences: Vec<OccurrenceObject>,
}

impl FindingObject {
    /// The finding itself.
    ///
    /// # Errors
    /// If a value of it is none that is known.
    pub(super) fn finding<E: Error>(self, words: &mut Words) -> Result<Finding, E> {
        let digits = HEXLOWER.decode(self.fingerprint.as_bytes()).ok();
        let fingerprint = digits.and_then(|it| Fingerprint::from_bytes(&it));
        let fingerprint = fingerprint
            .ok_or_else(|| E::custom(format!("`{}` is no fingerprint", self.fingerprint)))?;
        let key_type = match self.key_type {
            Some(name) => Some(word(&KEY_TYPES, KeyType::as_str, "kind of key", &name)?),
            None => None,
        };
        let occurrences = self.occurrences.into_iter();
        let occurrences = exact(occurrences.map(OccurrenceObject::occurrence))?;
        if occurrences.is_empty() {
            return Err(E::custom("a finding has no occurrence"));
        }
        Ok(Finding {
            fingerprint,
            rule: words.shared(&self.rule),
            title: words.shared(&self.title),
            severity: self.severity,
            confidence: self.confidence,
            credential: Credential {
                access_key_id: self.access_key_id,
                key_type,
                account_id: self.account_id,
                canary: self.canary,
                ..Credential::default()
            },
            occurrences,
            verdict: self.verdict.verdict()?,
            provenance: match self.provenance {
                Some(object) => Some(Box::new(object.provenance()?)),
                None => None,
            },
            standing: match self.suppression {
                Some(object) => object.standing()?,
                None => Standing::New,
            },
        })
    }
}

const KEY_TYPES: [KeyType; 4] = [
    KeyType::LongTerm,
    KeyType::Temporary,
    KeyType::ServiceBearer,
    KeyType::ContextSpecific,
];

const PART_KINDS: [PartKind; 4] = [
    PartKind::AccessKeyId,
    PartKind::SecretAccessKey,
    PartKind::SessionToken,
    PartKind::Secret,
];

const CAUSES: [CauseKind; 11] = [
    CauseKind::Unreachable,
    CauseKind::Timeout,
    CauseKind::Throttled,
    CauseKind::ServerError,
    CauseKind::ClockSkew,
    CauseKind::Unparsable,
    CauseKind::OtherError,
    CauseKind::UnconfirmedMismatch,
    CauseKind::CallLimit,
    CauseKind::OutOfTime,
    CauseKind::Interrupted,
];

const SKIP_REASONS: [SkipReason; 7] = [
    SkipReason::Canary,
    SkipReason::TokenMissing,
    SkipReason::SecretMissing,
    SkipReason::IdMissing,
    SkipReason::NotSigning,
    SkipReason::AccountRefused,
    SkipReason::OverBudget,
];

/// A vector of what `items` gives, or the first error, with no room to spare: a report may hold
/// hundreds of thousands of them.
fn exact<T, E>(items: impl ExactSizeIterator<Item = Result<T, E>>) -> Result<Vec<T>, E> {
    let mut all = Vec::with_capacity(items.len());
    for item in items {
        all.push(item?);
    }
    Ok(all)
}

/// The one of `all` that is called `name`.
pub(super) fn word<T: Copy, E: Error>(
    all: &[T],
    name_of: fn(T) -> &'static str,
    what: &str,
    name: &str,
) -> Result<T, E> {
    let found = all.iter().copied().find(|&it| name_of(it) == name);
    found.ok_or_else(|| E::custom(format!("`{name}` is no {what}")))
}

#[derive(Deserialize)]
struct OccurrenceObject {
    path: String,
    path_base64: Option<String>,
    #[serde(default)]
    kind: String,
    commit: Option<Box<str>>,
    object: Option<Box<str>>,
    parts: Vec<PartObject>,
    #[serde(default)]
    excerpt: Vec<ExcerptObject>,
}

#[derive(Deserialize)]
struct PartObject {
    part: String,
    line: NonZeroU64,
    column: NonZeroU64,
    end_line: NonZeroU64,
    end_column: NonZeroU64,
}

impl OccurrenceObject {
    fn occurrence<E: Error>(mut self) -> Result<Occurrence, E> {
        let parts = exact(self.parts.iter().map(PartObject::part))?;
        if parts.is_empty() {
            return Err(E::custom("an occurrence has no part"));
        }
        let excerpt = std::mem::take(&mut self.excerpt);
        Ok(Occurrence {
            excerpt: exact(excerpt.into_iter().map(excerpt_line))?,
            parts,
            // What it made of the finding is in its standing.
            allow: None,
            origin: self.origin()?,
        })
    }

    fn origin<E: Error>(self) -> Result<Origin, E> {
        let path = match &self.path_base64 {
            None => PathBuf::from(&self.path),
            Some(text) => {
                let bytes = BASE64.decode(text.as_bytes());
                bytes
                    .ok()
                    .map(path_of)
                    .ok_or_else(|| E::custom(format!("`{text}` is no path in base64")))?
            }
        };
        Ok(match (self.kind.as_str(), self.commit) {
            ("stdin", _) => Origin::Stdin,
            ("object", _) => Origin::Object {
                kind: object_kind(&self.path)?,
                id: self.object.unwrap_or_default(),
            },
            ("index", _) => Origin::Index(path),
            ("name", commit) => Origin::Name { commit, path },
            ("message", commit) => Origin::Message {
                commit,
                name: self.path.into(),
            },
            ("commit" | "", Some(commit)) => Origin::Commit { commit, path },
            ("file" | "", None) => Origin::File(path),
            (kind, _) => return Err(E::custom(format!("`{kind}` is no kind of occurrence"))),
        })
    }
}

/// The first word of the name of an object.
fn object_kind<E: Error>(name: &str) -> Result<&'static str, E> {
    let first = name.split(' ').next().unwrap_or_default();
    word(&["blob", "commit", "tag"], |it| it, "object", first)
}

#[cfg(unix)]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    use std::os::unix::ffi::OsStringExt as _;
    std::ffi::OsString::from_vec(bytes).into()
}

#[cfg(not(unix))]
fn path_of(bytes: Vec<u8>) -> PathBuf {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

impl PartObject {
    fn part<E: Error>(&self) -> Result<Part, E> {
        let position = |line: NonZeroU64, column: NonZeroU64| Position {
            line: line.get(),
            column: column.get(),
        };
        let start = position(self.line, self.column);
        let end = position(self.end_line, self.end_column);
        if end < start {
            return Err(E::custom("a part ends before it starts"));
        }
        Ok(Part {
            kind: word(&PART_KINDS, PartKind::as_str, "part", &self.part)?,
            span: Span { start, end },
        })
    }
}

fn excerpt_line<E: Error>(object: ExcerptObject) -> Result<ExcerptLine, E> {
    let segment = |segment| {
        Ok(match segment {
            SegmentObject::Text(text) => Segment::Text(text),
            SegmentObject::Id { id } => Segment::Id(id),
            SegmentObject::Hidden { hidden, length } => {
                let kind = word(&PART_KINDS, PartKind::as_str, "part", &hidden)?;
                Segment::Hidden(kind, length)
            }
            SegmentObject::Elided { .. } => Segment::Elided,
        })
    };
    Ok(ExcerptLine {
        line: object.line.get(),
        segments: exact(object.segments.into_iter().map(segment))?,
    })
}

#[derive(Deserialize)]
struct SuppressionObject {
    by: String,
    #[serde(default)]
    expired: bool,
    #[serde(flatten)]
    known: KnownObject,
}

const MARKERS: [Marker; 4] = [
    Marker::Straykey,
    Marker::Gitleaks,
    Marker::DetectSecrets,
    Marker::Trufflehog,
];

impl SuppressionObject {
    fn standing<E: Error>(self) -> Result<Standing, E> {
        Ok(match self.by.as_str() {
            "path" => Standing::Excluded,
            "baseline" if self.expired => Standing::Expired(known(self.known)),
            "baseline" => Standing::Baselined(known(self.known)),
            comment => Standing::Allowed(Allow {
                marker: word(&MARKERS, Marker::as_str, "comment", comment)?,
                reason: self.known.reason,
            }),
        })
    }
}

/// The entry of a baseline.
pub(super) fn known(object: KnownObject) -> Known {
    Known {
        entry: object.entry,
        rule: object.entry_rule,
        reason: object.reason,
        owner: object.owner,
        until: object.until.and_then(|day| day.parse().ok()),
    }
}

#[derive(Deserialize)]
struct VerdictObject {
    state: String,
    partition: Option<String>,
    #[serde(default)]
    partitions: Vec<String>,
    arn: Option<String>,
    account_id: Option<String>,
    principal: Option<PrincipalObject>,
    #[serde(default)]
    other_secret: bool,
    #[serde(default)]
    cause: String,
    #[serde(default)]
    detail: String,
}

#[derive(Deserialize)]
struct PrincipalObject {
    kind: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    session: String,
}

impl VerdictObject {
    fn verdict<E: Error>(self) -> Result<Verdict, E> {
        let known = |name: &str| Partition::from_str(name).map_err(E::custom);
        let partition = || known(self.partition.as_deref().unwrap_or_default());
        Ok(match self.state.as_str() {
            "unchecked" => Verdict::Unchecked,
            "live" => Verdict::Live(Live {
                partition: partition()?,
                other_secret: self.other_secret,
                identity: self.identity()?,
            }),
            "inactive" => Verdict::Inactive {
                partitions: self
                    .partitions
                    .iter()
                    .map(|name| known(name))
                    .collect::<Result<_, E>>()?,
            },
            "secret-mismatch" => Verdict::SecretMismatch {
                partition: partition()?,
            },
            "expired" => Verdict::Expired {
                partition: partition()?,
            },
            "unknown" => Verdict::Unknown(Cause {
                kind: word(&CAUSES, CauseKind::as_str, "cause", &self.cause)?,
                detail: self.detail,
            }),
            "skipped" => Verdict::Skipped(word(
                &SKIP_REASONS,
                SkipReason::as_str,
                "reason to skip",
                &self.cause,
            )?),
            other => return Err(E::custom(format!("`{other}` is no verdict"))),
        })
    }

    fn identity<E: Error>(self) -> Result<Option<Identity>, E> {
        let (Some(arn), Some(account), Some(principal)) =
            (self.arn, self.account_id, self.principal)
        else {
            return Ok(None);
        };
        let PrincipalObject {
            kind,
            name,
            session,
        } = principal;
        let principal = match kind.as_str() {
            "root" => Principal::Root,
            "user" => Principal::User { name },
            "assumed-role" => Principal::AssumedRole {
                role: name,
                session,
            },
            "federated-user" => Principal::FederatedUser { name },
            "other" => Principal::Other,
            other => return Err(E::custom(format!("`{other}` is no kind of principal"))),
        };
        Ok(Some(Identity {
            arn,
            account,
            principal,
        }))
    }
}
