//! Damaged, lying and changing repositories before the program itself: it ends with an exit code that
//! is true, in bounded memory, and says what it has not read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::git_kit::{GitKit, git_in, run as run_git};
use crate::git_objects::grow;
use crate::kit::{self, keys};
use crate::pack_kit::{self, Entry, Form, blob, delta, id_of, number};

/// All memory that the program may have, in KiB: more is a crash.
const MEMORY: u64 = 2 << 20;

/// `straykey history` of `directory` as JSON, with no more memory than [`MEMORY`].
fn bounded(directory: &Path) -> (Value, Option<i32>) {
    let mut command = Command::new("sh");
    let script = format!("ulimit -v {MEMORY} && exec \"$0\" history -q -o json");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_straykey")]);
    command.current_dir(directory).env_remove("CI");
    let outcome = kit::run(&mut command);
    let value = serde_json::from_str(&outcome.stdout);
    let value = value.unwrap_or_else(|error| panic!("{error}: {outcome:?}"));
    (value, outcome.code)
}

fn not_scanned(report: &Value) -> Vec<String> {
    let entries = report["not_scanned"].as_array().unwrap();
    let told = |it: &Value| {
        let words = ["path", "reason"].map(|key| it[key].as_str().unwrap().to_owned());
        words.join(": ")
    };
    entries.iter().map(told).collect()
}

fn finds(report: &Value, seed: u64) -> bool {
    let id = keys::access_key_id(seed);
    let findings = report["findings"].as_array().unwrap();
    findings.iter().any(|it| it["access_key_id"] == id.as_str())
}

/// The file of the git directory that `is_it` says yes to.
fn file(kit: &GitKit, folder: &str, ending: &str) -> PathBuf {
    let folder = kit.path().join(".git").join(folder);
    let entries = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().path());
    let mut files = entries.filter(|it| it.to_string_lossy().ends_with(ending));
    files.next().unwrap_or_else(|| panic!("no {ending}"))
}

/// git leaves its files read-only.
fn rewrite(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(file).unwrap();
    change(&mut bytes);
    fs::remove_file(file).unwrap();
    fs::write(file, bytes).unwrap();
}

/// A repository without keys: one pack, then a loose commit with its blob.
fn packed() -> (GitKit, PathBuf) {
    let kit = GitKit::init(&[]);
    grow(&kit, 0, 6);
    kit.git(&["repack", "-q", "-a", "-d"]);
    kit.write("loose", "loose");
    kit.commit("loose");
    let blob = kit.line(&["rev-parse", "HEAD:loose"]);
    let path = format!(".git/objects/{}/{}", &blob[..2], &blob[2..]);
    let loose = kit.path().join(path);
    (kit, loose)
}

/// Damages a repository; exit code 2, and `expected` among what was not read.
#[track_caller]
fn is_told(expected: &str, damage: impl FnOnce(&GitKit, &Path)) {
    let (kit, loose) = packed();
    let (report, code) = bounded(kit.path());
    assert_eq!(code, Some(0), "{report:#}");
    damage(&kit, &loose);
    let (report, code) = bounded(kit.path());
    let told = not_scanned(&report);
    assert_eq!(code, Some(2), "{expected}: {told:#?}");
    assert_eq!(report["summary"]["complete"], false);
    assert!(
        told.iter().any(|it| it.contains(expected)),
        "{expected}: {told:#?}"
    );
}

#[test]
fn damage_gives_exit_code_2_and_says_what_was_not_read() {
    let cut = |bytes: &mut Vec<u8>| bytes.truncate(bytes.len() / 2);
    let flip = |bytes: &mut Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x10;
    };
    is_told("object ", |kit, _| {
        rewrite(&file(kit, "objects/pack", ".pack"), flip)
    });
    is_told("", |kit, _| {
        rewrite(&file(kit, "objects/pack", ".pack"), cut)
    });
    is_told(".idx", |kit, _| {
        rewrite(&file(kit, "objects/pack", ".idx"), cut)
    });
    is_told("", |kit, _| {
        rewrite(&file(kit, "objects/pack", ".idx"), |bytes| {
            bytes[20] ^= 0x40
        })
    });
    is_told("object ", |_, loose| rewrite(loose, cut));
    is_told("object ", |_, loose| rewrite(loose, flip));
    is_told("refs/heads/other", |kit, _| {
        fs::write(kit.path().join(".git/refs/heads/other"), "not an id\n").unwrap();
    });
    is_told("refs/heads/main", |kit, _| {
        rewrite(&kit.path().join(".git/refs/heads/main"), |bytes| {
            bytes.truncate(20)
        });
    });
}

