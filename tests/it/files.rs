//! Reading files and trees: what is read, under which name, and that nothing is lost.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use straykey::location::Position;
use straykey::source::{Files, Source as _, WINDOW_MARGIN};

use crate::kit::keys::Random;
use crate::kit::{Recorder, Tree, scan, scan_with_threads};

const WINDOW: usize = 4 * 1024 * 1024;

#[test]
fn hidden_files_and_binaries_are_read_and_links_are_not_followed() {
    let tree = Tree::with(&[".env", ".aws/credentials", ".github/x.yml", "a/b/c", "z"]);
    tree.write("binary", b"\x7fELF\0\0\x01\0key\0");
    tree.write("empty", "");
    symlink("z", tree.path("link")).unwrap();
    symlink("..", tree.path("a/loop")).unwrap();
    symlink("nowhere", tree.path("broken")).unwrap();
    let recorder = scan(&Files::new([tree.root()]));
    let names = [
        ".aws/credentials",
        ".env",
        ".github/x.yml",
        "a/b/c",
        "binary",
        "z",
    ];
    assert_eq!(recorder.names(tree.root()), names);
    assert_eq!(recorder.texts()[&tree.path("a/b/c")], b"a/b/c");
    assert_eq!(recorder.left_out(), []);
    let coverage = recorder.coverage();
    assert_eq!(
        (coverage.files, coverage.bytes),
        (7, 16 + 4 + 13 + 5 + 12 + 1)
    );
}

#[test]
fn a_named_link_is_followed_under_its_own_name() {
    let tree = Tree::with(&["real/file"]);
    symlink("real", tree.path("link")).unwrap();
    symlink("real/file", tree.path("other")).unwrap();
    let recorder = scan(&Files::new([tree.path("link")]));
    assert_eq!(recorder.names(tree.root()), ["link/file"]);
    let recorder = scan(&Files::new([tree.path("other")]));
    assert_eq!(recorder.names(tree.root()), ["other"]);
}

#[test]
fn what_is_named_twice_is_read_once() {
    let tree = Tree::with(&["a/one", "a/b/two", "c"]);
    symlink("a/b", tree.path("link")).unwrap();
    let root = tree.root();
    for (names, files) in [
        (vec!["", "", "a/.."], vec!["a/b/two", "a/one", "c"]),
        (vec!["", "a/one", "c"], vec!["a/b/two", "a/one", "c"]),
        (vec!["a", "a/b", "a/b/two"], vec!["a/b/two", "a/one"]),
        (vec!["a/b/two", "a/b", "a"], vec!["a/b/two", "a/one"]),
        (vec!["a", "link"], vec!["a/one", "link/two"]),
        (vec!["c", "./c", "a/../c"], vec!["c"]),
    ] {
        let recorder = scan(&Files::new(names.iter().map(|name| root.join(name))));
        assert_eq!(recorder.names(root), files, "{names:?}");
        assert_eq!(recorder.coverage().files, files.len() as u64);
    }
}

#[test]
fn any_file_name_is_fine() {
    let tree = Tree::new();
    let names: Vec<&[u8]> = vec![
        b"not utf-8 \xff\xfe",
        b"new\nline",
        b"esc\x1b[31m",
        b"-",
        b" ",
        b"\xe2\x80\xae",
        b"*",
    ];
    for name in &names {
        tree.write(Path::new(OsStr::from_bytes(name)).join("file"), name);
    }
    let recorder = scan(&Files::new([tree.root()]));
    let mut expected: Vec<PathBuf> = names
        .iter()
        .map(|name| tree.path(OsStr::from_bytes(name)).join("file"))
        .collect();
    expected.sort();
    assert_eq!(recorder.paths(), expected);
    let named = scan(&Files::new(&expected));
    assert_eq!(named.texts(), recorder.texts());
}

#[test]
fn a_hundred_thousand_files_in_one_directory_are_all_read() {
    let tree = Tree::new();
    for number in 0..100_000 {
        std::fs::write(tree.path(number.to_string()), b"x").unwrap();
    }
    let recorder = scan(&Files::new([tree.root()]));
    assert_eq!(recorder.paths().len(), 100_000);
    assert_eq!(recorder.coverage().files, 100_000);
    assert_eq!(recorder.left_out(), []);
}

