//! Objects and refs read by us are those that git reads.

use std::collections::BTreeMap;
use std::path::Path;

use straykey::source::git::{HashKind, Kind, ObjectId, ObjectStore, Refs, Repository};

use crate::git_kit::{GitKit, git_in, run};

/// Every object that git prints: kind and content by id.
pub(crate) fn all_objects(folder: &Path) -> BTreeMap<String, (String, Vec<u8>)> {
    let text = run(git_in(folder).args(["cat-file", "--batch-all-objects", "--batch"]));
    let (mut objects, mut rest) = (BTreeMap::new(), &text[..]);
    while !rest.is_empty() {
        let end = rest.iter().position(|&b| b == b'\n').expect("a header");
        let header = String::from_utf8_lossy(&rest[..end]).into_owned();
        let words: Vec<&str> = header.split(' ').collect();
        let size: usize = words[2].parse().expect("a size");
        let content = rest[end + 1..end + 1 + size].to_vec();
        objects.insert(words[0].to_owned(), (words[1].to_owned(), content));
        rest = &rest[end + 2 + size..];
    }
    objects
}

fn check(folder: &Path) -> usize {
    let repository = Repository::discover(folder).expect("a repository");
    let store = ObjectStore::open(&repository).expect("objects");
    assert_eq!(store.problems(), vec![]);
    let expected = all_objects(folder);
    let mut content = Vec::new();
    for (id, (kind, bytes)) in &expected {
        let id = ObjectId::from_hex(id.as_bytes()).expect("an id");
        let found = store.find(&id, &mut content).expect("readable");
        assert_eq!(found.map(Kind::as_str), Some(kind.as_str()), "{id}");
        assert!(content == *bytes, "{id}");
        assert!(store.contains(&id));
    }
    let mut absent = vec![7; repository.hash().length()];
    absent[0] = 0;
    let absent = ObjectId::from_bytes(&absent).expect("an id");
    assert_eq!(store.find(&absent, &mut content).expect("no error"), None);
    assert!(!store.contains(&absent));
    expected.len()
}

/// A history of files that grow and move, so that packs hold deltas of every kind.
pub(crate) fn grow(kit: &GitKit, from: usize, to: usize) {
    for step in from..to {
        let lines: Vec<String> = (0..200 + step)
            .map(|line| format!("line {line} of {}\n", (line * 7 + step / 5) % 50))
            .collect();
        kit.write("src/long.txt", lines.concat());
        kit.write(
            &format!("src/dir{}/small{step}", step % 4),
            format!("{step}"),
        );
        kit.commit(&format!("step {step}"));
    }
    kit.git(&["tag", "-a", "-m", "A tag", &format!("v{to}")]);
}

#[test]
fn every_form_of_storage_reads_as_git_reads_it() {
    for format in ["sha1", "sha256"] {
        let kit = GitKit::init(&["--object-format", format]);
        grow(&kit, 0, 12);
        let loose = check(kit.path());
        assert!(loose > 40);
        kit.git(&["repack", "-q", "-d", "--depth=50"]);
        grow(&kit, 12, 24);
        kit.git(&[
            "-c",
            "repack.useDeltaBaseOffset=false",
            "repack",
            "-q",
            "-d",
        ]);
        grow(&kit, 24, 30);
        let mixed = check(kit.path());
        kit.git(&["multi-pack-index", "write"]);
        assert_eq!(check(kit.path()), mixed);
        kit.git(&["gc", "-q", "--aggressive"]);
        assert_eq!(check(kit.path()), mixed);
        let bare = kit.beside("bare.git");
        let from = kit.path().to_str().expect("text");
        run(git_in(kit.path())
            .args(["clone", "-q", "--bare", "--shared", from])
            .arg(&bare));
        assert_eq!(check(&bare), mixed);
    }
}

#[test]
fn old_indexes_and_large_offsets_are_read() {
    let kit = GitKit::init(&[]);
    grow(&kit, 0, 20);
    for version in ["1", "2,0x40"] {
        kit.git(&[
            "-c",
            "pack.writeReverseIndex=false",
            "repack",
            "-q",
            "-a",
            "-d",
        ]);
        let packs = kit.path().join(".git/objects/pack");
        for entry in std::fs::read_dir(&packs).expect("packs") {
            let path = entry.expect("an entry").path();
            if path.extension().is_some_and(|end| end == "pack") {
                let path = path.to_str().expect("text");
                let index = path.replace(".pack", ".idx");
                std::fs::remove_file(&index).expect("removed");
                kit.git(&["index-pack", &format!("--index-version={version}"), path]);
            }
        }
        check(kit.path());
    }
}

