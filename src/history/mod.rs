//! A repository's whole history: what it holds, and since when.
//!
//! [`scan()`] reads every object, reachable or not, and the names of files; [`attribute`] tells of
//! what was found where in history it is.

mod absent;
mod attribution;
mod conditions;
mod cut;
mod difference;
mod entries;
mod graph;
mod hits;
mod holding;
mod names;
mod occurrences;
mod order;
mod partial;
mod places;
mod record;
mod sets;
mod state;
mod submodules;
mod tips;
mod token;

use std::path::PathBuf;

use record::Recorder;
use token::Tokens;

use crate::detect::Detector;
use crate::finding::Finding;
use crate::location::Origin;
use crate::report::Report;
use crate::scan::{self, Progress};
use crate::source::git::{Kind, NotRead, ObjectId, ObjectRef, ObjectStore, Repository, Selection};
use crate::source::{NotScanned, Objects};

pub use cut::{lacking, missing};
pub use hits::Subject;
pub use names::Names;
pub use record::Record;
pub use state::State;
pub use submodules::Submodules;

/// Scans the objects of `store`, that of `repository`, for `detector`: blobs, commits, tags, and the names in trees. With
/// `full_scan` nothing is left out because it was seen in another version; the findings are the
/// same. With the report comes what was noted for [`attribute`].
pub fn scan(
    repository: &Repository,
    store: &ObjectStore,
    full_scan: bool,
    detector: &Detector,
    progress: &Progress,
) -> (Report, Record) {
    let scanned = scan_what_is_new(repository, store, None, full_scan, detector, progress);
    (scanned.report, scanned.record)
}

/// As [`scan()`], without what `known` has read already with the rules of the digest `rules`. What
/// was found then is found again. Gives the state that the next run may start from, unless
/// something could not be read.
pub fn scan_after(
    repository: &Repository,
    store: &ObjectStore,
    known: Option<&State>,
    rules: &str,
    full_scan: bool,
    detector: &Detector,
    progress: &Progress,
) -> (Report, Record, Option<State>) {
    // Listed first: what arrives meanwhile may be missed, and must not count as read.
    let mut next = State::now(store, rules);
    let scanned = scan_what_is_new(repository, store, known, full_scan, detector, progress);
    next.note(&scanned.report.findings, scanned.trees);
    let complete = scanned.report.complete();
    (scanned.report, scanned.record, complete.then_some(next))
}

struct Scanned {
    report: Report,
    record: Record,
    /// The trees with names in which something was found.
    trees: Vec<ObjectId>,
}

fn scan_what_is_new(
    repository: &Repository,
    store: &ObjectStore,
    known: Option<&State>,
    full_scan: bool,
    detector: &Detector,
    progress: &Progress,
) -> Scanned {
    let packs = known.map(State::packs).unwrap_or_default();
    let knows = |id: &ObjectId| known.is_some_and(|known| known.knows(id));
    let mut selection = Selection::of(&[Kind::Blob, Kind::Commit, Kind::Tag, Kind::Tree]);
    if known.is_some() {
        selection = selection.without(&knows).without_packs(&packs);
    }
    let names = Names::new(store, detector);
    let is_found = |name: &[u8]| names.holds(name);
    let recorder = Recorder::new(store, Tokens::new(), &is_found);
    let watch = |object: &ObjectRef<'_>| {
        if object.kind == Kind::Tree {
            names.tree(object);
        }
        recorder.see(object);
    };
    let objects = Objects::new(store)
        .selecting(selection)
        .full_scan(full_scan)
        .watched_by(&watch);
    let mut report = scan::run(&objects, detector, progress);
    let record = recorder.finish(known.is_none());
    let found = names.found();
    let mut findings = std::mem::take(&mut report.findings)
        .into_iter()
        .map(|finding| (finding.fingerprint, finding))
        .collect();
    for finding in found.findings.into_values() {
        scan::merge(&mut findings, finding);
    }
    report.findings = scan::sorted(findings);
    report.not_scanned.extend(path_rules(detector));
    let lacking = absent::lacking(&record, repository, store);
    report.not_scanned.extend(lacking);
    report.not_scanned.sort();
    report.not_scanned.dedup();
    Scanned {
        report,
        record,
        trees: found.trees,
    }
}

