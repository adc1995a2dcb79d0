//! Tokens: shared by the listing and by git, renewed, refused, and never shown to anybody else.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::api::{Accepted, app_key};
use super::server::Server;
use super::{Sweep, hold_no_secret, ids, ids_of, on_both, states, wait_until};
use crate::kit::{Outcome, run};

on_both!(
    a_pool_is_shared_and_outlives_its_tokens,
    without_a_token_a_sweep_ends_and_can_go_on
);

/// Runs `command`, while it is looked for `secrets` on every command line of this machine, and in
/// the environment of everything that is neither git nor started by git.
fn watched(command: &mut Command, secrets: &[&str]) -> Outcome {
    let over = Arc::new(AtomicBool::new(false));
    let watcher = {
        let over = Arc::clone(&over);
        let secrets: Vec<String> = secrets.iter().map(|it| (*it).to_owned()).collect();
        thread::spawn(move || {
            let mut looked_at_git = 0;
            while !over.load(Ordering::Relaxed) {
                looked_at_git += look_at_processes(&secrets);
                thread::sleep(std::time::Duration::from_millis(1));
            }
            looked_at_git
        })
    };
    let ran = run(command);
    over.store(true, Ordering::Relaxed);
    let looked_at_git = watcher.join().expect("no token on a command line");
    assert!(looked_at_git > 0, "git was never seen");
    for secret in secrets {
        assert!(!format!("{ran:?}").contains(secret), "{ran:?}");
    }
    ran
}

/// Returns how many gits it has seen.
fn look_at_processes(secrets: &[String]) -> usize {
    let mut gits = 0;
    for process in std::fs::read_dir("/proc").unwrap().flatten() {
        // A process that has ended meanwhile has nothing to show.
        let read = |name: &str| std::fs::read(process.path().join(name)).unwrap_or_default();
        let (line, environment) = (read("cmdline"), read("environ"));
        let holds =
            |bytes: &[u8], text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
        let of_git =
            line.starts_with(b"git") || holds(&line, "git-core/") || holds(&line, " for 'http");
        gits += usize::from(of_git);
        for secret in secrets {
            let shown = String::from_utf8_lossy(&line);
            assert!(!holds(&line, secret), "on a command line: {shown}");
            assert!(
                of_git || line.is_empty() || !holds(&environment, secret),
                "in the environment of: {shown}"
            );
        }
    }
    gits
}

/// Nothing that a sweep leaves behind holds a token or a key.
fn leaves_no_trace(sweep: &Sweep, tokens: &[&str]) {
    for folder in ["served", "source", "tokens"] {
        let path = sweep.tree.path(folder);
        match path.is_dir() {
            true => std::fs::remove_dir_all(path).unwrap(),
            false if path.exists() => std::fs::remove_file(path).unwrap(),
            false => {}
        }
    }
    for file in super::files(sweep.tree.root()) {
        let bytes = std::fs::read(&file).unwrap();
        for token in tokens {
            let found = memchr::memmem::find(&bytes, token.as_bytes());
            assert!(found.is_none(), "{file:?}");
        }
    }
    // Mirrors hold what was pushed, and nothing else does.
    std::fs::remove_dir_all(sweep.tree.path("cache")).unwrap();
    hold_no_secret(sweep.tree.root(), [1, 2]);
}

fn all_complete(sweep: &Sweep, ran: &Outcome) {
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ids(&sweep.report()), ids_of([1, 2]));
    let states = states(&sweep.report());
    assert_eq!(states.len(), 5);
    assert!(
        states.iter().all(|(_, state)| state == "complete"),
        "{ran:?}"
    );
}

