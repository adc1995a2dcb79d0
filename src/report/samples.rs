//! Hand-built reports for the tests of the formats. The key ID is the documented example.

use std::sync::Arc;

use super::Report;
use super::repository::Repository;
use crate::finding::{
    Confidence, Credential, ExcerptLine, Finding, Fingerprint, KeyType, Occurrence, Part, PartKind,
    Segment, Severity,
};
use crate::location::{Origin, Position, Span};
use crate::provenance::{CommitFacts, Names, Provenance, Reachability};
use crate::secret::Secret;
use crate::source::{Coverage, NotScanned};
use crate::standing::{Allow, Known, Marker, Standing};
use crate::verdict::{Cause, CauseKind, Live, Partition, SkipReason, Verdict};

pub(super) const ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub(super) const SECRET: &str = "not/a+secret/but-as-long-as-one-should-be";
pub(super) const TOKEN: &str =
    "not-a-token-either:of-no-length-in-particular-but-longer-than-a-secret";

pub(super) fn part(kind: PartKind, line: u64, column: u64, length: u64) -> Part {
    let start = Position { line, column };
    let end = Position {
        line,
        column: column + length,
    };
    Part {
        span: Span { start, end },
        kind,
    }
}

pub(super) fn text(text: &str) -> Segment {
    Segment::Text(text.to_owned())
}

pub(super) fn excerpt(line: u64, segments: Vec<Segment>) -> ExcerptLine {
    ExcerptLine { line, segments }
}

/// The finding that the experience of the terminal is drawn with: two lines, one part each.
pub(super) fn pair() -> Finding {
    Finding {
        fingerprint: Fingerprint::of("sample", &[b"pair"]),
        rule: Arc::from("aws-access-key-pair"),
        title: Arc::from("AWS access key with its secret"),
        severity: Severity::Critical,
        confidence: Confidence::High,
        credential: Credential {
            access_key_id: Some(ID.to_owned()),
            key_type: Some(KeyType::LongTerm),
            account_id: Some("123456789012".to_owned()),
            secret: Some(Secret::new(SECRET.as_bytes())),
            ..Credential::default()
        },
        verdict: Verdict::default(),
        provenance: None,
        standing: Standing::default(),
        occurrences: vec![Occurrence {
            origin: Origin::File("app/settings.py".into()),
            parts: vec![
                part(PartKind::AccessKeyId, 12, 22, 20),
                part(PartKind::SecretAccessKey, 13, 26, 40),
            ],
            excerpt: vec![
                excerpt(
                    12,
                    vec![
                        text("AWS_ACCESS_KEY_ID = \""),
                        Segment::Id(ID.to_owned()),
                        text("\""),
                    ],
                ),
                excerpt(
                    13,
                    vec![
                        text("AWS_SECRET_ACCESS_KEY = \""),
                        Segment::Hidden(PartKind::SecretAccessKey, 40),
                        text("\""),
                    ],
                ),
            ],
            allow: None,
        }],
    }
}

/// A lone id, in two places, one of them without an excerpt.
pub(super) fn lone_id() -> Finding {
    let mut finding = pair();
    finding.fingerprint = Fingerprint::of("sample", &[b"lone id"]);
    finding.rule = Arc::from("aws-access-key-id");
    finding.title = Arc::from("AWS access key ID without a secret");
    finding.severity = Severity::Medium;
    finding.credential.secret = None;
    finding.occurrences[0].parts.truncate(1);
    finding.occurrences[0].excerpt.truncate(1);
    finding.occurrences.push(Occurrence {
        origin: Origin::Stdin,
        parts: vec![part(PartKind::AccessKeyId, 1, 1, 20)],
        excerpt: Vec::new(),
        allow: None,
    });
    finding
}

