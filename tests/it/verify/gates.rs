//! Verification where something can be held back: `staged` asks when it is told to, a hook never.
//! And what somebody who looks is shown meanwhile.

use super::program::{program, text_of, tree_of};
use super::{Fake, StandIn, State};
use crate::kit::keys::Random;
use crate::kit::{Outcome, Tree, run};

/// A repository with a staged key, which the server knows in `state`.
fn staged(seed: u64, state: State) -> (StandIn, Tree, Fake) {
    let server = StandIn::start();
    let fake = Fake::long_term(&mut Random::new(seed));
    server.add(&fake.id, fake.key(state));
    let tree = tree_of(std::slice::from_ref(&fake));
    tree.git(".", &["init", "-q"]);
    tree.git(".", &["add", "."]);
    (server, tree, fake)
}

fn call(tree: &Tree, arguments: &[&str]) -> Outcome {
    run(&mut program(tree.root(), arguments))
}

#[test]
fn staged_asks_when_it_is_told_to() {
    let (server, tree, fake) = staged(131, State::Active);
    let url = server.url();
    let plain = call(&tree, &["staged"]);
    assert_eq!(plain.code, Some(1));
    assert!(plain.stderr.contains("Nothing has left your machine"));
    assert_eq!(server.log().len(), 0);
    let dry = call(&tree, &["staged", "--verify-dry-run"]);
    assert!(dry.stderr.contains("would ask about 1 access key IDs"));
    assert_eq!(server.log().len(), 0);
    let asked = call(&tree, &["staged", "--verify", "--sts-endpoint", &url]);
    assert_eq!(asked.code, Some(1));
    assert!(
        asked.stderr.contains("LIVE, arn:aws:iam::"),
        "{}",
        asked.stderr
    );
    assert!(!asked.stderr.contains("Nothing has left") && !asked.stderr.contains(&fake.secret));
    assert_eq!(server.calls(&fake.id), 1);
}

#[test]
fn history_asks_once_about_what_many_commits_hold() {
    let (server, tree, fake) = staged(137, State::Active);
    for number in 0..3 {
        tree.write("notes.txt", format!("{number}\n{}", text_of(&fake)));
        tree.git(".", &["add", "."]);
        tree.git(".", &["commit", "-qm", "more"]);
    }
    tree.git(".", &["rm", "-q", "notes.txt", "000.ini"]);
    tree.git(".", &["commit", "-qm", "gone"]);
    let url = server.url();
    let arguments = ["history", "--verify", "--sts-endpoint", &url, "-o", "json"];
    let outcome = call(&tree, &arguments);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    let found = super::program::findings(&outcome);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["verdict"]["state"], "live");
    assert_eq!(server.log().len(), 1);
}

#[test]
fn staged_blocks_by_what_is_live_when_it_is_told_to() {
    for (state, expected) in [
        (State::Active, 1),
        (State::Inactive, 0),
        (State::Error(500, "InternalFailure", "x"), 1),
    ] {
        let (server, tree, _) = staged(132, state.clone());
        let url = server.url();
        let arguments = [
            "staged",
            "--verify",
            "--fail-on",
            "live",
            "--sts-endpoint",
            &url,
        ];
        let outcome = call(&tree, &arguments);
        assert_eq!(
            outcome.code,
            Some(expected),
            "{state:?}: {}",
            outcome.stderr
        );
    }
    let (_, tree, _) = staged(133, State::Active);
    let outcome = call(&tree, &["staged", "--fail-on", "live"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("--fail-on live needs --verify"));
}

#[test]
fn a_hook_asks_nobody() {
    let (server, tree, _) = staged(134, State::Active);
    let url = server.url();
    for arguments in [
        &["hook", "--verify"][..],
        &[
            "hook",
            "--stage",
            "pre-commit",
            "--verify",
            "--sts-endpoint",
            &url,
        ],
        &["hook", "--verify-dry-run"],
        &["hook", "--fail-on", "live"],
    ] {
        let outcome = call(&tree, arguments);
        assert_eq!(outcome.code, Some(2), "{arguments:?}");
        assert!(
            outcome.stderr.contains("which ask nobody"),
            "{}",
            outcome.stderr
        );
    }
    // A file may be called like an option, and is scanned.
    let key = text_of(&Fake::long_term(&mut Random::new(135)));
    tree.write("--verify", &key);
    let outcome = call(&tree, &["hook", "--stage", "pre-commit", "--", "--verify"]);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    assert_eq!(server.log().len(), 0);
}

#[cfg(target_os = "linux")]
#[test]
fn somebody_who_looks_sees_how_far_it_is() {
    use std::io::Read;
    use std::process::{Command, Stdio};

    let server = StandIn::start();
    let mut random = Random::new(136);
    let fakes: Vec<Fake> = (0..4).map(|_| Fake::long_term(&mut random)).collect();
    for fake in &fakes[1..] {
        server.add(&fake.id, fake.key(State::Hang));
    }
    let tree = tree_of(&fakes);
    let (mut screen, terminal) = crate::cli::pseudo_terminal();
    let mut command = program(tree.root(), &["--verify", "--sts-endpoint", &server.url()]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(terminal)
        .spawn()
        .unwrap();
    drop(command);
    let mut shown = Vec::new();
    while !String::from_utf8_lossy(&shown).contains("] asked AWS about 1 of 4 keys") {
        let mut buffer = [0; 256];
        let read = screen.read(&mut buffer).unwrap();
        shown.extend_from_slice(&buffer[..read]);
    }
    assert!(String::from_utf8_lossy(&shown).contains("[==="));
    let interrupt = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(interrupt.unwrap().success());
    let _ = screen.read_to_end(&mut shown);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
