//! A key at more places than a report lists: what no comment allows and no path excludes decides,
//! wherever it stands.

use std::path::Path;

use serde_json::Value;

use crate::git_kit::GitKit;
use crate::history_places::{finding, report};
use crate::kit::keys;

/// More than are listed.
const PLACES: usize = 130;

fn allowed(number: usize) -> String {
    let exports = keys::exports(1).trim_end().to_owned();
    format!("{exports} # straykey:allow sample {number}\n")
}

/// A repository with an empty commit, tagged `start`.
fn repository() -> GitKit {
    let kit = GitKit::init(&[]);
    kit.write("first", "first");
    kit.commit("first");
    kit.git(&["tag", "start"]);
    kit
}

/// The finding of the whole history and that of the range since `start`, with the exit codes.
#[track_caller]
fn both(kit: &GitKit, code: i32) -> [Value; 2] {
    [&[][..], &["start..HEAD"]].map(|arguments| {
        let (report, got) = report(kit.path(), arguments);
        assert_eq!(got, Some(code), "{arguments:?}: {:#}", report["summary"]);
        finding(&report, 1).clone()
    })
}

fn suppressed(finding: &Value) -> bool {
    finding["suppression"]["in_force"] == true
}

fn lists(finding: &Value, path: &str) -> bool {
    let places = finding["occurrences"].as_array().unwrap();
    places.iter().any(|it| it["path"] == path)
}

#[test]
fn one_place_without_a_comment_counts_however_many_have_one() {
    let kit = repository();
    for number in 0..PLACES {
        kit.write(&format!("sample{number:03}.sh"), allowed(number));
    }
    kit.commit("samples");
    for found in both(&kit, 0) {
        assert!(suppressed(&found), "{found:#}");
    }
    // In a later commit, and by its name the last.
    kit.write("zzz.sh", keys::exports(1));
    kit.commit("no sample");
    let [whole, range] = both(&kit, 1);
    assert_eq!(whole["provenance"]["counts"]["places"], PLACES + 1);
    assert_eq!(whole["occurrences"].as_array().unwrap().len(), 100);
    for found in [whole, range] {
        assert!(!suppressed(&found) && found["blocks"] == true, "{found:#}");
        assert!(lists(&found, "zzz.sh"), "{found:#}");
    }
    // A comment that comes later takes nothing out of the versions before.
    kit.write("zzz.sh", allowed(PLACES));
    kit.commit("a sample after all");
    both(&kit, 1);
}

#[test]
fn one_place_outside_of_excluded_paths_counts_however_many_are_inside() {
    let kit = repository();
    kit.write(".straykey.toml", "exclude = ['/samples/']\n");
    let write = |from: usize, to: usize| {
        for number in from..to {
            let content = format!("# {number}\n{}", keys::exports(1));
            kit.write(&format!("samples/s{number:03}.sh"), content);
        }
        kit.commit("samples");
    };
    write(0, 90);
    for found in both(&kit, 0) {
        assert_eq!(found["suppression"]["by"], "path");
    }
    write(90, PLACES);
    // A history lists a hundred places; a range lists all.
    let codes = [&[][..], &["start..HEAD"]].map(|arguments| report(kit.path(), arguments).1);
    assert_eq!(codes, [Some(1), Some(0)]);
    kit.write("zzz.sh", keys::exports(1));
    kit.commit("not in there");
    both(&kit, 1);
    assert_scan_agrees(kit.path());
}

/// What `scan` says of the files themselves.
fn assert_scan_agrees(directory: &Path) {
    let ran = crate::kit::run(&mut crate::kit::straykey(directory));
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

#[test]
fn excluded_paths_and_comments_add_up() {
    let kit = repository();
    kit.write(".straykey.toml", "exclude = ['/samples/']\n");
    for number in 0..40 {
        let content = format!("# {number}\n{}", keys::exports(1));
        kit.write(&format!("samples/s{number:03}.sh"), content);
        kit.write(&format!("allowed{number:03}.sh"), allowed(number));
    }
    kit.commit("samples");
    both(&kit, 0);
    // A later version of a path that is allowed as it was first.
    kit.write("allowed000.sh", keys::exports(1));
    kit.commit("no sample");
    both(&kit, 1);
}

#[test]
fn what_nothing_leads_to_counts_though_a_comment_stands_elsewhere() {
    let kit = repository();
    kit.write("sample.sh", allowed(0));
    kit.commit("a sample");
    kit.write("loose.sh", keys::exports(1));
    kit.git(&["hash-object", "-w", "loose.sh"]);
    assert_eq!(report(kit.path(), &[]).1, Some(1));
    assert_eq!(report(kit.path(), &["start..HEAD"]).1, Some(0));
}
