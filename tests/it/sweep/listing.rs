//! Listings: pages that are known, shapes and filters of each forge, and repositories that cannot
//! be had.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::api::Accepted;
use super::server::{GitTrouble, Server};
use super::{Sweep, ids, ids_of, make_repository, on_both, states};
use crate::git_kit::{git_in, run as run_git};
use crate::kit::{Outcome, run};

on_both!(
    unchanged_pages_are_not_sent_again,
    what_cannot_be_had_says_why,
    without_a_pushed_date_one_ls_remote_decides
);

/// A forge that lists `names`; none of them is there.
fn forge_of(sweep: &Sweep, names: &[&str]) -> Server {
    let server = Server::start(&sweep.tree.path("served"));
    for name in names {
        server.list(&format!("acme/{name}"), "2026-01-01T00:00:00Z");
    }
    server
}

fn plan(sweep: &Sweep, arguments: &[&str]) -> Outcome {
    run(&mut sweep.command(&[&["plan"], arguments].concat()))
}

fn change(server: &Server, name: &str, field: &str, value: Value) {
    let mut entries = server.behaviour.entries.lock().unwrap();
    let named = entries.iter_mut().find(|it| it["full_name"] == name);
    named.unwrap()[field] = value;
}

fn unchanged_pages_are_not_sent_again(sweep: &Sweep) {
    let server = forge_of(sweep, &["a", "b", "c", "d", "e"]);
    let seen = &server.behaviour;
    seen.page.store(2, Ordering::Relaxed);
    let token = "only0only0only0";
    seen.door.accepted.lock().unwrap().push(Accepted {
        secret: token.to_owned(),
        until: None,
        budget: Some(100),
    });
    let arguments = ["plan", "github:acme", "--base-url", &server.url];
    let list = || {
        let mut command = sweep.command(&arguments);
        let ran = run(command.env("GITHUB_TOKEN", token));
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let spent = 100 - seen.door.accepted.lock().unwrap()[0].budget.unwrap();
        seen.door.accepted.lock().unwrap()[0].budget = Some(100);
        let unchanged = seen.not_modified.swap(0, Ordering::Relaxed);
        (server.requests()[0], unchanged, spent)
    };
    assert_eq!(list(), (3, 0, 3));
    let rows = "SELECT COUNT(*) FROM repository WHERE gone_at IS NULL
        AND last_listing = (SELECT MAX(id) FROM listing)";
    assert_eq!(sweep.number(rows), 5);
    // The last page is asked for anew: another one may follow it by now.
    assert_eq!(list(), (3, 2, 1));
    assert_eq!(sweep.number(rows), 5);
    // A page that has changed is seen, with its job.
    let done = "UPDATE job SET state = 'done'";
    sweep.execute(done);
    change(
        &server,
        "acme/c",
        "pushed_at",
        json!("2026-02-02T00:00:00Z"),
    );
    assert_eq!(list(), (3, 1, 2));
    let ready = "SELECT COUNT(*) FROM job JOIN repository ON repository.id = repository_id
        WHERE state = 'ready' AND name = 'acme/c'";
    assert_eq!(sweep.number(ready), 1);
    assert_eq!(
        sweep.number("SELECT COUNT(*) FROM job WHERE state = 'ready'"),
        1
    );
    // Two more: the page that was the last is longer, and one follows it.
    for name in ["acme/f", "acme/g"] {
        server.list(name, "2026-01-01T00:00:00Z");
    }
    assert_eq!(list(), (4, 2, 2));
    assert_eq!(sweep.number(rows), 7);
    // Fewer: what is no longer listed is gone.
    seen.entries.lock().unwrap().truncate(3);
    assert_eq!(list().0, 2);
    assert_eq!(sweep.number(rows), 3);
    assert_eq!(
        sweep.number("SELECT COUNT(*) FROM repository WHERE gone_at IS NOT NULL"),
        4
    );
}

