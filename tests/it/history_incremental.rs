//! Incremental scans: what is read, and what is reported.

use std::fs;

use serde_json::Value;

use crate::git_kit::GitKit;
use crate::history_places::{finding, report};
use crate::kit::keys;

fn objects(report: &Value) -> u64 {
    report["summary"]["files"].as_u64().unwrap()
}

fn found(report: &Value) -> usize {
    report["findings"].as_array().unwrap().len()
}

/// A repository with packs and loose objects, and a key in a file.
fn grown() -> GitKit {
    let kit = GitKit::init(&[]);
    for number in 0..20 {
        kit.write("many.txt", format!("{number}\n").repeat(50));
        kit.commit("more");
    }
    kit.write("leak.sh", keys::exports(1));
    kit.commit("leak");
    kit.git(&["repack", "-q", "-a", "-d"]);
    kit.write("many.txt", "loose");
    kit.commit("loose");
    kit
}

#[test]
fn only_what_is_new_is_read_and_everything_is_reported() {
    let kit = grown();
    let scan = || report(kit.path(), &["--incremental"]).0;
    let first = scan();
    assert_eq!((objects(&first), found(&first)), (44, 1));
    let state = kit.path().join(".git/straykey/history");
    let written = fs::read(&state).unwrap();
    // What holds a finding is read again; nothing else is.
    let again = scan();
    assert_eq!((objects(&again), found(&again)), (1, 1));
    assert_eq!(finding(&again, 1), finding(&first, 1));
    assert_eq!(fs::read(&state).unwrap(), written);
    kit.write("leak.sh", format!("# more\n{}", keys::exports(1)));
    kit.write("new.sh", keys::exports(2));
    let last = kit.commit("new");
    let third = scan();
    assert_eq!((objects(&third), found(&third)), (4, 2));
    assert_eq!(
        finding(&third, 1)["provenance"]["last_commit"],
        last.as_str()
    );
    assert_eq!(finding(&third, 1)["provenance"]["counts"]["objects"], 2);
    // A repack gives every object another place, and is nothing new.
    kit.git(&["gc", "-q", "--aggressive", "--prune=now"]);
    let packed = scan();
    assert_eq!((objects(&packed), found(&packed)), (3, 2));
    for seed in [1, 2] {
        assert_eq!(finding(&packed, seed), finding(&third, seed));
    }
    fs::remove_file(&state).unwrap();
    let all = scan();
    assert_eq!((objects(&all), found(&all)), (47, 2));
    assert_eq!(finding(&all, 1), finding(&packed, 1));
}

#[test]
fn nothing_new_and_nothing_known_is_clean() {
    let kit = GitKit::init(&[]);
    kit.write("clean.txt", "clean");
    kit.commit("clean");
    for objects_read in [2, 0] {
        let (report, code) = report(kit.path(), &["--incremental"]);
        assert_eq!((objects(&report), code), (objects_read, Some(0)));
    }
}

#[test]
fn names_are_remembered_too() {
    let kit = grown();
    kit.write(&format!("{}.txt", keys::access_key_id(3)), "");
    kit.commit("a name");
    let scan = || report(kit.path(), &["--incremental"]).0;
    let first = scan();
    assert_eq!(found(&first), 2);
    assert_eq!(finding(&scan(), 3), finding(&first, 3));
    kit.git(&["gc", "-q", "--prune=now"]);
    assert_eq!(finding(&scan(), 3), finding(&first, 3));
}

#[test]
fn a_state_is_worth_nothing_with_other_rules_or_damaged() {
    let kit = grown();
    let state = kit.beside("state");
    let path = state.to_str().unwrap();
    let scan = |more: &[&str]| report(kit.path(), &[&["--state", path], more].concat()).0;
    assert_eq!(objects(&scan(&[])), 44);
    assert_eq!(objects(&scan(&[])), 1);
    assert_eq!(objects(&scan(&["--confidence", "low"])), 44);
    assert_eq!(objects(&scan(&["--confidence", "low"])), 1);
    let mut bytes = fs::read(&state).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&state, bytes).unwrap();
    assert_eq!(objects(&scan(&["--confidence", "low"])), 44);
    let text = fs::read(&state).unwrap();
    for secret in [keys::access_key_id(1), keys::secret(1)] {
        assert!(memchr::memmem::find(&text, secret.as_bytes()).is_none());
    }
}

#[test]
fn what_could_not_be_read_is_tried_again() {
    let kit = grown();
    let blob = kit.line(&["rev-parse", "HEAD:many.txt"]);
    let path = kit
        .path()
        .join(format!(".git/objects/{}/{}", &blob[..2], &blob[2..]));
    let whole = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, "damaged").unwrap();
    for _ in 0..2 {
        let (broken, _) = report(kit.path(), &["--incremental"]);
        assert_eq!(broken["summary"]["complete"], false);
    }
    fs::remove_file(&path).unwrap();
    fs::write(&path, whole).unwrap();
    let (mended, _) = report(kit.path(), &["--incremental"]);
    assert_eq!(
        (objects(&mended), &mended["summary"]["complete"]),
        (44, &Value::Bool(true))
    );
}
