//! One scan: source, detector, report. The one place that sees them all.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime};

use crate::detect::Detector;
use crate::finding::{Finding, Fingerprint};
use crate::report::{Extent, Report};
use crate::source::{Blob, Coverage, NotScanned, Sink, Source};
use crate::verify::plan::Scope;
use crate::verify::run::{Control, Limits, verify_all};
use crate::verify::{Verifier, effect};

/// Totals that a progress display may read while a scan runs, and the switch that stops it.
#[derive(Debug, Default)]
pub struct Progress {
    files: AtomicU64,
    bytes: AtomicU64,
    git_ignored: AtomicU64,
    stop: AtomicBool,
    verified: AtomicU64,
    to_verify: AtomicU64,
    to_place: AtomicU64,
    extent: Mutex<Extent>,
}

impl Progress {
    /// What is scanned.
    #[must_use]
    pub fn extent(&self) -> Extent {
        *lock(&self.extent)
    }

    /// Says what is scanned.
    pub fn set_extent(&self, extent: Extent) {
        *lock(&self.extent) = extent;
    }

    /// What has been read so far.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        Coverage {
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            git_ignored: self.git_ignored.load(Ordering::Relaxed),
        }
    }

    /// Access key IDs that have been asked about, and how many are to be; zeros until
    /// verification begins.
    #[must_use]
    pub fn verified(&self) -> (u64, u64) {
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        (count(&self.verified), count(&self.to_verify))
    }

    /// Findings of which it is being found out where in history they are; zero at other times.
    #[must_use]
    pub fn to_place(&self) -> u64 {
        self.to_place.load(Ordering::Relaxed)
    }

    /// Says that this is being found out for so many findings; with zero, that it is done.
    pub(crate) fn attribute(&self, findings: u64) {
        self.to_place.store(findings, Ordering::Relaxed);
    }

    /// Whether somebody has asked to end early.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Asks the scan to end early; its report says that it was interrupted.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Reads `source` to its end, detects, and gathers one finding a credential.
pub fn run(source: &dyn Source, detector: &Detector, progress: &Progress) -> Report {
    let started = Instant::now();
    let collector = Collector {
        detector,
        progress,
        findings: Mutex::default(),
        not_scanned: Mutex::default(),
    };
    source.read(&collector);
    let findings = sorted(take(&collector.findings));
    let mut not_scanned = take(&collector.not_scanned);
    not_scanned.sort();
    Report {
        findings,
        not_scanned,
        coverage: progress.coverage(),
        extent: progress.extent(),
        seconds: started.elapsed().as_secs_f64(),
        interrupted: progress.is_stopped(),
        verified_at: None,
        scanned_at: now(),
        repository: None,
        unused_entries: Vec::new(),
    }
}

/// Asks about the findings of `report` and writes the verdicts into it, with what they do to
/// severities and order. After an interrupt nothing more is asked.
pub fn verify(
    report: &mut Report,
    scope: &Scope,
    limits: &Limits,
    verifier: &dyn Verifier,
    progress: &Progress,
) {
    if progress.is_stopped() {
        return;
    }
    report.verified_at = now();
    let control = Control {
        progress: &|done, all| {
            progress.verified.store(done as u64, Ordering::Relaxed);
            progress.to_verify.store(all as u64, Ordering::Relaxed);
        },
        stopped: &|| progress.is_stopped(),
    };
    let verdicts = verify_all(&report.findings, scope, limits, verifier, control);
    effect::apply(&mut report.findings, verdicts);
    report.interrupted = progress.is_stopped();
}

/// Seconds since 1970; `None` where the clock is before that.
fn now() -> Option<u64> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.ok().map(|time| time.as_secs())
}

struct Collector<'d> {
    detector: &'d Detector,
    progress: &'d Progress,
    findings: Mutex<HashMap<Fingerprint, Finding>>,
    not_scanned: Mutex<Vec<NotScanned>>,
}

impl Collector<'_> {
    fn keep(&self, found: Vec<Finding>) {
        if found.is_empty() {
            return;
        }
        let mut findings = lock(&self.findings);
        for finding in found {
            merge(&mut findings, finding);
        }
    }
}

impl Sink for Collector<'_> {
    fn blob(&self, blob: &Blob<'_>) {
        self.keep(self.detector.scan(blob));
    }

    fn object(&self, blob: &Blob<'_>, changed: Option<&[Range<usize>]>) -> bool {
        let (found, noticed) = self.detector.scan_version(blob, changed);
        self.keep(found);
        noticed
    }

    fn notices(&self, bytes: &[u8], changed: Option<&[Range<usize>]>) -> bool {
        self.detector.notices(bytes, changed)
    }

    fn not_scanned(&self, entry: NotScanned) {
        lock(&self.not_scanned).push(entry);
    }

    fn covered(&self, more: Coverage) {
        self.progress.files.fetch_add(more.files, Ordering::Relaxed);
        self.progress.bytes.fetch_add(more.bytes, Ordering::Relaxed);
        self.progress
            .git_ignored
            .fetch_add(more.git_ignored, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        self.progress.is_stopped()
    }
}

/// The findings in the order of a report.
pub(crate) fn sorted(findings: HashMap<Fingerprint, Finding>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = findings.into_values().collect();
    for finding in &mut findings {
        finding.occurrences.sort();
        finding.occurrences.dedup();
    }
    findings.sort_by(|a, b| {
        (&a.occurrences, &a.rule, a.fingerprint).cmp(&(&b.occurrences, &b.rule, b.fingerprint))
    });
    findings
}

/// Adds `finding` to the one of the same fingerprint. The worse severity wins: the same key may
/// stand in a harmless place and in a harmful one. What else differs is taken from the one with
/// the first place, so that it does not depend on which thread was first.
pub(crate) fn merge(findings: &mut HashMap<Fingerprint, Finding>, mut finding: Finding) {
    match findings.entry(finding.fingerprint) {
        std::collections::hash_map::Entry::Vacant(slot) => {
            slot.insert(finding);
        }
        std::collections::hash_map::Entry::Occupied(mut slot) => {
            let known = slot.get_mut();
            if finding.occurrences.first() < known.occurrences.first() {
                std::mem::swap(known, &mut finding);
            }
            known.severity = known.severity.max(finding.severity);
            known.confidence = known.confidence.max(finding.confidence);
            known.occurrences.append(&mut finding.occurrences);
            known.credential.join(finding.credential);
        }
    }
}

/// A poisoned lock only says that another thread panicked; the data is still a list of findings,
/// and losing it would be worse.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn take<T: Default>(mutex: &Mutex<T>) -> T {
    std::mem::take(&mut *lock(mutex))
}
