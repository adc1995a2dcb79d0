//! The reader of the index, held against git itself.

use std::collections::BTreeSet;

use straykey::source::git::{HashKind, ObjectId};
use straykey::source::index::difference::index_against;
use straykey::source::index::{IndexFile, MalformedTree, Trees};

use crate::hook_kit::{Random, Repository};

/// Trees by way of `git cat-file`, so that nothing but the comparison is under test.
struct GitTrees<'r>(&'r Repository);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct TreeError(String);

impl From<MalformedTree> for TreeError {
    fn from(error: MalformedTree) -> Self {
        Self(error.to_string())
    }
}

impl Trees for GitTrees<'_> {
    type Error = TreeError;
    fn tree(&self, id: ObjectId) -> Result<Vec<u8>, TreeError> {
        let output = self.0.try_git(&["cat-file", "tree", &id.to_string()]);
        let good = output.status.success().then_some(output.stdout);
        good.ok_or_else(|| TreeError(format!("no tree {id}")))
    }
}

fn read(repository: &Repository) -> IndexFile {
    let hash = match repository
        .git(&["rev-parse", "--show-object-format"])
        .trim()
    {
        "sha256" => HashKind::Sha256,
        _ => HashKind::Sha1,
    };
    let directory = repository.path().join(".git");
    IndexFile::read(&directory.join("index"), &directory, hash).expect("an index")
}

/// As `git ls-files --stage -z` shows it.
fn listing(index: &IndexFile) -> String {
    let line = |entry: straykey::source::index::IndexEntry<'_>| {
        let path = String::from_utf8_lossy(entry.path).into_owned();
        format!("{:06o} {} {}\t{path}\0", entry.mode, entry.id, entry.stage)
    };
    index.entries().map(line).collect()
}

fn same_listing(repository: &Repository, what: &str) {
    let shown = repository.git(&["ls-files", "--stage", "-z", "--sparse"]);
    assert_eq!(listing(&read(repository)), shown, "{what}");
}

/// Holds the changed paths against `git diff-index`, for one parent or for the empty tree.
fn same_difference(repository: &Repository, what: &str) {
    let head = repository.try_git(&["rev-parse", "--verify", "-q", "HEAD^{tree}"]);
    let head = String::from_utf8_lossy(&head.stdout).trim().to_owned();
    let parents: Vec<ObjectId> = ObjectId::from_hex(head.as_bytes()).into_iter().collect();
    let empty = repository.git(&["hash-object", "-t", "tree", "/dev/null"]);
    let against = if parents.is_empty() {
        empty.trim()
    } else {
        &head
    };
    let raw = repository.git(&[
        "diff-index",
        "-r",
        "--cached",
        "--no-renames",
        "--raw",
        "--no-abbrev",
        "-z",
        against,
    ]);
    let mut expected = BTreeSet::new();
    let mut fields = raw.split('\0');
    while let (Some(about), Some(path)) = (fields.next(), fields.next()) {
        let words: Vec<&str> = about.split(' ').collect();
        match words[4] {
            "D" => expected.insert(format!("removed {path}")),
            "U" => false,
            _ => expected.insert(format!("{} {} {path}", words[1], words[3])),
        };
    }
    let found = index_against(&read(repository), &parents, &GitTrees(repository)).expect(what);
    let mut ours = BTreeSet::new();
    for change in &found.changes {
        let path = String::from_utf8_lossy(&change.path).into_owned();
        ours.insert(format!("{:06o} {} {path}", change.new.mode, change.new.id));
    }
    for (path, version) in &found.removed {
        let path = String::from_utf8_lossy(path).into_owned();
        if version.mode == 0o040_000 {
            let below = repository.git(&["ls-tree", "-r", "--name-only", &head, &path]);
            ours.extend(below.lines().map(|path| format!("removed {path}")));
        } else {
            ours.insert(format!("removed {path}"));
        }
    }
    // Git shows an entry with --intent-to-add as an empty blob; it is not committed.
    for path in &found.intended {
        let path = String::from_utf8_lossy(path).into_owned();
        expected.remove(&format!("removed {path}"));
        expected.retain(|line| !line.ends_with(&format!(" {path}")));
    }
    assert_eq!(ours, expected, "{what}");
}

