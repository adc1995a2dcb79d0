//! Folders of clones: no network, no forge.

use super::{Sweep, hold_no_secret, ids, ids_of, make_repository, on_both, states};
use crate::git_kit::{git_in, run as run_git};
use crate::kit::{keys, run};

on_both!(
    a_folder_of_clones,
    an_incomplete_repository_is_no_clean_one,
    decisions,
    names_of_files_count_and_are_looked_at_once
);

/// Three clones with keys of the seeds 1 and 2, and a fork of the second.
fn clones(sweep: &Sweep) -> String {
    let folder = sweep.tree.path("clones");
    let one = folder.join("acme/one");
    make_repository(&one, 3, Some(1));
    // What has to be decoded first is no less known afterwards.
    let utf16: Vec<u8> = "\u{feff}nothing\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    std::fs::write(one.join("utf-16.txt"), utf16).unwrap();
    run_git(git_in(&one).args(["add", "-A"]));
    run_git(git_in(&one).args(["commit", "-q", "-m", "decoded"]));
    make_repository(&folder.join("acme/two"), 3, Some(2));
    make_repository(&folder.join("acme/three"), 2, None);
    let fork = folder.join("someone/two");
    std::fs::create_dir_all(fork.parent().unwrap()).unwrap();
    run_git(
        git_in(&folder)
            .args(["clone", "-q", "--bare", "acme/two"])
            .arg(fork),
    );
    folder.display().to_string()
}

fn a_folder_of_clones(sweep: &Sweep) {
    let folder = clones(sweep);
    let first = sweep.sweep(&[&folder, "--workers", "1"]);
    assert_eq!(first.code, Some(1), "{first:?}");
    for word in [
        &*keys::access_key_id(1),
        "acme/one",
        "someone/two",
        "4 repositories: 4 complete",
    ] {
        assert!(first.stdout.contains(word), "{word}: {}", first.stdout);
    }
    let report = sweep.report();
    assert_eq!(ids(&report), ids_of([1, 2]));
    assert!(states(&report).iter().all(|(_, state)| state == "complete"));
    // The fork's objects are known but for the one with the key, which is looked at again: a place
    // there is a place, too.
    let read = "SELECT MIN(objects) FROM scan JOIN repository ON repository.id = repository_id
        WHERE name IN ('acme/two', 'someone/two')";
    assert_eq!(sweep.number(read), 1);
    let places = "SELECT COUNT(*) FROM exposure WHERE repository LIKE '%/two'
        AND path = 'deploy.sh' AND line = 1 AND reachability = 'reachable'
        AND author = 'Ada <ada@example.com>' AND commit_id IS NOT NULL";
    assert_eq!(sweep.number(places), 2);

    let second = sweep.sweep(&[&folder]);
    assert_eq!(
        second.stderr.matches("\"unchanged\"").count(),
        4,
        "{second:?}"
    );
    assert_eq!(second.stdout, first.stdout);

    let one = sweep.tree.path("clones/acme/one");
    std::fs::write(one.join("new.sh"), keys::exports(3)).unwrap();
    run_git(git_in(&one).args(["add", "-A"]));
    run_git(git_in(&one).args(["commit", "-q", "-m", "another"]));
    let third = sweep.sweep(&[&folder]);
    assert_eq!(
        third.stderr.matches("\"unchanged\"").count(),
        3,
        "{third:?}"
    );
    // The new blob and the new commit, and the blob with the old key.
    assert!(third.stderr.contains("\"objects\":3,"), "{third:?}");
    assert_eq!(ids(&sweep.report()), ids_of([1, 2, 3]));
    std::fs::remove_dir_all(sweep.tree.path("clones")).unwrap();
    hold_no_secret(sweep.tree.root(), [1, 2, 3]);
    for ran in [&first, &second, &third] {
        for seed in [1, 2, 3] {
            assert!(!format!("{ran:?}").contains(&keys::secret(seed)));
        }
    }
}