/// How many of the entries below each filter leaves out: at GitHub, GitLab and Gitea.
const LEFT_OUT: [(&[&str], [u64; 3]); 7] = [
    (&[], [0, 0, 0]),
    (&["--no-archived"], [1, 1, 1]),
    (&["--no-forks"], [1, 1, 1]),
    (&["--visibility", "public"], [1, 1, 1]),
    // GitLab tells no size, and only GitHub tells when something was pushed.
    (&["--max-repository", "1M"], [1, 0, 1]),
    (&["--pushed-since", "2026-01-01"], [1, 0, 0]),
    (&["--only", "acme/p*", "--no-forks"], [5, 5, 5]),
];

#[test]
fn filters_at_every_forge() {
    let sweep = Sweep::sqlite();
    let server = forge_of(
        &sweep,
        &["plain", "archived", "fork", "private", "large", "old"],
    );
    change(&server, "acme/archived", "archived", json!(true));
    change(&server, "acme/fork", "fork", json!(true));
    change(&server, "acme/private", "visibility", json!("private"));
    change(&server, "acme/private", "private", json!(true));
    change(&server, "acme/large", "size", json!(2000));
    change(
        &server,
        "acme/old",
        "pushed_at",
        json!("2020-01-01T00:00:00Z"),
    );
    for (at, kind) in ["github", "gitlab", "gitea"].into_iter().enumerate() {
        for (filters, left_out) in LEFT_OUT {
            let target = format!("{kind}:acme");
            let base = [&*target, "--base-url", &server.url];
            let ran = plan(&sweep, &[&base[..], filters].concat());
            assert_eq!(ran.code, Some(0), "{ran:?}");
            let counts = "FROM listing WHERE id = (SELECT MAX(id) FROM listing)";
            let number = |what: &str| sweep.number(&format!("SELECT {what} {counts}"));
            let seen = (number("left_out"), number("listed"));
            // `private` begins with a p, too.
            let expected = match filters.first() {
                Some(&"--only") => (4, 2),
                _ => (left_out[at], 6 - left_out[at]),
            };
            assert_eq!(seen, expected, "{kind} {filters:?}");
        }
    }
}

