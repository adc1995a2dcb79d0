//! What travels, how often, and what does not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use straykey::finding::{Finding, Severity};
use straykey::secret::Secret;
use straykey::verdict::{CauseKind, SkipReason, Verdict};
use straykey::verify::effect;
use straykey::verify::plan::Scope;
use straykey::verify::run::{Control, Limits, verify_all};

use super::{Fake, QUIET, StandIn, State, client, closed_port, hurried, timed, verdict_on, verify};
use crate::kit::keys::Random;

#[test]
fn the_secret_does_not_travel_and_the_rest_is_what_is_documented() {
    let server = StandIn::start();
    let mut random = Random::new(81);
    let fakes: Vec<Fake> = (0..6)
        .map(|index| match index % 2 {
            0 => Fake::long_term(&mut random),
            _ => Fake::temporary(&mut random),
        })
        .collect();
    let states = [
        State::Active,
        State::Active,
        State::Inactive,
        State::Expired,
        State::Error(500, "InternalFailure", "x"),
        State::Flaky(1),
    ];
    for (fake, state) in fakes.iter().zip(states) {
        server.add(&fake.id, fake.key(state));
    }
    let findings: Vec<Finding> = fakes.iter().map(Fake::finding).collect();
    verify(&findings, &Scope::default(), &hurried(), &server.url());
    let log = server.log();
    assert!(log.len() >= 6);
    for seen in &log {
        for fake in &fakes {
            assert!(!seen.raw.contains(&fake.secret));
            let secret = data_encoding::BASE64.encode(fake.secret.as_bytes());
            assert!(!seen.raw.contains(&secret));
        }
        let own = fakes.iter().find(|fake| fake.id == seen.key_id).unwrap();
        let token = own.token.as_deref().unwrap_or("x-amz-date");
        assert!(seen.raw.contains(token));
        assert!(seen.raw.starts_with("POST / HTTP/1.1\r\n"));
        assert!(
            seen.raw
                .ends_with("\r\n\r\nAction=GetCallerIdentity&Version=2011-06-15")
        );
        let app = concat!("app/straykey-", env!("CARGO_PKG_VERSION"));
        assert!(seen.user_agent.contains(app), "{}", seen.user_agent);
    }
}

#[test]
fn one_call_for_one_credential_however_often_it_is_found() {
    let server = StandIn::start();
    let mut random = Random::new(82);
    let fake = Fake::long_term(&mut random);
    server.add(&fake.id, fake.key(State::Active));
    // Findings of one credential have one fingerprint after a scan; here they come unmerged, and
    // with another fingerprint each, which is worse.
    let findings: Vec<Finding> = (0..100u8)
        .map(|number| {
            let mut finding = fake.finding();
            finding.fingerprint = straykey::finding::Fingerprint::of("copy", &[&[number]]);
            finding
        })
        .collect();
    let verdicts = verify(&findings, &Scope::default(), &hurried(), &server.url());
    assert_eq!(verdicts.len(), 100);
    assert!(verdicts.values().all(|verdict| verdict.live().is_some()));
    assert_eq!(server.calls(&fake.id), 1);
}

#[test]
fn a_dead_id_costs_one_call_with_any_number_of_secrets() {
    let server = StandIn::start();
    let mut random = Random::new(83);
    let dead = Fake::long_term(&mut random);
    let findings: Vec<Finding> = (0..20)
        .map(|_| {
            let mut finding = Fake {
                secret: random.secret(),
                ..dead.clone()
            }
            .finding();
            finding.credential.alternatives = vec![Secret::new(random.secret().as_bytes())];
            finding
        })
        .collect();
    let verdicts = verify(&findings, &Scope::default(), &hurried(), &server.url());
    assert_eq!(verdicts.len(), 20);
    assert!(
        verdicts
            .values()
            .all(|it| matches!(it, Verdict::Inactive { .. }))
    );
    assert_eq!(server.calls(&dead.id), 1);
}

/// With the real pause: STS refuses a good secret within five seconds after another one.
#[test]
fn the_five_second_quirk_does_not_fool_us() {
    let server = StandIn::start();
    let mut random = Random::new(84);
    let fake = Fake::long_term(&mut random);
    server.add(&fake.id, fake.key(State::Active));
    let mut finding = Fake {
        secret: random.secret(),
        ..fake.clone()
    }
    .finding();
    finding.credential.alternatives = vec![Secret::new(fake.secret.as_bytes())];
    let verdict = verdict_on(&finding, &Limits::default(), &server.url());
    let live = verdict.live().expect("the second secret works");
    assert!(live.other_secret);
    let log = server.log();
    assert_eq!(log.len(), 2);
    assert!(log[1].at - log[0].at >= Duration::from_secs(5));
}