#[test]
fn what_is_whole_beside_damage_is_found() {
    let (kit, loose) = packed();
    kit.write("key.sh", keys::exports(1));
    kit.commit("a key");
    rewrite(&loose, |bytes| bytes.truncate(5));
    let (report, code) = bounded(kit.path());
    // A finding is the more urgent news; that the scan is incomplete is said.
    assert_eq!(code, Some(1));
    assert_eq!(report["summary"]["complete"], false);
    assert!(finds(&report, 1));
}

fn lies(id: u8, form: Form, size: u64, data: Vec<u8>) -> Entry {
    Entry {
        id: [id; 20],
        form,
        size,
        data,
    }
}

/// A bare repository with one pack of `entries`, and what a scan of it says.
fn scan_pack(entries: &[Entry]) -> (Value, Option<i32>) {
    let folder = tempfile::tempdir().unwrap();
    run_git(git_in(folder.path()).args(["init", "-q", "--bare"]));
    pack_kit::write(folder.path(), entries);
    bounded(folder.path())
}

#[test]
fn sizes_that_lie_set_no_memory_aside() {
    let key = keys::exports(1);
    let base = vec![b'x'; 100];
    let huge = 1 << 40;
    let makes = |size: u64, more: &[u8]| [number(100), number(size), more.to_vec()].concat();
    // Copies the base: offset 0, a length of 100.
    let copy = [0x90, 100];
    let liars = [
        lies(1, Form::Blob, huge, b"small".to_vec()),
        lies(2, Form::Commit, huge, b"small".to_vec()),
        lies(3, Form::Tree, u64::MAX >> 4, b"small".to_vec()),
        lies(4, Form::Blob, 20_000_000_000, vec![0; 30_000_000]),
        lies(5, Form::Blob, 0, b"more than it says".to_vec()),
    ];
    let of_base = |id: u8, data: Vec<u8>| {
        let size = data.len() as u64;
        lies(id, Form::DeltaOf(id_of("blob", &base)), size, data)
    };
    let deltas = [
        of_base(11, makes(huge, &copy)),
        of_base(12, makes(huge, &copy.repeat(1000))),
        of_base(13, [number(huge), number(100), copy.to_vec()].concat()),
        of_base(14, makes(u64::MAX >> 1, &[])),
        of_base(15, makes(3 << 20, &copy.repeat(10))),
    ];
    let good = [blob(key.as_bytes()), blob(&base)];
    let entries: Vec<Entry> = liars.into_iter().chain(deltas).chain(good).collect();
    let (report, code) = scan_pack(&entries);
    assert_eq!(code, Some(1), "{report:#}");
    assert!(finds(&report, 1));
    let told = not_scanned(&report);
    for id in [1, 2, 4, 5, 11, 12, 13, 14, 15_u8] {
        let name = format!("object {}", format!("{id:02x}").repeat(20));
        assert!(
            told.iter().any(|it| it.starts_with(&name)),
            "{name}: {told:#?}"
        );
    }
}

#[test]
fn deltas_that_double_what_they_are_made_from_end() {
    // 64 KiB, doubled 24 times: a terabyte.
    let mut entries = vec![blob(&vec![b'x'; 1 << 16])];
    let (mut base, mut size) = (entries[0].id, 1_u64 << 16);
    for id in 0..24 {
        let mut data = [number(size), number(size * 2)].concat();
        for _ in 0..2 {
            // Copies of at most 64 KiB each, from 0 on.
            for piece in 0..size >> 16 {
                let from = (piece << 16) as u32;
                data.push(0x8F);
                data.extend(from.to_le_bytes());
            }
        }
        if data.len() > 1 << 20 {
            break;
        }
        let entry = lies(id, Form::DeltaOf(base), data.len() as u64, data);
        (base, size) = (entry.id, size * 2);
        entries.push(entry);
    }
    // The last two bases, as often as it takes.
    for id in 30..60_u8 {
        let data = [number(size), number(1 << 36), vec![0x8F, 0, 0, 0, 0]].concat();
        entries.push(lies(id, Form::DeltaOf(base), data.len() as u64, data));
    }
    let (report, code) = scan_pack(&entries);
    assert_eq!(code, Some(2), "{report:#}");
    assert!(not_scanned(&report).len() > 20);
}

