//! Sweeps of a forge: paging, limits, tokens, and what is done again.

use std::sync::atomic::Ordering;

use super::server::Server;
use super::{Sweep, hold_no_secret, ids, ids_of, make_repository, on_both, states};
use crate::git_kit::{git_in, run as run_git};
use crate::kit::{keys, run};

on_both!(
    an_organization_once_and_then_what_is_new,
    tokens_and_bad_weather
);

/// A forge with five repositories, keys of the seeds 1 and 2 in two of them.
fn forge(sweep: &Sweep) -> Server {
    let server = Server::start(&sweep.tree.path("served"));
    for (name, seed) in [
        ("a", Some(1)),
        ("b", None),
        ("c", Some(2)),
        ("d", None),
        ("e", None),
    ] {
        let source = sweep.tree.path(format!("source/{name}"));
        make_repository(&source, 4, seed);
        server.add(&source, &format!("acme/{name}"));
    }
    server
}

fn push(sweep: &Sweep, server: &Server, name: &str, seed: u64) {
    let source = sweep.tree.path(format!("source/{name}"));
    std::fs::write(source.join("pushed.sh"), keys::exports(seed)).unwrap();
    run_git(git_in(&source).args(["add", "-A"]));
    run_git(git_in(&source).args(["commit", "-q", "-m", "pushed"]));
    let bare = sweep.tree.path(format!("served/acme/{name}.git"));
    run_git(
        git_in(&source)
            .args(["push", "-q", "--force"])
            .arg(bare)
            .arg("main"),
    );
    server.list(&format!("acme/{name}"), "2026-02-02T00:00:00Z");
}

fn an_organization_once_and_then_what_is_new(sweep: &Sweep) {
    let server = forge(sweep);
    server.behaviour.page.store(2, Ordering::Relaxed);
    let arguments = ["github:acme", "--base-url", &server.url];
    let first = sweep.sweep(&arguments);
    assert_eq!(first.code, Some(1), "{first:?}");
    assert_eq!(ids(&sweep.report()), ids_of([1, 2]));
    assert_eq!(states(&sweep.report()).len(), 5);
    assert_eq!(server.requests()[0], 3, "three pages of two");

    // Nothing new: the listing says so, and git is not started.
    let second = sweep.sweep(&arguments);
    assert_eq!(second.stdout, first.stdout);
    assert_eq!(server.requests(), [3, 0, 0]);

    // One push: that repository, and of it the new commit and blob, and the blob with the old key.
    push(sweep, &server, "a", 3);
    let third = sweep.sweep(&arguments);
    assert_eq!(
        third.stderr.matches("\"event\":\"repository\"").count(),
        1,
        "{third:?}"
    );
    assert!(third.stderr.contains("\"objects\":3,"), "{third:?}");
    assert_eq!(ids(&sweep.report()), ids_of([1, 2, 3]));
    assert!(server.requests()[2] <= 2);

    // A push that only the refs tell: where nothing was pushed, only refs are compared.
    push(sweep, &server, "b", 4);
    let gitlab = ["gitlab:acme", "--base-url", &server.url];
    let fourth = sweep.sweep(&gitlab);
    assert_eq!(
        fourth.stderr.matches("\"unchanged\"").count(),
        4,
        "{fourth:?}"
    );
    assert_eq!(ids(&sweep.report()), ids_of([1, 2, 3, 4]));

    // Old refs go by force, a repository goes for good, one fails.
    let bare = sweep.tree.path("served/acme/c.git");
    run_git(git_in(&bare).args(["update-ref", "refs/heads/main", "refs/heads/main~3"]));
    run_git(git_in(&bare).args(["reflog", "expire", "--expire=now", "--all"]));
    run_git(git_in(&bare).args(["gc", "-q", "--prune=now"]));
    std::fs::remove_dir_all(sweep.tree.path("served/acme/d.git")).unwrap();
    let mut entries = server.behaviour.entries.lock().unwrap();
    entries.retain(|entry| entry["full_name"] != "acme/e");
    drop(entries);
    std::fs::remove_dir_all(sweep.tree.path("cache")).unwrap();
    let fifth = sweep.sweep(&gitlab);
    assert_eq!(fifth.code, Some(1), "{fifth:?}");
    let named = |name: &str, state: &str| (format!("acme/{name}"), state.to_owned());
    assert_eq!(
        states(&sweep.report()),
        [
            named("a", "complete"),
            named("b", "complete"),
            named("c", "complete"),
            named("d", "failed"),
            named("e", "gone")
        ]
    );
    assert!(fifth.stdout.contains("not found"), "{fifth:?}");
    // What was in the old refs is still known, and that it is no longer there.
    let stays = "SELECT COUNT(*) FROM occurrence JOIN repository ON repository.id = repository_id
        WHERE name = 'acme/c' AND last_scan < (SELECT MAX(id) FROM scan)";
    assert_eq!(sweep.number(stays), 1);
    let twice = "SELECT COUNT(*) FROM (SELECT 1 FROM scan
        GROUP BY repository_id, rule_set, refs_digest HAVING COUNT(*) > 1) AS twice";
    assert_eq!(sweep.number(twice), 0);
}

