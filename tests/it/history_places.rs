//! `straykey history`: a key in every place where a repository can hold one.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::git_kit::{GitKit, git_in, run as run_git};
use crate::kit::{self, keys};

/// The report of `straykey history` with `arguments`, and the exit code.
pub(crate) fn report(directory: &Path, arguments: &[&str]) -> (Value, Option<i32>) {
    let mut command = kit::straykey(directory);
    command.args(["history", "-o", "json", "--quiet"]);
    let outcome = kit::run(command.args(arguments));
    let value = serde_json::from_str(&outcome.stdout);
    let value = value.unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
    (value, outcome.code)
}

/// The finding with the key of `seed`.
pub(crate) fn finding(report: &Value, seed: u64) -> &Value {
    let id = keys::access_key_id(seed);
    let findings = report["findings"].as_array().unwrap();
    let found: Vec<&Value> = findings
        .iter()
        .filter(|it| it["access_key_id"] == id.as_str())
        .collect();
    assert_eq!(found.len(), 1, "of {seed}: {found:#?}");
    found[0]
}

fn paths(finding: &Value) -> Vec<&str> {
    let places = finding["occurrences"].as_array().unwrap();
    places
        .iter()
        .map(|it| it["path"].as_str().unwrap())
        .collect()
}

fn names<'f>(finding: &'f Value, field: &str) -> Vec<&'f str> {
    let listed = finding["provenance"][field].as_array().unwrap();
    listed.iter().map(|it| it.as_str().unwrap()).collect()
}

/// Holds a finding against what is expected of it.
#[track_caller]
fn check(report: &Value, seed: u64, label: &str, path: &str) {
    let finding = finding(report, seed);
    assert_eq!(finding["provenance"]["reachability"], label, "{finding:#}");
    assert!(paths(finding).contains(&path), "{path}: {finding:#}");
}

fn on_main(kit: &GitKit) {
    kit.write("plain.sh", keys::exports(1));
    kit.write(
        "data.bin",
        [b"\0\x01\x02\0".as_slice(), keys::exports(2).as_bytes()].concat(),
    );
    kit.write(".gitattributes", "*.nodiff -diff\n");
    kit.write("x.nodiff", keys::exports(3));
    kit.write(
        &format!("deep/er/{}.txt", keys::access_key_id(4)),
        "nothing",
    );
    std::os::unix::fs::symlink(keys::access_key_id(5), kit.path().join("link")).unwrap();
    kit.write("changes", keys::exports(6));
    kit.commit("first");
    fs::remove_file(kit.path().join("changes")).unwrap();
    std::os::unix::fs::symlink(keys::access_key_id(7), kit.path().join("changes")).unwrap();
    kit.commit("a file becomes a link");
    kit.commit(&format!("message\n\n{}", keys::exports(8)));
    kit.git(&["tag", "-a", "v1", "-m", &keys::exports(9)]);
    kit.git(&["notes", "add", "-m", &keys::exports(10)]);
}

fn merge_only(kit: &GitKit) {
    kit.git(&["checkout", "-q", "-b", "side"]);
    kit.write("side.txt", "side");
    kit.commit("side");
    kit.git(&["checkout", "-q", "main"]);
    kit.write("main.txt", "main");
    kit.commit("main");
    kit.git(&["merge", "-q", "--no-ff", "--no-commit", "side"]);
    kit.write("evil.sh", keys::exports(11));
    kit.commit("an evil merge");
}

