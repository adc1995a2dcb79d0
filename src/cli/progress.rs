//! The progress display: on standard error, if somebody is looking and the run is not short.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use straykey::report::summary;
use straykey::scan::Progress;

use super::plan;

/// Runs shorter than this show nothing.
const PATIENCE: Duration = Duration::from_millis(500);
/// Time between two updates.
const TICK: Duration = Duration::from_millis(100);

/// A display that runs until it is dropped.
pub(crate) struct Display {
    running: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Display {
    /// Shows `progress` if standard error is a terminal with somebody before it.
    pub(crate) fn start(progress: &Arc<Progress>, quiet: bool) -> Self {
        if quiet || !io::stderr().is_terminal() || plan::is_unattended() {
            return Self { running: None };
        }
        let progress = Arc::clone(progress);
        let (done, waiting) = mpsc::channel::<()>();
        let work = move || {
            let ended = |time| waiting.recv_timeout(time) != Err(RecvTimeoutError::Timeout);
            if ended(PATIENCE) {
                return;
            }
            let bar = ProgressBar::new_spinner();
            loop {
                show(&bar, &progress);
                bar.tick();
                if ended(TICK) {
                    return bar.finish_and_clear();
                }
            }
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

/// How far the run is: a scan has no known end, a verification has.
fn show(bar: &ProgressBar, progress: &Progress) {
    let (template, message) = match progress.verified() {
        (_, 0) => ("{spinner} {elapsed} {msg}", scanned(progress)),
        (done, all) => {
            bar.set_length(all);
            bar.set_position(done);
            let keys = summary::count(all, "key");
            let message = format!("asked AWS about {done} of {keys}");
            ("{spinner} {elapsed} [{bar:24}] {msg}", message)
        }
    };
    // The templates are constant; if one were wrong, the default one would do.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(message);
}

fn scanned(progress: &Progress) -> String {
    let coverage = progress.coverage();
    let files = summary::count(coverage.files, progress.extent().thing());
    let scanned = format!("scanned {files} ({})", summary::size(coverage.bytes));
    match progress.to_place() {
        0 => scanned,
        found => {
            let keys = summary::count(found, "key");
            format!("{scanned}; looking up where in history {keys} came in and where it is now")
        }
    }
}
