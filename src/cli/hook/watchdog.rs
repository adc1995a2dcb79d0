//! The end of a hook that takes too long.

use std::process;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use straykey::scan::Progress;

use super::super::exit::Exit;
use super::super::say;

/// How long a scan may take to notice that it was stopped, before the process is ended.
const GRACE: Duration = Duration::from_millis(300);

/// After so many seconds the scan is stopped; if that does not help (a git that waits for a
/// network), the process ends. Either way the exit code says that the scan is not complete.
pub(super) fn start(seconds: f64, progress: &Arc<Progress>) {
    let progress = Arc::clone(progress);
    thread::spawn(move || {
        thread::sleep(Duration::from_secs_f64(seconds));
        progress.stop();
        thread::sleep(GRACE);
        say("straykey: time is up, the scan is not complete: blocked");
        process::exit(Exit::Incomplete.code().into());
    });
}
