//! The program with `--verify`: exit codes, outputs, interruption, whose environment counts.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{Fake, StandIn, State, closed_port, timed};
use crate::kit::keys::Random;
use crate::kit::{Outcome, Tree, run, straykey};

/// The program in `directory`, without this machine's proxies, with somebody's own AWS settings
/// that must not count.
pub(super) fn program(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = straykey(directory);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.env_remove("AWS_CA_BUNDLE");
    command
        .env("AWS_ACCESS_KEY_ID", "OWNIDENTITY")
        .env("AWS_SECRET_ACCESS_KEY", "own-secret")
        .env("AWS_SESSION_TOKEN", "own-token")
        .env("AWS_PROFILE", "own-profile")
        .env("AWS_CONFIG_FILE", "/nowhere/config")
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
        .args(arguments);
    command
}

pub(super) fn text_of(fake: &Fake) -> String {
    let mut text = format!(
        "aws_access_key_id = {}\naws_secret_access_key = {}\n",
        fake.id, fake.secret
    );
    if let Some(token) = &fake.token {
        text.push_str(&format!("aws_session_token = {token}\n"));
    }
    text
}

/// A tree with one key a file.
pub(super) fn tree_of(fakes: &[Fake]) -> Tree {
    let tree = Tree::new();
    for (index, fake) in fakes.iter().enumerate() {
        tree.write(format!("{index:03}.ini"), text_of(fake));
    }
    tree
}

pub(super) fn verified(tree: &Tree, url: &str, more: &[&str]) -> Outcome {
    let mut arguments = vec!["--verify", "--sts-endpoint", url];
    arguments.extend(more);
    run(&mut program(tree.root(), &arguments))
}

pub(super) fn findings(outcome: &Outcome) -> Vec<serde_json::Value> {
    let document: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    document["findings"].as_array().unwrap().clone()
}

