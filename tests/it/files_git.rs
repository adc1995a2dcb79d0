//! Which files git's ignore rules leave out: with real git, and held against its own answer.

use std::collections::BTreeSet;
use std::fs;

use straykey::source::Files;

use crate::kit::keys::Random;
use crate::kit::{Tree, scan};

/// The files read in the tree, without those of git itself, and the count of what was left out.
fn read(tree: &Tree, root: &str) -> (Vec<String>, u64) {
    let recorder = scan(&Files::new([tree.path(root)]));
    assert_eq!(recorder.left_out(), []);
    let mut names = recorder.names(tree.root());
    names.retain(|name| !name.ends_with(".gitignore"));
    (names, recorder.coverage().git_ignored)
}

fn expect(tree: &Tree, root: &str, names: &[&str], git_ignored: u64) {
    let (read, count) = read(tree, root);
    assert_eq!(read, names);
    assert_eq!(count, git_ignored);
}

#[test]
fn ignored_files_are_left_out_and_counted() {
    let tree = Tree::with(&[
        "a.log",
        "sub/b.log",
        "sub/keep.log",
        "out/x",
        "out/y",
        "src/c",
        "d.tmp",
    ]);
    tree.write(".gitignore", "*.log\nout/\n");
    tree.write("sub/.gitignore", "!keep.log\n");
    let everything = [
        "a.log",
        "d.tmp",
        "out/x",
        "out/y",
        "src/c",
        "sub/b.log",
        "sub/keep.log",
    ];
    // Without a repository an ignore file is a file like others.
    expect(&tree, "", &everything, 0);
    tree.git("", &["init", "-q"]);
    expect(&tree, "", &["d.tmp", "src/c", "sub/keep.log"], 3);
    fs::write(tree.path(".git/info/exclude"), "*.tmp\n").unwrap();
    expect(&tree, "", &["src/c", "sub/keep.log"], 4);
    let recorder = scan(&Files::new([tree.root()]).no_ignore(true));
    assert_eq!(recorder.coverage().files, everything.len() as u64 + 2);
    assert_eq!(recorder.coverage().git_ignored, 0);
}

#[test]
fn a_directory_inside_a_repository_inherits_the_rules_above() {
    let tree = Tree::with(&["a/b/x.log", "a/b/y", "a/b/keep.log", "a/b/only"]);
    tree.git("", &["init", "-q"]);
    tree.write(".gitignore", "*.log\n/a/b/only\n");
    tree.write("a/.gitignore", "!keep.log\n");
    expect(&tree, "a/b", &["a/b/keep.log", "a/b/y"], 2);
    expect(&tree, "a", &["a/b/keep.log", "a/b/y"], 2);
}

#[test]
fn what_is_named_is_read_though_ignored() {
    let tree = Tree::with(&["out/a.log", "out/b", "x.log"]);
    tree.git("", &["init", "-q"]);
    tree.write(".gitignore", "*.log\nout\n");
    expect(&tree, "x.log", &["x.log"], 0);
    expect(&tree, "out", &["out/a.log", "out/b"], 0);
    let recorder = scan(&Files::new([tree.root().to_owned(), tree.path("out/b")]));
    assert_eq!(recorder.names(tree.root()), [".gitignore", "out/b"]);
    assert!(scan(&Files::new([tree.path(".git")])).coverage().files > 0);
}

#[test]
fn what_git_tracks_is_read_though_ignored() {
    for hash in ["sha1", "sha256"] {
        let tree = Tree::with(&[
            "out/deep/tracked",
            "out/deep/other",
            "out/more/x",
            "a.log",
            "b.log",
        ]);
        tree.git("", &["init", "-q", "--object-format", hash]);
        tree.write(".gitignore", "*.log\nout/\n");
        tree.git("", &["add", "-f", "a.log", "out/deep/tracked"]);
        for version in ["2", "4"] {
            tree.git("", &["update-index", "--index-version", version]);
            expect(&tree, "", &["a.log", "out/deep/tracked"], 3);
        }
        // An index that is not understood: anything may be tracked.
        tree.git("", &["update-index", "--split-index"]);
        let (names, ignored) = read(&tree, "");
        assert_eq!((names.len(), ignored), (5, 0));
    }
}

