//! What a process counts, and what it tells about each repository: for a display, a log, and
//! Prometheus.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What was new has been scanned.
    Scanned {
        /// Whether everything was read.
        complete: bool,
        /// Objects read.
        objects: u64,
        /// Bytes read.
        bytes: u64,
        /// Credentials found.
        secrets: u64,
    },
    /// Nothing has happened since the last scan.
    Unchanged,
    /// To be tried again, for this reason.
    Later(String),
    /// Given up, for this reason.
    Failed(String),
    /// Another worker has taken it over; nothing was written.
    Lost,
}

/// Something worth telling.
#[derive(Debug)]
pub enum Event<'e> {
    /// A job has ended.
    Repository {
        /// `owner/name`.
        name: &'e str,
        /// How.
        outcome: &'e Outcome,
        /// Wall time.
        seconds: f64,
    },
    /// The database does not answer; the worker waits.
    StoreAway(String),
    /// A forge does not answer, or asks for a pause; the planner waits.
    ForgePause {
        /// Why.
        reason: String,
        /// For how long.
        seconds: u64,
    },
}

type Log = Box<dyn Fn(&Event<'_>) + Send + Sync>;

/// Counters of this process.
pub struct Metrics {
    scanned: AtomicU64,
    incomplete: AtomicU64,
    unchanged: AtomicU64,
    later: AtomicU64,
    failed: AtomicU64,
    lost: AtomicU64,
    objects: AtomicU64,
    bytes: AtomicU64,
    listed: AtomicU64,
    log: Log,
}

/// Jobs that this process has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended {
    /// Scanned or unchanged.
    pub done: u64,
    /// Given up.
    pub failed: u64,
    /// Put off.
    pub later: u64,
    /// Repositories listed.
    pub listed: u64,
}

impl Metrics {
    /// Counters at zero; each event goes to `log`, too.
    #[must_use]
    pub fn new(log: impl Fn(&Event<'_>) + Send + Sync + 'static) -> Self {
        let zero = AtomicU64::default;
        Self {
            scanned: zero(),
            incomplete: zero(),
            unchanged: zero(),
            later: zero(),
            failed: zero(),
            lost: zero(),
            objects: zero(),
            bytes: zero(),
            listed: zero(),
            log: Box::new(log),
        }
    }

    /// Counts and tells `event`.
    pub fn event(&self, event: &Event<'_>) {
        if let Event::Repository { outcome, .. } = event {
            let counter = match outcome {
                Outcome::Scanned {
                    complete,
                    objects,
                    bytes,
                    ..
                } => {
                    add(&self.objects, *objects);
                    add(&self.bytes, *bytes);
                    add(&self.incomplete, u64::from(!complete));
                    &self.scanned
                }
                Outcome::Unchanged => &self.unchanged,
                Outcome::Later(_) => &self.later,
                Outcome::Failed(_) => &self.failed,
                Outcome::Lost => &self.lost,
            };
            add(counter, 1);
        }
        (self.log)(event);
    }

    /// Counts listed repositories.
    pub fn listed(&self, more: u64) {
        add(&self.listed, more);
    }

    /// What has been done so far.
    #[must_use]
    pub fn ended(&self) -> Ended {
        Ended {
            done: get(&self.scanned) + get(&self.unchanged),
            failed: get(&self.failed),
            later: get(&self.later),
            listed: get(&self.listed),
        }
    }

    /// The counters in Prometheus' text format, version 0.0.4.
    #[must_use]
    pub fn prometheus(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "# TYPE straykey_sweep_repositories_total counter");
        for (state, counter) in [
            ("scanned", &self.scanned),
            ("unchanged", &self.unchanged),
            ("retried", &self.later),
            ("failed", &self.failed),
            ("lost", &self.lost),
        ] {
            let number = get(counter);
            let _ = writeln!(
                text,
                "straykey_sweep_repositories_total{{outcome=\"{state}\"}} {number}"
            );
        }
        for (name, counter) in [
            ("incomplete_scans", &self.incomplete),
            ("objects", &self.objects),
            ("bytes", &self.bytes),
            ("listed", &self.listed),
        ] {
            let number = get(counter);
            let _ = writeln!(text, "# TYPE straykey_sweep_{name}_total counter");
            let _ = writeln!(text, "straykey_sweep_{name}_total {number}");
        }
        text
    }

    /// Answers every request to `listener` with the counters, from a thread that ends with the
    /// process.
    ///
    /// # Errors
    /// Where the thread cannot be started.
    pub fn serve(self: &Arc<Self>, listener: TcpListener) -> io::Result<()> {
        let metrics = Arc::clone(self);
        let answer = move || {
            for stream in listener.incoming().flatten() {
                let _ = stream.set_read_timeout(Some(Duration::from_secs(2)));
                let _ = stream.set_write_timeout(Some(Duration::from_secs(2)));
                // Whoever does not take the answer has gone.
                let _ = reply(stream, &metrics.prometheus());
            }
        };
        std::thread::Builder::new()
            .name("metrics".to_owned())
            .spawn(answer)?;
        Ok(())
    }
}

fn reply(mut stream: std::net::TcpStream, text: &str) -> io::Result<()> {
    let mut request = [0; 1024];
    let _ = stream.read(&mut request)?;
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{text}"
    )
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Metrics").finish_non_exhaustive()
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
