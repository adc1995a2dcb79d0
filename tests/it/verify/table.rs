//! Every row of the table of outcomes, as bytes on the wire.

use straykey::verdict::{CauseKind, Partition, Principal, Verdict};
use straykey::verify::plan::Scope;

use super::{ACCOUNT, Fake, StandIn, State, hurried, verdict_on, verify};
use crate::kit::keys::Random;

/// What a verdict says, without its words.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expected {
    Live,
    Inactive,
    Mismatch,
    Expired,
    Unknown(CauseKind),
}

fn of(verdict: &Verdict) -> Expected {
    match verdict {
        Verdict::Live(_) => Expected::Live,
        Verdict::Inactive { .. } => Expected::Inactive,
        Verdict::SecretMismatch { .. } => Expected::Mismatch,
        Verdict::Expired { .. } => Expected::Expired,
        Verdict::Unknown(cause) => Expected::Unknown(cause.kind),
        other => panic!("{other:?}"),
    }
}

const MOTO_MISMATCH: &str = "<ErrorResponse><Errors><Error><Code>SignatureDoesNotMatch</Code>\
    <Message>The request signature we calculated does not match the signature you provided.\
    </Message></Error></Errors></ErrorResponse>";

/// A success of STS; with status 203 a proxy has written over it.
const GENUINE: &str = "<GetCallerIdentityResponse><GetCallerIdentityResult>\
    <Arn>arn:aws:iam::123456789012:user/x</Arn><UserId>A</UserId><Account>123456789012</Account>\
    </GetCallerIdentityResult></GetCallerIdentityResponse>";

/// S3's kind of document, which a block page kept there is answered with.
const S3_DENIAL: &str =
    "<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied</Code><Message>x</Message></Error>";

fn raw(status: u16, body: &'static str) -> State {
    State::Raw(status, body.into())
}

/// A signature that is refused as AWS words it.
const REFUSED: &str = "The request signature we calculated does not match the signature you \
    provided. Check your AWS Secret Access Key and signing method.";

/// Rows whose answer does not depend on the request.
fn answers() -> Vec<(State, Expected)> {
    use CauseKind::{ClockSkew, OtherError, ServerError, Throttled, Unparsable};
    use Expected::{Expired, Inactive, Live, Mismatch, Unknown};
    let error = State::Error;
    vec![
        (State::Active, Live),
        (State::Inactive, Inactive),
        (State::Flaky(1), Live),
        (State::Expired, Expired),
        (error(403, "InvalidClientTokenId", "x"), Inactive),
        (error(403, "InvalidAccessKeyId", "x"), Inactive),
        (error(400, "UnrecognizedClientException", "x"), Inactive),
        (error(403, "SignatureDoesNotMatch", REFUSED), Mismatch),
        (
            error(
                403,
                "SignatureDoesNotMatch",
                "Credential should be scoped to a valid region.",
            ),
            Unknown(OtherError),
        ),
        (
            error(403, "SignatureDoesNotMatch", "x"),
            Unknown(OtherError),
        ),
        (
            error(403, "SignatureDoesNotMatch", "Signature expired: y"),
            Unknown(ClockSkew),
        ),
        (
            error(403, "SignatureDoesNotMatch", "Signature not yet current: y"),
            Unknown(ClockSkew),
        ),
        (error(403, "ExpiredToken", "x"), Expired),
        (error(400, "ExpiredTokenException", "x"), Expired),
        (error(403, "AccessDenied", "x"), Live),
        (error(400, "RequestExpired", "x"), Unknown(ClockSkew)),
        (error(403, "RequestTimeTooSkewed", "x"), Unknown(ClockSkew)),
        (
            error(403, "RegionDisabledException", "x"),
            Unknown(OtherError),
        ),
        (error(403, "OptInRequired", "x"), Unknown(OtherError)),
        (
            error(403, "MissingAuthenticationToken", "x"),
            Unknown(OtherError),
        ),
        (error(400, "IncompleteSignature", "x"), Unknown(OtherError)),
        (error(400, "Throttling", "x"), Unknown(Throttled)),
        (error(400, "ThrottlingException", "x"), Unknown(Throttled)),
        (State::Throttle(2), Live),
        (error(500, "InternalFailure", "x"), Unknown(ServerError)),
        (error(503, "ServiceUnavailable", "x"), Unknown(ServerError)),
        (
            raw(200, "<html>log in to the hotel network</html>"),
            Unknown(Unparsable),
        ),
        (raw(200, "\u{0}\u{1}garbage"), Unknown(Unparsable)),
        (raw(200, ""), Unknown(Unparsable)),
        (raw(302, ""), Unknown(Unparsable)),
        (raw(203, GENUINE), Unknown(Unparsable)),
        (raw(200, GENUINE), Live),
        (
            raw(403, "<html>blocked by policy</html>"),
            Unknown(Unparsable),
        ),
        (raw(407, "proxy"), Unknown(Unparsable)),
        (raw(502, "bad gateway"), Unknown(ServerError)),
        (raw(403, MOTO_MISMATCH), Mismatch),
        (raw(403, S3_DENIAL), Unknown(Unparsable)),
        (State::Reset, Unknown(CauseKind::Unreachable)),
    ]
}

