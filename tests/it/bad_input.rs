//! The program on bad input: one clear line for each, the right exit code, and what could be read
//! is still scanned.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

use crate::kit::{Outcome, Tree, keys, make_fifo, run, set_mode, straykey};

/// Runs the program in the tree with these arguments.
fn scan(tree: &Tree, arguments: &[&str]) -> Outcome {
    run(straykey(tree.root()).args(arguments))
}

/// As [`scan`], with no more than so many kilobytes of address space: far less than the input.
fn scan_within(kilobytes: u32, tree: &Tree, arguments: &[&str]) -> Outcome {
    let program = straykey(tree.root());
    let script = format!("ulimit -v {kilobytes}; exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.current_dir(tree.root()).stdin(Stdio::null());
    shell
        .args(["-c", &script])
        .arg(program.get_program())
        .args(arguments);
    run(&mut shell)
}

#[test]
fn a_path_that_does_not_exist() {
    let tree = Tree::with(&["clean"]);
    let outcome = scan(&tree, &["nope"]);
    assert_eq!(outcome.code, Some(2));
    assert!(
        outcome.stderr.starts_with("error: nope: does not exist\n"),
        "{outcome:?}"
    );
    // A finding elsewhere is the more urgent news.
    tree.write("leak", keys::exports(1));
    let outcome = scan(&tree, &["nope", "leak"]);
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome.stderr.contains("error: nope: does not exist\n"),
        "{outcome:?}"
    );
    assert!(outcome.stdout.contains("leak:1:26"), "{outcome:?}");
}

#[test]
fn unreadable_files_and_directories() {
    let tree = Tree::with(&["closed", "locked/inside", "open"]);
    let program = tree.path("straykey");
    fs::copy(env!("CARGO_BIN_EXE_straykey"), &program).unwrap();
    set_mode(&program, 0o755);
    set_mode(&tree.path("closed"), 0o000);
    set_mode(&tree.path("locked"), 0o000);
    let mut command = Command::new(&program);
    command
        .current_dir(tree.root())
        .args(["closed", "locked", "open"]);
    if rustix::process::geteuid().is_root() {
        // Root may read everything.
        command.uid(65534).gid(65534);
    }
    let outcome = run(&mut command);
    set_mode(&tree.path("locked"), 0o755);
    assert_eq!(outcome.code, Some(2));
    for name in ["closed", "locked"] {
        let line = format!("error: {name}: permission denied\n");
        assert!(outcome.stderr.contains(&line), "{outcome:?}");
    }
    assert!(outcome.stderr.contains("Scanned 1 file"), "{outcome:?}");
}

#[test]
fn pipes_sockets_and_devices() {
    let tree = Tree::with(&["clean"]);
    make_fifo(&tree.path("fifo"));
    let _socket = UnixListener::bind(tree.path("socket")).unwrap();
    for (name, what) in [
        ("fifo", "a named pipe"),
        ("socket", "a socket"),
        ("/dev/zero", "a device"),
    ] {
        let outcome = scan(&tree, &[name]);
        assert_eq!(outcome.code, Some(2));
        let line = format!("error: {name}: is {what}, not a file; use - to scan a stream\n");
        assert!(outcome.stderr.starts_with(&line), "{outcome:?}");
    }
    let outcome = scan(&tree, &["--show-skipped"]);
    assert_eq!(outcome.code, Some(0));
    assert!(
        outcome
            .stderr
            .contains("skipped: fifo: a named pipe\nskipped: socket: a socket\n")
    );
}

#[test]
fn a_sparse_file_of_three_gigabytes() {
    let tree = Tree::new();
    let file = fs::File::create(tree.path("sparse")).unwrap();
    file.set_len(3 << 30).unwrap();
    let leak = format!("\n{}", keys::exports(2));
    std::os::unix::fs::FileExt::write_all_at(&file, leak.as_bytes(), 3 << 30).unwrap();
    let outcome = scan_within(1 << 20, &tree, &["-j1"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("sparse:2:26"), "{outcome:?}");
}

#[test]
fn a_line_of_two_hundred_megabytes() {
    let tree = Tree::new();
    let mut file = fs::File::create(tree.path("line")).unwrap();
    for _ in 0..200 {
        file.write_all("word ".repeat(200_000).as_bytes()).unwrap();
    }
    file.write_all(keys::exports(3).replace('\n', " ").as_bytes())
        .unwrap();
    let outcome = scan_within(180_000, &tree, &["-j1"]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("line:1:200000026"), "{outcome:?}");
    assert!(outcome.stdout.len() < 1000);
}

#[test]
fn names_that_are_no_text() {
    let tree = Tree::new();
    let names: [&[u8]; 4] = [b"\xff\xfe", b"new\nline", b"\x1b[2J", b"\xe2\x80\xaertl"];
    for (seed, name) in names.into_iter().enumerate() {
        tree.write(OsStr::from_bytes(name), keys::exports(seed as u64));
    }
    for format in ["line", "pretty", "json", "jsonl"] {
        let outcome = scan(&tree, &["-o", format]);
        assert_eq!(outcome.code, Some(1));
        let all = outcome.stdout + &outcome.stderr;
        assert!(
            !all.contains('\u{1b}') && !all.contains('\u{202e}'),
            "{all:?}"
        );
        assert!(!all.contains("new\nline"), "{all:?}");
        if format == "line" {
            assert_eq!(
                all.matches("aws-access-key-pair").count(),
                names.len(),
                "{all:?}"
            );
        }
    }
}

#[test]
fn a_loop_of_links() {
    let tree = Tree::new();
    tree.write("a/leak", keys::exports(5));
    symlink("..", tree.path("a/up")).unwrap();
    symlink("itself", tree.path("itself")).unwrap();
    let outcome = scan(&tree, &[]);
    assert_eq!(outcome.code, Some(1));
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:?}");
    assert!(outcome.stdout.starts_with("a/leak:1:26:"), "{outcome:?}");
    assert!(outcome.stderr.contains("Scanned 1 file"), "{outcome:?}");
}

