//! Many credentials against a server that throttles, hangs, resets and answers garbage: every
//! verdict is right or `unknown`, in bounded time.

use std::time::Duration;

use straykey::finding::Finding;
use straykey::verify::plan::Scope;
use straykey::verify::run::{Limits, verify_all};

use super::{Fake, QUIET, StandIn, State, client_with, timed};
use crate::kit::keys::Random;

/// The truth about credential number `index`, and how the server behaves towards it.
fn fate(index: usize) -> (Option<State>, &'static str) {
    match index % 50 {
        0 => (Some(State::Hang), "unknown"),
        1 => (Some(State::Reset), "unknown"),
        2 => (Some(State::Raw(200, "<html>garbage</html>")), "unknown"),
        3..=5 => (None, "inactive"),
        6 => (Some(State::Expired), "expired"),
        7 => (Some(State::Flaky(1)), "live"),
        8 => (Some(State::Error(500, "InternalFailure", "x")), "unknown"),
        9 => (Some(State::Active), "secret-mismatch"),
        index if index % 3 == 0 => (Some(State::Active), "live"),
        _ => (None, "inactive"),
    }
}

#[expect(clippy::print_stderr, reason = "a measurement")]
fn chaos(number: usize, rate: u32, timeout: Duration) -> Duration {
    let server = StandIn::start();
    server.set_rate(rate);
    let mut random = Random::new(61);
    let mut findings: Vec<Finding> = Vec::new();
    for index in 0..number {
        let (state, truth) = fate(index);
        let fake = match truth {
            "expired" => Fake::temporary(&mut random),
            _ => Fake::long_term(&mut random),
        };
        if let Some(state) = state {
            server.add(&fake.id, fake.key(state));
        }
        let found = match truth {
            "secret-mismatch" => Fake {
                secret: random.secret(),
                ..fake
            },
            _ => fake,
        };
        findings.push(found.finding());
    }
    let scope = Scope {
        max_ids: number,
        ..Scope::default()
    };
    let client = client_with(&server.url(), timeout);
    let limits = Limits::default();
    let (verdicts, time) = timed(|| verify_all(&findings, &scope, &limits, &client, QUIET));
    let mut known = 0;
    for (index, finding) in findings.iter().enumerate() {
        let (verdict, truth) = (&verdicts[&finding.fingerprint], fate(index).1);
        assert!(
            verdict.state() == truth || verdict.state() == "unknown",
            "{index}: {truth} was called {verdict:?}"
        );
        known += usize::from(verdict.state() == truth);
    }
    eprintln!("{number} credentials: {known} as they should be, in {time:.1?}");
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