#[test]
fn every_answer_has_its_verdict() {
    let server = StandIn::start();
    server.set_quirk(std::time::Duration::ZERO);
    let mut random = Random::new(71);
    let mut limits = hurried();
    limits.repeat_after = std::time::Duration::from_millis(5);
    for (state, expected) in answers() {
        let fake = Fake::temporary(&mut random);
        server.add(&fake.id, fake.key(state.clone()));
        let verdict = verdict_on(&fake.finding(), &limits, &server.url());
        assert_eq!(of(&verdict), expected, "{state:?} gave {verdict:?}");
    }
}

#[test]
fn a_hang_and_a_closed_port_are_unknown() {
    let server = StandIn::start();
    let mut random = Random::new(72);
    let fake = Fake::long_term(&mut random);
    server.add(&fake.id, fake.key(State::Hang));
    let client = super::client_with(&server.url(), std::time::Duration::from_millis(400));
    let findings = [fake.finding()];
    let verdicts = straykey::verify::run::verify_all(
        &findings,
        &Scope::default(),
        &hurried(),
        &client,
        super::QUIET,
    );
    let verdict = &verdicts[&findings[0].fingerprint];
    assert_eq!(of(verdict), Expected::Unknown(CauseKind::Timeout));
    let verdict = verdict_on(&fake.finding(), &hurried(), &super::closed_port());
    assert_eq!(of(&verdict), Expected::Unknown(CauseKind::Unreachable));
}

#[test]
fn what_depends_on_the_request() {
    let server = StandIn::start();
    let mut random = Random::new(73);
    let known = Fake::long_term(&mut random);
    server.add(&known.id, known.key(State::Active));
    let on = |fake: &Fake| of(&verdict_on(&fake.finding(), &hurried(), &server.url()));
    assert_eq!(on(&known), Expected::Live);
    assert_eq!(on(&Fake::long_term(&mut random)), Expected::Inactive);
    let wrong = Fake {
        secret: random.secret(),
        ..known
    };
    assert_eq!(on(&wrong), Expected::Mismatch);
    let session = Fake::temporary(&mut random);
    server.add(&session.id, session.key(State::Active));
    assert_eq!(on(&session), Expected::Live);
    let broken = Fake {
        token: session
            .token
            .clone()
            .map(|token| token[..token.len() - 4].to_owned()),
        ..session
    };
    assert_eq!(on(&broken), Expected::Inactive);
}