fn what_refs_left(kit: &GitKit) {
    // Dropped by a reset: only the reflog knows.
    kit.write("dropped.sh", keys::exports(12));
    kit.commit("to be dropped");
    kit.git(&["reset", "-q", "--hard", "HEAD~"]);
    // A deleted branch: its own reflog is gone, and so is HEAD's after it expires.
    let tree = kit.line(&["rev-parse", "HEAD^{tree}"]);
    kit.write("branch.sh", keys::exports(13));
    kit.git(&["add", "branch.sh"]);
    let with_key = kit.line(&["write-tree"]);
    let commit = kit.line(&[
        "commit-tree",
        &with_key,
        "-p",
        "HEAD",
        "-m",
        "never checked out",
    ]);
    kit.git(&["branch", "gone", &commit]);
    kit.git(&["branch", "-q", "-D", "gone"]);
    kit.git(&["read-tree", &tree]);
    fs::remove_file(kit.path().join("branch.sh")).unwrap();
    // Never part of anything.
    kit.write("loose.sh", keys::exports(14));
    kit.git(&["hash-object", "-w", "loose.sh"]);
    fs::remove_file(kit.path().join("loose.sh")).unwrap();
    // Staged, and unstaged again.
    kit.write("unstaged.sh", keys::exports(15));
    kit.git(&["add", "unstaged.sh"]);
    kit.git(&["rm", "-q", "--cached", "unstaged.sh"]);
    fs::remove_file(kit.path().join("unstaged.sh")).unwrap();
}

fn stashes(kit: &GitKit) {
    kit.write(
        "plain.sh",
        format!("{}{}", keys::exports(1), keys::exports(16)),
    );
    kit.git(&["stash", "-q"]);
    kit.write("untracked.sh", keys::exports(17));
    kit.write("plain.sh", "changed");
    kit.git(&["stash", "-q", "-u"]);
    kit.write("staged.sh", keys::exports(18));
    kit.git(&["add", "staged.sh"]);
}

#[test]
fn a_key_in_each_place_is_found_and_rightly_labelled() {
    let kit = GitKit::init(&[]);
    on_main(&kit);
    merge_only(&kit);
    what_refs_left(&kit);
    stashes(&kit);
    let (report, code) = report(kit.path(), &[]);
    assert_eq!(code, Some(1), "{report:#}");
    let tip = kit.line(&["rev-parse", "refs/notes/commits"]);
    let noted = kit.line(&["ls-tree", "-r", "--name-only", &tip]);
    let name = |seed: u64| format!("deep/er/{}.txt", keys::access_key_id(seed));
    for (seed, label, path) in [
        (1, "reachable", "plain.sh"),
        (2, "reachable", "data.bin"),
        (3, "reachable", "x.nodiff"),
        (4, "reachable", name(4).as_str()),
        (5, "reachable", "link"),
        (6, "reachable", "changes"),
        (7, "reachable", "changes"),
        (8, "reachable", "commit message"),
        (9, "reachable", "message of the tag v1"),
        (10, "reachable", noted.as_str()),
        (11, "reachable", "evil.sh"),
        (12, "reflog", "dropped.sh"),
        (13, "dangling", "branch.sh"),
        (16, "stash", "plain.sh"),
        (17, "stash", "untracked.sh"),
        (18, "index", "staged.sh"),
    ] {
        check(&report, seed, label, path);
    }
    for seed in [14, 15] {
        let finding = finding(&report, seed);
        assert_eq!(finding["provenance"]["reachability"], "dangling");
        assert!(paths(finding)[0].starts_with("blob "), "{finding:#}");
        assert_eq!(finding["provenance"]["first_commit"], Value::Null);
    }
    assert_eq!(report["findings"].as_array().unwrap().len(), 18);
    refs_are_named(&kit, &report);
    narrower_scans(&kit);
}

