//! Databases that go away or are full, and sweeps that are killed from head to toe.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::hard::{forge, holds_all_once};
use super::server::Server;
use super::{Sweep, on_both, wait_until};
use crate::git_kit::{git_in, run as run_git};
use crate::kit::run;

on_both!(
    the_same_command_after_every_kill,
    the_network_is_gone_for_long,
    no_attempt_is_used_up_while_the_network_is_gone
);

fn done(sweep: &Sweep) -> u64 {
    // The first process has not made the tables yet.
    match sweep.has_state() {
        true => sweep.number("SELECT COUNT(*) FROM job WHERE state = 'done'"),
        false => 0,
    }
}

/// Planner and workers in one process, which is killed while it lists, while it fetches, and near
/// its end.
fn the_same_command_after_every_kill(sweep: &Sweep) {
    let server = forge(sweep, 16);
    server.behaviour.page.store(3, Ordering::Relaxed);
    server.behaviour.page_delay.store(100, Ordering::Relaxed);
    server.behaviour.delay.store(100, Ordering::Relaxed);
    let arguments = ["github:acme", "--base-url", &server.url, "--workers", "2"];
    let mut last = 0;
    for least in [1, 5, 10] {
        let running = sweep.start(&arguments);
        wait_until("jobs are done", || done(sweep) >= least);
        running.signal("-KILL");
        drop(running);
        let now = done(sweep);
        assert!((last..16).contains(&now), "{now} done after the kill");
        last = now;
    }
    let ran = sweep.sweep(&arguments);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    holds_all_once(sweep, 16);
    assert_eq!(
        sweep.number("SELECT COUNT(*) FROM listing WHERE ended IS NULL"),
        sweep.number("SELECT COUNT(*) FROM listing WHERE listed < 16"),
        "a listing that was killed is told apart from a whole one"
    );
}

/// With the default pauses. STRAYKEY_TEST_OUTAGE is its length in seconds; tests/sweep/long makes it
/// a minute.
fn the_network_is_gone_for_long(sweep: &Sweep) {
    let seconds = std::env::var("STRAYKEY_TEST_OUTAGE");
    let seconds: u64 = seconds.map_or(3, |text| text.parse().unwrap());
    let server = forge(sweep, 12);
    server.behaviour.delay.store(150, Ordering::Relaxed);
    let cache = sweep.tree.path("cache").display().to_string();
    let key = sweep.tree.path("key").display().to_string();
    let arguments = ["github:acme", "--base-url", &server.url, "--workers", "1"];
    let arguments = [&arguments[..], &["--cache", &cache, "--key-file", &key]].concat();
    let running = || super::Running(sweep.command(&arguments).spawn().unwrap());
    // While it lists: it has not begun when the network goes.
    server.set_gone(true);
    let first = running();
    thread::sleep(Duration::from_secs(seconds.min(3)));
    server.set_gone(false);
    wait_until("jobs are done", || done(sweep) >= 2);
    server.set_gone(true);
    thread::sleep(Duration::from_secs(seconds));
    server.set_gone(false);
    assert_eq!(first.code(), Some(1), "it ends by itself");
    holds_all_once(sweep, 12);
}

/// However often it is tried meanwhile, the repositories have all their attempts left.
fn no_attempt_is_used_up_while_the_network_is_gone(sweep: &Sweep) {
    let server = forge(sweep, 6);
    server.behaviour.delay.store(150, Ordering::Relaxed);
    let cache = sweep.tree.path("cache").display().to_string();
    let key = sweep.tree.path("key").display().to_string();
    let arguments = ["github:acme", "--base-url", &server.url, "--workers", "1"];
    let tries = ["--attempts", "2", "--retry-after", "0"];
    let files = ["--cache", &cache, "--key-file", &key];
    let arguments = [&arguments[..], &tries, &files].concat();
    let running = super::Running(sweep.command(&arguments).spawn().unwrap());
    wait_until("a job is done", || done(sweep) >= 1);
    server.set_gone(true);
    // More than five repositories can have attempts.
    wait_until("it is tried", || {
        server.behaviour.closed.load(Ordering::Relaxed) > 20
    });
    server.set_gone(false);
    assert_eq!(running.code(), Some(1), "it ends by itself");
    holds_all_once(sweep, 6);
    // What was being fetched when the network went may have broken off.
    assert!(sweep.number("SELECT MAX(attempts) FROM job") <= 2);
    assert!(sweep.number("SELECT COUNT(*) FROM job WHERE attempts > 1") <= 1);
}

/// A folder of its own on a disk of `megabytes`, which can be filled up.
struct SmallDisk {
    folder: PathBuf,
}

impl SmallDisk {
    fn mount(folder: PathBuf, megabytes: u64) -> Self {
        std::fs::create_dir(&folder).unwrap();
        // Needs the rights of root.
        let size = format!("size={megabytes}m");
        run_git(
            Command::new("mount")
                .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
                .arg(&folder),
        );
        Self { folder }
    }