#[test]
fn a_wrong_clock_is_corrected_or_unknown() {
    let mut random = Random::new(74);
    for (ahead, dated, expected) in [
        (3600, true, Expected::Live),
        (-3600, true, Expected::Live),
        (3600, false, Expected::Unknown(CauseKind::ClockSkew)),
        (-3600, false, Expected::Unknown(CauseKind::ClockSkew)),
    ] {
        let server = StandIn::start();
        server.set_clock(ahead, dated);
        let fake = Fake::long_term(&mut random);
        server.add(&fake.id, fake.key(State::Active));
        let verdict = verdict_on(&fake.finding(), &hurried(), &server.url());
        assert_eq!(of(&verdict), expected, "{ahead} {dated}");
    }
}

#[test]
fn a_live_key_says_whose_it_is() {
    let server = StandIn::start();
    let mut random = Random::new(75);
    let user = |name: &str| Principal::User {
        name: name.to_owned(),
    };
    for (resource, principal) in [
        ("iam::123456789012:root", Principal::Root),
        ("iam::123456789012:user/path/of/deploy", user("deploy")),
        (
            "sts::123456789012:assumed-role/build/i-1",
            Principal::AssumedRole {
                role: "build".to_owned(),
                session: "i-1".to_owned(),
            },
        ),
        (
            "sts::123456789012:federated-user/bob",
            Principal::FederatedUser {
                name: "bob".to_owned(),
            },
        ),
    ] {
        let fake = Fake::long_term(&mut random);
        let mut key = fake.key(State::Active);
        key.arn = format!("arn:aws:{resource}");
        server.add(&fake.id, key);
        let verdict = verdict_on(&fake.finding(), &hurried(), &server.url());
        let live = verdict.live().expect("it is live");
        let identity = live.identity.as_ref().expect("it is known");
        assert_eq!(identity.principal, principal);
        assert_eq!(identity.account, ACCOUNT);
        assert_eq!(live.is_root(), principal == Principal::Root);
    }
}

#[test]
fn partitions_are_asked_by_hint_and_named() {
    let server = StandIn::start();
    let mut random = Random::new(76);
    let chinese = Fake::long_term(&mut random);
    let mut key = chinese.key(State::Active);
    key.region = "cn-north-1";
    key.arn = format!("arn:aws-cn:iam::{ACCOUNT}:user/x");
    server.add(&chinese.id, key);
    let mut finding = chinese.finding();
    let inactive_in = |partitions: &[Partition]| Verdict::Inactive {
        partitions: partitions.iter().copied().collect(),
    };
    let url = server.url();
    assert_eq!(
        verdict_on(&finding, &hurried(), &url),
        inactive_in(&[Partition::Aws])
    );
    finding.credential.partition_hints.insert(Partition::AwsCn);
    let verdict = verdict_on(&finding, &hurried(), &url);
    assert_eq!(verdict.live().unwrap().partition, Partition::AwsCn);
    // The hinted partition first, and no other once the key is found.
    let regions: Vec<String> = server.log().into_iter().map(|it| it.region).collect();
    assert_eq!(regions, ["us-east-1", "cn-north-1"]);
    let scope = Scope {
        partitions: [Partition::Aws, Partition::AwsUsGov].into(),
        ..Scope::default()
    };
    let findings = [finding];
    let verdicts = verify(&findings, &scope, &hurried(), &url);
    assert_eq!(
        verdicts[&findings[0].fingerprint],
        inactive_in(&[Partition::Aws, Partition::AwsUsGov])
    );
}

#[test]
fn a_silent_partition_keeps_the_verdict_open() {
    let server = StandIn::start();
    let mut random = Random::new(77);
    let fake = Fake::long_term(&mut random);
    server.add(&fake.id, fake.key(State::Reset));
    let mut finding = fake.finding();
    finding.credential.partition_hints.insert(Partition::AwsCn);
    let verdict = verdict_on(&finding, &hurried(), &server.url());
    assert_eq!(of(&verdict), Expected::Unknown(CauseKind::Unreachable));
}
