//! What a history holds besides the content of files, conditions on paths that are known only later,
//! and objects that are not here.

use std::fs;

use serde_json::Value;

use crate::git_kit::{GitKit, run};
use crate::history_places::{finding, report};
use crate::kit::keys::{self, Random, access_key_id};

fn places(finding: &Value) -> Vec<String> {
    let places = finding["occurrences"].as_array().unwrap();
    let mut paths: Vec<String> = places
        .iter()
        .map(|it| it["path"].as_str().unwrap().to_owned())
        .collect();
    paths.sort();
    paths
}

/// Which of the keys of `seeds` are in the report.
fn seeds(report: &Value, seeds: std::ops::RangeInclusive<u64>) -> Vec<u64> {
    let findings = report["findings"].as_array().unwrap();
    let is_there = |seed: &u64| {
        let id = access_key_id(*seed);
        findings.iter().any(|it| it["access_key_id"] == id.as_str())
    };
    seeds.filter(is_there).collect()
}

fn commit_as(kit: &GitKit, author: &str, committer: &str) {
    let mut git = kit.command();
    git.args(["commit", "-q", "--allow-empty", "-m", "by somebody"]);
    git.env("GIT_AUTHOR_NAME", author);
    run(git.env("GIT_COMMITTER_NAME", committer));
}

#[test]
fn people_and_tags_are_part_of_what_commits_bring() {
    let kit = GitKit::init(&[]);
    kit.commit("first");
    kit.git(&["tag", "-a", "old", "-m", &access_key_id(6)]);
    kit.git(&["checkout", "-q", "-b", "feature"]);
    commit_as(&kit, &access_key_id(1), "Ada");
    commit_as(&kit, "Ada", &access_key_id(2));
    commit_as(&kit, &access_key_id(1), &access_key_id(1));
    let tagger = access_key_id(3);
    let mut git = kit.command();
    git.args(["tag", "-a", "new", "-m", &access_key_id(4)]);
    run(git.env("GIT_COMMITTER_NAME", tagger));
    kit.git(&["tag", "-a", "outer", "-m", &access_key_id(5), "new"]);
    kit.git(&["tag", "plain"]);
    for arguments in [&[][..], &["main..feature"]] {
        let (report, code) = report(kit.path(), arguments);
        assert_eq!(code, Some(1));
        let of = |seed| places(finding(&report, seed));
        assert_eq!(of(2), ["committer of the commit"]);
        assert_eq!(of(3), ["tagger of the tag new"]);
        assert_eq!(of(4), ["message of the tag new"]);
        assert_eq!(of(5), ["message of the tag outer"]);
        assert!(of(1).contains(&"author of the commit".to_owned()));
        for seed in [1, 2] {
            let provenance = &finding(&report, seed)["provenance"];
            assert_eq!(provenance["reachability"], "reachable");
            assert_eq!(provenance["branches"][0], "feature");
        }
        assert_eq!(finding(&report, 4)["provenance"]["tags"][0], "new");
        let is_whole = arguments.is_empty();
        assert_eq!(seeds(&report, 6..=6).is_empty(), !is_whole);
    }
    // An old tag of a commit outside of the range is not part of it; a range round it is.
    assert_eq!(seeds(&report(kit.path(), &["main"]).0, 1..=6), [6]);
}

#[test]
fn names_of_submodules_are_names() {
    let kit = GitKit::init(&[]);
    kit.commit("first");
    let head = kit.line(&["rev-parse", "HEAD"]);
    let entry = format!("160000,{head},{}", access_key_id(1));
    kit.git(&["update-index", "--add", "--cacheinfo", &entry]);
    kit.git(&["commit", "-q", "-m", "a submodule"]);
    for arguments in [&[][..], &["HEAD~..HEAD"]] {
        let (report, code) = report(kit.path(), arguments);
        assert_eq!(code, Some(1), "{arguments:?}");
        assert_eq!(places(finding(&report, 1)), [access_key_id(1)]);
    }
}

const RULES: &str = "
[[allowlists]]
paths = ['^vendor/']
[[rules]]
id = 'token'
regex = '''tok_[a-z0-9]{32}'''
keywords = ['tok_']
[[rules.allowlists]]
paths = ['^docs/']
[[rules.allowlists]]
condition = 'AND'
paths = ['^mixed/']
stopwords = ['stop']
[[rules]]
id = 'environment'
regex = '''env_[a-z0-9]{32}'''
path = '''\\.env$'''
keywords = ['env_']
";

fn token(prefix: &str, seed: u64) -> String {
    let alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
    format!("{prefix}{}", Random::new(seed).text(alphabet, 32))
}

/// Rule and places of each finding.
fn told(report: &Value) -> Vec<(String, Vec<String>)> {
    let findings = report["findings"].as_array().unwrap();
    let rule = |finding: &Value| finding["rule"].as_str().unwrap().to_owned();
    let mut told: Vec<_> = findings.iter().map(|it| (rule(it), places(it))).collect();
    told.sort();
    told
}