    /// Takes all the room that is left.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.folder.join("ballast")).unwrap();
        for size in [1 << 16, 1 << 12] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
    }

    fn make_room(&self) {
        std::fs::remove_file(self.folder.join("ballast")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

/// Repositories with so many refs that the results of each take some room in the database.
fn forge_of_many_refs(sweep: &Sweep, count: u64) -> Server {
    let server = forge(sweep, count);
    for number in 0..count {
        let bare = sweep.tree.path(format!("served/acme/r{number}.git"));
        let head = run_git(git_in(&bare).args(["rev-parse", "main"]));
        let head = String::from_utf8(head).unwrap();
        let refs: String = (0..200)
            .map(|tag| format!("create refs/tags/release-{number}-{tag} {}", head.trim()) + "\n")
            .collect();
        let list = sweep.tree.write("refs", refs);
        let list = std::fs::File::open(list).unwrap();
        run_git(git_in(&bare).args(["update-ref", "--stdin"]).stdin(list));
        run_git(git_in(&bare).args(["pack-refs", "--all"]));
    }
    server
}

/// A database whose disk is full is waited for, and nothing of what was being written is there
/// in part or twice.
fn outlives_a_full_disk(sweep: &Sweep, disk: &SmallDisk) {
    let server = forge_of_many_refs(sweep, 8);
    server.behaviour.delay.store(150, Ordering::Relaxed);
    let log = sweep.tree.path("log");
    let arguments = ["github:acme", "--base-url", &server.url, "--workers", "1"];
    let mut command = sweep.work(&arguments);
    command.stderr(std::fs::File::create(&log).unwrap());
    let running = super::Running(command.spawn().unwrap());
    wait_until("jobs are done", || done(sweep) >= 2);
    disk.fill();
    let said = || std::fs::read_to_string(&log).unwrap();
    wait_until("it waits for its database", || {
        said().contains("store-away")
    });
    thread::sleep(Duration::from_secs(1));
    disk.make_room();
    assert_eq!(running.code(), Some(1), "{}", said());
    holds_all_once(sweep, 8);
}

#[test]
fn sqlite_outlives_a_full_disk() {
    let mut sweep = Sweep::sqlite();
    let disk = SmallDisk::mount(sweep.tree.path("disk"), 8);
    sweep.state = format!("sqlite://{}", disk.folder.join("state.db").display());
    outlives_a_full_disk(&sweep, &disk);
}

#[test]
#[ignore = "needs a PostgreSQL server: tests/sweep/run"]
fn postgres_outlives_a_full_disk() {
    let mut sweep = Sweep::postgres();
    // The server's user must get there, and a test's folder is for its owner alone.
    let folder = tempfile::Builder::new().prefix("straykey-disk").tempdir();
    let folder = folder.unwrap();
    crate::kit::set_mode(folder.path(), 0o755);
    let disk = SmallDisk::mount(folder.path().join("disk"), 24);
    let space = disk.folder.join("space");
    std::fs::create_dir(&space).unwrap();
    own_as_server(&space);
    let (server, name) = sweep.state.rsplit_once('/').unwrap();
    let (server, name) = (server.to_owned(), format!("{name}_small"));
    let tell = |text: &str| {
        let mut psql = Command::new("psql");
        run_git(
            psql.arg(format!("{server}/postgres"))
                .args(["-q", "-c", text]),
        );
    };
    tell(&format!(
        "CREATE TABLESPACE {name} LOCATION '{}'",
        space.display()
    ));
    tell(&format!("CREATE DATABASE {name} TABLESPACE {name}"));
    sweep.state = format!("{server}/{name}");
    outlives_a_full_disk(&sweep, &disk);
    tell(&format!("DROP DATABASE {name}"));
    tell(&format!("DROP TABLESPACE {name}"));
}

/// Gives `folder` to whoever runs the server.
fn own_as_server(folder: &Path) {
    let control = std::env::var("STRAYKEY_TEST_POSTGRES_CONTROL");
    let control = control.expect("tests/sweep/postgres sets STRAYKEY_TEST_POSTGRES_CONTROL");
    let data = Path::new(&control).parent().unwrap().join("data");
    let from = format!("--reference={}", data.display());
    run_git(Command::new("chown").arg(from).arg(folder));
}

/// The server is killed as by a power failure, under two workers and a planner, and comes back.
#[test]
#[ignore = "needs a PostgreSQL server of its own: tests/sweep/run"]
fn the_database_goes_and_comes() {
    let control = std::env::var("STRAYKEY_TEST_POSTGRES_CONTROL");
    let control = control.expect("tests/sweep/postgres sets STRAYKEY_TEST_POSTGRES_CONTROL");
    let sweep = Sweep::postgres();
    let server = forge(&sweep, 12);
    server.behaviour.page.store(1, Ordering::Relaxed);
    server.behaviour.delay.store(150, Ordering::Relaxed);
    let plan = ["plan", "github:acme", "--base-url", &server.url];
    assert_eq!(run(&mut sweep.command(&plan)).code, Some(0));
    let worker = || sweep.start(&["worker", "--workers", "1"]);
    let workers = [worker(), worker()];
    wait_until("jobs are done", || done(&sweep) >= 2);
    server.behaviour.page_delay.store(150, Ordering::Relaxed);
    let planner = super::Running(sweep.command(&plan).spawn().unwrap());
    let listing = "SELECT COUNT(*) FROM listing WHERE ended IS NULL AND listed > 0";
    wait_until("a page is listed", || sweep.number(listing) == 1);
    let tell = |word: &str| run_git(Command::new(&control).arg(word));
    tell("kill");
    thread::sleep(Duration::from_secs(1));
    tell("start");
    assert_eq!(planner.code(), Some(0), "a planner outlives its database");
    for worker in workers {
        assert_eq!(worker.code(), Some(0), "a worker outlives its database");
    }
    holds_all_once(&sweep, 12);
    assert_eq!(
        sweep.number("SELECT COUNT(*) FROM listing WHERE listed = 12"),
        2
    );
}
