//! What does not count: comments, excluded paths, the configuration, as the program's users meet
//! them.

use crate::kit::keys::{access_key_id, exports, secret};
use crate::kit::{self, Outcome, Tree, straykey};

fn run(tree: &Tree, arguments: &[&str]) -> Outcome {
    kit::run(straykey(tree.root()).args(arguments))
}

fn summary(ran: &Outcome) -> &str {
    ran.stderr.lines().last().unwrap_or_default()
}

fn pair_with(comment: &str) -> String {
    exports(1).trim_end().to_owned() + comment + "\n"
}

#[test]
fn a_comment_allows_and_is_counted_by_whose_it_is() {
    let tree = Tree::new();
    tree.write("a.sh", pair_with(" # straykey:allow a sample"));
    let ran = run(&tree, &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert!(
        summary(&ran).starts_with("No leaked keys."),
        "{}",
        ran.stderr
    );
    assert!(
        summary(&ran).contains(" · 1 allowed by straykey:allow"),
        "{}",
        ran.stderr
    );
    tree.write("a.sh", pair_with(" # gitleaks:allow"));
    let ran = run(&tree, &[]);
    assert_eq!(ran.code, Some(0));
    assert!(
        summary(&ran).contains(" · 1 allowed by comments of other tools"),
        "{}",
        ran.stderr
    );
    let ran = run(&tree, &["--no-inline"]);
    assert_eq!(ran.code, Some(1));
    assert!(!summary(&ran).contains("allowed"), "{}", ran.stderr);
}

#[test]
fn what_is_allowed_stays_in_the_report() {
    let tree = Tree::new();
    tree.write("a.sh", pair_with(" # straykey:allow a sample"));
    let report: serde_json::Value =
        serde_json::from_str(&run(&tree, &["-o", "json"]).stdout).unwrap();
    let finding = &report["findings"][0];
    assert_eq!(finding["blocks"], false);
    assert_eq!(finding["suppression"]["by"], "straykey:allow");
    assert_eq!(finding["suppression"]["in_force"], true);
    assert_eq!(finding["suppression"]["reason"], "a sample");
    assert_eq!(report["summary"]["allowed"], 1);
    assert_eq!(report["summary"]["blocking"], 0);
}

#[test]
fn another_place_without_a_comment_counts() {
    let tree = Tree::new();
    tree.write("a.sh", pair_with(" # straykey:allow a sample"));
    tree.write("b.sh", pair_with(""));
    assert_eq!(run(&tree, &[]).code, Some(1));
}

#[test]
fn the_configuration_says_what_counts() {
    let tree = Tree::new();
    tree.git("", &["init", "-q"]);
    tree.write("samples/a.sh", exports(1));
    tree.write(
        "id.txt",
        format!("aws_access_key_id = {}\n", access_key_id(2)),
    );
    tree.write(
        ".straykey.toml",
        "exclude = ['/samples/']\n[severities]\naws-access-key-id = 'low'\n",
    );
    let ran = run(&tree, &[]);
    assert_eq!(ran.code, Some(0), "{} {}", ran.stdout, ran.stderr);
    assert!(
        summary(&ran).contains(" · 1 in excluded paths"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.stdout.lines().count(), 1);
    // The same from within, and for a path that is named.
    let inside = kit::run(straykey(&tree.path("samples")).arg("a.sh"));
    assert_eq!(inside.code, Some(0), "{}", inside.stderr);
    assert_eq!(run(&tree, &["--no-config"]).code, Some(1));
    assert_eq!(run(&tree, &["--fail-on", "low"]).code, Some(1));
    tree.write(".straykey.toml", "failOn = 'low'\nformat = 'json'\n");
    let ran = run(&tree, &["id.txt"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.starts_with('{'), "{}", ran.stdout);
    assert!(
        run(&tree, &["id.txt", "-o", "line"])
            .stdout
            .starts_with("id.txt:1:")
    );
}

#[test]
fn a_mistake_in_the_configuration_stops_the_scan_with_its_place() {
    let tree = Tree::with(&["a"]);
    for (text, says) in [
        (
            "exclud = ['a']\n",
            ".straykey.toml:1:1: exclud: unknown key",
        ),
        (
            "\nformat = 'yaml'\n",
            ".straykey.toml:2:10: format: there is no output format `yaml`",
        ),
    ] {
        tree.write(".straykey.toml", text);
        let ran = run(&tree, &[]);
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains(says), "{}", ran.stderr);
        assert_eq!(run(&tree, &["--no-config"]).code, Some(0));
    }
}

#[test]
fn nothing_from_the_home_directory_weakens_a_scan() {
    let (tree, home) = (Tree::new(), Tree::new());
    tree.write("a.sh", exports(1));
    let weak = "exclude = ['*']\nfailOn = 'critical'\n[[allowlists]]\npaths = ['.']\n";
    for name in [
        ".straykey.toml",
        ".config/straykey.toml",
        ".config/straykey/config.toml",
        ".gitleaks.toml",
    ] {
        home.write(name, weak);
    }
    home.write(".config/git/ignore", "a.sh\n");
    home.write(
        ".gitconfig",
        "[core]\nexcludesFile = ~/.config/git/ignore\n[secrets]\nallowed = .\n",
    );
    home.write(".straykey-baseline/README.md", "");
    let ran = kit::run(
        straykey(tree.root())
            .env("HOME", home.root())
            .env("XDG_CONFIG_HOME", home.path(".config")),
    );
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(!ran.stdout.contains(&secret(1)));
    // Nor a file above the scanned repository.
    home.write("work/repository/a.sh", exports(1));
    home.git("work/repository", &["init", "-q"]);
    let ran = kit::run(&mut straykey(&home.path("work/repository")));
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
}

/// Who says that the key of each ID does not count, in a run of the program.
fn answers(tree: &Tree, arguments: &[&str]) -> std::collections::BTreeMap<String, String> {
    let ran = run(tree, arguments);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", ran.stderr));
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|finding| {
            let id = finding["access_key_id"].as_str().unwrap().to_owned();
            let by = finding["suppression"]["by"].as_str().unwrap_or("nobody");
            (id, format!("{by} {}", finding["blocks"]))
        })
        .collect()
}

#[test]
fn hook_scan_and_history_give_the_same_answer() {
    let tree = Tree::new();
    tree.git("", &["init", "-q"]);
    tree.write("known.sh", exports(50));
    let made = run(&tree, &["baseline", "create"]);
    assert_eq!(made.code, Some(0), "{}", made.stderr);
    tree.write(".straykey.toml", "exclude = ['/samples/']\n");
    tree.git("", &["add", "."]);
    tree.git("", &["commit", "-q", "-m", "baseline"]);
    tree.write("moved/known.sh", exports(50) + "\n");
    let comments = [
        "straykey:allow",
        "straykey:allow aws-access-key-pair a sample",
        "straykey:allow aws-access-key-id",
        "gitleaks:allow",
        "trufflehog:ignore",
        "pragma: allowlist secret",
        "nothing",
    ];
    for (seed, comment) in (1..).zip(comments) {
        let pair = exports(seed);
        let lines: Vec<&str> = pair.lines().collect();
        tree.write(
            format!("{seed}a.sh"),
            format!("{} # {comment}\n{}\n", lines[0], lines[1]),
        );
        let pair = exports(100 + seed);
        let lines: Vec<&str> = pair.lines().collect();
        tree.write(
            format!("{seed}b.sh"),
            format!("{}\n{} # {comment}\n", lines[0], lines[1]),
        );
        let pair = exports(200 + seed);
        let lines: Vec<&str> = pair.lines().collect();
        tree.write(
            format!("{seed}c.sh"),
            format!("{}\n# {comment}\n{}\n", lines[0], lines[1]),
        );
    }
    tree.write("samples/a.sh", exports(300));
    tree.git("", &["add", "."]);
    let mut staged = answers(&tree, &["staged", "-o", "json"]);
    let scanned = answers(&tree, &["-o", "json"]);
    assert_eq!(scanned.len(), 3 * comments.len() + 2);
    for how in [
        "nobody true",
        "straykey:allow false",
        "gitleaks:allow false",
        "baseline false",
        "path false",
    ] {
        assert!(
            scanned.values().any(|answer| answer == how),
            "{how}: {scanned:?}"
        );
    }
    // What was there before the change is no matter of the hook.
    staged
        .entry(access_key_id(50))
        .or_insert("baseline false".to_owned());
    assert_eq!(staged, scanned);
    tree.git("", &["commit", "-q", "-m", "all"]);
    assert_eq!(answers(&tree, &["history", "-o", "json"]), scanned);
    // No comment counts where none may.
    let strict = answers(&tree, &["--no-inline", "-o", "json"]);
    assert!(
        strict.values().all(|answer| !answer.contains("allow")),
        "{strict:?}"
    );
}