fn a_pool_is_shared_and_outlives_its_tokens(sweep: &Sweep) {
    let server = Server::with_five(sweep);
    server.behaviour.page.store(1, Ordering::Relaxed);
    let expired = "expired0expired0";
    let [spent, revoked, good] = [
        "spent0spent0spent0",
        "revoked0revoked0",
        "good0good0good0good0",
    ];
    let door = &server.behaviour.door;
    door.accepted.lock().unwrap().push(Accepted {
        secret: spent.to_owned(),
        until: None,
        budget: Some(1),
    });
    door.accept(revoked);
    door.accept(good);
    let troubles = [
        (502, ""),
        (403, "Retry-After: 1"),
        (429, "Retry-After: 1"),
        (500, ""),
        (
            403,
            "X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: 1700000000",
        ),
    ];
    *server.behaviour.troubles.lock().unwrap() = troubles.into();
    server.behaviour.delay.store(300, Ordering::Relaxed);
    let tokens = format!("{expired}\n{spent}\n{revoked}\n{good}\n");
    let token_file = sweep.tree.write("tokens", tokens).display().to_string();
    let revoker = {
        let behaviour = Arc::clone(&server.behaviour);
        thread::spawn(move || {
            wait_until("git has used it", || {
                let used = behaviour.door.used.lock().unwrap();
                used.iter().any(|it| *it == ("git", revoked.to_owned()))
            });
            behaviour.door.revoke(revoked);
        })
    };
    let base = ["github:acme", "--base-url", &server.url, "--workers", "1"];
    let mut command = sweep.work(&base);
    let all = [expired, spent, revoked, good];
    let ran = watched(command.args(["--token-file", &token_file]), &all);
    revoker.join().unwrap();
    all_complete(sweep, &ran);
    assert!(ran.stderr.contains("forge-pause"), "{ran:?}");
    let used = door.used.lock().unwrap().clone();
    for place in ["api", "git"] {
        for token in [spent, revoked, good] {
            let both = (place, token.to_owned());
            assert!(used.contains(&both), "{place} {token}: {used:?}");
        }
    }
    leaves_no_trace(sweep, &all);
}

fn without_a_token_a_sweep_ends_and_can_go_on(sweep: &Sweep) {
    let server = Server::with_five(sweep);
    let (first, second) = ("first0first0first0", "second0second0second0");
    let door = &server.behaviour.door;
    door.accept(first);
    server.behaviour.delay.store(300, Ordering::Relaxed);
    let revoker = {
        let behaviour = Arc::clone(&server.behaviour);
        thread::spawn(move || {
            wait_until("something is fetched", || {
                behaviour.fetched.load(Ordering::Relaxed) > 0
            });
            behaviour.door.revoke(first);
        })
    };
    let token_file = sweep.tree.write("tokens", format!("{first}\n"));
    let path = token_file.display().to_string();
    let base = [
        "github:acme",
        "--base-url",
        &server.url,
        "--token-file",
        &path,
    ];
    let sweep_once = || run(sweep.work(&base).args(["--workers", "1"]));
    let ran = sweep_once();
    revoker.join().unwrap();
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let said = format!("no token for {}/api/v3 is left", server.url);
    assert!(ran.stderr.contains(&said), "{ran:?}");
    assert!(ran.stderr.contains("HTTP 401: Bad credentials"), "{ran:?}");
    assert_eq!(
        sweep.number("SELECT COUNT(*) FROM job WHERE state = 'failed'"),
        0
    );
    assert!(sweep.number("SELECT COUNT(*) FROM job WHERE state = 'ready'") >= 1);
    // Again without one: nothing is listed, nothing is said to be clean.
    let again = sweep_once();
    assert_eq!(again.code, Some(2), "{again:?}");
    std::fs::write(&token_file, format!("{second}\n")).unwrap();
    door.accept(second);
    let ran = sweep_once();
    all_complete(sweep, &ran);
    let twice = "SELECT COUNT(*) FROM scan";
    assert_eq!(sweep.number(twice), 5);
    leaves_no_trace(sweep, &[first, second]);
}

/// The App's arguments, and the stand-in that knows it.
fn app(sweep: &Sweep, server: &Server, life: u64) -> Vec<String> {
    let [private, public] = app_key(sweep.tree.root());
    let apps = &server.behaviour.door.apps;
    *apps.known.lock().unwrap() = Some(("7".to_owned(), "8".to_owned(), public));
    apps.life.store(life, Ordering::Relaxed);
    server.behaviour.door.closed.store(true, Ordering::Relaxed);
    server.behaviour.delay.store(300, Ordering::Relaxed);
    let private = private.display().to_string();
    [
        "github:acme",
        "--base-url",
        &server.url,
        "--workers",
        "1",
        "--github-app",
        "7",
        "8",
        &private,
    ]
    .map(str::to_owned)
    .to_vec()
}

