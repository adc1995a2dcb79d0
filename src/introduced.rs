//! What a change brings, told from what it found: a credential that stood at the same path before
//! is reported, and does not block.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::detect::Detector;
use crate::finding::{Finding, Fingerprint, Occurrence};
use crate::location::Origin;
use crate::report::Report;
use crate::scan;
use crate::source::changes::Changes;
use crate::source::{Blob, Coverage, NotScanned, Sink};

/// The findings of a change, parted.
#[derive(Debug, Default)]
pub struct Introduced {
    /// What is new, with everything else that the scan had to say.
    pub report: Report,
    /// What was at the same path before, and still is.
    pub before: Vec<Finding>,
}

/// Parts the findings of `report`, a scan of `changes`. A credential counts as known at a path if
/// one of the versions that the change replaces has the same one, all of its parts; at a new path,
/// if something that the same change removes has it (a renamed file).
#[must_use]
pub fn introduced(report: Report, changes: &Changes, detector: &Detector) -> Introduced {
    let mut parting = Parting::new(detector);
    parting.add(report, changes);
    parting.parted()
}

/// What [`introduced`] does, of changes that come one after the other.
#[derive(Debug)]
pub struct Parting<'d> {
    detector: &'d Detector,
    report: Option<Report>,
    findings: HashMap<Fingerprint, Finding>,
    /// What stood where it was found before.
    old: HashSet<(Fingerprint, Origin)>,
}

impl<'d> Parting<'d> {
    /// Looks for what was there before with `detector`.
    #[must_use]
    pub fn new(detector: &'d Detector) -> Self {
        Self {
            detector,
            report: None,
            findings: HashMap::new(),
            old: HashSet::new(),
        }
    }

    /// Adds `report`, a scan of `changes`.
    pub fn add(&mut self, mut report: Report, changes: &Changes) {
        let mut known = Known {
            changes,
            detector: self.detector,
            by_origin: HashMap::new(),
            not_scanned: Vec::new(),
        };
        for finding in std::mem::take(&mut report.findings) {
            for Occurrence { origin, .. } in &finding.occurrences {
                if known.has(origin, finding.fingerprint) {
                    self.old.insert((finding.fingerprint, origin.clone()));
                }
            }
            scan::merge(&mut self.findings, finding);
        }
        report.not_scanned.append(&mut known.not_scanned);
        if let Some(mut earlier) = self.report.take() {
            report.not_scanned.append(&mut earlier.not_scanned);
        }
        report.not_scanned.sort();
        report.not_scanned.dedup();
        self.report = Some(report);
    }

    /// The findings, parted. Its totals are those of the last report.
    #[must_use]
    pub fn parted(self) -> Introduced {
        let mut parted = Introduced {
            report: self.report.unwrap_or_default(),
            before: Vec::new(),
        };
        for finding in scan::sorted(self.findings) {
            let (old, mut new): (Vec<Occurrence>, Vec<Occurrence>) =
                finding.occurrences.iter().cloned().partition(|it| {
                    let place = (finding.fingerprint, it.origin.clone());
                    self.old.contains(&place)
                });
            if !old.is_empty() && new.is_empty() {
                parted.before.push(finding);
            } else {
                new.extend(uncovered(old, &new));
                new.sort();
                parted.report.findings.push(Finding {
                    occurrences: new,
                    ..finding
                });
            }
        }
        parted
    }
}

/// Of the places that were there before, versions of a path at which the same change brings the
/// credential, with a comment that allows it, which they have not: a commit that takes the comment
/// out again must not hide behind the one that brought it.
fn uncovered(old: Vec<Occurrence>, new: &[Occurrence]) -> Vec<Occurrence> {
    let allowed: HashSet<&Path> = new
        .iter()
        .filter(|it| it.allow.is_some())
        .filter_map(|it| path_in_commit(&it.origin))
        .collect();
    let is_open = |it: &Occurrence| {
        let path = path_in_commit(&it.origin);
        it.allow.is_none() && path.is_some_and(|path| allowed.contains(path))
    };
    old.into_iter().filter(is_open).collect()
}

fn path_in_commit(origin: &Origin) -> Option<&Path> {
    match origin {
        Origin::Commit { path, .. } => Some(path),
        _ => None,
    }
}

/// Which credentials the versions before hold, looked up once an origin.
struct Known<'k> {
    changes: &'k Changes,
    detector: &'k Detector,
    by_origin: HashMap<Origin, HashSet<Fingerprint>>,
    not_scanned: Vec<NotScanned>,
}

impl Known<'_> {
    fn has(&mut self, origin: &Origin, fingerprint: Fingerprint) -> bool {
        if let Some(known) = self.by_origin.get(origin) {
            return known.contains(&fingerprint);
        }
        let sink = Fingerprints {
            detector: self.detector,
            found: Mutex::default(),
            not_scanned: Mutex::default(),
        };
        self.changes.hand_before(origin, &sink);
        let take = |error: PoisonError<Vec<NotScanned>>| error.into_inner();
        let unread = sink.not_scanned.into_inner().unwrap_or_else(take);
        // A version that cannot be read excuses nothing; the change itself is scanned all the same.
        self.not_scanned
            .extend(unread.into_iter().map(|entry| NotScanned {
                reason: format!(
                    "the version before, so all in it counts as new: {}",
                    entry.reason
                ),
                incomplete: false,
                ..entry
            }));
        let found = sink
            .found
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let known = found.contains(&fingerprint);
        self.by_origin.insert(origin.clone(), found);
        known
    }
}

struct Fingerprints<'d> {
    detector: &'d Detector,
    found: Mutex<HashSet<Fingerprint>>,
    not_scanned: Mutex<Vec<NotScanned>>,
}

impl Sink for Fingerprints<'_> {
    fn blob(&self, blob: &Blob<'_>) {
        let findings = self.detector.scan(blob);
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.extend(findings.iter().map(|finding| finding.fingerprint));
    }

    fn not_scanned(&self, entry: NotScanned) {
        let mut list = self
            .not_scanned
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        list.push(entry);
    }

    fn covered(&self, _more: Coverage) {}
}
