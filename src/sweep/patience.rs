//! Waiting for a database that is away: restarting, busy, or with a full disk.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::metrics::{Event, Metrics};
use super::store::{Result, StoreError};

/// How long a process goes on without its database.
#[derive(Clone, Copy, Debug)]
pub struct Patience<'p> {
    /// Longest time from the first failure of a call to the last repetition of it.
    pub longest: Duration,
    /// Whether to give up at once.
    pub stop: &'p AtomicBool,
    /// Where it is told.
    pub metrics: &'p Metrics,
}

/// Time between two tries.
const PAUSE: Duration = Duration::from_secs(1);

impl Patience<'_> {
    /// Repeats `call` as long as it fails for a reason that passes. Every call to the store is one
    /// transaction: it has been carried out as a whole or not at all.
    ///
    /// # Errors
    /// The last failure of `call`.
    pub fn call<T>(&self, mut call: impl FnMut() -> Result<T>) -> Result<T> {
        let start = Instant::now();
        loop {
            match call() {
                Err(error) if self.waits(&error, start) => {
                    self.metrics.event(&Event::StoreAway(error.to_string()));
                    thread::sleep(PAUSE);
                }
                result => return result,
            }
        }
    }

    fn waits(&self, error: &StoreError, start: Instant) -> bool {
        error.is_passing() && start.elapsed() < self.longest && !self.stop.load(Ordering::Relaxed)
    }
}
