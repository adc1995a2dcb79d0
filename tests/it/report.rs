//! `straykey report`: what a scan has written, in another form.

use std::fs;

use crate::kit::keys::{access_key_id, secret};
use crate::kit::{self, Outcome, Tree, straykey};

fn run(tree: &Tree, arguments: &[&str]) -> Outcome {
    kit::run(straykey(tree.root()).args(arguments))
}

/// A repository with a remote that holds a password, and a pair in a subdirectory.
fn leaky() -> Tree {
    let tree = Tree::new();
    let lines = format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        access_key_id(1),
        secret(1)
    );
    tree.write("conf/credentials", lines);
    tree.git("", &["init", "-q"]);
    let remote = "https://bot:hunter2hunter2@gitlab.com/group/shop.git";
    tree.git("", &["remote", "add", "origin", remote]);
    tree.git("", &["add", "."]);
    tree.git("", &["commit", "-q", "-m", "one"]);
    tree
}

#[test]
fn a_scan_is_shown_later_as_it_would_have_been_shown_at_once() {
    let tree = leaky();
    let formats = [
        "pretty", "line", "sarif", "gitlab", "junit", "csv", "github", "markdown",
    ];
    let mut arguments = vec!["--quiet".to_owned()];
    for format in ["json", "jsonl"].iter().chain(&formats) {
        arguments.extend(["-o".to_owned(), format!("{format}=now.{format}")]);
    }
    let ran = kit::run(straykey(tree.root()).args(arguments));
    assert_eq!(
        (ran.code, ran.stdout.as_str()),
        (Some(1), ""),
        "{}",
        ran.stderr
    );
    let text = |name: &str| fs::read_to_string(tree.path(name)).unwrap();
    for written in ["now.json", "now.jsonl"] {
        for format in ["json", "jsonl"].iter().chain(&formats) {
            let target = format!("{format}=later.{format}");
            let ran = run(&tree, &["report", written, "--quiet", "-o", &target]);
            assert_eq!(
                (ran.code, ran.stdout, ran.stderr),
                (Some(0), String::new(), String::new())
            );
            assert_eq!(
                text(&format!("later.{format}")),
                text(&format!("now.{format}"))
            );
        }
    }
    let ran = run(&tree, &["report", "now.json"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stdout.starts_with("conf/credentials:2:21: critical"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stderr
            .starts_with("1 leaked key (1 critical). Scanned "),
        "{}",
        ran.stderr
    );
}

#[test]
fn occurrences_link_to_the_host_and_its_password_is_not_shown() {
    let tree = leaky();
    let head = String::from_utf8(tree.git("", &["rev-parse", "HEAD"])).unwrap();
    let expected = format!(
        "https://gitlab.com/group/shop/-/blob/{}/conf/credentials#L2",
        head.trim()
    );
    let whole = tree.path("conf/credentials");
    for (directory, path) in [
        ("", "."),
        ("", "conf/credentials"),
        ("conf", "."),
        ("conf", ".."),
        ("conf", whole.to_str().unwrap()),
    ] {
        let ran = kit::run(straykey(&tree.path(directory)).args(["-o", "json", path]));
        let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        let occurrence = &json["findings"][0]["occurrences"][0];
        assert_eq!(occurrence["url"], *expected, "{directory} {path}");
        assert_eq!(json["repository"]["url"], "https://gitlab.com/group/shop");
        assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
    }
}

#[test]
fn the_exit_code_tells_what_was_asked_for() {
    let tree = leaky();
    run(&tree, &["-o", "json=r.json", "--fail-on", "critical"]);
    let code = |arguments: &[&str]| run(&tree, &[&["report", "r.json"], arguments].concat()).code;
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--fail-on", "medium"]), Some(1));
    assert_eq!(code(&["--fail-on", "live"]), Some(0));
    assert_eq!(code(&["-o", "csv=none/x"]), Some(2));
    let incomplete = fs::read_to_string(tree.path("r.json")).unwrap();
    let incomplete = incomplete.replace("\"complete\": true", "\"complete\": false");
    tree.write("r.json", incomplete);
    assert_eq!(code(&["--fail-on", "live"]), Some(2));
}

#[test]
fn what_is_no_report_is_refused_in_one_line() {
    let tree = Tree::new();
    tree.write("bad.json", "{\"schema\": 1}");
    tree.write("folder/x", "");
    for (file, expected) in [
        (
            "bad.json",
            "error: cannot read `bad.json`: not a report of straykey: missing field `summary` at line 1 column 13\n",
        ),
        (
            "none.json",
            "error: cannot read `none.json`: No such file or directory (os error 2)\n",
        ),
        (
            "folder",
            "error: cannot read `folder`: Is a directory (os error 21)\n",
        ),
    ] {
        let ran = run(&tree, &["report", file, "-o", "csv=out.csv"]);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), expected));
        assert!(!tree.path("out.csv").exists());
    }
    let mut command = straykey(tree.root());
    let ran = kit::run(command.args(["report", "-"]));
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr
            .starts_with("error: cannot read standard input: not a report"),
        "{}",
        ran.stderr
    );
}