/// A temporary triple on one line and the lines after a gap, with wide characters before it.
pub(super) fn triple() -> Finding {
    let mut finding = pair();
    finding.fingerprint = Fingerprint::of("sample", &[b"triple"]);
    finding.severity = Severity::High;
    finding.credential.key_type = Some(KeyType::Temporary);
    finding.credential.account_id = None;
    finding.credential.session_token = Some(Secret::new(TOKEN.as_bytes()));
    finding.occurrences = vec![Occurrence {
        origin: Origin::File("文書/鍵.sh".into()),
        parts: vec![
            part(PartKind::AccessKeyId, 98, 6, 20),
            part(PartKind::SecretAccessKey, 98, 30, 40),
            part(PartKind::SessionToken, 101, 3, 70),
        ],
        excerpt: vec![
            excerpt(
                98,
                vec![
                    text("\t日本 a="),
                    Segment::Id(ID.to_owned()),
                    text(" b="),
                    Segment::Hidden(PartKind::SecretAccessKey, 40),
                    text(&format!(" # {}", "long ".repeat(40))),
                ],
            ),
            excerpt(
                101,
                vec![
                    Segment::Elided,
                    text("t="),
                    Segment::Hidden(PartKind::SessionToken, 70),
                ],
            ),
        ],
        allow: None,
    }];
    finding
}

/// A lone secret of low severity, of a canary account, in many places.
pub(super) fn lone_secret() -> Finding {
    let mut finding = pair();
    finding.fingerprint = Fingerprint::of("sample", &[b"lone secret"]);
    finding.rule = Arc::from("aws-secret-access-key");
    finding.title = Arc::from("AWS secret access key");
    finding.severity = Severity::Low;
    finding.confidence = Confidence::Medium;
    finding.credential.access_key_id = None;
    finding.credential.key_type = None;
    finding.credential.account_id = None;
    finding.credential.canary = true;
    finding.occurrences = (1..=13)
        .map(|number| Occurrence {
            origin: Origin::File(format!("copies/{number:02}.env").into()),
            parts: vec![part(PartKind::SecretAccessKey, number, 3, 40)],
            excerpt: vec![excerpt(
                number,
                vec![text("s="), Segment::Hidden(PartKind::SecretAccessKey, 40)],
            )],
            allow: None,
        })
        .collect();
    finding
}

/// What asking AWS may have shown of a pair: every state, and live keys of every kind.
pub(super) fn verified() -> Report {
    let live = |arn: &str, partition| {
        Verdict::Live(Live {
            partition,
            identity: crate::verify::arn::identity(arn),
            other_secret: arn.is_empty(),
        })
    };
    let cause = Cause {
        kind: CauseKind::Timeout,
        detail: "STS gave no answer in time".to_owned(),
    };
    let verdicts = [
        live("arn:aws:iam::123456789012:root", Partition::Aws),
        live(
            "arn:aws-cn:iam::123456789012:user/ops/deploy",
            Partition::AwsCn,
        ),
        live(
            "arn:aws:sts::123456789012:assumed-role/build/nightly",
            Partition::Aws,
        ),
        live(
            "arn:aws:sts::123456789012:federated-user/bob",
            Partition::Aws,
        ),
        live("", Partition::AwsUsGov),
        Verdict::SecretMismatch {
            partition: Partition::Aws,
        },
        Verdict::Inactive {
            partitions: [Partition::Aws, Partition::AwsCn].into(),
        },
        Verdict::Expired {
            partition: Partition::Aws,
        },
        Verdict::Unknown(cause),
        Verdict::Skipped(SkipReason::Canary),
    ];
    let findings = verdicts
        .into_iter()
        .map(|verdict| Finding { verdict, ..pair() });
    Report {
        findings: findings.collect(),
        verified_at: Some(1_795_462_805),
        ..report()
    }
}

/// A report with one of each, and with entries that were not scanned.
pub(super) fn report() -> Report {
    Report {
        findings: vec![pair(), lone_secret(), lone_id(), triple()],
        not_scanned: vec![
            NotScanned {
                path: "data/huge.bin".to_owned(),
                reason: "larger than --max-file-size".to_owned(),
                incomplete: false,
            },
            NotScanned {
                path: "private".to_owned(),
                reason: "permission denied".to_owned(),
                incomplete: true,
            },
        ],
        coverage: Coverage {
            files: 1204,
            bytes: 19_083_264,
            git_ignored: 12,
        },
        extent: super::Extent::Files,
        seconds: 0.25,
        interrupted: false,
        verified_at: None,
        unused_entries: Vec::new(),
        scanned_at: Some(1_795_462_800),
        repository: Some(repository()),
    }
}

