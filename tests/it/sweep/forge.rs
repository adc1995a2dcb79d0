//! Sweeps of a forge: paging, limits, tokens, and what is done again.

use std::sync::atomic::Ordering;

use super::server::Server;
use super::{Sweep, ids, ids_of, on_both, states};
use crate::git_kit::{git_in, run as run_git};
use crate::kit::keys;

on_both!(an_organization_once_and_then_what_is_new);

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
    let server = Server::with_five(sweep);
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

#[test]
fn a_user_and_filters() {
    let sweep = Sweep::sqlite();
    let server = Server::with_five(&sweep);
    let base = ["github:ada", "--base-url", &server.url];
    let filtered = [&base[..], &["--only", "acme/[ab]"]].concat();
    let none = sweep.sweep(&filtered);
    assert_eq!(none.code, Some(2), "nothing is not clean: {none:?}");
    let one = sweep.sweep(&[&base[..], &["--only", "?"]].concat());
    assert_eq!(states(&sweep.report()).len(), 5, "{one:?}");
    let listed = sweep.number("SELECT MAX(left_out) FROM listing");
    assert_eq!(listed, 5);
}
