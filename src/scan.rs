//! One scan: source, detector, report. The one place that sees them all.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::detect::Detector;
use crate::finding::{Finding, Fingerprint};
use crate::report::Report;
use crate::source::{Blob, Coverage, NotScanned, Sink, Source};

/// Totals that a progress display may read while a scan runs, and the switch that stops it.
#[derive(Debug, Default)]
pub struct Progress {
    files: AtomicU64,
    bytes: AtomicU64,
    git_ignored: AtomicU64,
    stop: AtomicBool,
}

impl Progress {
    /// What has been read so far.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        Coverage {
            files: self.files.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
            git_ignored: self.git_ignored.load(Ordering::Relaxed),
        }
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
    let mut findings: Vec<Finding> = take(&collector.findings).into_values().collect();
    for finding in &mut findings {
        finding.occurrences.sort();
        finding.occurrences.dedup();
    }
    findings.sort_by(|a, b| {
        (&a.occurrences, &a.rule, a.fingerprint).cmp(&(&b.occurrences, &b.rule, b.fingerprint))
    });
    let mut not_scanned = take(&collector.not_scanned);
    not_scanned.sort();
    Report {
        findings,
        not_scanned,
        coverage: progress.coverage(),
        seconds: started.elapsed().as_secs_f64(),
        interrupted: progress.stop.load(Ordering::Relaxed),
    }
}

struct Collector<'d> {
    detector: &'d Detector,
    progress: &'d Progress,
    findings: Mutex<HashMap<Fingerprint, Finding>>,
    not_scanned: Mutex<Vec<NotScanned>>,
}

impl Sink for Collector<'_> {
    fn blob(&self, blob: &Blob<'_>) {
        let found = self.detector.scan(blob);
        if found.is_empty() {
            return;
        }
        let mut findings = lock(&self.findings);
        for finding in found {
            merge(&mut findings, finding);
        }
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
        self.progress.stop.load(Ordering::Relaxed)
    }
}

/// Adds `finding` to the one of the same fingerprint. The worse severity wins: the same key may
/// stand in a harmless place and in a harmful one.
fn merge(findings: &mut HashMap<Fingerprint, Finding>, mut finding: Finding) {
    match findings.entry(finding.fingerprint) {
        std::collections::hash_map::Entry::Vacant(slot) => {
            slot.insert(finding);
        }
        std::collections::hash_map::Entry::Occupied(mut slot) => {
            let known = slot.get_mut();
            known.severity = known.severity.max(finding.severity);
            known.confidence = known.confidence.max(finding.confidence);
            known.occurrences.append(&mut finding.occurrences);
            known
                .credential
                .partition_hints
                .append(&mut finding.credential.partition_hints);
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