#[test]
fn paths_are_shown_as_they_were_reached() {
    let tree = Tree::new();
    tree.write("a/b/leak", keys::exports(6));
    for (argument, shown) in [
        (".", "a/b/leak:"),
        ("./", "a/b/leak:"),
        ("a", "a/b/leak:"),
        ("./a/", "a/b/leak:"),
        ("a/../a", "a/../a/b/leak:"),
    ] {
        let outcome = scan(&tree, &[argument]);
        assert!(outcome.stdout.starts_with(shown), "{argument}: {outcome:?}");
    }
    let inside = run(straykey(&tree.path("a")).arg("../a/b"));
    assert!(inside.stdout.starts_with("../a/b/leak:"), "{inside:?}");
}

#[test]
fn a_broken_pipe_keeps_the_exit_code() {
    let tree = Tree::new();
    for seed in 0..2000 {
        tree.write(format!("leak{seed}"), keys::exports(seed));
    }
    for format in ["line", "pretty", "json", "jsonl"] {
        let mut command = straykey(tree.root());
        command
            .args(["-o", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{format}: {output:?}");
        assert!(
            !String::from_utf8_lossy(&output.stderr).contains("error"),
            "{output:?}"
        );
    }
}

#[test]
fn a_full_disk_under_a_report() {
    let tree = Tree::new();
    for seed in 0..50 {
        tree.write(format!("leak{seed}"), keys::exports(seed));
    }
    let outcome = scan(&tree, &["-q", "-o", "json=/dev/full", "-o", "line"]);
    assert_eq!(outcome.code, Some(1));
    assert!(
        outcome
            .stderr
            .contains("cannot write `/dev/full`: No space left on device"),
        "{outcome:?}"
    );
    assert_eq!(outcome.stdout.lines().count(), 50);

    // A file that may not grow: the report that was there stays, and nothing half-written.
    fs::remove_dir_all(tree.path("out")).ok();
    tree.write("out/report.json", "the old report");
    let program = straykey(tree.root());
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" -q -o json=out/report.json leak*";
    let mut shell = Command::new("sh");
    shell.current_dir(tree.root()).stdin(Stdio::null());
    let outcome = run(shell.args(["-c", script]).arg(program.get_program()));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(
        outcome.stderr.contains("cannot write `out/report.json`: "),
        "{outcome:?}"
    );
    assert_eq!(
        fs::read_to_string(tree.path("out/report.json")).unwrap(),
        "the old report"
    );
    assert_eq!(fs::read_dir(tree.path("out")).unwrap().count(), 1);

    // Nothing found, but the report was not delivered: that is no clean result.
    let outcome = scan(&Tree::with(&["clean"]), &["-o", "json=/dev/full"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
}

#[test]
fn standard_input_and_process_substitution() {
    let tree = Tree::new();
    tree.write("leak", keys::exports(7));
    let script = "cat leak | \"$0\" -; cat leak | \"$0\" /dev/stdin; \"$0\" <(cat leak); \"$0\" /dev/stdin < leak";
    let program = straykey(tree.root());
    let mut shell = Command::new("bash");
    shell.current_dir(tree.root()).args(["-c", script]);
    let outcome = run(shell.arg(program.get_program()));
    let places: Vec<&str> = outcome
        .stdout
        .lines()
        .filter_map(|line| line.split(": ").next())
        .collect();
    assert_eq!(places.len(), 4, "{outcome:?}");
    assert_eq!(
        (places[0], places[1], places[3]),
        ("-:1:26", "/dev/stdin:1:26", "/dev/stdin:1:26")
    );
    assert!(places[2].starts_with("/dev/fd/"), "{outcome:?}");
}
