//! What must hold whatever a server answers: only a proof makes a key live, only a plain statement
//! makes it dead, and no answer at all changes nothing.

use straykey::finding::{Finding, KeyType, Severity};
use straykey::report::{Options, Report};
use straykey::secret::Secret;
use straykey::verdict::{
    Cause, CauseKind, Identity, Live, Partition, Principal, SkipReason, Verdict,
};
use straykey::verify::outcome::Answer;
use straykey::verify::{Question, Verifier, effect};

use super::{ACCOUNT, Fake, StandIn, State, client};
use crate::kit::keys::Random;

const STATUSES: [u16; 10] = [200, 201, 203, 302, 400, 403, 404, 429, 500, 503];
const CODES: [&str; 14] = [
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "SignatureDoesNotMatch",
    "SignatureDoesNotMatch",
    "ExpiredToken",
    "AccessDenied",
    "AccessDeniedException",
    "Throttling",
    "RequestExpired",
    "OptInRequired",
    "InternalFailure",
    "Live",
];
const MESSAGES: [&str; 6] = [
    "The request signature we calculated does not match the signature you provided.",
    "The request signature we calculated does not match the signature you provided.",
    "Signature expired: 20200101T000000Z is now earlier than 20200101T000000Z",
    "Credential should be scoped to a valid region.",
    "User: arn:aws:iam::123456789012:user/x is not authorized to perform: sts:GetCallerIdentity",
    "",
];
const ROOTS: [&str; 4] = ["ErrorResponse", "ErrorResponse", "Error", "html"];

/// An answer of the server, drawn and then damaged, or not.
struct Drawn {
    status: u16,
    body: String,
}

impl Drawn {
    fn new(random: &mut Random) -> Self {
        // Each kind of document with its own status as often as with any other.
        let (usual, mut body) = match random.below(5) {
            0 | 1 => (200, success(random)),
            2 | 3 => (403, refusal(random)),
            _ => (
                200,
                "<html><body>Sign in to the hotel's network</body></html>".to_owned(),
            ),
        };
        for _ in 0..[0, 0, 1, 2, 5][random.below(5)] {
            damage(&mut body, random);
        }
        let status = match random.below(2) {
            0 => usual,
            _ => STATUSES[random.below(STATUSES.len())],
        };
        Self { status, body }
    }

    fn has(&self, text: &str) -> bool {
        self.body.contains(text)
    }

    /// A refusal in the form of STS's own.
    fn refuses_with(&self, codes: &[&str]) -> bool {
        (400..500).contains(&self.status)
            && self.body.trim_start().starts_with("<ErrorResponse")
            && codes.iter().any(|code| self.has(code))
    }

    /// A success that names the same account twice, in an ARN and on its own. What follows these two
    /// may be cut off.
    fn proves(&self) -> bool {
        let arn = format!("::{ACCOUNT}:");
        let account = format!(">{ACCOUNT}");
        let whole = ["<Arn", "</Arn>", "<Account"];
        self.status == 200
            && self
                .body
                .trim_start()
                .starts_with("<GetCallerIdentityResponse")
            && whole.iter().all(|part| self.has(part))
            && ((self.has(&arn) && self.has(&account)) || self.names_another_account_twice())
    }

    /// Damage may have hit both places alike; twelve digits must then still stand twice.
    fn names_another_account_twice(&self) -> bool {
        let digits: Vec<&str> = self
            .body
            .split(|character: char| !character.is_ascii_digit())
            .filter(|run| run.len() == 12)
            .collect();
        digits
            .iter()
            .any(|run| digits.iter().filter(|it| it == &run).count() > 1)
    }

    /// Whether the answer says no more than this body and status can show.
    fn supports(&self, answer: &Answer) -> bool {
        match answer {
            Answer::Live(_) => {
                self.proves() || self.refuses_with(&["AccessDenied", "AccessDeniedException"])
            }
            Answer::UnknownId => self.refuses_with(&CODES[..3]),
            Answer::Mismatch => {
                self.refuses_with(&["SignatureDoesNotMatch"])
                    && self.has("signature we calculated does not match")
            }
            Answer::Expired => self.refuses_with(&["ExpiredToken"]),
            Answer::Throttled => self.status >= 400,
            Answer::Failed(_) => true,
        }
    }
}