/// A repository on a host, scanned from its top.
pub(super) fn repository() -> Repository {
    let remote = "https://bot:password@github.com/example/shop.git";
    let mut repository = Repository::of_remote(remote).unwrap();
    repository.head = Some("0123456789abcdef0123456789abcdef01234567".to_owned());
    repository.directories = vec![(".".into(), "".into())];
    repository
}

/// A key that was in a branch for 214 days.
pub(super) fn provenance() -> Provenance {
    let names = |listed: &[&str], count| Names {
        listed: listed.iter().map(|&name| name.to_owned()).collect(),
        count,
    };
    let commit = |digit: &str, seconds| {
        Some(CommitFacts {
            id: digit.repeat(40),
            author: "Ada <ada@example.com>".to_owned(),
            seconds,
        })
    };
    Provenance {
        reachability: Reachability::Reachable,
        first: commit("4", 1_776_900_000),
        first_at_cut: true,
        last: commit("5", 1_790_000_000),
        removed: commit("6", 1_795_389_600),
        commits: 17,
        objects: 2,
        places: 2,
        in_head: false,
        branches: names(&["main", "release"], 2),
        tags: names(&["v1.0"], 130),
        remotes: names(&["origin/main"], 1),
        other_refs: names(&[], 0),
        submodule: Some("vendor/lib".to_owned()),
    }
}

/// An entry of a baseline.
pub(super) fn known() -> Known {
    Known {
        entry: "7f3a9c12".to_owned(),
        rule: "aws-access-key-pair".to_owned(),
        reason: Some("a sample, with \u{1b}[31m in it".to_owned()),
        owner: Some("payments".to_owned()),
        until: "2026-01-31".parse().ok(),
    }
}

/// One of each.
fn standings() -> [Standing; 7] {
    let allowed = |marker, reason: Option<&str>| {
        Standing::Allowed(Allow {
            marker,
            reason: reason.map(str::to_owned),
        })
    };
    [
        Standing::Expired(known()),
        Standing::New,
        Standing::Baselined(known()),
        Standing::Excluded,
        // A live one counts all the same.
        allowed(Marker::Straykey, Some("a sample")),
        allowed(Marker::Gitleaks, None),
        Standing::Baselined(known()),
    ]
}

/// A report with a finding in every kind of place, verdicts of every kind, and names that are not
/// UTF-8.
pub(super) fn everything() -> Report {
    let commit: Box<str> = "fedcba9876543210fedcba9876543210fedcba98".into();
    let mut findings = report().findings;
    findings.extend(verified().findings);
    let origins = [
        Origin::Stdin,
        Origin::Index("app/settings.py".into()),
        Origin::Commit {
            commit: commit.clone(),
            path: "docs/a b.md".into(),
        },
        Origin::Name {
            commit: Some(commit.clone()),
            path: "keys/a".into(),
        },
        Origin::Name {
            commit: None,
            path: "keys/b".into(),
        },
        Origin::Message {
            commit: Some(commit.clone()),
            name: "commit message".into(),
        },
        Origin::Message {
            commit: None,
            name: "commit message".into(),
        },
    ];
    let object = |kind| Origin::Object {
        kind,
        id: commit.clone(),
    };
    let objects = [object("blob"), object("commit")];
    let place = pair().occurrences.remove(0);
    findings[0].occurrences = origins
        .into_iter()
        .chain(objects)
        .map(|origin| Occurrence {
            origin,
            ..place.clone()
        })
        .collect();
    findings[0].provenance = Some(Box::new(provenance()));
    let standings = standings();
    for (finding, standing) in findings.iter_mut().zip(standings) {
        finding.standing = standing;
    }
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt as _;
        let name = std::ffi::OsString::from_vec(b"a\xff\n.py".to_vec());
        findings[3].occurrences[0].origin = Origin::File(name.into());
    }
    Report {
        findings,
        unused_entries: vec![known()],
        ..verified()
    }
}