fn refs_are_named(kit: &GitKit, report: &Value) {
    let plain = &finding(report, 1);
    assert_eq!(names(plain, "branches"), ["main", "side"]);
    assert_eq!(names(plain, "tags"), ["v1"]);
    assert_eq!(plain["provenance"]["in_head"], true);
    assert_eq!(plain["provenance"]["removed_commit"], Value::Null);
    assert_eq!(plain["provenance"]["author"], "Ada <ada@example.com>");
    let merge = &finding(report, 11)["provenance"];
    assert_eq!(merge["first_commit"], kit.line(&["rev-parse", "main"]));
    assert_eq!(names(finding(report, 11), "branches"), ["main"]);
    assert_eq!(
        names(finding(report, 10), "other_refs"),
        ["refs/notes/commits"]
    );
    assert_eq!(names(finding(report, 9), "tags"), ["v1"]);
    // The file became a link in the second commit.
    let changed = &finding(report, 6)["provenance"];
    let (first, second) = (
        kit.line(&["rev-parse", "v1~2"]),
        kit.line(&["rev-parse", "v1~1"]),
    );
    assert_eq!(changed["first_commit"], first);
    assert_eq!(changed["last_commit"], first);
    assert_eq!(changed["removed_commit"], second);
    assert_eq!(changed["in_head"], false);
    assert_eq!(finding(report, 4)["provenance"]["in_head"], true);
}

fn narrower_scans(kit: &GitKit) {
    let seeds = |arguments: &[&str]| -> Vec<u64> {
        let (report, _) = report(kit.path(), arguments);
        let findings = report["findings"].as_array().unwrap();
        let found = |seed: &u64| {
            let id = keys::access_key_id(*seed);
            findings.iter().any(|it| it["access_key_id"] == id.as_str())
        };
        (1..=18).filter(found).collect()
    };
    assert_eq!(seeds(&["--reachable-only"]), (1..=11).collect::<Vec<_>>());
    assert_eq!(seeds(&["--all"]), (1..=11).collect::<Vec<_>>());
    assert_eq!(seeds(&["--branch", "side"]), (1..=8).collect::<Vec<_>>());
    assert_eq!(seeds(&["side..main"]), [11]);
    // The tag points at the commit.
    assert_eq!(seeds(&["v1~1..v1"]), [8, 9]);
    assert_eq!(seeds(&["v1~2..v1~1"]), [7]);
    assert_eq!(seeds(&["--first-parent", "v1..main"]), [11]);
    assert_eq!(seeds(&["main"]), [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]);
}

#[test]
fn cruft_packs_and_alternates_are_scanned() {
    let kit = GitKit::init(&[]);
    kit.write("kept.sh", keys::exports(1));
    kit.commit("kept");
    kit.write("dropped.sh", keys::exports(2));
    kit.commit("dropped");
    kit.git(&["reset", "-q", "--hard", "HEAD~"]);
    kit.git(&["reflog", "expire", "--expire=all", "--all"]);
    kit.git(&["gc", "-q", "--cruft", "--prune=never"]);
    let packs = fs::read_dir(kit.path().join(".git/objects/pack")).unwrap();
    let is_cruft = |path: &Path| path.extension().is_some_and(|end| end == "mtimes");
    assert!(packs.flatten().any(|entry| is_cruft(&entry.path())));
    let borrower = kit.beside("borrower");
    let clone = ["clone", "-q", "--shared", ".", borrower.to_str().unwrap()];
    kit.git(&clone);
    for directory in [kit.path(), &borrower] {
        let (report, code) = report(directory, &[]);
        assert_eq!(code, Some(1));
        check(&report, 1, "reachable", "kept.sh");
        check(&report, 2, "dangling", "dropped.sh");
    }
    let remotes = report(&borrower, &[]).0;
    assert!(names(finding(&remotes, 1), "remotes").contains(&"origin/main"));
}