/// As above with two findings of their own: the order does not decide who is believed.
#[test]
fn rival_secrets_of_one_id_get_their_own_verdicts() {
    let server = StandIn::start();
    server.set_quirk(Duration::from_millis(200));
    let mut random = Random::new(85);
    let fake = Fake::long_term(&mut random);
    server.add(&fake.id, fake.key(State::Active));
    let wrong = Fake {
        secret: random.secret(),
        ..fake.clone()
    };
    let findings = [wrong.finding(), fake.finding()];
    let verdicts = verify(&findings, &Scope::default(), &hurried(), &server.url());
    assert_eq!(
        verdicts[&findings[0].fingerprint].state(),
        "secret-mismatch"
    );
    assert_eq!(verdicts[&findings[1].fingerprint].state(), "live");
    assert_eq!(server.calls(&fake.id), 2);
    // The other way round the first call settles both.
    let findings = [fake.finding(), wrong.finding()];
    let verdicts = verify(&findings, &Scope::default(), &hurried(), &server.url());
    assert_eq!(
        verdicts[&findings[1].fingerprint].state(),
        "secret-mismatch"
    );
    assert_eq!(server.calls(&fake.id), 3);
}

#[test]
fn three_calls_for_an_id_are_the_most() {
    let server = StandIn::start();
    let mut random = Random::new(86);
    let fake = Fake::long_term(&mut random);
    server.add(&fake.id, fake.key(State::Active));
    let findings: Vec<Finding> = (0..8)
        .map(|_| {
            Fake {
                secret: random.secret(),
                ..fake.clone()
            }
            .finding()
        })
        .collect();
    let verdicts = verify(&findings, &Scope::default(), &hurried(), &server.url());
    assert_eq!(server.calls(&fake.id), 3);
    // None was refused twice, so none is believed to be wrong.
    for verdict in verdicts.values() {
        assert!(matches!(verdict, Verdict::Unknown(cause) if matches!(
            cause.kind,
            CauseKind::UnconfirmedMismatch | CauseKind::CallLimit
        )));
    }
}

#[test]
fn canaries_and_others_are_not_called() {
    let server = StandIn::start();
    let mut random = Random::new(87);
    let mut findings: Vec<Finding> = (0..6)
        .map(|_| Fake::long_term(&mut random).finding())
        .collect();
    findings[0].credential.canary = true;
    findings[1].credential.secret = None;
    findings[2].credential.account_id = Some("222222222222".to_owned());
    findings[3].severity = Severity::Medium;
    findings.push(Fake::temporary(&mut random).finding());
    findings[6].credential.session_token = None;
    let scope = Scope {
        denied_accounts: ["222222222222".to_owned()].into(),
        max_ids: 2,
        ..Scope::default()
    };
    let verdicts = verify(&findings, &scope, &hurried(), &server.url());
    let reason = |index: usize| match &verdicts[&findings[index].fingerprint] {
        Verdict::Skipped(reason) => Some(*reason),
        _ => None,
    };
    assert_eq!(reason(0), Some(SkipReason::Canary));
    assert_eq!(reason(1), Some(SkipReason::SecretMissing));
    assert_eq!(reason(2), Some(SkipReason::AccountRefused));
    assert_eq!(reason(3), Some(SkipReason::OverBudget));
    assert_eq!((reason(4), reason(5)), (None, None));
    assert_eq!(reason(6), Some(SkipReason::TokenMissing));
    let called: Vec<String> = server.log().into_iter().map(|it| it.key_id).collect();
    assert_eq!(called.len(), 2);
    let scope = Scope {
        canaries: true,
        ..Scope::default()
    };
    verify(&findings[..1], &scope, &hurried(), &server.url());
    assert_eq!(server.log().len(), 3);
}