/// A few hundred files in nested folders, committed.
fn populated(arguments: &[&str]) -> Repository {
    let repository = Repository::new(arguments);
    for number in 0..120 {
        let name = format!("d{}/e{}/file-{number}.txt", number % 7, number % 3);
        repository.write(&name, format!("{number}\n"));
    }
    repository.write("top.txt", "top\n");
    repository.write("d1.txt", "sorts between d1 and d1/\n");
    repository.commit_all("first");
    repository
}

#[test]
fn every_version_and_hash_reads_as_git_reads_it() {
    for format in ["sha1", "sha256"] {
        for version in ["2", "3", "4"] {
            let repository = populated(&["--object-format", format]);
            let what = format!("{format} version {version}");
            repository.git(&["config", "index.version", version]);
            repository.git(&["update-index", "--index-version", version]);
            same_listing(&repository, &what);
            same_difference(&repository, &what);
            repository.write("d1/e1/file-1.txt", "changed\n");
            repository.write("d9/new.txt", "new\n");
            repository.write("later.txt", "intended\n");
            repository.git(&["add", "d1", "d9"]);
            repository.git(&["add", "-N", "later.txt"]);
            repository.git(&["update-index", "--skip-worktree", "top.txt"]);
            repository.git(&[
                "rm",
                "-q",
                "--cached",
                "d2/e0/file-9.txt",
                "d3/e0/file-3.txt",
            ]);
            same_listing(&repository, &what);
            same_difference(&repository, &what);
            let index = read(&repository);
            let flagged = index
                .entries()
                .filter(|e| e.intent_to_add || e.skip_worktree);
            assert_eq!(flagged.count(), 2, "{what}");
        }
    }
}

#[test]
fn the_first_commit_and_the_empty_index() {
    let repository = Repository::new(&[]);
    assert!(read(&repository).is_empty());
    same_difference(&repository, "nothing at all");
    repository.write("a/b/c.txt", "c\n");
    repository.git(&["add", "-A"]);
    same_listing(&repository, "first commit");
    same_difference(&repository, "first commit");
}

#[test]
fn split_index_in_every_shape() {
    for format in ["sha1", "sha256"] {
        for version in ["2", "4"] {
            let repository = populated(&["--object-format", format]);
            let what = format!("split {format} {version}");
            repository.git(&["config", "splitIndex.maxPercentChange", "100"]);
            repository.git(&["config", "core.splitIndex", "true"]);
            repository.git(&["update-index", "--index-version", version]);
            repository.git(&["update-index", "--split-index"]);
            same_listing(&repository, &what);
            for round in 0..6 {
                repository.write(&format!("d{round}/e0/file-{}.txt", round * 21), "other\n");
                repository.write(&format!("new/{round}.txt"), "new\n");
                repository.git(&["add", "-A"]);
                repository.git(&[
                    "rm",
                    "-q",
                    "--cached",
                    &format!(
                        "d6/e{0}/file-{1}.txt",
                        [0, 1, 2, 0, 1, 2][round],
                        [6, 13, 20, 27, 34, 41][round]
                    ),
                ]);
                same_listing(&repository, &what);
                same_difference(&repository, &what);
            }
            let link = std::fs::read(repository.path().join(".git/index")).expect("an index");
            assert!(
                memchr::memmem::find(&link, b"link").is_some(),
                "{what}: not split"
            );
        }
    }
}

#[test]
fn sparse_index() {
    let repository = populated(&[]);
    repository.git(&["sparse-checkout", "init", "--cone", "--sparse-index"]);
    repository.git(&["sparse-checkout", "set", "d1"]);
    same_listing(&repository, "sparse");
    assert!(read(&repository).is_sparse());
    repository.write("d1/e1/file-1.txt", "changed\n");
    repository.git(&["add", "d1"]);
    same_difference(&repository, "sparse, a change inside");
    // A soft reset leaves a sparse directory of another commit in the index.
    repository.git(&["commit", "-q", "--no-verify", "-m", "second"]);
    repository.git(&["sparse-checkout", "disable"]);
    repository.write("d4/e1/new.txt", "new\n");
    repository.write("d5/e2/file-5.txt", "changed\n");
    repository.git(&["rm", "-q", "-r", "d6/e0"]);
    repository.commit_all("third");
    repository.git(&["sparse-checkout", "init", "--cone", "--sparse-index"]);
    repository.git(&["sparse-checkout", "set", "d1"]);
    repository.git(&["reset", "-q", "--soft", "HEAD~1"]);
    same_listing(&repository, "sparse after a soft reset");
    same_difference(&repository, "sparse after a soft reset");
}

