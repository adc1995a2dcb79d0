//! What a running sweep tells: one line that changes on a terminal, else a JSON line an event.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use straykey::report::sanitise;
use straykey::sweep::metrics::{Event, Metrics, Outcome};
use straykey::sweep::store::Store;

use crate::cli::{plan, say};

/// Time between two looks at the store.
const TICK: Duration = Duration::from_millis(500);

/// Whether somebody is looking.
fn is_watched() -> bool {
    io::stderr().is_terminal() && !plan::is_unattended()
}

/// Counters that tell what happens: problems on a terminal, everything in a log.
pub(super) fn metrics() -> Arc<Metrics> {
    let watched = is_watched();
    Arc::new(Metrics::new(move |event| match watched {
        true => tell_problem(event),
        false => say(&log_line(event).to_string()),
    }))
}

fn tell_problem(event: &Event<'_>) {
    match event {
        Event::Repository { name, outcome, .. } => {
            let (word, reason) = match outcome {
                Outcome::Failed(reason) => ("failed", reason),
                Outcome::Later(reason) => ("will be tried again", reason),
                _ => return,
            };
            say(&sanitise::line(
                format!("{name}: {word}: {reason}").as_bytes(),
            ));
        }
        Event::StoreAway(reason) => say(&format!("waiting for the database: {reason}")),
        Event::ForgePause { reason, seconds } => {
            say(&format!("waiting {seconds} s for the forge: {reason}"));
        }
    }
}

fn log_line(event: &Event<'_>) -> Value {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let at = now.map_or(0, |time| time.as_secs());
    match event {
        Event::Repository {
            name,
            outcome,
            seconds,
        } => {
            let mut line = json!({"at": at, "event": "repository", "repository": name,
                "seconds": (seconds * 1000.0).round() / 1000.0});
            let (word, reason) = match outcome {
                Outcome::Scanned {
                    complete,
                    objects,
                    bytes,
                    secrets,
                } => {
                    line["objects"] = json!(objects);
                    line["bytes"] = json!(bytes);
                    line["credentials"] = json!(secrets);
                    (if *complete { "complete" } else { "incomplete" }, None)
                }
                Outcome::Unchanged => ("unchanged", None),
                Outcome::Later(reason) => ("retry", Some(reason)),
                Outcome::Failed(reason) => ("failed", Some(reason)),
                Outcome::Lost => ("lost", None),
            };
            line["outcome"] = json!(word);
            if let Some(reason) = reason {
                line["reason"] = json!(reason);
            }
            line
        }
        Event::StoreAway(reason) => json!({"at": at, "event": "store-away", "reason": reason}),
        Event::ForgePause { reason, seconds } => {
            json!({"at": at, "event": "forge-pause", "seconds": seconds, "reason": reason})
        }
    }
}

/// A display that runs until it is dropped.
pub(super) struct Display {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Display {
    /// Shows how far the sweep in `store` is, if somebody is looking.
    pub(super) fn start(store: &Arc<Store>, metrics: &Arc<Metrics>) -> Self {
        if !is_watched() {
            return Self { running: None };
        }
        let (store, metrics) = (Arc::clone(store), Arc::clone(metrics));
        let (done, waiting) = mpsc::channel::<()>();
        let work = move || {
            let start = Instant::now();
            let bar = ProgressBar::new_spinner();
            // The template is constant; if it were wrong, the default one would do.
            if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
                bar.set_style(style);
            }
            while waiting.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                bar.set_message(message(&store, &metrics, start.elapsed()));
                bar.tick();
            }
            bar.finish_and_clear();
        };
        let handle = thread::Builder::new().spawn(work).ok();
        Self {
            running: handle.map(|handle| (done, handle)),
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        if let Some((done, handle)) = self.running.take() {
            drop(done);
            let _ = handle.join();
        }
    }
}

fn message(store: &Store, metrics: &Metrics, time: Duration) -> String {
    let Ok(jobs) = store.jobs() else {
        return "waiting for the database".to_owned();
    };
    let ended = metrics.ended();
    let rate = (ended.done + ended.failed) as f64 / time.as_secs_f64().max(0.001);
    let all = jobs.left() + jobs.done + jobs.failed;
    let mut text = format!(
        "{} of {all} repositories, {rate:.1}/s",
        jobs.done + jobs.failed
    );
    if jobs.failed > 0 {
        text.push_str(&format!(", {} failed", jobs.failed));
    }
    if rate > 0.0 && jobs.left() > 0 {
        let left = jobs.left() as f64 / rate;
        text.push_str(&format!(", about {:.0} min left", (left / 60.0).ceil()));
    }
    text
}