fn granted(number: u64) -> String {
    format!("ghs{number}stand0in0stand0in0{number}")
}

#[test]
fn an_app_is_given_new_tokens_when_the_forge_refuses_the_old() {
    let sweep = Sweep::sqlite();
    let server = Server::with_five(&sweep);
    let arguments = app(&sweep, &server, 3600);
    // Each request of git's is seven minutes: a token lasts for eight of them, and nobody tells.
    let door = &server.behaviour.door;
    door.step.store(420, Ordering::Relaxed);
    // The exchange itself meets bad weather.
    let troubles = [(429, "Retry-After: 1"), (502, "")];
    *server.behaviour.troubles.lock().unwrap() = troubles.into();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let tokens: Vec<String> = (0..9).map(granted).collect();
    let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
    let ran = watched(&mut sweep.work(&arguments), &tokens);
    all_complete(&sweep, &ran);
    let (granted, refused) = (&door.apps.granted, &door.refused);
    assert!(granted.load(Ordering::Relaxed) >= 2, "{ran:?}");
    assert!(refused.load(Ordering::Relaxed) >= 1, "{ran:?}");
    leaves_no_trace(&sweep, &tokens);
}

#[test]
fn an_app_renews_tokens_before_they_expire() {
    let sweep = Sweep::sqlite();
    let server = Server::with_five(&sweep);
    // A second that they say; they are taken for longer, so that a slow machine is no matter.
    let arguments = app(&sweep, &server, 1);
    let door = &server.behaviour.door;
    door.apps.grace.store(600, Ordering::Relaxed);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = sweep.sweep(&arguments);
    all_complete(&sweep, &ran);
    assert!(door.apps.granted.load(Ordering::Relaxed) >= 2);
    assert_eq!(door.refused.load(Ordering::Relaxed), 0);
}

#[test]
fn an_app_that_is_refused_is_told_about() {
    let sweep = Sweep::sqlite();
    let server = Server::with_five(&sweep);
    let arguments = app(&sweep, &server, 3600);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Another key than the one that GitHub knows.
    let other = sweep.tree.path("other");
    std::fs::create_dir(&other).unwrap();
    let [_, public] = app_key(Path::new(&other));
    let apps = &server.behaviour.door.apps;
    let mut known = apps.known.lock().unwrap();
    let (id, installation, _) = known.clone().unwrap();
    *known = Some((id, installation, public));
    drop(known);
    let ran = sweep.sweep(&arguments);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let said = "access_tokens: HTTP 401: A JSON web token could not be decoded";
    assert!(ran.stderr.contains(said), "{ran:?}");
    assert_eq!(apps.granted.load(Ordering::Relaxed), 0);
}

/// A token is for the kind of forge that it is set for.
#[test]
fn a_token_is_not_shown_to_another_forge() {
    let sweep = Sweep::sqlite();
    let server = Server::with_five(&sweep);
    let (github, gitlab) = ("github0github0", "gitlab0gitlab0");
    server.behaviour.door.accept(gitlab);
    let with_both = |command: &mut Command| {
        run(command
            .env("GITHUB_TOKEN", github)
            .env("GITLAB_TOKEN", gitlab))
    };
    let base = ["gitlab:acme", "--base-url", &server.url];
    let ran = with_both(&mut sweep.work(&base));
    all_complete(&sweep, &ran);
    assert_eq!(server.behaviour.door.refused.load(Ordering::Relaxed), 0);
    let worker = with_both(&mut sweep.work(&["worker", "--base-url", &server.url]));
    assert_eq!(worker.code, Some(2), "{worker:?}");
    assert!(
        worker.stderr.contains("tokens for several kinds of forge"),
        "{worker:?}"
    );
}