#[test]
fn conditions_on_paths_hold_in_histories() {
    let kit = GitKit::init(&[]);
    kit.commit("first");
    let rules = kit.beside("rules.toml");
    fs::write(&rules, RULES).unwrap();
    // The same blob at a path that counts and at one that does not.
    for path in ["docs/both", "src/both", "vendor/both"] {
        kit.write(path, token("tok_", 1));
    }
    kit.write("docs/only", token("tok_", 2));
    kit.write("vendor/key.sh", keys::exports(1));
    kit.write("blob", token("tok_", 3));
    kit.write("x.env", token("env_", 4));
    kit.write("x.txt", token("env_", 5));
    let stopped = format!("{}stop", &token("tok_", 6)[..32]);
    kit.write("mixed/stopped", &stopped);
    kit.write("mixed/other", token("tok_", 7));
    kit.commit(&format!("env_ in a message: {}", token("env_", 8)));
    // Stands first where it does not count, and later where it does.
    kit.write("docs/moved", token("tok_", 9));
    kit.commit("to be moved");
    kit.git(&["mv", "docs/moved", "moved"]);
    kit.commit("moved");
    let pair = |rule: &str, path: &str| (rule.to_owned(), vec![path.to_owned()]);
    let mut expected = vec![
        pair("token", "src/both"),
        pair("token", "blob"),
        pair("environment", "x.env"),
        pair("token", "mixed/other"),
        pair("token", "moved"),
    ];
    expected.sort();
    let config = ["--config", rules.to_str().unwrap()];
    for more in [&[][..], &["main~3..main"], &["--full-scan"]] {
        let (report, code) = report(kit.path(), &[&config, more].concat());
        assert_eq!(code, Some(1));
        assert_eq!(told(&report), expected, "{more:?}");
    }
    let (whole, _) = report(kit.path(), &config);
    let moved = finding_at(&whole, "moved");
    let place = &moved["occurrences"][0];
    assert_eq!(place["commit"], kit.line(&["rev-parse", "HEAD"]));
}

fn finding_at<'r>(report: &'r Value, path: &str) -> &'r Value {
    let findings = report["findings"].as_array().unwrap();
    let is_there = |it: &&Value| places(it) == [path];
    findings.iter().find(is_there).unwrap()
}

#[test]
fn rules_for_names_alone_are_said_to_be_left_out_of_whole_histories() {
    let kit = GitKit::init(&[]);
    kit.commit("first");
    kit.write("server.p12", "p");
    kit.commit("a file");
    let rules = kit.beside("rules.toml");
    fs::write(&rules, "[[rules]]\nid = 'p12'\npath = '''\\.p12$'''\n").unwrap();
    let config = ["--config", rules.to_str().unwrap()];
    let (whole, code) = report(kit.path(), &config);
    assert_eq!(code, Some(0));
    let said = whole["not_scanned"][0]["reason"].as_str().unwrap();
    assert!(said.contains("p12"), "{said}");
    let (range, _) = report(kit.path(), &[&config[..], &["HEAD~..HEAD"]].concat());
    assert_eq!(
        told(&range),
        [("p12".to_owned(), vec!["server.p12".to_owned()])]
    );
}

/// Removes a loose object.
fn lose(kit: &GitKit, id: &str) {
    let path = format!(".git/objects/{}/{}", &id[..2], &id[2..]);
    fs::remove_file(kit.path().join(path)).unwrap();
}

/// What the report of the whole history says of the object `id`.
#[track_caller]
fn is_missed(kit: &GitKit, id: &str) {
    let (report, code) = report(kit.path(), &[]);
    assert_eq!(code, Some(2), "{report:#}");
    let entries = report["not_scanned"].as_array().unwrap();
    let named = |it: &Value| it["path"].as_str().unwrap().contains(id);
    assert!(entries.iter().any(named), "{id}: {entries:#?}");
}

#[test]
fn what_a_history_names_and_has_not_got_is_missed() {
    for missing in ["HEAD~1", "HEAD~1^{tree}", "HEAD", "HEAD^{tree}", "v1"] {
        let kit = GitKit::init(&[]);
        for step in 0..3 {
            kit.write("file", format!("{step}"));
            kit.commit("step");
        }
        kit.git(&["tag", "-a", "v1", "-m", "a tag", "HEAD~2"]);
        let id = kit.line(&["rev-parse", missing]);
        assert_eq!(report(kit.path(), &[]).1, Some(0), "{missing}");
        lose(&kit, &id);
        is_missed(&kit, &id);
    }
}

#[test]
fn what_no_ref_leads_to_may_lack_its_past() {
    let kit = GitKit::init(&[]);
    for step in 0..4 {
        kit.write("file", format!("{step}"));
        kit.commit("step");
    }
    let parent = kit.line(&["rev-parse", "HEAD~1"]);
    kit.git(&["reset", "-q", "--hard", "HEAD~2"]);
    kit.git(&["reflog", "expire", "--expire=now", "--all"]);
    lose(&kit, &parent);
    let (report, code) = report(kit.path(), &[]);
    assert_eq!(code, Some(0), "{report:#}");
}

#[test]
fn an_empty_directory_need_not_be_stored() {
    let kit = GitKit::init(&[]);
    kit.commit("nothing in it");
    kit.write("file", "something");
    kit.commit("something");
    let id = kit.line(&["rev-parse", "HEAD~1^{tree}"]);
    let path = format!(".git/objects/{}/{}", &id[..2], &id[2..]);
    drop(fs::remove_file(kit.path().join(path)));
    let (report, code) = report(kit.path(), &[]);
    assert_eq!(code, Some(0), "{report:#}");
}
