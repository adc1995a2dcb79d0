//! Ctrl-C: the first one ends the scan and reports what is known, the second one ends the program.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use straykey::scan::Progress;

use super::exit::Exit;
use super::say;

/// From now on Ctrl-C stops `progress`.
pub(crate) fn stop_on_interrupt(progress: &Arc<Progress>) {
    let progress = Arc::clone(progress);
    let asked = AtomicBool::new(false);
    let result = ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) {
            process::exit(Exit::Incomplete.code().into());
        }
        progress.stop();
        say("interrupted: reporting what is known so far (once more to quit at once)");
    });
    // Without the handler Ctrl-C simply kills the process, which is no clean result either.
    drop(result);
}