fn an_incomplete_repository_is_no_clean_one(sweep: &Sweep) {
    let folder = sweep.tree.path("clones");
    // Of other content: what one of two relations has read, the other need not read.
    make_repository(&folder.join("whole"), 3, None);
    make_repository(&folder.join("broken"), 2, None);
    let objects = folder.join("broken/.git/objects");
    let blob = run_git(git_in(&folder.join("broken")).args(["rev-parse", "HEAD:file0.txt"]));
    let blob = String::from_utf8(blob).unwrap();
    let (two, rest) = blob.trim().split_at(2);
    let file = objects.join(two).join(rest);
    crate::kit::set_mode(&file, 0o600);
    std::fs::write(&file, "damaged").unwrap();
    let target = folder.display().to_string();
    let ran = sweep.sweep(&[&target]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.stdout.contains("incomplete broken") && ran.stdout.contains("not read: object"));
    // Once it is mended, the same command scans it again, though its refs are the same.
    std::fs::remove_file(&file).unwrap();
    run_git(git_in(&folder.join("broken")).args(["hash-object", "-w", "file0.txt"]));
    let ran = sweep.sweep(&[&target]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

fn decisions(sweep: &Sweep) {
    let folder = clones(sweep);
    assert_eq!(sweep.sweep(&[&folder]).code, Some(1));
    for credential in sweep.report()["credentials"].as_array().unwrap() {
        let identity = credential["identity"].as_str().unwrap();
        let decide = [
            "triage",
            &identity[..12],
            "rotated",
            "--by",
            "ada",
            "--note",
            "new key",
        ];
        assert_eq!(run(&mut sweep.command(&decide)).code, Some(0));
    }
    let ran = sweep.sweep(&[&folder]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("rotated") && ran.stdout.contains("2 credentials, 0 open"));
    let unknown = run(&mut sweep.command(&["triage", "0123456789", "open", "--by", "ada"]));
    assert_eq!(unknown.code, Some(2));
    assert_eq!(
        sweep.number("SELECT COUNT(*) FROM triage WHERE note = 'new key'"),
        2
    );
}

/// A key in the name of a file, in a repository and in an older fork of it, whose trees are not
/// taken for known without it.
fn names_of_files_count_and_are_looked_at_once(sweep: &Sweep) {
    let folder = sweep.tree.path("clones");
    let one = folder.join("acme/one");
    make_repository(&one, 2, None);
    let named = format!("dump-{}.txt", keys::access_key_id(7));
    std::fs::write(one.join(&named), "nothing").unwrap();
    run_git(git_in(&one).args(["add", "-A"]));
    run_git(git_in(&one).args(["commit", "-q", "-m", "dump"]));
    let fork = folder.join("someone/one");
    std::fs::create_dir_all(fork.parent().unwrap()).unwrap();
    run_git(
        git_in(&folder)
            .args(["clone", "-q", "--bare", "acme/one"])
            .arg(&fork),
    );
    std::fs::write(one.join("later.txt"), "later").unwrap();
    run_git(git_in(&one).args(["add", "-A"]));
    run_git(git_in(&one).args(["commit", "-q", "-m", "later"]));
    let target = folder.display().to_string();
    let ran = sweep.sweep(&[&target, "--workers", "1", "--fail-on", "any"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ids(&sweep.report()), ids_of([7]));
    let places = format!("SELECT COUNT(DISTINCT repository) FROM exposure WHERE path = '{named}'");
    assert_eq!(sweep.number(&places), 2, "{ran:?}");
    // Trees without such a name are known afterwards.
    let other = folder.join("acme/other");
    make_repository(&other, 3, None);
    sweep.sweep(&[&target]);
    let known =
        "SELECT SUM(LENGTH(ids)) / 20 FROM seen JOIN repository ON repository.id = repository_id
        WHERE name = 'acme/other'";
    assert_eq!(sweep.number(known), 3 + 3 + 3, "blobs, commits and trees");
}

/// Account, key, owner, places; what to do; in the words of the other reports.
#[test]
fn the_report_says_what_to_do_next() {
    let sweep = Sweep::sqlite();
    let folder = clones(&sweep);
    let ran = sweep.sweep(&[&folder]);
    let (one, two) = (keys::access_key_id(1), keys::access_key_id(2));
    let at = |text: &str| {
        ran.stdout
            .find(text)
            .unwrap_or_else(|| panic!("{text}: {ran:?}"))
    };
    // Both keys are open and unchecked: the account that has a number comes first.
    for id in [&one, &two] {
        let key = at(&format!("key {id}"));
        assert!(ran.stdout[..key].contains("account "));
        assert!(ran.stdout[..key].ends_with("  = "));
        let rest = &ran.stdout[key..];
        let find = |text: &str| rest.find(text).unwrap_or_else(|| panic!("{text}: {rest}"));
        let stop = find(&format!(
            "aws iam update-access-key --access-key-id {id} --status Inactive"
        ));
        assert!(find("owner: ") < find("    --> ") && find("    --> ") < stop);
        assert!(find("straykey explain aws-access-key-pair") > stop);
    }
    at("error[aws-access-key-pair]: ");
    at("--> someone/two:deploy.sh:1:");
    at("  reachable  since ");
    assert!(!ran.stdout.contains('\u{1b}'), "no terminal, no colours");
    let coloured = run(&mut sweep.command(&["report", "--color", "always"]));
    assert!(coloured.stdout.contains("\u{1b}["));
    let masked = run(&mut sweep.command(&["report", "--mask-ids"]));
    for text in [
        run(&mut sweep.command(&["report", "--json", "--mask-ids"])).stdout,
        masked.stdout,
    ] {
        assert!(!text.contains(&one) && !text.contains(&two), "{text}");
    }
    let report = sweep.report();
    for credential in report["credentials"].as_array().unwrap() {
        assert!(credential["next"].as_array().unwrap().len() > 2 && credential["blocks"] == true);
    }
    // What is decided comes last, blocks nothing and asks for nothing.
    let identity = report["credentials"][0]["identity"].as_str().unwrap();
    let decide = ["triage", &identity[..12], "accepted", "--by", "ada"];
    assert_eq!(run(&mut sweep.command(&decide)).code, Some(0));
    let after = sweep.report();
    let last = after["credentials"].as_array().unwrap().last().unwrap();
    assert!(last["identity"] == identity && last["blocks"] == false);
    assert_eq!(last["next"].as_array().unwrap().len(), 0);
    // Nobody has asked AWS: nothing is known to work.
    let live = run(&mut sweep.command(&["report", "--fail-on", "live"]));
    assert_eq!(live.code, Some(0), "{live:?}");
}

#[test]
fn every_format_can_be_exported() {
    let sweep = Sweep::sqlite();
    let folder = clones(&sweep);
    sweep.sweep(&[&folder]);
    for format in straykey::report::Format::all() {
        let ran = run(&mut sweep.command(&["export", "-o", format.name()]));
        assert_eq!(ran.code, Some(0), "{format}: {ran:?}");
        assert!(ran.stdout.contains("acme/one"), "{format}: {}", ran.stdout);
        assert!(!ran.stdout.contains(&keys::secret(1)));
    }
}

#[test]
fn bad_input_is_told_in_one_line() {
    let sweep = Sweep::sqlite();
    let list = sweep
        .tree
        .write("urls", "https://u:hunter2@example.com/a\n");
    let empty = sweep.tree.path("empty");
    std::fs::create_dir(&empty).unwrap();
    for (target, said) in [
        ("nothing-there", "`nothing-there` is no target"),
        (list.to_str().unwrap(), "line 1:"),
        (empty.to_str().unwrap(), "there is no git repository in it"),
        ("gitea:acme", "gitea targets need --base-url"),
    ] {
        let ran = sweep.sweep(&[target]);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(said), "{ran:?}");
        assert!(!format!("{ran:?}").contains("hunter2"));
    }
    let nowhere = run(sweep
        .command(&["report"])
        .env("STRAYKEY_STATE", "sqlite:///nowhere/x"));
    assert_eq!(nowhere.code, Some(2));
    assert!(
        nowhere.stderr.contains("there is no sweep in `/nowhere/x`"),
        "{nowhere:?}"
    );
    let nothing = run(&mut Sweep::sqlite().command(&[]));
    assert_eq!(nothing.code, Some(2));
    assert!(nothing.stderr.contains("TARGET"), "{nothing:?}");
}
