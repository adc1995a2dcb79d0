//! `straykey history`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, bail};
use straykey::detect::Detector;
use straykey::history;
use straykey::report::Report;
use straykey::scan::Progress;
use straykey::source::git::Repository;

pub(crate) use args::HistoryArguments;
use states::States;

use super::exit::Exit;
use super::interrupt::stop_on_interrupt;
use super::plan::{CommonPlan, Surroundings};
use super::policy::Policy;
use super::progress::Display;
use super::{repository, say, scan};

mod args;
mod everything;
mod range;
mod states;

pub(crate) fn run(mut arguments: HistoryArguments) -> Result<Exit> {
    let common = std::mem::take(&mut arguments.common);
    let mut plan = CommonPlan::new(common, Surroundings::here())?;
    check(&arguments)?;
    let repository = open(arguments.repo.as_deref())?;
    scan::set_threads(plan.threads)?;
    let work_tree = repository.work_tree().map(Path::to_owned);
    let directories: Vec<PathBuf> = work_tree.into_iter().collect();
    let policy = Policy::of(&mut plan, &directories)?;
    let detector = Detector::new(&policy.rules);
    let states = States::new(&arguments, policy.rules.digest());
    let progress = Arc::new(Progress::default());
    stop_on_interrupt(&progress);
    let mut report = {
        let _display = Display::start(&progress, plan.quiet);
        scanned(&arguments, &states, &repository, &detector, &progress)?
    };
    for entry in history::missing(&repository, arguments.strict, &progress) {
        if !entry.incomplete && !plan.quiet {
            say(&format!("warning: {}: {}", entry.path, entry.reason));
        }
        report.not_scanned.push(entry);
    }
    if arguments.strict && range::of(&arguments).is_none() {
        let lacking = history::lacking(&repository, &progress);
        report.not_scanned.extend(lacking);
    }
    report.not_scanned.sort();
    report.repository = repository::of(&directories);
    let whole = arguments.is_whole();
    Ok(scan::finish(&plan, &policy, report, whole, &progress))
}

fn scanned(
    arguments: &HistoryArguments,
    states: &States,
    repository: &Repository,
    detector: &Detector,
    progress: &Progress,
) -> Result<Report> {
    match range::of(arguments) {
        Some(range) => range::scan(&range, repository, detector, progress),
        None => everything::scan(arguments, states, repository, detector, progress),
    }
}

/// Refuses what does not go together.
fn check(arguments: &HistoryArguments) -> Result<()> {
    let is_range = range::of(arguments).is_some();
    let keeps_state = arguments.incremental || arguments.state.is_some();
    if is_range && keeps_state {
        bail!("--incremental and --state are for whole histories, not for a range of commits");
    }
    if is_range && arguments.reachable_only {
        bail!("--reachable-only is for whole histories: a range holds only what its commits bring");
    }
    if arguments.all && !arguments.branch.is_empty() {
        bail!("--all and --branch contradict each other");
    }
    Ok(())
}

fn open(path: Option<&Path>) -> Result<Repository> {
    Ok(match path {
        Some(path) => Repository::discover(path)?,
        None => Repository::from_environment()?,
    })
}
