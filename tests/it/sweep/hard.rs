//! What a sweep must survive: kills, stops, a network and a disk that go away.

use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::server::Server;
use super::{Sweep, ids, ids_of, make_repository, on_both, states, wait_until};
use crate::git_kit::run as run_git;
use crate::kit::run;

on_both!(
    killed_workers_and_planners,
    a_stopped_worker_is_overtaken,
    the_network_goes_and_comes,
    a_full_disk
);

/// A forge with `count` repositories; every fourth has the pair of its number.
pub(super) fn forge(sweep: &Sweep, count: u64) -> Server {
    let server = Server::start(&sweep.tree.path("served"));
    for number in 0..count {
        let source = sweep.tree.path(format!("source/{number}"));
        make_repository(&source, 2, Some(number).filter(|number| number % 4 == 0));
        server.add(&source, &format!("acme/r{number}"));
    }
    server
}

fn keys_of(count: u64) -> Vec<String> {
    ids_of((0..count).filter(|number| number % 4 == 0))
}

/// Every repository exactly once in the results, and complete.
pub(super) fn holds_all_once(sweep: &Sweep, count: u64) {
    let report = sweep.report();
    assert_eq!(ids(&report), keys_of(count));
    let states = states(&report);
    assert_eq!(states.len() as u64, count);
    assert!(
        states.iter().all(|(_, state)| state == "complete"),
        "{states:?}"
    );
    assert_eq!(sweep.number("SELECT COUNT(*) FROM scan"), count);
    assert_eq!(
        sweep.number("SELECT COUNT(*) FROM occurrence"),
        count.div_ceil(4)
    );
}

fn killed_workers_and_planners(sweep: &Sweep) {
    let server = forge(sweep, 16);
    server.behaviour.page.store(3, Ordering::Relaxed);
    server.behaviour.delay.store(100, Ordering::Relaxed);
    let done = || sweep.number("SELECT COUNT(*) FROM job WHERE state = 'done'");
    // A planner in the middle of its listing: every answer but the first is an error for a while.
    let plan = ["plan", "github:acme", "--base-url", &server.url];
    let planner = {
        let mut command = sweep.command(&plan);
        server
            .behaviour
            .troubles
            .lock()
            .unwrap()
            .extend([(502, ""), (502, ""), (502, "")]);
        let running = super::Running(command.spawn().unwrap());
        thread::sleep(Duration::from_millis(700));
        running
    };
    planner.signal("-KILL");
    drop(planner);
    server.behaviour.troubles.lock().unwrap().clear();
    assert_eq!(run(&mut sweep.command(&plan)).code, Some(0));
    assert_eq!(sweep.number("SELECT COUNT(*) FROM job"), 16);
    // One worker of two, then both.
    let worker = || sweep.start(&["worker", "--workers", "1"]);
    let (one, two) = (worker(), worker());
    wait_until("jobs are done", || done() >= 2);
    one.signal("-KILL");
    wait_until("more jobs are done", || done() >= 5);
    two.signal("-KILL");
    drop((one, two));
    assert!(done() < 16, "too quick to be killed");
    assert_eq!(run(&mut sweep.work(&["worker"])).code, Some(0));
    holds_all_once(sweep, 16);
}

fn a_stopped_worker_is_overtaken(sweep: &Sweep) {
    let server = forge(sweep, 4);
    server.behaviour.delay.store(1000, Ordering::Relaxed);
    let plan = ["plan", "github:acme", "--base-url", &server.url];
    assert_eq!(run(&mut sweep.command(&plan)).code, Some(0));
    let late = sweep.start(&["worker", "--workers", "2"]);
    let running = "SELECT COUNT(*) FROM job WHERE state = 'running'";
    wait_until("a job is taken", || sweep.number(running) >= 1);
    late.signal("-STOP");
    server.behaviour.delay.store(0, Ordering::Relaxed);
    // Longer than its lease: another worker does everything.
    assert_eq!(run(&mut sweep.work(&["worker"])).code, Some(0));
    holds_all_once(sweep, 4);
    late.signal("-CONT");
    assert_eq!(late.code(), Some(0));
    holds_all_once(sweep, 4);
}

fn the_network_goes_and_comes(sweep: &Sweep) {
    let server = forge(sweep, 8);
    server.behaviour.delay.store(150, Ordering::Relaxed);
    let arguments = ["github:acme", "--base-url", &server.url, "--workers", "1"];
    let plan = ["plan", "github:acme", "--base-url", &server.url];
    assert_eq!(run(&mut sweep.command(&plan)).code, Some(0));
    let running = sweep.start(&arguments);
    wait_until("jobs are done", || {
        sweep.number("SELECT COUNT(*) FROM job WHERE state = 'done'") >= 2
    });
    server.set_gone(true);
    let put_off = "SELECT COUNT(*) FROM job WHERE reason IS NOT NULL";
    wait_until("a job is put off", || sweep.number(put_off) >= 1);
    thread::sleep(Duration::from_secs(1));
    server.set_gone(false);
    assert_eq!(running.code(), Some(1));
    holds_all_once(sweep, 8);
}

fn a_full_disk(sweep: &Sweep) {
    let server = forge(sweep, 4);
    // Random bytes do not compress: this one does not fit beside anything.
    let large = sweep.tree.path("source/large");
    make_repository(&large, 1, None);
    let mut random = crate::kit::keys::Random::new(9);
    let bytes: Vec<u8> = (0..400_000)
        .flat_map(|_| random.next().to_le_bytes())
        .collect();
    std::fs::write(large.join("large.bin"), bytes).unwrap();
    run_git(crate::git_kit::git_in(&large).args(["add", "-A"]));
    run_git(crate::git_kit::git_in(&large).args(["commit", "-q", "-m", "large"]));
    server.add(&large, "acme/large");
    let disk = sweep.tree.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount = |arguments: &[&str]| run_git(Command::new("mount").args(arguments).arg(&disk));
    mount(&["-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
    let arguments = [
        "github:acme",
        "--base-url",
        &server.url,
        "--attempts",
        "2",
        "--cache",
    ];
    let arguments = [&arguments[..], &[disk.to_str().unwrap()]].concat();
    let sweep_there = || {
        let mut command = sweep.command(&arguments);
        command.args(["--retry-after", "0"]);
        run(command.arg("--key-file").arg(sweep.tree.path("key")))
    };
    let full = sweep_there();
    let failed: Vec<_> = states(&sweep.report());
    let failed: Vec<_> = failed
        .iter()
        .filter(|(_, state)| state == "failed")
        .collect();
    mount(&["-o", "remount,size=64m"]);
    let enough = sweep_there();
    let left = states(&sweep.report());
    run_git(Command::new("umount").arg(&disk));
    assert_eq!(
        (failed.len(), failed[0].0.as_str()),
        (1, "acme/large"),
        "{full:?}"
    );
    assert!(full.stdout.contains("No space left on device"), "{full:?}");
    assert!(
        left.iter().all(|(_, state)| state == "complete"),
        "{enough:?}"
    );
    assert_eq!(ids(&sweep.report()), keys_of(4));
}
