//! Conditions of rules and allowlists on paths and commits, looked at once these are known.
//!
//! An object is scanned without them: it may stand at any path. Where a rule or an allowlist asks for
//! more, the object is scanned again as each of the paths at which it stands, in the first commit
//! that has it there; what is not found then does not stand there.

use std::collections::{HashMap, HashSet};

use super::attribution::Attribution;
use super::hits::{HitId, Subject};
use super::occurrences::{number, paths};
use crate::detect::Detector;
use crate::finding::{Finding, Fingerprint};
use crate::location::Origin;
use crate::scan::{self, Progress};
use crate::source::git::{Kind, ObjectStore};
use crate::source::{Blob, ObjectAt};

/// Places at which conditions leave a finding out: the finding, what it stands in, the path.
pub(super) type Excluded = HashSet<(Fingerprint, HitId, Vec<u8>)>;

/// What is found in something as one of its paths; `None` where it cannot be read.
type Found = Option<HashSet<Fingerprint>>;

/// Takes the objects that no condition lets count at any path out of `findings`, and notes the other
/// places that do not count. A finding may be left without any occurrence.
pub(super) fn apply(
    attribution: &mut Attribution<'_>,
    store: &ObjectStore,
    findings: &mut [Finding],
    detector: &Detector,
) {
    let mut known: HashMap<(HitId, Origin), Found> = HashMap::new();
    for (index, finding) in findings.iter_mut().enumerate() {
        if !detector.depends_on_place(finding) {
            continue;
        }
        let numbers = finding.occurrences.iter();
        let hits: HashSet<HitId> = numbers.filter_map(|it| number(attribution, it)).collect();
        let mut lost = HashSet::new();
        for hit in hits {
            let subject = attribution.hits.all[hit as usize].0.clone();
            let places = paths(attribution, hit, matches!(subject, Subject::Name(_)));
            let mut counts = places.is_empty();
            for (path, place) in places {
                let key = (hit, place.origin);
                let found = known
                    .entry(key)
                    .or_insert_with_key(|(_, origin)| found(&subject, store, origin, detector));
                let is_there = |found: &HashSet<_>| found.contains(&finding.fingerprint);
                match found.as_ref().is_none_or(is_there) {
                    true => counts = true,
                    false => drop(
                        attribution
                            .excluded
                            .insert((finding.fingerprint, hit, path)),
                    ),
                }
            }
            if !counts {
                lost.insert(hit);
                attribution.hits.remove(hit, index);
            }
        }
        let is_lost = |it: &HitId| lost.contains(it);
        finding
            .occurrences
            .retain(|it| !number(attribution, it).as_ref().is_some_and(is_lost));
    }
}

/// What is found in `subject` as `origin`.
fn found(subject: &Subject, store: &ObjectStore, origin: &Origin, detector: &Detector) -> Found {
    let findings = match subject {
        Subject::Name(name) => detector.scan(&Blob::whole(origin, name)),
        Subject::Object(Kind::Blob, id) => {
            let source = ObjectAt::new(store, *id, origin);
            let report = scan::run(&source, detector, &Progress::default());
            if !report.complete() {
                return None;
            }
            report.findings
        }
        Subject::Object(..) => return None,
    };
    Some(findings.iter().map(|it| it.fingerprint).collect())
}