/// Groups in groups, users, pages without `Link`, and names that have moved.
#[test]
fn every_forge_is_listed_to_its_end() {
    let sweep = Sweep::sqlite();
    let names: Vec<String> = (0..120).map(|number| format!("r{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let server = forge_of(&sweep, &names);
    let seen = &server.behaviour;
    let listed = |target: &str| {
        let ran = plan(&sweep, &[target, "--base-url", &server.url]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        sweep.number("SELECT listed FROM listing ORDER BY id DESC LIMIT 1")
    };
    let targets = ["github:acme", "gitlab:acme/team/inner", "gitea:acme"];
    let users = ["github:ada", "gitlab:ada", "gitea:ada"];
    seen.page.store(50, Ordering::Relaxed);
    for target in targets.iter().chain(&users) {
        assert_eq!(listed(target), 120, "{target}");
    }
    seen.no_links.store(true, Ordering::Relaxed);
    // GitHub tells the next page by `Link` alone.
    for target in &targets[1..] {
        assert_eq!(listed(target), 120, "{target}");
    }
    seen.no_links.store(false, Ordering::Relaxed);
    for (kind, from) in [
        ("github", "/orgs/old/"),
        ("gitlab", "/groups/old/"),
        ("gitea", "/orgs/old/"),
    ] {
        *seen.moved.lock().unwrap() = Some((from.to_owned(), from.replace("old", "acme")));
        assert_eq!(listed(&format!("{kind}:old")), 120, "{kind}");
    }
}

fn what_cannot_be_had_says_why(sweep: &Sweep) {
    let server = Server::start(&sweep.tree.path("served"));
    let seen = &server.behaviour;
    for (name, seed) in [("good", Some(1)), ("new", Some(2)), ("limited", Some(3))] {
        let source = sweep.tree.path(format!("source/{name}"));
        make_repository(&source, 3, seed);
        server.add(&source, &format!("acme/{name}"));
    }
    let empty = sweep.tree.path("source/empty");
    std::fs::create_dir_all(&empty).unwrap();
    run_git(git_in(&empty).args(["init", "-q"]));
    server.add(&empty, "acme/empty");
    for name in ["disabled", "blocked", "gone"] {
        server.list(&format!("acme/{name}"), "2026-01-01T00:00:00Z");
    }
    // It is listed by its old name, and git is sent on.
    change(
        &server,
        "acme/new",
        "clone_url",
        json!(format!("{}/acme/old.git", server.url)),
    );
    let trouble = |path, status, header: &str, text, once| GitTrouble {
        path,
        status,
        header: header.to_owned(),
        text,
        once,
    };
    let to = format!(
        "Location: {}/acme/new.git/info/refs?service=git-upload-pack",
        server.url
    );
    let disabled = "Access to this repository has been disabled by staff.";
    let blocked = "Repository unavailable due to DMCA takedown.";
    *seen.git_troubles.lock().unwrap() = vec![
        trouble("acme/old", 301, &to, "", false),
        trouble("acme/disabled", 403, "", disabled, false),
        trouble("acme/blocked", 451, "", blocked, false),
        // With another token it goes on at once.
        trouble("acme/limited", 429, "", "Too many requests", true),
    ];
    for token in ["one0one0one0one", "two0two0two0two"] {
        seen.door.accept(token);
    }
    let mut command = sweep.work(&["github:acme", "--base-url", &server.url]);
    let ran = run(command.env("GITHUB_TOKEN", "one0one0one0one,two0two0two0two"));
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let expected = [
        ("blocked", "failed"),
        ("disabled", "failed"),
        ("empty", "complete"),
        ("gone", "failed"),
        ("good", "complete"),
        ("limited", "complete"),
        ("new", "complete"),
    ];
    let expected = expected.map(|(name, state)| (format!("acme/{name}"), state.to_owned()));
    assert_eq!(states(&sweep.report()), expected, "{ran:?}");
    assert_eq!(ids(&sweep.report()), ids_of([1, 2, 3]), "{ran:?}");
    for said in [disabled, blocked, "error: 451", "not found"] {
        assert!(ran.stdout.contains(said), "{said}: {ran:?}");
    }
    assert!(!ran.stderr.contains("\"retry\""), "{ran:?}");
}

fn without_a_pushed_date_one_ls_remote_decides(sweep: &Sweep) {
    let server = Server::start(&sweep.tree.path("served"));
    let mut list = "# what there is\n".to_owned();
    for (name, seed) in [("one", Some(1)), ("two", None)] {
        let source = sweep.tree.path(format!("source/{name}"));
        make_repository(&source, 3, seed);
        server.add(&source, &format!("acme/{name}"));
        list.push_str(&format!("{}/acme/{name}.git\n", server.url));
    }
    let list = sweep.tree.write("urls", list).display().to_string();
    let forge = |kind| vec![kind, "--base-url", &server.url];
    for target in [vec![&*list], forge("gitlab:acme"), forge("gitea:acme")] {
        sweep.sweep(&target);
        server.requests();
        let ran = sweep.sweep(&target);
        assert_eq!(ran.stderr.matches("\"unchanged\"").count(), 2, "{ran:?}");
        // To list refs takes two requests each: what the server can do, and the refs.
        assert_eq!(server.requests()[1..], [4, 0], "{target:?}");
    }
    assert_eq!(sweep.number("SELECT COUNT(*) FROM scan"), 2);
    assert_eq!(ids(&sweep.report()), ids_of([1]));
}

#[test]
fn so_many_clones_of_a_host_at_a_time() {
    let sweep = Sweep::sqlite();
    let server = Server::start(&sweep.tree.path("served"));
    for number in 0..6 {
        let source = sweep.tree.path(format!("source/{number}"));
        make_repository(&source, 2, None);
        server.add(&source, &format!("acme/r{number}"));
    }
    server.behaviour.delay.store(300, Ordering::Relaxed);
    let base = ["github:acme", "--base-url", &server.url];
    let polite = [&base[..], &["--workers", "6", "--per-host", "2"]].concat();
    let ran = sweep.sweep(&polite);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(server.behaviour.busy.lock().unwrap().1, 2);
}

/// What was left out for its size is told, and scanned where it is no longer left out.
#[test]
fn what_is_left_out_for_its_size_is_told() {
    let sweep = Sweep::sqlite();
    let server = Server::start(&sweep.tree.path("served"));
    let source = sweep.tree.path("source");
    make_repository(&source, 3, Some(1));
    for (name, seed) in [("large.txt", 2), ("larger.txt", 3)] {
        let text = crate::kit::keys::exports(seed) + &"some text\n".repeat(20_000);
        std::fs::write(source.join(name), text).unwrap();
    }
    run_git(git_in(&source).args(["add", "-A"]));
    run_git(git_in(&source).args(["commit", "-q", "-m", "large"]));
    server.add(&source, "acme/large");
    let bare = sweep.tree.path("served/acme/large.git");
    run_git(git_in(&bare).args(["config", "uploadpack.allowFilter", "true"]));
    let base = ["github:acme", "--all", "--base-url", &server.url];
    let with_limit = [&base[..], &["--blob-limit", "100K"]].concat();
    let limited = sweep.sweep(&with_limit);
    assert_eq!(limited.code, Some(1), "{limited:?}");
    assert_eq!(ids(&sweep.report()), ids_of([1]));
    let said = "left out: 2 blobs: larger than 102400 bytes (--blob-limit)";
    assert!(limited.stdout.contains(said), "{limited:?}");
    let row = "SELECT COUNT(*) FROM not_scanned WHERE what = '2 blobs' AND incomplete = 0";
    assert_eq!(sweep.number(row), 1);
    let again = sweep.sweep(&with_limit);
    assert!(
        !again.stderr.contains("\"repository\""),
        "nothing is new: {again:?}"
    );
    let whole = sweep.sweep(&base);
    assert_eq!(ids(&sweep.report()), ids_of([1, 2, 3]), "{whole:?}");
    assert!(!whole.stdout.contains("left out"), "{whole:?}");
}

/// Repositories of which something is absent where they are: as a served partial clone, and as a
/// local one.
#[test]
fn what_is_absent_is_told() {
    let sweep = Sweep::sqlite();
    let server = Server::start(&sweep.tree.path("served"));
    let source = sweep.tree.path("source");
    make_repository(&source, 4, Some(1));
    server.add(&source, "acme/partial");
    let bare = sweep.tree.path("served/acme/partial.git");
    let git = |arguments: &[&str]| run_git(git_in(&bare).args(arguments));
    git(&["config", "uploadpack.allowFilter", "true"]);
    let ids_of_blobs = git(&["rev-parse", "main:file0.txt", "main:file1.txt"]);
    // One pack without two blobs, as a server has it that has left out something itself.
    let all = git(&[
        "cat-file",
        "--batch-all-objects",
        "--batch-check=%(objectname)",
    ]);
    let absent = String::from_utf8(ids_of_blobs).unwrap();
    let all = String::from_utf8(all).unwrap();
    let kept: Vec<&str> = all.lines().filter(|id| !absent.contains(id)).collect();
    let list = sweep.tree.write("kept", kept.join("\n") + "\n");
    let mut pack = git_in(&bare);
    pack.args(["pack-objects", "-q"])
        .arg(sweep.tree.path("pack"));
    pack.stdin(std::fs::File::open(list).unwrap());
    let name = String::from_utf8(run_git(&mut pack)).unwrap();
    let objects = bare.join("objects");
    std::fs::remove_dir_all(&objects).unwrap();
    std::fs::create_dir_all(objects.join("pack")).unwrap();
    for end in ["pack", "idx"] {
        let file = format!("pack-{}.{end}", name.trim());
        std::fs::copy(sweep.tree.path(&file), objects.join("pack").join(&file)).unwrap();
    }
    std::fs::write(
        objects.join(format!("pack/pack-{}.promisor", name.trim())),
        "",
    )
    .unwrap();
    let base = ["github:acme", "--base-url", &server.url];
    let ran = sweep.sweep(&base);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ids(&sweep.report()), ids_of([1]));
    assert!(ran.stdout.contains("incomplete acme/partial"), "{ran:?}");
    assert!(
        ran.stdout
            .contains("not read: objects: partial clone: 2 objects absent"),
        "{ran:?}"
    );
    let local = Sweep::sqlite();
    let ran = local.sweep(&[bare.to_str().unwrap()]);
    assert_eq!(ids(&local.report()), ids_of([1]));
    assert!(ran.stdout.contains("2 objects absent"), "{ran:?}");
}
