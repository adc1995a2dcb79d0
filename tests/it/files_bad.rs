//! Reading what cannot be read: every such entry is told, with its reason, and nothing hangs.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use straykey::source::{Files, Sink, Source as _, Stdin};

use crate::kit::{Recorder, Tree, make_fifo, scan, scan_with_threads, set_mode};

#[test]
fn a_named_path_that_does_not_exist_is_an_error() {
    let tree = Tree::with(&["file"]);
    for (name, reason) in [
        ("nope", "does not exist"),
        ("file/nope", "does not exist: a part of it is a file"),
    ] {
        let path = tree.path(name);
        let recorder = scan(&Files::new([&path]));
        let expected = (path.display().to_string(), reason.to_owned(), true);
        assert_eq!(recorder.only_left_out(), expected);
        assert_eq!(recorder.coverage().files, 0);
    }
    symlink("itself", tree.path("itself")).unwrap();
    assert!(scan(&Files::new([tree.path("itself")])).only_left_out().2);
    assert!(scan(&Files::new([""])).only_left_out().2);
}

#[test]
fn special_files_are_errors_by_name_and_left_out_in_a_tree() {
    let tree = Tree::with(&["file"]);
    make_fifo(&tree.path("fifo"));
    let _socket = UnixListener::bind(tree.path("socket")).unwrap();
    let recorder = scan(&Files::new([tree.root()]));
    let told: Vec<(String, bool)> = recorder
        .left_out()
        .into_iter()
        .map(|entry| (entry.reason, entry.incomplete))
        .collect();
    assert_eq!(
        told,
        [("a named pipe".into(), false), ("a socket".into(), false)]
    );
    assert_eq!(recorder.names(tree.root()), ["file"]);
    for (path, what) in [
        (tree.path("fifo"), "a named pipe"),
        (tree.path("socket"), "a socket"),
        ("/dev/zero".into(), "a device"),
    ] {
        let (_, reason, incomplete) = scan(&Files::new([path])).only_left_out();
        let expected = format!("is {what}, not a file; use - to scan a stream");
        assert_eq!((reason, incomplete), (expected, true));
    }
}

#[test]
fn an_endless_stream_is_read_in_bounded_memory_until_stopped() {
    struct Stopping(Recorder<'static>, AtomicUsize);
    impl Sink for Stopping {
        fn blob(&self, blob: &straykey::source::Blob<'_>) {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.blob(blob);
        }
        fn not_scanned(&self, entry: straykey::source::NotScanned) {
            self.0.not_scanned(entry);
        }
        fn covered(&self, more: straykey::source::Coverage) {
            self.0.covered(more);
        }
        fn stopped(&self) -> bool {
            self.1.load(Ordering::Relaxed) >= 20
        }
    }
    let sink = Stopping(Recorder::of_marker(b"<"), AtomicUsize::new(0));
    Stdin::new(fs::File::open("/dev/zero").unwrap()).read(&sink);
    assert_eq!(sink.1.load(Ordering::Relaxed), 20);
    assert!(sink.0.largest() <= 4 * 1024 * 1024 + 1);

    let tree = Tree::with(&["a", "b", "c/d"]);
    let before = sink.1.load(Ordering::Relaxed);
    Files::new([tree.root()]).read(&sink);
    assert_eq!(sink.1.load(Ordering::Relaxed), before);
}

/// Reads `files` as a user that no file here belongs to. Root reads everything, so the threads
/// that read give up being root: without capabilities, permission bits count again.
fn scan_as_nobody(files: Files) -> Recorder<'static> {
    let run = move || {
        if rustix::process::geteuid().is_root() {
            let (user, group) = (
                rustix::fs::Uid::from_raw(65534),
                rustix::fs::Gid::from_raw(65534),
            );
            rustix::thread::set_thread_res_gid(group, group, group).expect("another group");
            rustix::thread::set_thread_res_uid(user, user, user).expect("another user");
        }
        let recorder = Recorder::default();
        scan_with_threads(&files, 2, &recorder);
        recorder
    };
    std::thread::spawn(run).join().expect("the reading thread")
}

#[test]
fn unreadable_files_and_directories_are_told() {
    let tree = Tree::with(&["closed", "locked/inside", "open"]);
    set_mode(&tree.path("closed"), 0o000);
    set_mode(&tree.path("locked"), 0o000);
    let by_tree = scan_as_nobody(Files::new([tree.root()]));
    assert_eq!(by_tree.names(tree.root()), ["open"]);
    let by_name = scan_as_nobody(Files::new([tree.path("closed"), tree.path("locked")]));
    set_mode(&tree.path("locked"), 0o755);
    for recorder in [by_tree, by_name] {
        let entries = recorder.left_out();
        let paths: Vec<&Path> = entries.iter().map(|entry| Path::new(&entry.path)).collect();
        assert_eq!(paths, [tree.path("closed"), tree.path("locked")]);
        assert!(
            entries
                .iter()
                .all(|e| e.incomplete && e.reason == "permission denied")
        );
    }
}

