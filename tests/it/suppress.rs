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
