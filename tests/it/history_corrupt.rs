//! Damaged repositories: nothing ends the program, what is whole is scanned, what is not is told.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use straykey::location::Origin;
use straykey::source::git::{ObjectStore, Refs, Repository};
use straykey::source::{Blob, Coverage, NotScanned, Objects, Sink, Source};

use crate::git_kit::{GitKit, git_in, run};
use crate::git_objects::{all_objects, grow};
use crate::kit::keys::Random;

/// The objects that were handed over with the right content, and what was not.
#[derive(Default)]
struct Seen {
    contents: Mutex<BTreeSet<Vec<u8>>>,
    left_out: Mutex<Vec<NotScanned>>,
}

impl Sink for Seen {
    fn blob(&self, blob: &Blob<'_>) {
        assert!(matches!(blob.origin, Origin::Object { .. }));
        self.contents.lock().unwrap().insert(blob.bytes.to_vec());
    }

    fn not_scanned(&self, entry: NotScanned) {
        assert!(entry.incomplete);
        assert!(!entry.reason.contains('\n') && !entry.path.is_empty());
        self.left_out.lock().unwrap().push(entry);
    }

    fn covered(&self, _more: Coverage) {}
}

/// Reads all objects of the repository; `None` where it cannot even be opened.
fn read(folder: &Path) -> Option<Seen> {
    let repository = Repository::discover(folder).ok()?;
    let seen = Seen::default();
    let _ = Refs::read(&repository);
    Objects::new(&ObjectStore::open(&repository).ok()?).read(&seen);
    Some(seen)
}

/// A small repository with every kind of file that we read.
fn repository(format: &str) -> GitKit {
    let kit = GitKit::init(&["--object-format", format]);
    grow(&kit, 0, 10);
    kit.git(&["repack", "-q", "-a", "-d", "-f", "--depth=50"]);
    grow(&kit, 10, 16);
    let by_id = [
        "-c",
        "repack.useDeltaBaseOffset=false",
        "repack",
        "-q",
        "-d",
    ];
    kit.git(&by_id);
    kit.git(&["multi-pack-index", "write"]);
    grow(&kit, 16, 18);
    kit
}

/// The files whose damage is tried, relative to the repository.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut waiting = vec![folder.join(".git/objects"), folder.join(".git/refs")];
    let mut files = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => waiting.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    files
}

/// A change of some bytes, or the loss of the end.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    match random.below(8) {
        0 => bytes.truncate(random.below(bytes.len())),
        1 => {
            let (at, with) = (random.below(bytes.len()), random.next().to_le_bytes());
            let end = bytes.len().min(at + 8);
            bytes[at..end].copy_from_slice(&with[..end - at]);
        }
        2 => {
            let at = random.below(bytes.len());
            bytes.extend_from_within(at..);
        }
        3 => {
            let end = bytes.len().min(64);
            bytes[random.below(end)] ^= 1 << random.below(8);
        }
        _ => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
    }
}

/// Damages one file at a time, `rounds` times.
fn try_damage(format: &str, seed: u64, rounds: usize) {
    let kit = repository(format);
    let mut expected = all_objects(kit.path());
    expected.retain(|_, (kind, content)| kind != "tree" && !content.is_empty());
    let expected: BTreeSet<Vec<u8>> = expected.into_values().map(|(_, content)| content).collect();
    let files = files(kit.path());
    let mut random = Random::new(seed);
    let mut silent = 0;
    for round in 0..rounds {
        let file = &files[random.below(files.len())];
        let whole = fs::read(file).expect("a file");
        let mut damaged = whole.clone();
        damage(&mut damaged, &mut random);
        write(file, &damaged);
        let seen = read(kit.path());
        write(file, &whole);
        let Some(seen) = seen else { continue };
        let contents = seen.contents.into_inner().unwrap();
        let told = !seen.left_out.into_inner().unwrap().is_empty();
        let missing = expected.difference(&contents).count();
        assert!(
            missing == 0 || told,
            "round {round}: {missing} objects of {} are lost without a word, {}",
            expected.len(),
            file.display()
        );
        // One damaged place does not take everything with it.
        let is_base = missing * 2 > expected.len();
        silent += usize::from(is_base && damaged.len() == whole.len());
    }
    assert!(
        silent * 5 <= rounds,
        "{silent} of {rounds} lost more than half"
    );
}