/// Says that rules which look at paths alone were not asked: paths are looked for only where something
/// was found.
fn path_rules(detector: &Detector) -> Option<NotScanned> {
    let rules = detector.path_rules();
    (!rules.is_empty()).then(|| NotScanned {
        path: "paths".to_owned(),
        reason: format!(
            "rules that look at no content are left out of a whole history: {}; a range of commits \
             has them",
            rules.join(", ")
        ),
        incomplete: false,
    })
}

/// Tells of each finding of `report`, a scan of the objects of `repository`, where in history it
/// is. Objects become the paths at which they stand, and what conditions of `detector`'s rules on
/// paths and commits leave out there is taken out. Nothing is read where nothing was found.
/// `record` is what the scan has noted; without it, all commits and trees are read.
/// `branches` are those of which it must be known whether they hold it, however many do.
pub fn attribute(
    report: &mut Report,
    record: Option<Record>,
    repository: &Repository,
    store: &ObjectStore,
    detector: &Detector,
    progress: &Progress,
    branches: &[String],
) {
    let kind = Places::OfObjects { detector, branches };
    attribute_with(report, record, repository, store, progress, kind);
}

/// Says in what an occurrence of a finding stands.
pub type Subjects<'s> = &'s dyn Fn(&Finding, &Origin) -> Option<Subject>;

/// As [`attribute`], for findings whose occurrences already are places in commits: these stay as
/// they are. `subject` says in what object, or in what name, an occurrence stands.
pub fn attribute_places(
    report: &mut Report,
    repository: &Repository,
    store: &ObjectStore,
    progress: &Progress,
    subject: Subjects<'_>,
) {
    let kind = Places::Known(subject);
    attribute_with(report, None, repository, store, progress, kind);
}

/// What is known of the places of findings.
#[derive(Clone, Copy)]
enum Places<'p> {
    /// The objects: their paths are to be found.
    OfObjects {
        detector: &'p Detector,
        branches: &'p [String],
    },
    /// All of it.
    Known(Subjects<'p>),
}

fn attribute_with(
    report: &mut Report,
    record: Option<Record>,
    repository: &Repository,
    store: &ObjectStore,
    progress: &Progress,
    places: Places<'_>,
) {
    if report.findings.is_empty() || progress.is_stopped() {
        return;
    }
    let mut not_read = Vec::new();
    let stopped = || progress.is_stopped();
    progress.attribute(report.findings.len() as u64);
    let of = |finding: &Finding, origin: &Origin| match places {
        Places::Known(subject) => subject(finding, origin),
        Places::OfObjects { .. } => hits::subject(origin),
    };
    let mut attribution = attribution::Attribution::read(
        &report.findings,
        repository,
        store,
        record,
        of,
        &mut not_read,
        &stopped,
    );
    match places {
        Places::Known(_) => attribution.write(&mut report.findings, &[], false),
        Places::OfObjects { detector, branches } => {
            conditions::apply(&mut attribution, store, &mut report.findings, detector);
            attribution.write(&mut report.findings, branches, true);
            report.findings.retain(|it| !it.occurrences.is_empty());
        }
    }
    progress.attribute(0);
    if attribution.places.is_full() {
        not_read.push(NotRead {
            what: "paths".to_owned(),
            reason: "too many lead to what was found: not all of them are listed".to_owned(),
        });
    }
    report.not_scanned.extend(not_read.into_iter().map(told));
    report.not_scanned.sort();
    report.not_scanned.dedup();
    report.interrupted |= progress.is_stopped();
}

fn told(what: NotRead) -> NotScanned {
    NotScanned {
        path: what.what,
        reason: what.reason,
        incomplete: true,
    }
}

#[cfg(unix)]
fn path_of(bytes: &[u8]) -> PathBuf {
    use std::os::unix::ffi::OsStrExt as _;
    PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}
