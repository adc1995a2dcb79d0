//! Repositories that end whoever looks at them.

use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use straykey::finding::{Confidence, Finding};
use straykey::rules::RuleSet;
use straykey::scan::Progress;
use straykey::sweep::cache::Cache;
use straykey::sweep::git::Git;
use straykey::sweep::hosts::Hosts;
use straykey::sweep::identity::OrganizationKey;
use straykey::sweep::metrics::Metrics;
use straykey::sweep::scanner::Rules;
use straykey::sweep::store::Store;
use straykey::sweep::work::{Ask, Settings, Worker};

use super::hard::forge;
use super::{Sweep, ids, ids_of, make_repository, on_both, states};
use crate::git_kit::{git_in, run as run_git};
use crate::kit::{Outcome, keys, run};

on_both!(what_kills_its_worker_is_given_up);

/// Runs `command` again and again, as a supervisor does, until it ends by itself. Returns its end,
/// and how many times it was killed before.
fn supervise(mut command: impl FnMut() -> Command, signal: i32) -> (Outcome, usize) {
    for killed in 0..20 {
        let mut command = command();
        let output = command.stdin(Stdio::null()).output().unwrap();
        match output.status.signal() {
            Some(by) => assert_eq!(by, signal, "{output:?}"),
            None => return (crate::kit::outcome(output), killed),
        }
    }
    panic!("it never ends by itself");
}

/// A `git` that kills who has started it when it is to fetch `acme/poison`, as the system does
/// when memory runs out. Returns the PATH with it.
fn deadly_git(sweep: &Sweep) -> String {
    let real = run_git(Command::new("which").arg("git"));
    let real = String::from_utf8(real).unwrap();
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *' fetch '*poison*) kill -9 $PPID;; esac\nexec {} \"$@\"\n",
        real.trim()
    );
    let git = sweep.tree.write("bin/git", script);
    crate::kit::set_mode(&git, 0o755);
    let path = std::env::var("PATH").unwrap();
    format!("{}:{path}", git.parent().unwrap().display())
}

/// It is given up after as many tries as were asked for, and those that were beside it each time are
/// not: from the third try on it is alone.
fn what_kills_its_worker_is_given_up(sweep: &Sweep) {
    let server = forge(sweep, 8);
    make_repository(&sweep.tree.path("source/poison"), 1, None);
    server.add(&sweep.tree.path("source/poison"), "acme/poison");
    server.behaviour.entries.lock().unwrap().rotate_right(1);
    // Who is beside it is still at work when it kills.
    server.behaviour.delay.store(300, Ordering::Relaxed);
    let path = deadly_git(sweep);
    let arguments = ["github:acme", "--base-url", &server.url, "--workers", "3"];
    let arguments = [&arguments[..], &["--attempts", "4"]].concat();
    let (ran, killed) = supervise(
        || {
            let mut command = sweep.work(&arguments);
            command.env("PATH", &path);
            command
        },
        9,
    );
    assert_eq!(killed, 4, "{ran:?}");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.stdout.contains("acme/poison: its worker died or hung"),
        "{ran:?}"
    );
    let report = sweep.report();
    assert_eq!(ids(&report), ids_of([0, 4]));
    let failed: Vec<_> = states(&report)
        .into_iter()
        .filter(|(_, state)| state != "complete")
        .collect();
    assert_eq!(
        failed,
        [("acme/poison".to_owned(), "failed".to_owned())],
        "{ran:?}"
    );
    assert_eq!(sweep.number("SELECT COUNT(*) FROM scan"), 8);
    let most = "SELECT MAX(attempts) FROM job WHERE state = 'done'";
    assert!(sweep.number(most) <= 3);
}