fn success(random: &mut Random) -> String {
    let account = [ACCOUNT, ACCOUNT, ACCOUNT, "999999999999", ""][random.below(5)];
    let arn = [
        "arn:aws:iam::123456789012:root",
        "arn:aws:iam::123456789012:user/x",
        "arn:aws:s3:::bucket",
        "",
    ][random.below(4)];
    format!(
        "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <GetCallerIdentityResult><Arn>{arn}</Arn><UserId>A</UserId><Account>{account}</Account>\
         </GetCallerIdentityResult></GetCallerIdentityResponse>"
    )
}

fn refusal(random: &mut Random) -> String {
    let root = ROOTS[random.below(ROOTS.len())];
    let code = CODES[random.below(CODES.len())];
    let message = MESSAGES[random.below(MESSAGES.len())];
    format!("<{root}><Error><Code>{code}</Code><Message>{message}</Message></Error></{root}>")
}

/// Cuts, doubles or overwrites a piece; the documents are ASCII.
fn damage(body: &mut String, random: &mut Random) {
    if body.is_empty() {
        return;
    }
    let start = random.below(body.len());
    let end = (start + 1 + random.below(12)).min(body.len());
    match random.below(4) {
        0 => body.replace_range(start..end, ""),
        1 => body.truncate(start),
        2 => {
            let piece = body[start..end].to_owned();
            body.insert_str(start, &piece);
        }
        _ => {
            let noise = [
                "<",
                ">",
                "&",
                "x",
                "1",
                "/",
                " ",
                "</Arn>",
                "<Code>Expired</Code>",
            ];
            body.replace_range(start..end, noise[random.below(noise.len())]);
        }
    }
}

#[test]
fn every_answer_is_covered_by_what_the_server_said() {
    let server = StandIn::start();
    let client = client(&server.url());
    let mut random = Random::new(111);
    let mut seen = [0_u32; 6];
    for round in 0..3_000 {
        let fake = Fake::temporary(&mut random);
        let drawn = Drawn::new(&mut random);
        let state = State::Raw(drawn.status, drawn.body.clone().into());
        server.add(&fake.id, fake.key(state));
        let question = Question {
            access_key_id: &fake.id,
            secret: &Secret::new(fake.secret.as_bytes()),
            session_token: None,
            partition: Partition::Aws,
        };
        let answer = client.ask(&question, &|| false);
        let (status, body) = (drawn.status, &drawn.body);
        assert!(
            drawn.supports(&answer),
            "{round}: {status} {body:?} gave {answer:?}"
        );
        seen[kind(&answer)] += 1;
        server.forget(&fake.id);
    }
    // Every kind of answer has come up: none is supported for never being given.
    assert!(seen.iter().all(|times| *times > 10), "{seen:?}");
}

fn kind(answer: &Answer) -> usize {
    match answer {
        Answer::Live(_) => 0,
        Answer::UnknownId => 1,
        Answer::Mismatch => 2,
        Answer::Expired => 3,
        Answer::Throttled => 4,
        Answer::Failed(_) => 5,
    }
}

#[test]
fn without_an_answer_nothing_is_lowered_hidden_or_unblocked() {
    let mut random = Random::new(112);
    for _ in 0..5_000 {
        let before: Vec<Finding> = (0..1 + random.below(6))
            .map(|_| finding(&mut random))
            .collect();
        let drawn: Vec<Verdict> = before.iter().map(|_| verdict(&mut random)).collect();
        let mut after = before.clone();
        let verdicts = before
            .iter()
            .map(|it| it.fingerprint)
            .zip(drawn.iter().cloned());
        effect::apply(&mut after, verdicts.collect());
        assert_eq!(after.len(), before.len());
        for (old, verdict) in before.iter().zip(&drawn) {
            let same = after.iter().find(|it| it.fingerprint == old.fingerprint);
            assert_holds(old, same.expect("it is still there"), verdict);
        }
        assert_blocked_as_before(&before, &after, &drawn);
    }
}

