//! The program built without verification.

use crate::kit::{Tree, run, straykey};

#[test]
fn verify_says_how_to_get_it() {
    let tree = Tree::with(&["a"]);
    let outcome = run(straykey(tree.root()).arg("--verify"));
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("built without verification"));
    assert!(outcome.stderr.contains("cargo install straykey --locked"));
    assert_eq!(outcome.stdout, "");
}

#[test]
fn a_dry_run_needs_no_network_code() {
    let tree = Tree::with(&["a"]);
    let outcome = run(straykey(tree.root()).arg("--verify-dry-run"));
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.stderr.contains("would ask about 0 access key IDs"));
}
