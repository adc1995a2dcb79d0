//! Holding a job: the thread that renews its lease, the names of those who hold jobs, and what
//! becomes of the jobs of those who died.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant, SystemTime};

use super::store::{Job, Store, StoreError};
use super::work::Worker;
use crate::scan::Progress;

/// What a worker and the thread that keeps its job share.
#[derive(Debug, Default)]
pub(super) struct Hold {
    /// Whether somebody else has the job by now.
    pub(super) lost: AtomicBool,
    /// Stops the work.
    pub(super) progress: Progress,
}

/// Renews a job's lease from a thread of its own, however busy the others are, and stops the work
/// when the job is lost or has taken too long.
pub(super) struct Keeper<'s> {
    running: Option<(Sender<()>, ScopedJoinHandle<'s, ()>)>,
}

impl<'s> Keeper<'s> {
    pub(super) fn start<'e: 's>(
        scope: &'s Scope<'s, 'e>,
        worker: &'e Worker<'_>,
        job: &'e Job,
        hold: &'e Hold,
    ) -> Self {
        let (done, waiting) = mpsc::channel::<()>();
        let keep = move || {
            let start = Instant::now();
            let lease = worker.settings.lease;
            let mut renewed = Instant::now();
            let tick = (lease / 3).min(Duration::from_millis(500));
            while waiting.recv_timeout(tick) == Err(RecvTimeoutError::Timeout) {
                if start.elapsed() > worker.settings.time_limit || worker.is_stopped() {
                    hold.progress.stop();
                }
                if renewed.elapsed() < lease / 3 {
                    continue;
                }
                renewed = Instant::now();
                // A database that is away tells nothing: the lease is still ours when it is back,
                // unless it says otherwise.
                if matches!(worker.store.renew(job, lease), Ok(false)) {
                    hold.lost.store(true, Ordering::Relaxed);
                    hold.progress.stop();
                }
            }
        };
        Self {
            running: Some((done, scope.spawn(keep))),
        }
    }
}

impl Drop for Keeper<'_> {
    fn drop(&mut self) {
        if let Some((done, handle)) = self.running.take() {
            drop(done);
            let _ = handle.join();
        }
    }
}

/// A name for a worker: unique to each start, on each machine.
#[must_use]
pub fn unique_name(number: usize) -> String {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.map_or(0, |time| time.as_millis());
    format!("{}/{}/{since}/{number}", machine(), std::process::id())
}

fn machine() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().to_owned()
}

/// Gives up the leases of workers of this machine whose process is gone: who was killed and is
/// started again need not wait for them. To be called before this process takes any: those under
/// its own number are of one that is gone, too, as in a container, where it is always the same. Where it is mistaken (two machines of one name), a
/// repository is scanned twice and written once.
///
/// # Errors
/// Where the store fails.
pub fn abandon_dead(store: &Store) -> Result<(), StoreError> {
    let machine = machine();
    for worker in store.busy_workers()? {
        let mut parts = worker.rsplitn(4, '/').skip(2);
        let (id, name) = (parts.next(), parts.next());
        let id = id.and_then(|id| id.parse().ok());
        if name == Some(&machine) && !machine.is_empty() && id.is_some_and(is_gone) {
            store.abandon(&worker)?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn is_gone(process: i32) -> bool {
    use rustix::process::{Pid, getpid, test_kill_process};
    if process == getpid().as_raw_nonzero().get() {
        return true;
    }
    let asked = Pid::from_raw(process).map(test_kill_process);
    matches!(asked, Some(Err(rustix::io::Errno::SRCH)))
}

#[cfg(not(unix))]
fn is_gone(_process: i32) -> bool {
    false
}