#[test]
fn threads_make_no_difference() {
    let tree = Tree::new();
    let mut random = Random::new(7);
    for _ in 0..800 {
        let parts: Vec<String> = (0..1 + random.below(5))
            .map(|depth| format!("{depth}{}", random.below(6)))
            .collect();
        let text = "x".repeat(random.below(3000));
        tree.write(
            format!("{}/file{}", parts.join("/"), random.below(90)),
            text,
        );
    }
    tree.git("", &["init", "-q"]);
    tree.write(".gitignore", "file1*\n!file12\n/00/\n");
    tree.write("02/.gitignore", "file3?\n");
    let run = |threads| {
        let recorder = Recorder::default();
        scan_with_threads(&Files::new([tree.root()]), threads, &recorder);
        (recorder.texts(), recorder.left_out(), recorder.coverage())
    };
    let serial = run(1);
    assert!(
        serial.0.len() > 300 && serial.2.git_ignored > 20,
        "{:?}",
        serial.2
    );
    for threads in [2, 8] {
        assert_eq!(run(threads), serial);
    }
}

#[test]
fn a_marker_across_a_window_boundary_is_in_one_core() {
    let marker = b"<the marker>";
    let tree = Tree::new();
    let boundary = WINDOW + 1 - WINDOW_MARGIN;
    for at in boundary - marker.len()..=boundary + 1 {
        let mut bytes = b"12345678901234567890123456789012345678901234567890123456789012\n"
            .iter()
            .copied()
            .cycle()
            .take(WINDOW * 2)
            .collect::<Vec<u8>>();
        bytes[at..at + marker.len()].copy_from_slice(marker);
        let file = tree.write("file", &bytes);
        let recorder = Recorder::of_marker(marker);
        Files::new([file]).read(&recorder);
        assert_eq!(recorder.marks(), [Position::START.after(&bytes[..at])]);
        assert!(recorder.largest() <= WINDOW + 1);
    }
}

#[test]
fn a_line_of_two_hundred_megabytes_keeps_its_columns() {
    let tree = Tree::new();
    let path = tree.path("line");
    let mut file = std::fs::File::create(&path).unwrap();
    let piece = "é+".repeat(500_000);
    for _ in 0..134 {
        file.write_all(piece.as_bytes()).unwrap();
    }
    file.write_all(b"<here>").unwrap();
    let length = file.metadata().unwrap().len();
    assert!(length > 200_000_000);
    let recorder = Recorder::of_marker(b"<here>");
    Files::new([path]).read(&recorder);
    let column = 134 * 1_000_000 + 1;
    assert_eq!(recorder.marks(), [Position { line: 1, column }]);
    assert_eq!(
        (recorder.coverage().files, recorder.coverage().bytes),
        (1, length)
    );
    assert!(recorder.largest() <= WINDOW + 1);
}

#[test]
fn a_sparse_file_of_three_gigabytes_is_read_to_its_end() {
    let tree = Tree::new();
    let path = tree.path("sparse");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(3 << 30).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"\n<here>", 3 << 30).unwrap();
    let recorder = Recorder::of_marker(b"<here>");
    Files::new([tree.root()]).read(&recorder);
    assert_eq!(recorder.marks(), [Position { line: 2, column: 1 }]);
    assert_eq!(recorder.coverage().bytes, (3 << 30) + 7);
    assert!(recorder.largest() <= WINDOW + 1);
}

#[test]
fn the_pipe_of_a_process_substitution_is_streamed() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let thread = std::thread::spawn(move || writer.write_all(&vec![b'x'; 10_000_000]).unwrap());
    let path = format!("/dev/fd/{}", reader.as_raw_fd());
    let recorder = scan(&Files::new([&path]));
    thread.join().unwrap();
    assert_eq!(recorder.texts()[Path::new(&path)].len(), 10_000_000);
    assert_eq!(recorder.left_out(), []);
    assert_eq!(recorder.coverage().files, 1);
}
