//! Working jobs off: taking one, fetching, scanning what is new, writing down what was found.

use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::cache::{Cache, Mirror, Room};
use super::git::{Git, GitError};
use super::hosts::{Hosts, Permit};
use super::identity::OrganizationKey;
use super::known::Known;
use super::lease::{Hold, Keeper};
use super::metrics::{Event, Metrics, Outcome};
use super::patience::Patience;
use super::scanner::{self, Rules, families, refs_digest};
use super::store::{Job, LastScan, ScanResult, Store, StoreError};
use crate::finding::Finding;
use crate::history;
use crate::report::summary;
use crate::scan::Progress;
use crate::source::NotScanned;
use crate::source::git::{HashKind, Reference, Refs};

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

    /// Carries `job` out, whatever happens there.
    fn guarded(&self, job: &Job, hold: &Hold) -> Result<Outcome, JobError> {
        let carry_out = AssertUnwindSafe(|| self.carry_out(job, &hold.progress));
        // What the panic says may quote the repository; where it was is told on standard error.
        let defect = |_| {
            Err(JobError::Passing {
                reason: "a defect in straykey ended its scan".to_owned(),
                whose: Fault::Repository,
            })
        };
        panic::catch_unwind(carry_out).unwrap_or_else(defect)
    }

    fn carry_out(&self, job: &Job, progress: &Progress) -> Result<Outcome, JobError> {
        match job.repository.local_path() {
            Some(path) => {
                let (repository, _) = scanner::open(path).map_err(JobError::Final)?;
                let refs = Refs::read(&repository);
                self.scan(job, path, &refs, Vec::new(), progress)
            }
            None => self.remote(job, progress),
        }
    }

    fn remote(&self, job: &Job, progress: &Progress) -> Result<Outcome, JobError> {
        let stopped = || progress.is_stopped() || self.is_stopped();
        let url = &job.repository.url;
        let host = job.repository.host();
        let permit = self.hosts.enter(host, &stopped);
        let refs = self.git.list_refs(url, &stopped);
        if !refs.as_ref().is_err_and(|error| error.away) {
            self.hosts.reached(host);
        }
        let refs = refs.map_err(|error| self.refused(error))?;
        if let Some(outcome) = self.unchanged(job, &refs)? {
            return Ok(outcome);
        }
        let mirror = self.cache.mirror(&self.mirrored(url)).map_err(passing)?;
        if job.attempt > 1 {
            // What is there may be why the attempt before failed.
            mirror.clear().map_err(passing)?;
        }
        let result = self.fetch_and_scan(job, &refs, &mirror, progress, permit);
        self.cache.give_back(mirror).map_err(passing)?;
        result
    }

    /// What names the mirror of `url`: what was left out of one is not fetched into it later.
    fn mirrored(&self, url: &str) -> String {
        match self.git.blob_limit {
            Some(limit) => format!("{url} without blobs above {limit}"),
            None => url.to_owned(),
        }
    }

    fn fetch_and_scan(
        &self,
        job: &Job,
        refs: &[Reference],
        mirror: &Mirror,
        progress: &Progress,
        permit: Permit<'_>,
    ) -> Result<Outcome, JobError> {
        let room = Room::new(mirror.path(), self.settings.disk_limit);
        let stopped = || progress.is_stopped() || self.is_stopped() || room.is_over();
        let format = match refs.first().map(|reference| reference.target.hash()) {
            Some(HashKind::Sha256) => "sha256",
            _ => "sha1",
        };
        let fetched = self
            .git
            .fetch(&job.repository.url, mirror.path(), format, &stopped);
        if let Some(limit) = room.passed() {
            mirror.clear().map_err(passing)?;
            let reason = format!("takes more than {limit} bytes on disk (--disk-limit)");
            return Err(JobError::Final(reason));
        }
        fetched.map_err(|error| self.refused(error))?;
        drop(permit);
        let (repository, _) = scanner::open(mirror.path()).map_err(|reason| JobError::Passing {
            reason,
            whose: Fault::Repository,
        })?;
        // What was fetched, which may be more than what was listed before.
        let mut refs = Refs::read(&repository);
        refs.all
            .retain(|reference| reference.name.starts_with("refs/"));
        let mut left_out = Vec::new();
        if let Some(limit) = self.git.blob_limit {
            let missing = self.git.missing(mirror.path(), &stopped);
            match missing.map_err(|error| self.refused(error))? {
                0 => {}
                number => left_out.push(NotScanned {
                    path: summary::count(number, "blob"),
                    reason: format!("larger than {limit} bytes (--blob-limit)"),
                    incomplete: false,
                }),
            }
        }
        self.scan(job, mirror.path(), &refs, left_out, progress)
    }

    /// What a complaint of git's means for the job.
    fn refused(&self, error: GitError) -> JobError {
        if error.disk_full {
            // If that fails, too, the next attempt will tell.
            let _ = self.cache.clear();
        }
        match error.passing {
            true => JobError::Passing {
                whose: match (error.limited, error.away) {
                    (true, _) => Fault::Limit,
                    (false, true) => Fault::Away,
                    (false, false) => Fault::Repository,
                },
                reason: error.reason,
            },
            false if error.no_token => JobError::NoToken(error.reason),
            false => JobError::Final(error.reason),
        }
    }

    /// Ends the job where nothing has happened since the last scan.
    fn unchanged(&self, job: &Job, refs: &[Reference]) -> Result<Option<Outcome>, JobError> {
        let version = &self.rules.version;
        let last = self.patiently(|| self.store.last_scan(job.repository_id, version))?;
        match last {
            Some(scan) if scan.complete && scan.refs_digest == refs_digest(refs) => {
                self.confirm(job, &scan).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn confirm(&self, job: &Job, scan: &LastScan) -> Result<Outcome, JobError> {
        match self.patiently(|| self.store.confirm(job, scan))? {
            true => Ok(Outcome::Unchanged),
            false => Ok(Outcome::Lost),
        }
    }

    /// Scans what is new in the repository at `path`.
    fn scan(
        &self,
        job: &Job,
        path: &std::path::Path,
        refs: &Refs,
        left_out: Vec<NotScanned>,
        progress: &Progress,
    ) -> Result<Outcome, JobError> {
        if let Some(outcome) = self.unchanged(job, &refs.all)? {
            return Ok(outcome);
        }
        let started = now();
        let (repository, store) = scanner::open(path).map_err(JobError::Final)?;
        let families = families(&store, progress);
        let version = &self.rules.version;
        let runs = self.patiently(|| self.store.seen(job.repository_id, version, &families))?;
        let known = Known::of(&runs, repository.hash().length());
        drop(runs);
        let mut scanned = scanner::scan(&store, &known, &self.rules.detector, progress);
        if progress.is_stopped() || self.is_stopped() {
            return Err(self.out_of_time());
        }
        let detector = &self.rules.detector;
        let report = &mut scanned.report;
        history::attribute(report, &repository, &store, detector, progress, &[]);
        if progress.is_stopped() || self.is_stopped() {
            return Err(self.out_of_time());
        }
        let mut not_scanned = std::mem::take(&mut scanned.report.not_scanned);
        if left_out.is_empty() {
            not_scanned.extend(history::missing(&repository, true, progress));
        }
        not_scanned.extend(left_out);
        not_scanned.extend(refs.problems.iter().map(|problem| NotScanned {
            path: problem.what.clone(),
            reason: problem.reason.clone(),
            incomplete: true,
        }));
        let verified = self.verify(&mut scanned.report.findings, progress)?;
        let mut secrets = scanner::swept(&scanned.report.findings, self.key);
        for secret in &mut secrets {
            secret.verdict = verified
                .iter()
                .find(|it| it.0 == secret.identity)
                .map(|it| it.1.clone());
        }
        let result = ScanResult {
            rule_set: self.rules.version.clone(),
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            refs_digest: refs_digest(&refs.all),
            refs: refs.all.clone(),
            started,
            objects: scanned.report.coverage.files,
            bytes: scanned.report.coverage.bytes,
            known_objects: known.len() as u64,
            not_scanned,
            secrets,
            seen: scanner::seen(scanned.clean, families),
        };
        if !self.patiently(|| self.store.complete(job, &result))? {
            return Ok(Outcome::Lost);
        }
        Ok(Outcome::Scanned {
            complete: result.is_complete(),
            objects: result.objects,
            bytes: result.bytes,
            secrets: result.secrets.len() as u64,
        })
    }

    fn out_of_time(&self) -> JobError {
        let limit = self.settings.time_limit.as_secs();
        JobError::Passing {
            reason: format!("took longer than {limit} s"),
            whose: Fault::Repository,
        }
    }

    /// Asks about findings that nobody has asked about, and returns identities and verdicts.
    fn verify(
        &self,
        findings: &mut [Finding],
        progress: &Progress,
    ) -> Result<Vec<(String, super::store::VerdictRow)>, JobError> {
        let Some(ask) = self.ask else {
            return Ok(Vec::new());
        };
        let mut mine: Vec<Finding> = Vec::new();
        for finding in findings.iter() {
            let identity = self.key.identity(finding.fingerprint);
            let claim = || {
                self.store
                    .claim_verification(&identity, &self.settings.name)
            };
            if self.patiently(claim)? {
                mine.push(finding.clone());
            }
        }
        ask.ask(&mut mine, progress);
        let row = |finding: &Finding| {
            let verdict = super::report::verdict_row(&finding.verdict);
            verdict.map(|verdict| (self.key.identity(finding.fingerprint), verdict))
        };
        Ok(mine.iter().filter_map(row).collect())
    }
}

fn passing(error: std::io::Error) -> JobError {
    JobError::Passing {
        reason: error.to_string(),
        whose: Fault::Repository,
    }
}

fn now() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(0, |time| time.as_secs())
}