#[test]
fn submodules_are_repositories_of_their_own() {
    let inner = GitKit::init(&[]);
    inner.write("inner.sh", keys::exports(1));
    inner.commit("inner");
    let kit = GitKit::init(&[]);
    kit.write("outer.sh", keys::exports(2));
    let from = inner.path().to_str().unwrap();
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        from,
        "lib/sub",
    ];
    kit.git(&add);
    kit.commit("outer");
    let (whole, _) = report(kit.path(), &[]);
    check(&whole, 1, "reachable", "lib/sub/inner.sh");
    check(&whole, 2, "reachable", "outer.sh");
    assert_eq!(finding(&whole, 1)["provenance"]["submodule"], "lib/sub");
    assert_eq!(finding(&whole, 2)["provenance"]["submodule"], Value::Null);
    let (without, _) = report(kit.path(), &["--no-submodules"]);
    assert_eq!(without["findings"].as_array().unwrap().len(), 1);
    // Cloned without them: said, and not counted as incomplete.
    let clone = kit.beside("clone");
    kit.git(&["clone", "-q", ".", clone.to_str().unwrap()]);
    let (report, _) = report(&clone, &[]);
    assert_eq!(report["summary"]["complete"], true);
    let said = report["not_scanned"].as_array().unwrap();
    assert_eq!(said[0]["path"], "lib/sub");
    assert!(said[0]["reason"].as_str().unwrap().contains("submodule"));
}

