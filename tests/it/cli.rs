//! The command as its users meet it: what it prints where, and how it ends.

use std::fs;
use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::kit::keys::{access_key_id, secret};
use crate::kit::{self, Outcome, Tree, outcome, snapshot, straykey};

fn run(tree: &Tree, arguments: &[&str]) -> Outcome {
    kit::run(straykey(tree.root()).args(arguments))
}

fn credentials(seed: u64) -> String {
    format!(
        "[default]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
        access_key_id(seed),
        secret(seed)
    )
}

/// A tree with one pair and one harmless file.
fn leaky() -> Tree {
    let tree = Tree::with(&["README"]);
    tree.write("conf/credentials", credentials(1));
    tree
}

#[test]
fn nothing_found() {
    let tree = Tree::with(&["a", "b"]);
    let ran = run(&tree, &[]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    assert!(
        ran.stderr
            .starts_with("No leaked keys. Scanned 2 files (2 B) in 0.")
    );
    assert_eq!(ran.stderr.lines().count(), 1);
}

#[test]
fn a_pair() {
    let tree = leaky();
    let ran = run(&tree, &[]);
    let line = format!(
        "conf/credentials:2:21: critical aws-access-key-pair: AWS access key with its secret: {} [",
        access_key_id(1)
    );
    assert_eq!(ran.code, Some(1));
    assert!(ran.stdout.starts_with(&line), "{}", ran.stdout);
    assert_eq!(ran.stdout.lines().count(), 1);
    assert!(
        ran.stderr
            .starts_with("1 leaked key (1 critical). Scanned 2 files")
    );
}

#[test]
fn the_secret_is_in_no_output() {
    let tree = leaky();
    // A file that is called like the secret that it holds.
    let name = secret(1).replace('/', "_");
    tree.write(
        &name,
        format!(
            "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={name}\n",
            access_key_id(2)
        ),
    );
    for format in [
        "pretty", "line", "json", "jsonl", "sarif", "gitlab", "junit", "csv", "github", "markdown",
    ] {
        for more in [
            &["--show-skipped"][..],
            &["--mask-ids"],
            &["--color=always", "--no-ignore"],
        ] {
            let ran = run(&tree, &[&["-o", format], more].concat());
            let all = ran.stdout + &ran.stderr;
            assert!(
                !all.contains(&secret(1)) && !all.contains(&name),
                "{format}: {all}"
            );
            let masked = more.contains(&"--mask-ids") || ["github", "markdown"].contains(&format);
            assert_eq!(all.contains(&access_key_id(1)), !masked, "{format}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_said_and_counts() {
    let tree = leaky();
    let ran = run(&tree, &["README", "nope"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert!(ran.stderr.starts_with("error: nope: "), "{}", ran.stderr);
    assert!(
        ran.stderr
            .contains("\nNo leaked keys in what was read. The scan is not complete.")
    );
    let ran = run(&tree, &[".", "nope"]);
    assert_eq!(ran.code, Some(1), "a finding wins over an incomplete scan");
}

#[test]
fn nothing_scanned_is_no_clean_result() {
    let tree = Tree::new();
    let ran = run(&tree, &["--quiet"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(ran.stderr, "Nothing was scanned: no file was read.\n");
}

#[test]
fn usage() {
    let tree = leaky();
    for (arguments, says) in [
        (&["--nope"][..], "unexpected argument '--nope'"),
        (
            &["-o", "yaml"],
            "there is no output format `yaml`; formats: pretty, line, json",
        ),
        (&["-o", "json="], "there is no file name after `=`"),
        (
            &["-o", "json", "-o", "line"],
            "both json and line would go to standard output",
        ),
        (
            &["--max-file-size", "1T"],
            "expected a number with k, M or G",
        ),
        (&["--fail-on", "never"], "invalid value 'never'"),
        (&["-j", "0"], "number would be zero"),
        (&["-", "-"], "standard input (-) can be read once only"),
        (
            &["--quiet", "scan"],
            "options come after the command: straykey scan",
        ),
        (&["rules", "show", "nope"], "there is no rule `nope`"),
    ] {
        let ran = run(&tree, arguments);
        assert_eq!(
            (ran.code, ran.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
        assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
        assert!(ran.stderr.contains(says), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn what_blocks() {
    let tree = Tree::new();
    tree.write("id", format!("aws_access_key_id = {}\n", access_key_id(3)));
    let code = |fail_on| run(&tree, &["--fail-on", fail_on]).code;
    assert_eq!(["any", "low", "medium"].map(code), [Some(1); 3]);
    assert_eq!(["high", "critical"].map(code), [Some(0); 2]);
    let ran = run(&tree, &["--fail-on", "high"]);
    assert_eq!(ran.stdout.lines().count(), 1, "it is reported all the same");
    assert!(
        ran.stderr
            .starts_with("1 leaked key (1 medium), none at or above --fail-on high.")
    );
}

#[test]
fn standard_input() {
    let tree = leaky();
    let mut command = straykey(tree.root());
    let child = command
        .args(["-", "README"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = child.stderr(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(credentials(4).as_bytes())
        .unwrap();
    let ran = outcome(child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout.starts_with("-:2:21: critical "),
        "{}",
        ran.stdout
    );
    assert!(ran.stderr.contains("Scanned 2 files"));
}

#[test]
fn several_reports_in_one_run() {
    let tree = leaky();
    let ran = run(
        &tree,
        &[
            "conf",
            "-o",
            "json=a.json",
            "-o",
            "jsonl=b.jsonl",
            "-o",
            "json",
        ],
    );
    assert_eq!(ran.code, Some(1));
    let written = fs::read_to_string(tree.path("a.json")).unwrap();
    assert_eq!(written, ran.stdout);
    let document: serde_json::Value = serde_json::from_str(&written).unwrap();
    assert_eq!(document["findings"][0]["access_key_id"], access_key_id(1));
    let lines = fs::read_to_string(tree.path("b.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 2);
    let quiet = run(&tree, &["conf", "--quiet", "-o", "json=a.json"]);
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("", ""));
}

#[test]
fn the_github_format_adds_to_the_job_summary() {
    let tree = leaky();
    tree.write("summary.md", "### before\n");
    let mut command = straykey(tree.root());
    command
        .args(["conf", "-o", "github"])
        .env("GITHUB_STEP_SUMMARY", "summary.md");
    let ran = kit::run(&mut command);
    assert_eq!(ran.code, Some(1));
    assert!(
        ran.stdout
            .starts_with("::error file=conf/credentials,line=2,col=21,"),
        "{}",
        ran.stdout
    );
    let summary = fs::read_to_string(tree.path("summary.md")).unwrap();
    assert!(
        summary.starts_with("### before\n### 1 leaked key\n"),
        "{summary}"
    );
}

#[test]
fn a_report_that_cannot_be_written() {
    let tree = leaky();
    for (path, code, target) in [
        ("README", Some(2), "none/report"),
        ("README", Some(2), "conf"),
        ("README", Some(2), "/dev/full"),
        ("conf", Some(1), "/dev/full"),
    ] {
        let ran = run(&tree, &[path, "-o", &format!("json={target}")]);
        assert_eq!(ran.code, code, "{target}");
        let start = format!("error: cannot write `{target}`: ");
        assert_eq!(
            ran.stderr
                .lines()
                .filter(|line| line.starts_with(&start))
                .count(),
            1,
            "{}",
            ran.stderr
        );
    }
    let ran = run(&tree, &["README", "-o", "json=/dev/stdout"]);
    assert!(ran.code == Some(0) && ran.stdout.starts_with('{'));
}

/// A limit on the size of files stands in for a full disk: writing fails half-way.
#[test]
fn a_full_disk_leaves_the_old_report() {
    let tree = leaky();
    for seed in 10..60 {
        tree.write(format!("many/{seed}"), credentials(seed));
    }
    tree.write("reports/report.json", "the old one");
    let script = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_straykey"), "README"])
        .args([
            "many",
            "--fail-on",
            "critical",
            "-o",
            "json=reports/report.json",
            "--quiet",
        ])
        .current_dir(tree.root())
        .output()
        .unwrap();
    let ran = outcome(output);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        ran.stderr
            .starts_with("error: cannot write `reports/report.json`: File too large")
    );
    assert_eq!(
        fs::read_to_string(tree.path("reports/report.json")).unwrap(),
        "the old one"
    );
    assert_eq!(
        fs::read_dir(tree.path("reports")).unwrap().count(),
        1,
        "no draft is left"
    );
}

#[test]
fn a_full_disk_under_standard_output() {
    let tree = leaky();
    let full = || {
        fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    for (path, format, code) in [("README", "json", Some(2)), ("conf", "line", Some(1))] {
        let mut command = straykey(tree.root());
        let output = command
            .args([path, "-o", format])
            .stdout(full())
            .output()
            .unwrap();
        let ran = outcome(output);
        assert_eq!(ran.code, code);
        assert!(
            ran.stderr
                .starts_with("error: cannot write to standard output: No space left")
        );
    }
}

#[test]
fn a_broken_pipe_keeps_the_code() {
    let tree = leaky();
    for seed in 100..400 {
        tree.write(format!("many/{seed}"), credentials(seed));
    }
    for (path, code) in [("many", Some(1)), ("README", Some(0))] {
        let mut command = straykey(tree.root());
        command
            .args([path, "-o", "json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let ran = outcome(child.wait_with_output().unwrap());
        assert_eq!(ran.code, code);
        assert!(!ran.stderr.contains("error"), "{}", ran.stderr);
    }
}

#[test]
fn colours_follow_the_environment_and_the_option() {
    let tree = leaky();
    let coloured = |variables: &[(&str, &str)], arguments: &[&str]| {
        let mut command = straykey(tree.root());
        command
            .args(["-o", "pretty"])
            .args(arguments)
            .envs(variables.iter().copied());
        outcome(command.output().unwrap()).stdout.contains('\x1b')
    };
    assert!(!coloured(&[], &[]), "a pipe");
    assert!(!coloured(&[("CI", "true")], &[]), "a log");
    assert!(coloured(&[("CLICOLOR_FORCE", "1")], &[]));
    assert!(coloured(&[("NO_COLOR", "1")], &["--color=always"]));
    assert!(!coloured(
        &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")],
        &[]
    ));
    assert!(!coloured(&[("CLICOLOR_FORCE", "1")], &["--color=never"]));
    let ran = run(&tree, &["--color=always", "-o", "pretty=report", "--quiet"]);
    assert_eq!(ran.code, Some(1));
    assert!(
        !fs::read_to_string(tree.path("report"))
            .unwrap()
            .contains('\x1b'),
        "a file"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_gets_the_look_for_people() {
    let tree = leaky();
    let shown = |variables: &[(&str, &str)]| {
        let mut command = straykey(tree.root());
        command.envs(variables.iter().copied());
        on_a_terminal(command)
    };
    let coloured = shown(&[]);
    assert!(
        coloured.contains("\x1b[1m\x1b[91merror[aws-access-key-pair]"),
        "{coloured}"
    );
    assert!(coloured.contains("40 characters hidden") && !coloured.contains(&secret(1)));
    for variables in [[("NO_COLOR", "1")], [("TERM", "dumb")], [("CLICOLOR", "0")]] {
        let plain = shown(&variables);
        assert!(plain.starts_with("error[aws-access-key-pair]"), "{plain}");
        assert!(!plain.contains('\x1b'), "{variables:?}: {plain}");
    }
}

/// What `command` prints on a terminal, which is a pseudo-terminal here.
#[cfg(target_os = "linux")]
fn on_a_terminal(mut command: Command) -> String {
    let (mut screen, terminal) = pseudo_terminal();
    let mut child = command
        .stdout(terminal)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // With the last handle of the other side reading ends.
    drop(command);
    let mut shown = Vec::new();
    // The end of a pseudo-terminal is an error, EIO.
    let _ = screen.read_to_end(&mut shown);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    String::from_utf8(shown).unwrap()
}

/// The two sides of a pseudo-terminal: what a person sees, and what a program gets.
#[cfg(target_os = "linux")]
pub(crate) fn pseudo_terminal() -> (fs::File, fs::File) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    // A child that had this side, too, would wait for itself to read.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let screen = openpt(flags).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
    let mut options = fs::OpenOptions::new();
    let terminal = options.read(true).write(true).open(name).unwrap();
    (fs::File::from(screen), terminal)
}

/// Standard input is held open until the display has been seen, or should have been.
#[cfg(target_os = "linux")]
#[test]
fn progress_is_shown_on_a_long_run_to_somebody_who_looks() {
    let tree = Tree::new();
    for (variables, is_shown) in [
        (&[][..], true),
        (&[("CI", "true")], false),
        (&[("PRE_COMMIT", "1")], false),
    ] {
        let (mut screen, terminal) = pseudo_terminal();
        let mut command = straykey(tree.root());
        command.arg("-").envs(variables.iter().copied());
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(terminal);
        let mut child = command.spawn().unwrap();
        drop(command);
        let mut shown = Vec::new();
        if is_shown {
            while !String::from_utf8_lossy(&shown).contains("scanned 0 files (0 B)") {
                let mut buffer = [0; 256];
                let read = screen.read(&mut buffer).unwrap();
                shown.extend_from_slice(&buffer[..read]);
            }
        } else {
            std::thread::sleep(Duration::from_millis(900));
        }
        drop(child.stdin.take());
        let _ = screen.read_to_end(&mut shown);
        assert_eq!(child.wait().unwrap().code(), Some(0));
        let shown = String::from_utf8_lossy(&shown).into_owned();
        assert_eq!(shown.contains("scanned"), is_shown, "{shown}");
        assert!(
            shown.contains("No leaked keys. Scanned 1 file (0 B)"),
            "{shown}"
        );
    }
}

#[cfg(unix)]
#[test]
fn an_interrupt_reports_what_is_known() {
    use rustix::process::{Pid, Signal, kill_process};
    let tree = Tree::new();
    let mut command = straykey(tree.root());
    command
        .args(["-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // More than a window, so that the key has been looked at when the signal comes.
    let filler = vec![b'.'; 16 << 20];
    input.write_all(credentials(5).as_bytes()).unwrap();
    input.write_all(&filler).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let mut said = [0; 11];
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_exact(&mut said).unwrap();
    assert_eq!(&said, b"interrupted");
    // The rest does not matter any more; the program may have gone before it is written.
    let _ = input.write_all(&filler);
    drop(input);
    let output = child.wait_with_output().unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    assert_eq!(output.status.code(), Some(1), "{rest}");
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .starts_with("-:2:21: critical")
    );
    assert!(rest.contains("Interrupted before the end."), "{rest}");
}

#[test]
fn help_looks_as_it_did_and_is_short() {
    let tree = Tree::new();
    for command in [
        &[][..],
        &["scan"],
        &["history"],
        &["rules"],
        &["rules", "list"],
        &["rules", "show"],
        &["report"],
    ] {
        for option in ["-h", "--help"] {
            let ran = run(&tree, &[command, &[option]].concat());
            assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
            let name = [&["straykey"], command, &[option]].concat().join("_");
            // The one line that an optional command adds.
            let (optional, always): (Vec<&str>, Vec<&str>) = ran
                .stdout
                .split_inclusive('\n')
                .partition(|line| line.starts_with("  sweep "));
            let expected = usize::from(cfg!(feature = "sweep") && command.is_empty());
            assert_eq!(optional.len(), expected, "{name}");
            snapshot(&format!("help/{name}.txt"), &always.concat());
            let lines = ran.stdout.lines().count();
            assert!(
                option == "--help" || lines <= 40,
                "{name} has {lines} lines"
            );
        }
    }
}

#[test]
fn the_rules_are_listed_and_shown() {
    let tree = Tree::new();
    let ran = run(&tree, &["rules", "list"]);
    assert_eq!(ran.code, Some(0));
    for line in ran.stdout.lines() {
        let id = line.split_whitespace().next().unwrap();
        let shown = run(&tree, &["rules", "show", id]);
        assert!(
            shown.code == Some(0) && shown.stdout.starts_with(id),
            "{id}"
        );
    }
    assert!(ran.stdout.lines().any(|line| {
        line.split_whitespace()
            .take(2)
            .eq(["aws-access-key-pair", "critical"])
    }));
}
