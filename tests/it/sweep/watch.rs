//! What a sweep tells while it runs: counters for Prometheus, a line on a terminal.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::Ordering;

use super::hard::forge;
use super::{Sweep, wait_until};
use crate::kit::run;

/// An answer to `GET /metrics`, if anybody answers.
fn ask(address: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

/// The value of one series in Prometheus' text format.
fn value(answer: &str, series: &str) -> Option<u64> {
    let line = answer.lines().find_map(|line| line.strip_prefix(series))?;
    line.trim().parse().ok()
}

#[test]
fn a_waiting_worker_counts_for_prometheus() {
    let sweep = Sweep::sqlite();
    let server = forge(&sweep, 4);
    std::fs::remove_dir_all(sweep.tree.path("served/acme/r1.git")).unwrap();
    let plan = ["plan", "github:acme", "--base-url", &server.url];
    assert_eq!(run(&mut sweep.command(&plan)).code, Some(0));
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let worker = sweep.start(&["worker", "--wait", "--metrics", &address]);
    let repositories =
        |outcome: &str| format!("straykey_sweep_repositories_total{{outcome=\"{outcome}\"}}");
    wait_until("three are scanned and one has failed", || {
        ask(&address).is_some_and(|answer| {
            value(&answer, &repositories("scanned")) == Some(3)
                && value(&answer, &repositories("failed")) == Some(1)
        })
    });
    let answer = ask(&address).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(
        head.contains("Content-Type: text/plain; version=0.0.4"),
        "{head}"
    );
    assert!(value(body, "straykey_sweep_objects_total") > Some(0));
    // Each line is a series of a type that was told before, and each value a number.
    let mut kind = "";
    for line in body.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            kind = rest.strip_suffix(" counter").unwrap();
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        assert_eq!(series.split('{').next(), Some(kind), "{line}");
        value.parse::<u64>().unwrap();
    }
    worker.signal("-TERM");
    assert_eq!(worker.code(), Some(2), "stopped before the end of all work");
}

/// One line that changes, with what is done, the rate and the time left; no JSON among it.
#[cfg(target_os = "linux")]
#[test]
fn a_terminal_shows_how_far_it_is() {
    let sweep = Sweep::sqlite();
    let server = forge(&sweep, 8);
    server.behaviour.delay.store(300, Ordering::Relaxed);
    std::fs::remove_dir_all(sweep.tree.path("served/acme/r5.git")).unwrap();
    let (mut screen, terminal) = crate::cli::pseudo_terminal();
    let mut command = sweep.work(&["github:acme", "--base-url", &server.url, "--workers", "1"]);
    for name in ["CI", "PRE_COMMIT"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").stderr(terminal);
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    drop(command);
    let mut shown = Vec::new();
    // The end of a pseudo-terminal is an error, EIO.
    let _ = screen.read_to_end(&mut shown);
    assert_eq!(child.wait().unwrap().code(), Some(1));
    let shown = String::from_utf8_lossy(&shown);
    for words in [
        " of 8 repositories, ",
        "/s",
        "about 1 min left",
        "1 failed",
        "acme/r5: failed: ",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    assert!(!shown.contains("\"event\""), "{shown}");
}