fn tokens_and_bad_weather(sweep: &Sweep) {
    let server = forge(sweep);
    server.behaviour.page.store(1, Ordering::Relaxed);
    let (bad, good) = ("expired0expired0", "good0good0good0good0");
    *server.behaviour.token.lock().unwrap() = good.to_owned();
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
    let token_file = sweep.tree.write("tokens", format!("{bad}\n{good}\n"));
    let token_file = token_file.to_str().unwrap().to_owned();
    // Every git notes what it is called with.
    let log = sweep.tree.path("log");
    let real = run_git(std::process::Command::new("which").arg("git"));
    let real = String::from_utf8(real).unwrap();
    let script = format!(
        "#!/bin/sh\necho \"$*\" >>'{}'\nexec {} \"$@\"\n",
        log.display(),
        real.trim()
    );
    let git = sweep.tree.write("bin/git", script);
    crate::kit::set_mode(&git, 0o755);
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", git.parent().unwrap().display());
    let mut command = sweep.work(&["github:acme", "--base-url", &server.url]);
    let ran = run(command
        .args(["--token-file", &token_file])
        .env("PATH", &path));
    // The listing comes through; git is given the first token, which is the expired one.
    assert!(ran.stderr.contains("forge-pause"), "{ran:?}");
    assert!(
        ran.stdout.contains("5 failed") && ran.stdout.contains("Authentication"),
        "{ran:?}"
    );
    // The same command with a good token in the environment goes on, failed ones included.
    let mut command = sweep.work(&["github:acme", "--base-url", &server.url]);
    let ran = run(command.env("GITHUB_TOKEN", good).env("PATH", &path));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ids(&sweep.report()), ids_of([1, 2]));
    let called = std::fs::read_to_string(&log).unwrap();
    assert!(called.contains("ls-remote") && called.contains("fetch"));
    assert!(!called.contains(good) && !called.contains(bad), "{called}");
    assert!(!format!("{ran:?}").contains(good));
    std::fs::remove_file(&token_file).unwrap();
    for folder in ["served", "source"] {
        std::fs::remove_dir_all(sweep.tree.path(folder)).unwrap();
    }
    // Mirrors hold what was pushed, and nothing else does.
    std::fs::remove_dir_all(sweep.tree.path("cache")).unwrap();
    hold_no_secret(sweep.tree.root(), [1, 2]);
    for file in super::files(sweep.tree.root()) {
        let bytes = std::fs::read(&file).unwrap();
        assert!(
            memchr::memmem::find(&bytes, good.as_bytes()).is_none(),
            "{file:?}"
        );
    }
}

#[test]
fn a_user_and_filters() {
    let sweep = Sweep::sqlite();
    let server = forge(&sweep);
    let base = ["github:ada", "--base-url", &server.url];
    let filtered = [&base[..], &["--only", "acme/[ab]"]].concat();
    let none = sweep.sweep(&filtered);
    assert_eq!(none.code, Some(2), "nothing is not clean: {none:?}");
    let one = sweep.sweep(&[&base[..], &["--only", "?"]].concat());
    assert_eq!(states(&sweep.report()).len(), 5, "{one:?}");
    let listed = sweep.number("SELECT MAX(left_out) FROM listing");
    assert_eq!(listed, 5);
}