#[test]
fn bases_that_come_later_are_found_and_circles_are_told() {
    let [key, base] = [keys::access_key_id(1), keys::access_key_id(2)];
    let base = blob(base.as_bytes());
    let [first, second] = [[1; 20], [2; 20]];
    let entries = [
        // Its base is the next one, whose base is the one after that.
        delta(first, second, 20, key.as_bytes()),
        delta(second, base.id, 20, b"nothing to be found."),
        base,
        // Each is made of the other, and one of itself.
        delta([3; 20], [4; 20], 20, b"round and"),
        delta([4; 20], [3; 20], 20, b"round"),
        delta([5; 20], [5; 20], 20, b"itself"),
        // Its base is nowhere.
        delta([6; 20], [7; 20], 20, b"orphan"),
    ];
    let (report, code) = scan_pack(&entries);
    assert_eq!(code, Some(1), "{report:#}");
    assert!(finds(&report, 1) && finds(&report, 2));
    let told = not_scanned(&report);
    for id in 3..=6_u8 {
        let name = format!("object {}", format!("{id:02x}").repeat(20));
        assert!(
            told.iter().any(|it| it.starts_with(&name)),
            "{name}: {told:#?}"
        );
    }
    assert_eq!(told.len(), 4, "{told:#?}");
}

#[test]
fn repacking_all_the_time_disturbs_nothing() {
    let kit = GitKit::init(&[]);
    grow(&kit, 0, 12);
    kit.write("key.sh", keys::exports(1));
    kit.commit("a key");
    grow(&kit, 12, 24);
    let mut command = Command::new("bash");
    let script = "while [ ! -e stop ]; do git repack -q -a -d -f --depth=$((RANDOM % 9 + 1)) || exit; \
                  git repack -q -A -d; git multi-pack-index write; git gc -q --prune=now; done";
    let mut repacking = command
        .args(["-c", script])
        .current_dir(kit.path())
        .spawn()
        .unwrap();
    for round in 0..25 {
        let (report, code) = bounded(kit.path());
        let told = not_scanned(&report);
        assert_eq!((code, told.len()), (Some(1), 0), "{round}: {told:#?}");
        assert!(finds(&report, 1));
    }
    assert!(repacking.try_wait().unwrap().is_none(), "git has failed");
    kit.write("stop", "");
    assert!(repacking.wait().unwrap().success());
}

/// Nobody does this to a pack but a failing disk or a bad program: the system ends whoever reads a
/// mapped page that is gone. What must never be is that the run is taken for a complete one.
#[test]
fn a_pack_cut_short_while_it_is_read_never_looks_complete() {
    let kit = GitKit::init(&[]);
    grow(&kit, 0, 30);
    kit.write("key.sh", keys::exports(1));
    kit.commit("a key");
    kit.git(&["repack", "-q", "-a", "-d"]);
    let pack = file(&kit, "objects/pack", ".pack");
    let whole = fs::read(&pack).unwrap();
    for round in 0..12 {
        fs::remove_file(&pack).unwrap();
        fs::write(&pack, &whole).unwrap();
        let mut command = kit::straykey(kit.path());
        command.args(["history", "-q"]).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(std::time::Duration::from_micros(1500 * round));
        let file = fs::OpenOptions::new().write(true).open(&pack).unwrap();
        file.set_len(100).unwrap();
        // Done before the cut, with the key; ended by the system; or told.
        let code = child.wait().unwrap().code();
        assert!(matches!(code, Some(1 | 2) | None), "{round}: {code:?}");
    }
}
