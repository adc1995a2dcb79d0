//! One job: fetching, scanning what is new, writing down what was found.

use std::panic::{self, AssertUnwindSafe};
use std::time::SystemTime;

use super::{Fault, JobError, Worker};
use crate::finding::Finding;
use crate::history;
use crate::report::summary;
use crate::scan::Progress;
use crate::source::NotScanned;
use crate::source::git::{HashKind, Reference, Refs};
use crate::sweep::cache::{Mirror, Room};
use crate::sweep::git::GitError;
use crate::sweep::hosts::Permit;
use crate::sweep::known::Known;
use crate::sweep::lease::Hold;
use crate::sweep::metrics::Outcome;
use crate::sweep::scanner::{self, families, refs_digest};
use crate::sweep::store::{Job, LastScan, ScanResult, VerdictRow};

impl Worker<'_> {
    /// Carries `job` out, whatever happens there.
    pub(super) fn guarded(&self, job: &Job, hold: &Hold) -> Result<Outcome, JobError> {
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
        history::attribute(report, None, &repository, &store, detector, progress, &[]);
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
    ) -> Result<Vec<(String, VerdictRow)>, JobError> {
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
            let verdict = crate::sweep::report::verdict_row(&finding.verdict);
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
