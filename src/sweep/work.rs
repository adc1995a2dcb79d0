//! Working jobs off: taking one, carrying it out, and what its end means.

mod carry_out;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant};

use super::cache::Cache;
use super::git::Git;
use super::hosts::Hosts;
use super::identity::OrganizationKey;
use super::lease::{Hold, Keeper};
use super::metrics::{Event, Metrics, Outcome};
use super::patience::Patience;
use super::scanner::Rules;
use super::store::{Job, Store, StoreError};
use crate::finding::Finding;
use crate::scan::Progress;

/// What a worker needs to know.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Names this worker in the store: unique to each start of each worker.
    pub name: String,
    /// How long a job is held without a sign of life.
    pub lease: Duration,
    /// Tries, until a repository is given up.
    pub attempts: u64,
    /// Longest time for one repository.
    pub time_limit: Duration,
    /// Most bytes on disk for one repository.
    pub disk_limit: Option<u64>,
    /// Pause before the second try, doubled for each one after it.
    pub pause: Duration,
    /// How long the database may be away, and how long a host that is not reached counts for no
    /// attempt.
    pub patience: Duration,
    /// Whether to go on waiting for jobs when there are none left.
    pub wait: bool,
}

/// Asks AWS about findings, and writes the verdicts into them.
pub trait Ask: Sync {
    /// Asks about `findings`.
    fn ask(&self, findings: &mut [Finding], progress: &Progress);
}

/// A worker and its tools.
pub struct Worker<'w> {
    /// Jobs and results.
    pub store: &'w Store,
    /// What to look for.
    pub rules: &'w Rules,
    /// Makes identities.
    pub key: &'w OrganizationKey,
    /// Fetches.
    pub git: &'w Git,
    /// Where to.
    pub cache: &'w Cache,
    /// Limits on requests, by host.
    pub hosts: &'w Hosts,
    /// Who asks AWS, if anybody.
    pub ask: Option<&'w dyn Ask>,
    /// What is counted.
    pub metrics: &'w Metrics,
    /// Whether to end after the present job.
    pub stop: &'w AtomicBool,
    /// Whether jobs are still being added by this process.
    pub planning: &'w AtomicBool,
    /// Held by the jobs of this process, by one that may be what kills it alone.
    pub turn: &'w RwLock<()>,
    /// Limits and names.
    pub settings: Settings,
}

/// Why a job did not come to its end.
#[derive(Debug)]
enum JobError {
    /// May be done later.
    Passing { reason: String, whose: Fault },
    /// Will never be done.
    Final(String),
    /// No token is left for its host: this process can do nothing there.
    NoToken(String),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What is to blame for what may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// The repository, as far as is known.
    Repository,
    /// A limit of its host's.
    Limit,
    /// Its host was not reached.
    Away,
}

/// What a worker did last.
enum Did {
    Work,
    Nothing,
    HandBack,
}

/// From this attempt on a job whose workers have died is carried out alone.
const DEADLY: u64 = 3;

/// Why a worker ended before its work did.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No token is left for a host. The job was put back; others may have a token.
    #[error("{0}")]
    NoToken(String),
}

/// How long a worker sleeps where there is nothing to take.
const NAP: Duration = Duration::from_millis(200);

/// Longest pause before something is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(1800);