#[test]
fn unresolved_merges_and_long_names() {
    let repository = populated(&[]);
    let long = format!("{}/name", vec!["a".repeat(240); 15].join("/"));
    let blob = repository.git(&["hash-object", "-w", "top.txt"]);
    let entry = format!("100644,{},{long}{}", blob.trim(), "/b".repeat(300));
    repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    same_listing(&repository, "a name of more than 4095 bytes");
    repository.git(&["reset", "-q", "--hard"]);
    for (branch, content) in [("one", "1\n"), ("two", "2\n")] {
        repository.git(&["checkout", "-q", "-b", branch, "main"]);
        repository.write("top.txt", content);
        repository.write("both.txt", content);
        repository.commit_all(branch);
    }
    assert!(!repository.try_git(&["merge", "-q", "one"]).status.success());
    same_listing(&repository, "unresolved");
    let stages: Vec<u8> = read(&repository)
        .entries()
        .map(|e| e.stage)
        .filter(|&s| s > 0)
        .collect();
    assert_eq!(stages, [2, 3, 1, 2, 3]);
}

#[test]
fn extensions_that_may_be_there() {
    let repository = populated(&[]);
    repository.git(&["config", "core.untrackedCache", "true"]);
    repository.git(&["config", "index.threads", "4"]);
    repository.git(&["config", "index.recordEndOfIndexEntries", "true"]);
    repository.git(&["config", "index.recordOffsetTable", "true"]);
    repository.git(&["config", "index.skipHash", "true"]);
    repository.write("z.txt", "z\n");
    repository.git(&["add", "z.txt"]);
    repository.git(&["status"]);
    repository.git(&["update-index", "--force-write-index"]);
    let bytes = std::fs::read(repository.path().join(".git/index")).expect("an index");
    for name in [&b"EOIE"[..], b"IEOT", b"UNTR"] {
        assert!(
            memchr::memmem::find(&bytes, name).is_some(),
            "no {}",
            name.escape_ascii()
        );
    }
    assert_eq!(bytes[bytes.len() - 20..], [0; 20], "the hash is there");
    same_listing(&repository, "extensions");
    same_difference(&repository, "extensions");
}

/// Bytes that git never wrote give an error or some entries, never a panic.
#[test]
fn damaged_indexes_do_not_panic() {
    let mut random = Random::new(7);
    for (version, split) in [("2", false), ("4", false), ("2", true)] {
        let repository = populated(&[]);
        repository.git(&["update-index", "--index-version", version]);
        if split {
            repository.git(&["config", "core.splitIndex", "true"]);
            repository.git(&["update-index", "--split-index"]);
            repository.write("top.txt", "changed\n");
            repository.git(&["add", "-A"]);
        }
        let directory = repository.path().join(".git");
        let good = std::fs::read(directory.join("index")).expect("an index");
        let bad_path = directory.join("bad-index");
        for round in 0..1500 {
            let mut bad = good.clone();
            for _ in 0..=random.below(3) {
                let at = random.below(bad.len());
                bad[at] = match round % 3 {
                    0 => 0xFF,
                    1 => 0,
                    _ => random.next() as u8,
                };
            }
            if round % 5 == 0 {
                bad.truncate(random.below(good.len()));
            }
            std::fs::write(&bad_path, &bad).expect("written");
            let Ok(index) = IndexFile::read(&bad_path, &directory, HashKind::Sha1) else {
                continue;
            };
            assert!(index.entries().all(|entry| !entry.path.is_empty()));
        }
    }
}