#[test]
fn a_file_that_shrinks_while_it_is_read_is_told() {
    let tree = Tree::new();
    let path = tree.write("file", vec![b'x'; 20_000_000]);
    let recorder = Recorder::with_action(|_| {
        let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.set_len(5_000_000).unwrap();
    });
    Files::new([tree.root()]).read(&recorder);
    let (told, reason, incomplete) = recorder.only_left_out();
    assert_eq!(Path::new(&told), path);
    assert_eq!(
        reason,
        "shrank from 20000000 to 5000000 bytes while it was read"
    );
    assert!(incomplete);
    assert_eq!(recorder.texts()[&path].len(), 5_000_000);
    assert_eq!(recorder.coverage().files, 0);
}

#[test]
fn what_vanishes_or_changes_its_kind_is_told() {
    let tree = Tree::with(&["a", "b", "c", "d"]);
    let changed = AtomicUsize::new(0);
    let recorder = Recorder::with_action(|blob| {
        if changed.fetch_add(1, Ordering::Relaxed) > 0 {
            return;
        }
        let seen = blob.origin.path().into_owned();
        let mut others = ["a", "b", "c", "d"]
            .map(|name| tree.path(name))
            .into_iter()
            .filter(|path| *path != Path::new(&seen));
        let mut next = || {
            let path = others.next().unwrap();
            fs::remove_file(&path).unwrap();
            path
        };
        next();
        symlink("/etc/passwd", next()).unwrap();
        drop(UnixListener::bind(next()).unwrap());
    });
    scan_with_threads(&Files::new([tree.root()]), 1, &recorder);
    let mut reasons: Vec<String> = recorder.left_out().into_iter().map(|e| e.reason).collect();
    reasons.sort();
    assert_eq!(
        reasons,
        [
            "became a symbolic link before it could be read",
            "is no longer a regular file",
            "vanished before it could be read"
        ]
    );
    assert!(recorder.left_out().iter().all(|entry| entry.incomplete));
    assert_eq!(recorder.coverage().files, 1);
}

#[test]
fn the_size_cap_leaves_out_and_says_so() {
    let tree = Tree::new();
    tree.write("small", vec![b'x'; 1000]);
    tree.write("large", vec![b'x'; 5_000_000]);
    for (cap, left_out) in [
        (999, vec!["large", "small"]),
        (1000, vec!["large"]),
        (4_999_999, vec!["large"]),
        (5_000_000, vec![]),
    ] {
        let recorder = scan(&Files::new([tree.root()]).max_file_size(Some(cap)));
        let entries = recorder.left_out();
        let paths: Vec<String> = entries.iter().map(|entry| entry.path.clone()).collect();
        let expected: Vec<String> = left_out
            .iter()
            .map(|name| tree.path(name).display().to_string())
            .collect();
        assert_eq!(paths, expected);
        for entry in entries {
            assert!(!entry.incomplete);
            assert_eq!(entry.reason, format!("larger than the cap of {cap} bytes"));
        }
        assert_eq!(recorder.coverage().files, 2 - left_out.len() as u64);
    }
}

/// Makes `depth` directories, one in the other, each called `name` and with a sibling and a file.
fn make_deep(tree: &Tree, name: &str, depth: usize) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = openat(CWD, tree.root(), flags, Mode::empty()).unwrap();
    for level in 0..depth {
        for directory in ["0", name, "z"] {
            mkdirat(&here, directory, Mode::from_raw_mode(0o755)).unwrap();
        }
        let create = OFlags::WRONLY | OFlags::CREATE | OFlags::CLOEXEC;
        let file = openat(&here, "file", create, Mode::from_raw_mode(0o644)).unwrap();
        rustix::io::write(&file, level.to_string().as_bytes()).unwrap();
        here = openat(&here, name, flags, Mode::empty()).unwrap();
    }
}

#[test]
fn directories_deeper_than_path_max_are_read() {
    for (name, depth) in [("n".repeat(200), 40), ("deep".to_owned(), 3000)] {
        let tree = Tree::new();
        make_deep(&tree, &name, depth);
        let recorder = Recorder::default();
        scan_with_threads(&Files::new([tree.root()]), 2, &recorder);
        let longest = recorder
            .paths()
            .into_iter()
            .map(|path| path.as_os_str().len())
            .max();
        // Removing it is too much for the standard library.
        let removed = std::process::Command::new("rm")
            .arg("-rf")
            .arg(tree.root())
            .status();
        assert!(removed.unwrap().success());
        assert_eq!(recorder.left_out(), []);
        assert_eq!(recorder.paths().len(), depth);
        assert!(longest.unwrap() > 4096);
    }
}

#[test]
fn files_whose_size_the_kernel_does_not_tell_are_read() {
    let recorder = scan(&Files::new(["/proc/self/status"]));
    assert!(recorder.coverage().bytes >= 500);
    let recorder = scan(&Files::new(["/proc/self/fdinfo"]));
    assert!(recorder.coverage().files > 0);
}