/// git leaves its files read-only.
fn write(file: &Path, bytes: &[u8]) {
    let beside = file.with_extension("damaged");
    fs::write(&beside, bytes).expect("written");
    fs::rename(&beside, file).expect("renamed");
}

#[test]
fn damaged_files_are_told_and_the_rest_is_read() {
    for (format, seed) in [("sha1", 1), ("sha256", 2)] {
        try_damage(format, seed, 150);
    }
}

#[test]
#[ignore = "minutes: cargo test --release --test it history_corrupt -- --ignored"]
fn ten_thousand_damages_are_told_and_the_rest_is_read() {
    for (format, seed) in [("sha1", 11), ("sha256", 12)] {
        try_damage(format, seed, 5500);
    }
}

#[test]
fn a_pack_whose_deltas_go_in_a_circle_ends() {
    let kit = repository("sha1");
    kit.git(&[
        "-c",
        "repack.useDeltaBaseOffset=false",
        "repack",
        "-q",
        "-a",
        "-d",
        "-f",
    ]);
    let pack = files(kit.path())
        .into_iter()
        .find(|file| file.extension().is_some_and(|end| end == "pack"))
        .expect("a pack");
    // Every base's id by its child's own: each delta becomes its own base.
    let listing = run(git_in(kit.path())
        .args(["verify-pack", "-v"])
        .arg(pack.with_extension("idx")));
    let listing = String::from_utf8(listing).expect("text");
    let mut bytes = fs::read(&pack).expect("a pack");
    let mut circles = 0;
    for words in listing
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
    {
        let [id, _, _, _, _, _, base] = words[..] else {
            continue;
        };
        let [id, base] = [id, base]
            .map(|hex| straykey::source::git::ObjectId::from_hex(hex.as_bytes()).expect("an id"));
        let places: Vec<usize> = memchr::memmem::find_iter(&bytes, base.as_bytes()).collect();
        for place in places {
            bytes[place..place + 20].copy_from_slice(id.as_bytes());
            circles += 1;
        }
    }
    assert!(circles > 3);
    write(&pack, &bytes);
    let seen = read(kit.path()).expect("a repository");
    assert!(!seen.left_out.into_inner().unwrap().is_empty());
    assert!(seen.contents.into_inner().unwrap().len() > 10);
}

#[test]
fn a_collection_of_garbage_at_the_same_time_loses_nothing() {
    let kit = GitKit::init(&[]);
    grow(&kit, 0, 30);
    kit.git(&["repack", "-q", "-d"]);
    grow(&kit, 30, 40);
    let mut expected = all_objects(kit.path());
    expected.retain(|_, (kind, content)| kind != "tree" && !content.is_empty());
    let expected: BTreeSet<Vec<u8>> = expected.into_values().map(|(_, content)| content).collect();
    for round in 0..6 {
        let depth = format!("--depth={}", 10 + round);
        let ways: [&[&str]; 2] = [
            &["repack", "-q", "-a", "-d", "-f", &depth],
            &["repack", "-q", "-A", "-d", "-f", &depth],
        ];
        let mut command = kit.command();
        let mut gc = command.args(ways[round % 2]).spawn().expect("git runs");
        while gc.try_wait().expect("git").is_none() {
            let seen = read(kit.path()).expect("a repository");
            assert_eq!(*seen.left_out.lock().unwrap(), []);
            let contents = seen.contents.into_inner().unwrap();
            assert_eq!(expected.difference(&contents).count(), 0);
        }
    }
}