#[test]
fn repositories_within_have_rules_of_their_own() {
    let tree = Tree::with(&["inner/a.log", "inner/b.tmp", "linked/x", "c.log"]);
    tree.git("", &["init", "-q"]);
    tree.git("inner", &["init", "-q"]);
    tree.write(".gitignore", "*.log\n");
    tree.write("inner/.gitignore", "*.tmp\n");
    expect(&tree, "", &["inner/a.log", "linked/x"], 2);
    // A linked work tree: `.git` is a file, and info/exclude is shared.
    tree.git("inner", &["commit", "-qm", "m", "--allow-empty"]);
    tree.git(
        "inner",
        &["worktree", "add", "-q", "../linked2", "-b", "other"],
    );
    tree.write("linked2/x.log", "x");
    tree.write("linked2/y.secret", "y");
    fs::write(tree.path("inner/.git/info/exclude"), "*.secret\n").unwrap();
    expect(&tree, "linked2", &["linked2/x.log"], 1);
}

#[test]
fn a_git_folder_that_git_would_not_take_is_no_repository() {
    let tree = Tree::with(&["a.log"]);
    tree.write(".gitignore", "*\n");
    fs::create_dir(tree.path(".git")).unwrap();
    expect(&tree, "", &["a.log"], 0);
    fs::remove_dir(tree.path(".git")).unwrap();
    tree.write(".git", "gitdir: nowhere\n");
    expect(&tree, "", &["a.log"], 0);
}

const PATTERNS: [&str; 24] = [
    "*.log",
    "/a",
    "b/",
    "a/b",
    "**/c",
    "a/**",
    "a/**/c",
    "!a.log",
    "!c",
    "*",
    "!*/",
    "[ab]",
    "[!a]",
    "?",
    "\\!x",
    "\\#y",
    "*.{log,tmp}",
    "a.log ",
    "c\\ ",
    "# none",
    "",
    "/*/b",
    "*.t?p",
    "!/a/b",
];

/// Random trees and random patterns: we read exactly what `git ls-files` calls tracked or other.
#[test]
fn we_and_git_agree_on_random_trees() {
    let names = [
        "a",
        "b",
        "c",
        "a.log",
        "b.tmp",
        "!x",
        "#y",
        "a.{log,tmp}",
        "c ",
    ];
    let mut ignored = 0;
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let tree = Tree::new();
        tree.git("", &["init", "-q"]);
        for _ in 0..40 {
            let parts: Vec<&str> = (0..1 + random.below(4))
                .map(|_| names[random.below(9)])
                .collect();
            let path = tree.path(parts.join("/"));
            let made = fs::create_dir_all(path.parent().unwrap());
            if made.is_ok() && !path.is_dir() {
                fs::write(path, "x").unwrap();
            }
        }
        for directory in ["", "a", "b", "a/b"] {
            if tree.path(directory).is_dir() && random.below(3) > 0 {
                let lines: Vec<&str> = (0..1 + random.below(4))
                    .map(|_| PATTERNS[random.below(24)])
                    .collect();
                tree.write(
                    format!("{directory}/.gitignore").trim_start_matches('/'),
                    lines.join("\n") + "\n",
                );
            }
        }
        if random.below(2) == 0 && tree.path("a").exists() {
            tree.git("", &["add", "-f", "a"]);
        }
        let listed = tree.git(
            "",
            &[
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ],
        );
        let git: BTreeSet<String> = listed
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        let recorder = scan(&Files::new([tree.root()]));
        let ours: BTreeSet<String> = recorder.names(tree.root()).into_iter().collect();
        let lost: Vec<&String> = git.difference(&ours).collect();
        assert!(lost.is_empty(), "seed {seed}: lost {lost:?}");
        let more: Vec<&String> = ours.difference(&git).collect();
        assert!(more.is_empty(), "seed {seed}: read though ignored {more:?}");
        ignored += recorder.coverage().git_ignored;
    }
    assert!(ignored > 200, "{ignored}");
}