impl Worker<'_> {
    /// Works until there is no job left, or until it is told to stop.
    ///
    /// # Errors
    /// Where the store fails for longer than the settings' patience, or no token is left.
    pub fn run(&self) -> Result<(), WorkError> {
        while !self.is_stopped() {
            match self.beside_others()? {
                Did::Work => {}
                Did::Nothing if self.is_over()? => break,
                Did::Nothing => thread::sleep(NAP),
                Did::HandBack => self.alone()?,
            }
        }
        Ok(())
    }

    /// Takes a job and works it off, unless it may be what killed the workers before this one:
    /// those beside it would be taken down with it each time, and be given up with it.
    fn beside_others(&self) -> Result<Did, WorkError> {
        let _turn = self.turn.read().unwrap_or_else(PoisonError::into_inner);
        let Some(job) = self.take()? else {
            return Ok(Did::Nothing);
        };
        if job.abandoned && job.attempt >= DEADLY.min(self.settings.attempts) {
            self.patiently(|| self.store.hand_back(&job))?;
            return Ok(Did::HandBack);
        }
        self.work(&job)?;
        Ok(Did::Work)
    }

    /// Works off the next job, and nothing else is done in this process meanwhile.
    fn alone(&self) -> Result<(), WorkError> {
        let _turn = self.turn.write().unwrap_or_else(PoisonError::into_inner);
        match self.take()? {
            Some(job) => self.work(&job),
            None => Ok(()),
        }
    }

    fn take(&self) -> Result<Option<Job>, StoreError> {
        let settings = &self.settings;
        self.patiently(|| {
            self.store
                .take(&settings.name, settings.lease, settings.attempts)
        })
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether nothing is left to be done, by whomever: a job that another worker holds may come
    /// back.
    fn is_over(&self) -> Result<bool, StoreError> {
        if self.settings.wait || self.planning.load(Ordering::Acquire) {
            return Ok(false);
        }
        Ok(self.patiently(|| self.store.jobs())?.left() == 0)
    }

    /// Repeats what fails because the database is away.
    fn patiently<T>(&self, call: impl Fn() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let patience = Patience {
            longest: self.settings.patience,
            stop: self.stop,
            metrics: self.metrics,
        };
        patience.call(call)
    }

    fn work(&self, job: &Job) -> Result<(), WorkError> {
        let start = Instant::now();
        let hold = Hold::default();
        let result = thread::scope(|scope| {
            let _keeper = Keeper::start(scope, self, job, &hold);
            self.guarded(job, &hold)
        });
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(_) if hold.lost.load(Ordering::Relaxed) => Outcome::Lost,
            Err(_) if self.is_stopped() => {
                self.patiently(|| self.store.put_back(job))?;
                return Ok(());
            }
            Err(JobError::Store(error)) => return Err(error.into()),
            Err(JobError::NoToken(reason)) => {
                self.patiently(|| self.store.put_back(job))?;
                return Err(WorkError::NoToken(reason));
            }
            Err(JobError::Final(reason)) => {
                self.patiently(|| self.store.fail(job, &reason))?;
                Outcome::Failed(reason)
            }
            Err(JobError::Passing { reason, whose }) => self.after(job, reason, whose)?,
        };
        self.metrics.event(&Event::Repository {
            name: &job.repository.name,
            outcome: &outcome,
            seconds: start.elapsed().as_secs_f64(),
        });
        Ok(())
    }

    /// Gives a job back, or up where it was tried often enough.
    fn after(&self, job: &Job, reason: String, whose: Fault) -> Result<Outcome, StoreError> {
        let host = job.repository.host();
        if whose == Fault::Away && self.hosts.is_shortly_away(host, self.settings.patience) {
            let pause = self.settings.pause.min(LONGEST_PAUSE);
            self.hosts.pause(host, pause);
            self.patiently(|| self.store.retry_later(job, &reason, pause, false))?;
            return Ok(Outcome::Later(reason));
        }
        // A limit is no fault of the repository's.
        let limited = whose == Fault::Limit;
        let most = match limited {
            true => self.settings.attempts.saturating_mul(4),
            false => self.settings.attempts,
        };
        if job.attempt >= most {
            self.patiently(|| self.store.fail(job, &reason))?;
            return Ok(Outcome::Failed(reason));
        }
        let exponent = u32::try_from(job.attempt.saturating_sub(1))
            .unwrap_or(16)
            .min(16);
        let mut pause = self.settings.pause.saturating_mul(1 << exponent);
        if limited {
            pause = pause.max(Duration::from_secs(60));
            self.hosts.pause(host, pause);
        }
        let pause = pause.min(LONGEST_PAUSE);
        self.patiently(|| self.store.retry_later(job, &reason, pause, true))?;
        Ok(Outcome::Later(reason))
    }
}