#[test]
fn verdicts_reach_the_report_and_the_exit_code() {
    let server = StandIn::start();
    let mut random = Random::new(41);
    let [dead, root] = [0, 1].map(|_| Fake::long_term(&mut random));
    let session = Fake::temporary(&mut random);
    let mut key = root.key(State::Active);
    key.arn = "arn:aws:iam::123456789012:root".to_owned();
    server.add(&root.id, key);
    server.add(&session.id, session.key(State::Expired));
    let tree = tree_of(&[dead.clone(), root.clone(), session.clone()]);
    let outcome = verified(&tree, &server.url(), &["-o", "json"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let found = findings(&outcome);
    let shown: Vec<(&str, &str, &str)> = found
        .iter()
        .map(|it| {
            let text = |value: &'static str| it[value].as_str().unwrap();
            let state = it["verdict"]["state"].as_str().unwrap();
            (text("access_key_id"), state, text("severity"))
        })
        .collect();
    assert_eq!(
        shown,
        [
            (root.id.as_str(), "live", "critical"),
            (dead.id.as_str(), "inactive", "low"),
            (session.id.as_str(), "expired", "low"),
        ]
    );
    assert_eq!(found[0]["verdict"]["principal"]["kind"], "root");
    assert_eq!(found[1]["verdict"]["partitions"][0], "aws");
    let pretty = verified(&tree, &server.url(), &["-o", "pretty"]).stdout;
    assert!(
        pretty.starts_with(&format!("CRITICAL  LIVE ROOT KEY  {}", root.id)),
        "{pretty}"
    );
    // Without the live one nothing blocks: what is over does not.
    std::fs::remove_file(tree.path("001.ini")).unwrap();
    let outcome = verified(&tree, &server.url(), &[]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(
        outcome.stderr.contains("verified: 1 expired, 1 inactive"),
        "{}",
        outcome.stderr
    );
}

#[test]
fn a_hundred_files_with_one_key_are_one_call() {
    let server = StandIn::start();
    let fake = Fake::long_term(&mut Random::new(42));
    server.add(&fake.id, fake.key(State::Active));
    let tree = tree_of(&vec![fake.clone(); 100]);
    let outcome = verified(&tree, &server.url(), &["-o", "json"]);
    assert_eq!(findings(&outcome).len(), 1);
    assert_eq!(server.calls(&fake.id), 1);
    assert_eq!(server.log().len(), 1);
}

#[test]
fn a_dead_id_with_twenty_secrets_is_one_call() {
    let server = StandIn::start();
    let mut random = Random::new(49);
    let dead = Fake::long_term(&mut random);
    let fakes: Vec<Fake> = (0..20)
        .map(|_| Fake {
            secret: random.secret(),
            ..dead.clone()
        })
        .collect();
    let outcome = verified(&tree_of(&fakes), &server.url(), &["-o", "json"]);
    let found = findings(&outcome);
    assert_eq!(found.len(), 20);
    assert!(found.iter().all(|it| it["verdict"]["state"] == "inactive"));
    assert_eq!(server.log().len(), 1);
}

#[test]
fn nobody_is_asked_without_the_flag_or_in_a_dry_run() {
    let server = StandIn::start();
    let mut random = Random::new(43);
    let fake = Fake::long_term(&mut random);
    server.add(&fake.id, fake.key(State::Active));
    let tree = tree_of(std::slice::from_ref(&fake));
    let url = server.url();
    let plain = run(&mut program(tree.root(), &[]));
    let dry = [
        "--verify-dry-run",
        "--verify",
        "--sts-endpoint",
        &url,
        "--partition",
        "aws-cn,aws",
    ];
    let dry = run(&mut program(tree.root(), &dry));
    assert_eq!((plain.code, dry.code), (Some(1), Some(1)));
    assert_eq!(plain.stdout, dry.stdout);
    let words = dry.stderr;
    assert!(
        words.contains("would ask about 1 access key IDs, with at most 3 calls"),
        "{words}"
    );
    assert!(words.contains(&format!("ask   {}", fake.id)), "{words}");
    assert!(words.contains("in aws, then aws-cn"), "{words}");
    assert!(!words.contains(&fake.secret));
    assert_eq!(server.log().len(), 0);
}

#[test]
fn without_network_the_exit_code_is_as_if_unverified() {
    let mut random = Random::new(44);
    let fakes: Vec<Fake> = (0..30).map(|_| Fake::long_term(&mut random)).collect();
    let tree = tree_of(&fakes);
    let url = closed_port();
    let (outcome, time) = timed(|| verified(&tree, &url, &["-o", "json"]));
    assert!(time < Duration::from_secs(10), "{time:?}");
    assert_eq!(outcome.code, Some(1));
    let found = findings(&outcome);
    assert_eq!(found.len(), 30);
    for finding in found {
        assert_eq!(finding["verdict"]["state"], "unknown");
        assert_eq!(finding["verdict"]["cause"], "unreachable");
        assert_eq!(finding["severity"], "critical");
    }
    // A key without an answer blocks where only live ones shall: nothing is unblocked by a failure.
    assert_eq!(verified(&tree, &url, &["--fail-on", "live"]).code, Some(1));
}

#[test]
fn fail_on_live_lets_everything_else_pass() {
    let server = StandIn::start();
    let mut random = Random::new(45);
    let fakes = [0, 1].map(|_| Fake::long_term(&mut random));
    server.add(&fakes[0].id, fakes[0].key(State::Inactive));
    let tree = tree_of(&fakes);
    let fail_on_live = ["--fail-on", "live"];
    assert_eq!(verified(&tree, &server.url(), &fail_on_live).code, Some(0));
    assert_eq!(
        verified(&tree, &server.url(), &["--fail-on", "low"]).code,
        Some(1)
    );
    server.add(&fakes[0].id, fakes[0].key(State::Active));
    assert_eq!(verified(&tree, &server.url(), &fail_on_live).code, Some(1));
}

#[test]
fn ctrl_c_during_verification_still_reports() {
    let server = StandIn::start();
    let mut random = Random::new(46);
    let fakes: Vec<Fake> = (0..8).map(|_| Fake::long_term(&mut random)).collect();
    for (index, fake) in fakes.iter().enumerate() {
        let state = if index < 2 {
            State::Active
        } else {
            State::Hang
        };
        server.add(&fake.id, fake.key(state));
    }
    let tree = tree_of(&fakes);
    let arguments = ["--verify", "--sts-endpoint", &server.url(), "-o", "json"];
    let child = program(tree.root(), &arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while server.log().len() < 5 {
        assert!(start.elapsed() < Duration::from_secs(20), "no calls");
        std::thread::sleep(Duration::from_millis(20));
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let (output, time) = timed(|| child.wait_with_output().unwrap());
    assert!(time < Duration::from_secs(3), "{time:?}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let states: Vec<&str> = document["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["verdict"]["state"].as_str().unwrap())
        .collect();
    assert_eq!(
        states.iter().filter(|it| **it == "live").count(),
        2,
        "{states:?}"
    );
    assert_eq!(
        states.iter().filter(|it| **it == "unknown").count(),
        6,
        "{states:?}"
    );
    assert_eq!(document["summary"]["interrupted"], true);
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_own_identity_takes_no_part_and_no_secret_is_written() {
    let server = StandIn::start();
    let mut random = Random::new(47);
    let fakes = [Fake::long_term(&mut random), Fake::temporary(&mut random)];
    for fake in &fakes {
        server.add(&fake.id, fake.key(State::Active));
    }
    let tree = tree_of(&fakes);
    for format in ["pretty", "line", "json", "jsonl"] {
        let outcome = verified(&tree, &server.url(), &["-o", format]);
        let written = outcome.stdout + &outcome.stderr;
        assert!(written.contains("123456789012") || written.contains("1234····9012"));
        for fake in &fakes {
            assert!(!written.contains(&fake.secret) && !written.contains("own-secret"));
            assert!(
                !fake
                    .token
                    .as_ref()
                    .is_some_and(|token| written.contains(token))
            );
        }
    }
    let log = server.log();
    assert_eq!(log.len(), 8);
    for seen in log {
        assert!(fakes.iter().any(|fake| fake.id == seen.key_id));
        assert!(!seen.raw.contains("OWNIDENTITY") && !seen.raw.contains("own-"));
    }
}

#[test]
fn the_proxy_of_the_environment_is_used_and_its_exceptions_are_kept() {
    let proxy = StandIn::start();
    let mut random = Random::new(48);
    let fake = Fake::long_term(&mut random);
    proxy.add(&fake.id, fake.key(State::Active));
    let tree = tree_of(std::slice::from_ref(&fake));
    let closed = closed_port();
    let arguments = ["--verify", "--sts-endpoint", &closed, "-o", "json"];
    let state = |exceptions: &str| {
        let mut command = program(tree.root(), &arguments);
        command
            .env("HTTP_PROXY", proxy.url())
            .env("NO_PROXY", exceptions);
        let found = findings(&run(&mut command));
        found[0]["verdict"]["state"].as_str().unwrap().to_owned()
    };
    assert_eq!(state(""), "live");
    assert_eq!(state("127.0.0.1"), "unknown");
    assert_eq!(proxy.log().len(), 1);
}

#[test]
fn wrong_usage_is_refused_before_anything_is_scanned() {
    let tree = Tree::with(&["a"]);
    for (arguments, words) in [
        (&["--fail-on", "live"][..], "--fail-on live needs --verify"),
        (&["--fips"], "--fips means nothing without --verify"),
        (
            &["--verify", "--sts-endpoint", "http://sts.example.org"],
            "loopback addresses only",
        ),
        (&["--verify", "--partition", "mars"], "'mars' is not one of"),
        (
            &["--verify", "--verify-accounts-deny", "12"],
            "an account ID has 12 digits",
        ),
        (&["--verify", "--ca-bundle", "a"], "there is none in it"),
        (
            &["--verify", "--ca-bundle", "b"],
            "cannot read the certificates in `b`",
        ),
        (&["--verify", "--verify-timeout", "0"], "not in 1..=60"),
    ] {
        let outcome = run(&mut program(tree.root(), arguments));
        assert_eq!(outcome.code, Some(2), "{arguments:?}");
        assert!(
            outcome.stderr.contains(words),
            "{arguments:?}: {}",
            outcome.stderr
        );
    }
}
