//! Many credentials against a server that throttles, hangs, resets and answers garbage: every
//! verdict is right or `unknown`, in bounded time, and an interrupt loses nothing.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use straykey::finding::Finding;
use straykey::verify::plan::Scope;
use straykey::verify::run::{Limits, verify_all};

use super::program::{program, tree_of};
use super::{Fake, QUIET, StandIn, State, client_with, timed};
use crate::kit::keys::Random;

/// The truth about credential number `index`, and how the server behaves towards it.
fn fate(index: usize) -> (Option<State>, &'static str) {
    match index % 50 {
        0 => (Some(State::Hang), "unknown"),
        1 => (Some(State::Reset), "unknown"),
        2 => (
            Some(State::Raw(200, "<html>garbage</html>".into())),
            "unknown",
        ),
        3..=5 => (None, "inactive"),
        6 => (Some(State::Expired), "expired"),
        7 => (Some(State::Flaky(1)), "live"),
        8 => (Some(State::Error(500, "InternalFailure", "x")), "unknown"),
        9 => (Some(State::Active), "secret-mismatch"),
        index if index % 3 == 0 => (Some(State::Active), "live"),
        _ => (None, "inactive"),
    }
}

/// A server that serves `rate` requests a second, and `number` credentials as they were found.
fn bad_weather(seed: u64, number: usize, rate: u32) -> (StandIn, Vec<Fake>) {
    let server = StandIn::start();
    server.set_rate(rate);
    let mut random = Random::new(seed);
    let mut found = Vec::new();
    for index in 0..number {
        let (state, truth) = fate(index);
        let fake = match truth {
            "expired" => Fake::temporary(&mut random),
            _ => Fake::long_term(&mut random),
        };
        if let Some(state) = state {
            server.add(&fake.id, fake.key(state));
        }
        found.push(match truth {
            "secret-mismatch" => Fake {
                secret: random.secret(),
                ..fake
            },
            _ => fake,
        });
    }
    (server, found)
}

fn is_right_or_unknown(state: &str, index: usize) -> bool {
    state == fate(index).1 || state == "unknown"
}

#[expect(clippy::print_stderr, reason = "a measurement")]
fn chaos(number: usize, rate: u32, timeout: Duration) -> Duration {
    let (server, found) = bad_weather(61, number, rate);
    let findings: Vec<Finding> = found.iter().map(Fake::finding).collect();
    let scope = Scope {
        max_ids: number,
        ..Scope::default()
    };
    let client = client_with(&server.url(), timeout);
    let limits = Limits::default();
    let (verdicts, time) = timed(|| verify_all(&findings, &scope, &limits, &client, QUIET));
    let mut known = 0;
    for (index, finding) in findings.iter().enumerate() {
        let verdict = &verdicts[&finding.fingerprint];
        assert!(
            is_right_or_unknown(verdict.state(), index),
            "{index}: {} was called {verdict:?}",
            fate(index).1
        );
        known += usize::from(verdict.state() == fate(index).1);
    }
    eprintln!(
        "{number} credentials: {known} as they should be, {} calls, in {time:.1?}",
        server.log().len()
    );
    // Right or unknown is the rule; but unknown everywhere would be no verification.
    assert!(known * 100 >= number * 98, "{known} of {number}");
    time
}

#[test]
fn a_hundred_credentials_in_bad_weather() {
    chaos(100, 50, Duration::from_secs(1));
}

/// Takes more than a minute: run by .ci/run with `--ignored`.
#[test]
#[ignore = "takes a minute and a half; .ci/run runs it"]
fn a_thousand_credentials_in_bad_weather() {
    let time = chaos(1000, 50, Duration::from_secs(5));
    assert!(time < Duration::from_secs(120), "{time:?}");
}

/// The weather may follow the request and not the key: what is tried again then succeeds.
#[test]
fn passing_storms_are_waited_for() {
    let server = StandIn::start();
    server.set_storms();
    let mut random = Random::new(62);
    let fakes: Vec<Fake> = (0..150).map(|_| Fake::long_term(&mut random)).collect();
    for fake in fakes.iter().step_by(2) {
        server.add(&fake.id, fake.key(State::Active));
    }
    let findings: Vec<Finding> = fakes.iter().map(Fake::finding).collect();
    let scope = Scope {
        max_ids: 150,
        ..Scope::default()
    };
    let client = client_with(&server.url(), Duration::from_millis(500));
    let verdicts = verify_all(&findings, &scope, &Limits::default(), &client, QUIET);
    let mut known = 0;
    for (index, finding) in findings.iter().enumerate() {
        let truth = ["live", "inactive"][index % 2];
        let state = verdicts[&finding.fingerprint].state();
        assert!(state == truth || state == "unknown", "{index}: {state}");
        known += usize::from(state == truth);
    }
    // Six requests in a hundred are lost, each is made twice at most: four keys in a thousand.
    assert!(known >= 147, "{known}");
}

/// The program with a thousand keys, interrupted when it has asked about some two hundred.
#[test]
fn ctrl_c_in_the_middle_of_a_thousand_reports_what_is_known() {
    let (server, found) = bad_weather(63, 1000, 50);
    let tree = tree_of(&found);
    let arguments = [
        "--verify",
        "--sts-endpoint",
        &server.url(),
        "--verify-max",
        "1000",
    ];
    let child = program(tree.root(), &arguments)
        .args(["-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while server.log().len() < 200 {
        assert!(start.elapsed() < Duration::from_secs(60), "no calls");
        std::thread::sleep(Duration::from_millis(20));
    }
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let (output, time) = timed(|| child.wait_with_output().unwrap());
    assert!(time < Duration::from_secs(5), "{time:?}");
    assert_eq!(output.status.code(), Some(1));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["summary"]["interrupted"], true);
    let findings = document["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1000);
    let index_of = |finding: &serde_json::Value| {
        found
            .iter()
            .position(|fake| finding["access_key_id"] == *fake.id)
            .unwrap()
    };
    let mut known = 0;
    for finding in findings {
        let state = finding["verdict"]["state"].as_str().unwrap();
        let index = index_of(finding);
        assert!(
            is_right_or_unknown(state, index),
            "{index} was called {state}"
        );
        known += usize::from(state != "unknown");
    }
    assert!((100..400).contains(&known), "{known} are known");
}