#[test]
fn a_cut_history_is_said_and_decides_with_strict() {
    let kit = GitKit::init(&[]);
    kit.write("old.sh", keys::exports(1));
    kit.commit("old");
    kit.write("old.sh", "clean");
    kit.write("new.txt", "clean");
    kit.commit("new");
    let shallow = kit.beside("shallow");
    let from = format!("file://{}", kit.path().display());
    run_git(
        git_in(kit.path())
            .args(["clone", "-q", "--depth=1", &from])
            .arg(&shallow),
    );
    let history = |arguments: &[&str]| {
        let mut command = kit::straykey(&shallow);
        kit::run(command.arg("history").args(arguments))
    };
    let outcome = history(&[]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    for advice in ["git fetch --unshallow", "fetch-depth: 0", "GIT_DEPTH: 0"] {
        assert!(outcome.stderr.contains(advice), "{outcome:?}");
    }
    assert_eq!(history(&["--strict"]).code, Some(2));
    let partial = kit.beside("partial");
    kit.git(&["config", "uploadpack.allowFilter", "true"]);
    let clone = ["clone", "-q", "--no-checkout", "--filter=blob:none", &from];
    run_git(git_in(kit.path()).args(clone).arg(&partial));
    let objects = || run_git(git_in(&partial).args(["count-objects", "-v"]));
    let before = objects();
    let history = |arguments: &[&str]| {
        let mut command = kit::straykey(&partial);
        kit::run(command.arg("history").args(arguments))
    };
    let outcome = history(&[]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("2 objects absent"), "{outcome:?}");
    assert_eq!(history(&["--strict"]).code, Some(2));
    // A range whose content is not here cannot be scanned.
    assert_eq!(history(&["HEAD~..HEAD"]).code, Some(2));
    assert_eq!(objects(), before, "nothing is fetched");
}

#[test]
fn what_is_lost_anywhere_decides_with_strict() {
    let kit = GitKit::init(&[]);
    kit.write("deep/er/old.txt", "old");
    kit.commit("old");
    kit.write("deep/er/old.txt", "new");
    kit.commit("new");
    let history = |arguments: &[&str]| {
        let mut command = kit::straykey(kit.path());
        kit::run(command.arg("history").args(arguments))
    };
    assert_eq!(history(&["--strict"]).code, Some(0));
    for name in ["HEAD~:deep/er/old.txt", "HEAD~:deep/er"] {
        let id = kit.line(&["rev-parse", name]);
        let (two, rest) = id.split_at(2);
        fs::remove_file(kit.path().join(".git/objects").join(two).join(rest)).unwrap();
        assert_eq!(history(&[]).code, Some(0), "{name}");
        let outcome = history(&["--strict"]);
        assert_eq!(outcome.code, Some(2), "{name}");
        // The directory no longer names the file.
        let said = "1 object named by others and not here";
        assert!(outcome.stderr.contains(said), "{outcome:?}");
    }
}

#[test]
fn absent_objects_are_counted_as_git_counts_them() {
    let kit = GitKit::init(&[]);
    for number in 0..40 {
        kit.write(
            &format!("a/{}/file{}", number % 3, number % 7),
            format!("{number}"),
        );
        kit.write(&format!("b{}", number % 5), format!("of {number}"));
        let commit = kit.commit("more");
        let link = format!("160000,{commit},linked{}", number % 2);
        kit.git(&["update-index", "--add", "--cacheinfo", &link]);
    }
    kit.commit("links");
    kit.git(&["tag", "-a", "-m", "a tag", "v1"]);
    kit.git(&["gc", "-q"]);
    kit.git(&["config", "uploadpack.allowFilter", "true"]);
    let from = format!("file://{}", kit.path().display());
    for options in [
        &["--filter=blob:none"][..],
        &["--filter=tree:0"],
        &["--filter=tree:2"],
        &["--filter=blob:none", "--depth=5"],
    ] {
        let partial = kit.beside(&options.join(""));
        let clone = ["clone", "-q", "--bare", &from];
        run_git(git_in(kit.path()).args(clone).args(options).arg(&partial));
        let list = [
            "rev-list",
            "--objects",
            "--all",
            "--missing=print",
            "--quiet",
        ];
        let listed = run_git(git_in(&partial).env("GIT_NO_LAZY_FETCH", "1").args(list));
        let listed = String::from_utf8_lossy(&listed);
        let absent = listed.lines().filter(|line| line.starts_with('?')).count();
        assert!(absent > 1, "{options:?}");
        let mut command = kit::straykey(&partial);
        let outcome = kit::run(command.arg("history"));
        let told = format!("{absent} objects absent");
        assert!(outcome.stderr.contains(&told), "{told}: {outcome:?}");
    }
}

#[test]
fn ranges_report_what_they_introduce() {
    let kit = GitKit::init(&[]);
    kit.write("old.sh", keys::exports(1));
    kit.commit("old");
    kit.write("old.sh", format!("# touched\n{}", keys::exports(1)));
    kit.write("new.sh", keys::exports(2));
    kit.commit("new");
    kit.write("new.sh", "clean again");
    kit.commit("clean");
    let (report, code) = report(kit.path(), &["HEAD~2..HEAD"]);
    assert_eq!(code, Some(1));
    assert_eq!(
        report["findings"].as_array().unwrap().len(),
        1,
        "{report:#}"
    );
    let new = finding(&report, 2);
    let provenance = &new["provenance"];
    assert_eq!(
        provenance["first_commit"],
        kit.line(&["rev-parse", "HEAD~"])
    );
    assert_eq!(
        provenance["removed_commit"],
        kit.line(&["rev-parse", "HEAD"])
    );
    assert_eq!(new["occurrences"][0]["commit"], provenance["first_commit"]);
    assert_eq!(report["summary"]["commits"], 2);
    let outcome = |arguments: &[&str]| {
        let mut command = kit::straykey(kit.path());
        kit::run(command.arg("history").args(arguments))
    };
    let clean = outcome(&["HEAD~1..HEAD"]);
    assert_eq!(clean.code, Some(0), "{clean:?}");
    let empty = outcome(&["HEAD..HEAD"]);
    assert_eq!(empty.code, Some(0), "{empty:?}");
    assert!(
        empty.stderr.contains("No commits in the range"),
        "{empty:?}"
    );
    for wrong in [
        &["no-such..HEAD"][..],
        &["--branch", "none", "HEAD"],
        &["--branch", "none"],
    ] {
        let refused = outcome(wrong);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains("no"), "{refused:?}");
    }
    let option = outcome(&["--", "--exec=touch pwned"]);
    assert_eq!(option.code, Some(2), "{option:?}");
}

#[test]
fn a_repository_without_commits_is_no_error_and_no_all_clear() {
    let kit = GitKit::init(&[]);
    let outcome = kit::run(kit::straykey(kit.path()).arg("history"));
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert!(
        outcome.stderr.contains("Nothing was scanned"),
        "{outcome:?}"
    );
}