/// One finding before and after `verdict`.
fn assert_holds(old: &Finding, new: &Finding, verdict: &Verdict) {
    assert_eq!(&new.verdict, verdict);
    let lowered = new.severity < old.severity;
    let is_over = matches!(verdict, Verdict::Inactive { .. } | Verdict::Expired { .. });
    assert!(
        !lowered || is_over,
        "{verdict:?} lowered {:?}",
        old.severity
    );
    if matches!(verdict, Verdict::Unknown(_) | Verdict::Skipped(_)) {
        assert_eq!(new.severity, old.severity, "{verdict:?}");
    }
    for options in options() {
        let no_answer = matches!(verdict, Verdict::Unknown(_));
        let unverified =
            options.blocks(old) || (options.live_only && old.severity >= Severity::Medium);
        assert!(
            !no_answer || !unverified || options.blocks(new),
            "{verdict:?} unblocked {:?} under {options:?}",
            old.severity
        );
    }
}

/// Where every verdict is an unknown, the report blocks exactly as without verification.
fn assert_blocked_as_before(before: &[Finding], after: &[Finding], drawn: &[Verdict]) {
    if !drawn
        .iter()
        .all(|verdict| matches!(verdict, Verdict::Unknown(_)))
    {
        return;
    }
    let report = |findings: &[Finding]| Report {
        findings: findings.to_vec(),
        ..Report::default()
    };
    for options in options().into_iter().filter(|options| !options.live_only) {
        assert_eq!(
            report(before).blocked(&options),
            report(after).blocked(&options)
        );
    }
}

fn options() -> Vec<Options> {
    let severities = [
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    let all = severities.map(|fail_on| {
        [false, true].map(|live_only| Options {
            fail_on,
            live_only,
            ..Options::default()
        })
    });
    all.into_iter().flatten().collect()
}

fn finding(random: &mut Random) -> Finding {
    let fake = match random.below(2) {
        0 => Fake::long_term(random),
        _ => Fake::temporary(random),
    };
    let mut finding = fake.finding();
    finding.severity = options()[2 * random.below(4)].fail_on;
    let credential = &mut finding.credential;
    credential.canary = random.below(4) == 0;
    credential.other_store = random.below(4) == 0;
    if random.below(3) == 0 {
        credential
            .partition_hints
            .insert(Partition::ALL[random.below(3)]);
    }
    if random.below(4) == 0 {
        credential.session_token = None;
    }
    if random.below(6) == 0 {
        credential.key_type = Some(KeyType::ServiceBearer);
    }
    finding
}

fn verdict(random: &mut Random) -> Verdict {
    use CauseKind::{
        CallLimit, ClockSkew, Interrupted, OtherError, OutOfTime, ServerError, Throttled, Timeout,
        UnconfirmedMismatch, Unparsable, Unreachable,
    };
    let partition = Partition::ALL[random.below(3)];
    let causes = [
        CallLimit,
        ClockSkew,
        Interrupted,
        OtherError,
        OutOfTime,
        ServerError,
        Throttled,
        Timeout,
        UnconfirmedMismatch,
        Unparsable,
        Unreachable,
    ];
    match random.below(9) {
        0 => Verdict::Live(Live {
            partition,
            identity: Some(Identity {
                arn: format!("arn:aws:iam::{ACCOUNT}:root"),
                account: ACCOUNT.to_owned(),
                principal: Principal::Root,
            }),
            other_secret: false,
        }),
        1 => Verdict::Inactive {
            partitions: [partition].into(),
        },
        2 => Verdict::Expired { partition },
        3 => Verdict::SecretMismatch { partition },
        4 => Verdict::Skipped(SkipReason::OverBudget),
        _ => Verdict::Unknown(Cause {
            kind: causes[random.below(causes.len())],
            detail: "x".to_owned(),
        }),
    }
}
