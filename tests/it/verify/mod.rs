//! Verification against an STS stand-in, and against moto where it runs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use straykey::finding::{
    Confidence, Credential, Finding, Fingerprint, KeyType, Occurrence, Part, PartKind, Severity,
};
use straykey::location::{Origin, Position, Span};
use straykey::secret::Secret;
use straykey::standing::Standing;
use straykey::verdict::Verdict;
use straykey::verify::endpoint::Endpoint;
use straykey::verify::plan::Scope;
use straykey::verify::run::{Control, Limits, verify_all};
use straykey::verify::sts::{Settings, Sts};

use crate::kit::keys::Random;
use stand_in::{Key, StandIn, State};

mod chaos;
mod formats;
mod gates;
mod moto;
mod program;
mod property;
mod proxy;
pub(crate) mod stand_in;
mod table;
mod tls;
mod tunnel;
mod wire;

pub(crate) const ACCOUNT: &str = "123456789012";

/// A credential made up for a test.
#[derive(Clone, Debug)]
pub(crate) struct Fake {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

impl Fake {
    pub(crate) fn long_term(random: &mut Random) -> Self {
        Self {
            id: random.key_id("AKIA"),
            secret: random.secret(),
            token: None,
        }
    }

    pub(crate) fn temporary(random: &mut Random) -> Self {
        Self {
            id: random.key_id("ASIA"),
            secret: random.secret(),
            token: Some(random.token()),
        }
    }

    /// The finding that the detector would make of it.
    pub(crate) fn finding(&self) -> Finding {
        let long_term = self.id.starts_with("AKIA");
        let start = Position { line: 1, column: 1 };
        let token = self.token.clone().unwrap_or_default();
        Finding {
            fingerprint: Fingerprint::of(
                "test",
                &[self.id.as_bytes(), self.secret.as_bytes(), token.as_bytes()],
            ),
            rule: "aws-access-key-pair".into(),
            title: "AWS access key with its secret".into(),
            severity: if long_term {
                Severity::Critical
            } else {
                Severity::High
            },
            confidence: Confidence::High,
            credential: Credential {
                access_key_id: Some(self.id.clone()),
                key_type: Some(match long_term {
                    true => KeyType::LongTerm,
                    false => KeyType::Temporary,
                }),
                account_id: Some(ACCOUNT.to_owned()),
                secret: Some(Secret::new(self.secret.as_bytes())),
                session_token: self.token.as_ref().map(|it| Secret::new(it.as_bytes())),
                ..Credential::default()
            },
            occurrences: vec![Occurrence {
                origin: Origin::File("a".into()),
                parts: vec![Part {
                    span: Span { start, end: start },
                    kind: PartKind::AccessKeyId,
                }],
                excerpt: Vec::new(),
                allow: None,
            }],
            verdict: Verdict::Unchecked,
            provenance: None,
            standing: Standing::default(),
        }
    }

    /// The key as a server knows it.
    pub(crate) fn key(&self, state: State) -> Key {
        Key {
            secret: self.secret.clone(),
            token: self.token.clone(),
            arn: format!("arn:aws:iam::{ACCOUNT}:user/deploy"),
            region: "us-east-1",
            state,
        }
    }
}

/// Limits with short pauses, for tests that are not about the pauses.
pub(crate) fn hurried() -> Limits {
    Limits {
        pause: Duration::from_millis(300),
        repeat_after: Duration::from_millis(50),
        ..Limits::default()
    }
}

pub(crate) fn client(url: &str) -> Sts {
    client_with(url, Duration::from_secs(5))
}

pub(crate) fn client_with(url: &str, timeout: Duration) -> Sts {
    Sts::new(&Settings {
        endpoint: Some(Endpoint::parse(url).unwrap()),
        timeout,
        ..Settings::default()
    })
    .unwrap()
}

pub(crate) const QUIET: Control<'static> = Control {
    progress: &|_, _| {},
    stopped: &|| false,
};

pub(crate) fn verify(
    findings: &[Finding],
    scope: &Scope,
    limits: &Limits,
    url: &str,
) -> BTreeMap<Fingerprint, Verdict> {
    verify_all(findings, scope, limits, &client(url), QUIET)
}

/// The verdict on a single finding, with default scope.
pub(crate) fn verdict_on(finding: &Finding, limits: &Limits, url: &str) -> Verdict {
    let findings = std::slice::from_ref(finding);
    let mut verdicts = verify(findings, &Scope::default(), limits, url);
    verdicts.remove(&finding.fingerprint).unwrap_or_default()
}

/// A port of this machine on which nobody listens.
pub(crate) fn closed_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (work(), start.elapsed())
}