#[test]
fn without_network_it_ends_soon_and_nothing_changes() {
    let mut random = Random::new(88);
    let mut findings: Vec<Finding> = (0..100)
        .map(|_| Fake::long_term(&mut random).finding())
        .collect();
    let url = closed_port();
    let limits = Limits::default();
    let (verdicts, time) = timed(|| verify(&findings, &Scope::default(), &limits, &url));
    assert!(time < Duration::from_secs(10), "{time:?}");
    assert_eq!(verdicts.len(), 100);
    for verdict in verdicts.values() {
        assert!(matches!(verdict, Verdict::Unknown(cause) if cause.kind == CauseKind::Unreachable));
    }
    effect::apply(&mut findings, verdicts);
    assert!(findings.iter().all(|it| it.severity == Severity::Critical));
}

/// An endpoint that swallows everything costs a handful of calls, however many keys there are.
#[test]
fn a_black_hole_is_given_up() {
    let server = StandIn::start();
    let mut random = Random::new(92);
    let fakes: Vec<Fake> = (0..100).map(|_| Fake::long_term(&mut random)).collect();
    for fake in &fakes {
        server.add(&fake.id, fake.key(State::Hang));
    }
    let findings: Vec<Finding> = fakes.iter().map(Fake::finding).collect();
    let client = super::client_with(&server.url(), Duration::from_millis(700));
    let limits = Limits::default();
    let (scope, control) = (Scope::default(), QUIET);
    let (verdicts, time) = timed(|| verify_all(&findings, &scope, &limits, &client, control));
    assert!(verdicts.values().all(|it| it.state() == "unknown"));
    assert!(server.log().len() <= 8, "{} calls", server.log().len());
    assert!(time < Duration::from_secs(10), "{time:?}");
}

#[test]
fn an_interrupt_keeps_what_is_known() {
    let server = StandIn::start();
    let mut random = Random::new(89);
    let fakes: Vec<Fake> = (0..12).map(|_| Fake::long_term(&mut random)).collect();
    for (index, fake) in fakes.iter().enumerate() {
        let state = match index < 4 {
            true => State::Active,
            false => State::Hang,
        };
        server.add(&fake.id, fake.key(state));
    }
    let findings: Vec<Finding> = fakes.iter().map(Fake::finding).collect();
    let stop = AtomicBool::new(false);
    let control = Control {
        progress: &|done, _| {
            if done == 4 {
                stop.store(true, Ordering::Relaxed);
            }
        },
        stopped: &|| stop.load(Ordering::Relaxed),
    };
    let client = client(&server.url());
    let limits = Limits::default();
    let (verdicts, time) =
        timed(|| verify_all(&findings, &Scope::default(), &limits, &client, control));
    assert!(time < Duration::from_secs(3), "{time:?}");
    let states: Vec<&str> = findings
        .iter()
        .map(|it| verdicts[&it.fingerprint].state())
        .collect();
    assert_eq!(states.iter().filter(|state| **state == "live").count(), 4);
    assert_eq!(
        states.iter().filter(|state| **state == "unknown").count(),
        8
    );
}

#[test]
fn the_time_of_a_run_is_bounded() {
    let server = StandIn::start();
    let mut random = Random::new(90);
    let fake = Fake::long_term(&mut random);
    server.add(&fake.id, fake.key(State::Hang));
    let limits = Limits {
        deadline: Duration::from_millis(300),
        ..Limits::default()
    };
    let (verdict, time) = timed(|| verdict_on(&fake.finding(), &limits, &server.url()));
    assert!(time < Duration::from_secs(2), "{time:?}");
    assert!(matches!(verdict, Verdict::Unknown(cause) if cause.kind == CauseKind::OutOfTime));
}

#[test]
fn the_same_findings_give_the_same_verdicts() {
    let server = StandIn::start();
    let mut random = Random::new(91);
    let fakes: Vec<Fake> = (0..30).map(|_| Fake::long_term(&mut random)).collect();
    for fake in fakes.iter().step_by(3) {
        server.add(&fake.id, fake.key(State::Active));
    }
    let findings: Vec<Finding> = fakes.iter().map(Fake::finding).collect();
    let run = || {
        let mut findings = findings.clone();
        let verdicts = verify_all(
            &findings,
            &Scope::default(),
            &hurried(),
            &client(&server.url()),
            QUIET,
        );
        effect::apply(&mut findings, verdicts);
        findings
    };
    let first = run();
    assert_eq!(first, run());
    assert!(first[..10].iter().all(|it| it.verdict.live().is_some()));
}