#[test]
fn alternates_in_a_circle_end() {
    let one = GitKit::init(&[]);
    let two = GitKit::init(&[]);
    grow(&one, 0, 3);
    grow(&two, 3, 6);
    for (from, to) in [(&one, &two), (&two, &one)] {
        let line = format!("{}\n", to.path().join(".git/objects").display());
        std::fs::write(from.path().join(".git/objects/info/alternates"), line).expect("written");
    }
    let repository = Repository::discover(one.path()).expect("a repository");
    let store = ObjectStore::open(&repository).expect("objects");
    assert_eq!(store.directories().len(), 2);
    let head = two.line(&["rev-parse", "HEAD"]);
    let head = ObjectId::from_hex(head.as_bytes()).expect("an id");
    assert!(store.contains(&head));
}

#[test]
fn linked_work_trees_share_objects_and_refs() {
    let kit = GitKit::init(&[]);
    grow(&kit, 0, 3);
    let linked = kit.beside("linked");
    let name = linked.to_str().expect("text").to_owned();
    kit.git(&["worktree", "add", "-q", "-b", "side", &name]);
    std::fs::write(linked.join("new"), "new").expect("written");
    run(git_in(&linked).args(["add", "new"]));
    run(git_in(&linked).args(["commit", "-q", "-m", "side"]));
    std::fs::create_dir(linked.join("deep")).expect("a folder");
    let repository = Repository::discover(&linked.join("deep")).expect("a repository");
    assert_eq!(repository.hash(), HashKind::Sha1);
    assert_eq!(
        repository.work_tree(),
        Some(&*linked.canonicalize().expect("real"))
    );
    assert_ne!(repository.git_dir(), repository.common_dir());
    assert!(repository.index().ends_with("worktrees/linked/index"));
    check(&linked);
    let refs = Refs::read(&repository);
    assert_eq!(refs.head_name.as_deref(), Some("refs/heads/side"));
    assert_eq!(refs.find("HEAD"), refs.find("refs/heads/side"));
    assert_ne!(refs.find("HEAD"), refs.find("refs/heads/main"));
}

#[test]
fn refs_are_those_that_git_lists() {
    let listed = |folder: &Path| {
        let format = "--format=%(objectname) %(refname)";
        let text = run(git_in(folder).args(["for-each-ref", format]));
        String::from_utf8(text).expect("text")
    };
    for storage in ["files", "reftable"] {
        let kit = GitKit::init(&["--ref-format", storage]);
        grow(&kit, 0, 3);
        kit.git(&["branch", "feature/a"]);
        kit.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
        kit.git(&[
            "symbolic-ref",
            "refs/remotes/origin/HEAD",
            "refs/remotes/origin/main",
        ]);
        kit.git(&["pack-refs", "--all"]);
        kit.commit("one more");
        kit.git(&["branch", "-f", "feature/b"]);
        let repository = Repository::discover(kit.path()).expect("a repository");
        assert_eq!(repository.ref_storage(), storage);
        let refs = Refs::read(&repository);
        assert_eq!(refs.problems, vec![]);
        let ours: String = refs
            .all
            .iter()
            .filter(|known| known.name != "HEAD")
            .map(|known| format!("{} {}\n", known.target, known.name))
            .collect();
        assert_eq!(ours, listed(kit.path()), "{storage}");
        let head = refs.find("HEAD").expect("a head").to_string();
        assert_eq!(head, kit.line(&["rev-parse", "HEAD"]));
        assert_eq!(refs.head_name.as_deref(), Some("refs/heads/main"));
    }
}

#[test]
fn a_folder_without_a_repository_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(Repository::discover(folder.path()).is_err());
    let kit = GitKit::init(&[]);
    kit.git(&["config", "core.repositoryformatversion", "2"]);
    assert!(Repository::discover(kit.path()).is_err());
}

#[test]
fn a_repack_between_two_reads_is_noticed() {
    let kit = GitKit::init(&[]);
    grow(&kit, 0, 8);
    let repository = Repository::discover(kit.path()).expect("a repository");
    let store = ObjectStore::open(&repository).expect("objects");
    let ids: Vec<String> = all_objects(kit.path()).into_keys().collect();
    std::thread::sleep(std::time::Duration::from_millis(20));
    kit.git(&["gc", "-q", "--prune=now"]);
    let mut content = Vec::new();
    for id in ids {
        let id = ObjectId::from_hex(id.as_bytes()).expect("an id");
        assert!(store.find(&id, &mut content).expect("readable").is_some());
    }
}
