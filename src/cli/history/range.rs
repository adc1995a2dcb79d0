//! What a range of commits introduces.

use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::time::Instant;

use anyhow::{Context, Result};
use straykey::detect::Detector;
use straykey::finding::{Finding, Occurrence};
use straykey::history::{self, Subject};
use straykey::introduced::{Introduced, Parting};
use straykey::location::Origin;
use straykey::report::{Extent, Report, summary};
use straykey::scan::{self, Progress};
use straykey::source::changes::range::{Brought, Range, commits};
use straykey::source::changes::{ChangeError, Contents};
use straykey::source::git::{Kind, ObjectId, ObjectStore, Repository};

use super::HistoryArguments;
use crate::cli::say;

/// The range that `arguments` mean; `None` where they mean the whole history.
pub(super) fn of(arguments: &HistoryArguments) -> Option<Range> {
    let is_range =
        !arguments.range.is_empty() || arguments.since.is_some() || arguments.first_parent;
    let branch = |name: &String| format!("refs/heads/{name}");
    let mut revisions = arguments.range.clone();
    revisions.extend(arguments.branch.iter().map(branch));
    is_range.then(|| Range {
        all_refs: arguments.all || revisions.is_empty(),
        revisions,
        since: arguments.since.clone(),
        first_parent: arguments.first_parent,
    })
}

/// Scans what the commits of `range` bring.
///
/// # Errors
/// If git does not understand the range, or something of it cannot be read.
pub(super) fn scan(
    range: &Range,
    repository: &Repository,
    detector: &Detector,
    progress: &Progress,
) -> Result<Report> {
    let started = Instant::now();
    let contents = Contents::open(repository.clone()).context("cannot read the repository")?;
    let contents = contents.without_fetching();
    let commits = commits(&contents, range).context("cannot tell the commits of the range")?;
    progress.set_extent(Extent::Commits(commits.len() as u64));
    let unread = "cannot read the range";
    let mut brought = Brought::new(contents, &commits, range.first_parent).context(unread)?;
    let mut ids = HashMap::new();
    let parted = parted(&mut brought, &mut ids, detector, progress).context(unread)?;
    if !parted.before.is_empty() {
        let keys = summary::count(parted.before.len() as u64, "key");
        say(&format!(
            "note: {keys} stood at the same path before the range, and are not reported; \
             `straykey history` reports them"
        ));
    }
    let mut report = parted.report;
    let store = brought.contents().store();
    let subject = |finding: &Finding, origin: &Origin| subject(finding, origin, &ids, store);
    report.seconds = started.elapsed().as_secs_f64();
    history::attribute_places(&mut report, repository, store, progress, &subject);
    Ok(report)
}

/// Scans what is `brought`, and notes in `ids` the blobs in which something was found.
fn parted(
    brought: &mut Brought<'_>,
    ids: &mut HashMap<Origin, ObjectId>,
    detector: &Detector,
    progress: &Progress,
) -> Result<Introduced, ChangeError> {
    let mut parting = Parting::new(detector);
    for changes in brought {
        let changes = changes?;
        let scanned = scan::run(&changes, detector, progress);
        let occurrences = scanned.findings.iter().flat_map(|it| &it.occurrences);
        for Occurrence { origin, .. } in occurrences {
            let entry = changes.entry(origin);
            ids.extend(entry.map(|entry| (origin.clone(), entry.new.id)));
        }
        parting.add(scanned, &changes);
        if progress.is_stopped() {
            break;
        }
    }
    Ok(parting.parted())
}

/// What an occurrence of a range stands in.
fn subject(
    finding: &Finding,
    origin: &Origin,
    ids: &HashMap<Origin, ObjectId>,
    store: &ObjectStore,
) -> Option<Subject> {
    match origin {
        Origin::Commit { .. } => Some(Subject::Object(Kind::Blob, *ids.get(origin)?)),
        Origin::Message {
            commit: Some(id), ..
        } => {
            let id = ObjectId::from_hex(id.as_bytes())?;
            let kind = store.find(&id, &mut Vec::new()).ok()??;
            Some(Subject::Object(kind, id))
        }
        Origin::Name { path, .. } => {
            let names = || path.as_os_str().as_bytes().split(|&byte| byte == b'/');
            let id = finding.credential.access_key_id.as_deref();
            let holds =
                |name: &&[u8]| id.is_some_and(|id| String::from_utf8_lossy(name).contains(id));
            let name = names().find(holds).or_else(|| names().next_back())?;
            Some(Subject::Name(name.into()))
        }
        _ => None,
    }
}
