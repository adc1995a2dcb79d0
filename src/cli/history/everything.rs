//! Everything that a repository holds, and its submodules.

use anyhow::{Context, Result, bail};
use straykey::detect::Detector;
use straykey::finding::Finding;
use straykey::history::{self, Submodules};
use straykey::location::Origin;
use straykey::provenance::{Provenance, Reachability};
use straykey::report::{Extent, Report};
use straykey::scan::Progress;
use straykey::source::git::{ObjectStore, Refs, Repository};

use super::HistoryArguments;
use super::states::States;

/// Scans all objects of `repository` and of its submodules.
///
/// # Errors
/// If the objects of one of them cannot be listed.
pub(super) fn scan(
    arguments: &HistoryArguments,
    states: &States,
    repository: &Repository,
    detector: &Detector,
    progress: &Progress,
) -> Result<Report> {
    progress.set_extent(Extent::Objects);
    let refs = Refs::read(repository);
    let is_missing = |name: &&String| refs.find(&format!("refs/heads/{name}")).is_none();
    if let Some(name) = arguments.branch.iter().find(is_missing) {
        bail!("there is no branch `{name}`");
    }
    let mut report = one(arguments, states, None, repository, detector, progress)?;
    if arguments.no_submodules {
        return Ok(report);
    }
    let submodules = Submodules::of(repository);
    report.not_scanned.extend(submodules.not_scanned);
    for (name, repository) in submodules.found {
        let of_submodule = one(
            arguments,
            states,
            Some(&name),
            &repository,
            detector,
            progress,
        )
        .with_context(|| format!("in the submodule {name}"))?;
        add(&mut report, of_submodule, &name);
    }
    report.coverage = progress.coverage();
    Ok(report)
}

fn one(
    arguments: &HistoryArguments,
    states: &States,
    submodule: Option<&str>,
    repository: &Repository,
    detector: &Detector,
    progress: &Progress,
) -> Result<Report> {
    let store = ObjectStore::open(repository).context("cannot read the repository")?;
    let (mut report, record) = match states.path(submodule, repository) {
        None => history::scan(repository, &store, arguments.full_scan, detector, progress),
        Some(path) => {
            let known = states.read(&path);
            if known.is_some() && submodule.is_none() {
                progress.set_extent(Extent::NewObjects);
            }
            let (report, record, next) = history::scan_after(
                repository,
                &store,
                known.as_ref(),
                states.rules(),
                arguments.full_scan,
                detector,
                progress,
            );
            states.write(&path, known, next);
            (report, record)
        }
    };
    let branches = &arguments.branch;
    history::attribute(
        &mut report,
        Some(record),
        repository,
        &store,
        detector,
        progress,
        branches,
    );
    report
        .findings
        .retain(|finding| is_wanted(finding, arguments));
    Ok(report)
}

/// Whether the options leave `finding` in the report. What could not be placed stays.
fn is_wanted(finding: &Finding, arguments: &HistoryArguments) -> bool {
    let Some(provenance) = finding.provenance.as_deref() else {
        return true;
    };
    let reachable = provenance.reachability == Reachability::Reachable;
    let in_branch = |provenance: &Provenance| {
        let held = |name: &String| provenance.branches.listed.contains(name);
        arguments.branch.iter().any(held)
    };
    (reachable || !(arguments.reachable_only || arguments.all))
        && (arguments.branch.is_empty() || in_branch(provenance))
}

/// Adds the findings of a submodule to those of the repository it is in.
fn add(report: &mut Report, of_submodule: Report, name: &str) {
    for mut finding in of_submodule.findings {
        for occurrence in &mut finding.occurrences {
            if let Origin::Commit { path, .. } | Origin::Index(path) | Origin::Name { path, .. } =
                &mut occurrence.origin
            {
                *path = std::path::Path::new(name).join(&path);
            }
        }
        if let Some(provenance) = &mut finding.provenance {
            provenance.submodule = Some(name.to_owned());
        }
        let known = report
            .findings
            .iter_mut()
            .find(|known| known.fingerprint == finding.fingerprint);
        match known {
            Some(known) => known.occurrences.append(&mut finding.occurrences),
            None => report.findings.push(finding),
        }
    }
    let prefixed = of_submodule.not_scanned.into_iter().map(|mut entry| {
        entry.path = format!("{name}: {}", entry.path);
        entry
    });
    report.not_scanned.extend(prefixed);
    report.seconds += of_submodule.seconds;
    report.interrupted |= of_submodule.interrupted;
}