/// A commit of a few kilobytes in the pack, whose message takes more memory than there is.
#[cfg(target_os = "linux")]
#[test]
fn what_needs_too_much_memory_is_given_up() {
    let sweep = Sweep::sqlite();
    let folder = sweep.tree.path("clones");
    for number in 0..3 {
        make_repository(&folder.join(format!("r{number}")), 2, Some(number));
    }
    let bomb = folder.join("bomb");
    make_repository(&bomb, 1, None);
    let message = sweep.tree.write("message", vec![b'a'; 64 << 20]);
    run_git(
        git_in(&bomb)
            .args(["commit", "-q", "--allow-empty", "-F"])
            .arg(&message),
    );
    run_git(git_in(&bomb).args(["gc", "-q"]));
    std::fs::remove_file(&message).unwrap();
    let folder = folder.display().to_string();
    let arguments = [&folder, "--memory-limit", "60M", "--attempts", "3"];
    let (ran, killed) = supervise(|| sweep.work(&arguments), 6);
    assert_eq!(killed, 3, "{ran:?}");
    assert!(
        ran.stdout.contains("bomb: its worker died or hung"),
        "{ran:?}"
    );
    assert_eq!(ids(&sweep.report()), ids_of([0, 1, 2]));
    assert_eq!(sweep.number("SELECT COUNT(*) FROM scan"), 3);
    // With enough of it, the same command covers everything.
    let ran = sweep.sweep(&[&folder]);
    assert!(ran.stdout.contains("4 repositories: 4 complete"), "{ran:?}");
}

#[test]
fn what_takes_too_much_disk_is_left_out() {
    let sweep = Sweep::sqlite();
    let server = forge(&sweep, 4);
    let large = sweep.tree.path("source/large");
    make_repository(&large, 1, None);
    let mut random = keys::Random::new(9);
    let bytes: Vec<u8> = (0..400_000)
        .flat_map(|_| random.next().to_le_bytes())
        .collect();
    std::fs::write(large.join("large.bin"), bytes).unwrap();
    run_git(git_in(&large).args(["add", "-A"]));
    run_git(git_in(&large).args(["commit", "-q", "-m", "large"]));
    server.add(&large, "acme/large");
    let arguments = ["github:acme", "--base-url", &server.url];
    let limited = sweep.sweep(&[&arguments[..], &["--disk-limit", "2M"]].concat());
    assert!(
        limited
            .stdout
            .contains("acme/large: takes more than 2097152 bytes on disk (--disk-limit)"),
        "{limited:?}"
    );
    assert!(limited.stdout.contains("4 complete, 1 failed"));
    let left = super::files(&sweep.tree.path("cache"));
    let largest = left.iter().map(|file| file.metadata().unwrap().len()).max();
    assert!(largest.unwrap() < 2 << 20, "what was fetched of it is gone");
    let ran = sweep.sweep(&arguments);
    assert!(ran.stdout.contains("5 complete;"), "{ran:?}");
}

/// Asks nobody, and fails as a defect would.
struct Defective;

impl Ask for Defective {
    fn ask(&self, findings: &mut [Finding], _progress: &Progress) {
        assert!(findings.is_empty(), "a defect");
    }
}

#[test]
fn a_defect_ends_one_repository_and_no_worker() {
    let sweep = Sweep::sqlite();
    let folder = sweep.tree.path("clones");
    make_repository(&folder.join("good"), 2, None);
    make_repository(&folder.join("worse"), 2, Some(1));
    let target = folder.display().to_string();
    assert_eq!(run(&mut sweep.command(&["plan", &target])).code, Some(0));
    let store = Store::open(&sweep.state).unwrap();
    let rules = Rules::new(&RuleSet::builtin().with_confidence(Confidence::Medium));
    let (stop, planning) = (AtomicBool::new(false), AtomicBool::new(false));
    let metrics = Arc::new(Metrics::new(|_| {}));
    let worker = Worker {
        store: &store,
        rules: &rules,
        key: &OrganizationKey::read(&sweep.tree.path("key")).unwrap(),
        git: &Git {
            askpass: PathBuf::from("true"),
            time_limit: Duration::from_secs(60),
            access: Vec::new(),
            blob_limit: None,
        },
        cache: &Cache::open(sweep.tree.path("cache"), 0).unwrap(),
        hosts: &Hosts::new(1),
        ask: Some(&Defective),
        metrics: &metrics,
        stop: &stop,
        planning: &planning,
        turn: &RwLock::default(),
        settings: Settings {
            name: "test".to_owned(),
            lease: Duration::from_secs(10),
            attempts: 2,
            time_limit: Duration::from_secs(60),
            disk_limit: None,
            pause: Duration::ZERO,
            patience: Duration::ZERO,
            wait: false,
        },
    };
    worker.run().unwrap();
    assert_eq!(metrics.ended().failed, 1);
    let report = run(&mut sweep.command(&["report"]));
    assert!(
        report
            .stdout
            .contains("worse: a defect in straykey ended its scan"),
        "{report:?}"
    );
    assert!(report.stdout.contains("1 complete, 1 failed"), "{report:?}");
}
