//! `straykey baseline`: what is known, made, changed and looked through.

mod args;
mod audit;

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use straykey::baseline::{Baseline, DIRECTORY, Entry};
use straykey::date::Date;
use straykey::detect::Detector;
use straykey::finding::Finding;
use straykey::report::{Options, Report, sanitise, summary};
use straykey::scan::{self, Progress};
use straykey::source::git::{ObjectStore, Repository};
use straykey::source::{Files, Objects, Sink, Source};
use straykey::standing::Standing;

pub(crate) use args::BaselineCommand;
use args::{AddArguments, PruneArguments, WhereArguments};

use super::exit::Exit;
use super::interrupt::stop_on_interrupt;
use super::policy::{self, CountArguments, Policy};
use super::progress::Display;
use super::{config, print, say};

pub(crate) fn run(command: &BaselineCommand) -> Result<Exit> {
    match command {
        BaselineCommand::Create(arguments) => add(arguments, true),
        BaselineCommand::Update(arguments) => add(arguments, false),
        BaselineCommand::Audit(arguments) => audit::run(arguments),
        BaselineCommand::Prune(arguments) => prune(arguments),
        BaselineCommand::List(arguments) => list(arguments),
    }
}

/// What a command works on.
pub(super) struct Work {
    top: PathBuf,
    paths: Vec<PathBuf>,
    /// Where the baseline is, or will be.
    pub(super) directory: PathBuf,
    policy: Policy,
}

impl Work {
    pub(super) fn new(place: &WhereArguments) -> Result<Self> {
        let here = [PathBuf::from(".")];
        let given = if place.paths.is_empty() {
            &here[..]
        } else {
            &place.paths
        };
        let tops = policy::tops(given);
        let [top] = tops.as_slice() else {
            bail!(
                "the paths are in {} repositories; a baseline is for one",
                tops.len()
            );
        };
        let paths = match place.paths.is_empty() {
            true => vec![top.clone()],
            false => place.paths.clone(),
        };
        let directory = place
            .baseline
            .clone()
            .unwrap_or_else(|| top.join(DIRECTORY));
        let there = directory.symlink_metadata().is_ok();
        let count = CountArguments {
            baseline: there.then(|| directory.clone()),
            no_baseline: !there,
            ..CountArguments::default()
        };
        let rules = config::of_top(&place.config, top)?;
        Ok(Self {
            policy: Policy::new(rules, &tops, &count)?,
            top: top.clone(),
            paths,
            directory,
        })
    }

    pub(super) fn baseline(&self) -> &Baseline {
        self.policy.baseline()
    }

    /// Scans the files, and the history if that is asked for.
    pub(super) fn scan(&self, history: bool) -> Result<Report> {
        let detector = Detector::new(&self.policy.rules);
        let progress = Arc::new(Progress::default());
        stop_on_interrupt(&progress);
        let _display = Display::start(&progress, false);
        let store = match history {
            true => self.store()?,
            false => None,
        };
        let source = Everything {
            files: Files::new(self.paths.clone()),
            store,
        };
        let mut report = scan::run(&source, &detector, &progress);
        self.policy.settle(&mut report, true);
        if report.interrupted {
            bail!("interrupted: nothing has been changed");
        }
        Ok(report)
    }

    /// The objects of the repository, if it is one.
    fn store(&self) -> Result<Option<ObjectStore>> {
        if !self.is_repository() {
            return Ok(None);
        }
        let repository = Repository::discover(&self.top)?;
        Ok(Some(ObjectStore::open(&repository)?))
    }

    fn is_repository(&self) -> bool {
        self.top.join(".git").symlink_metadata().is_ok()
    }
}

/// The files and the objects of a repository.
struct Everything {
    files: Files,
    store: Option<ObjectStore>,
}

impl Source for Everything {
    fn read(&self, sink: &dyn Sink) {
        self.files.read(sink);
        if let Some(store) = &self.store {
            Objects::new(store).read(sink);
        }
    }
}

fn add(arguments: &AddArguments, create: bool) -> Result<Exit> {
    let work = Work::new(&arguments.place)?;
    let directory = work.directory.display().to_string();
    if create && !work.baseline().entries().is_empty() {
        bail!("`{directory}` is there already; straykey baseline update adds to it");
    }
    if arguments.history && !work.is_repository() {
        bail!("--history: `{}` is no git repository", work.top.display());
    }
    let report = work.scan(arguments.history)?;
    let new: Vec<&Finding> = report
        .findings
        .iter()
        .filter(|finding| finding.standing == Standing::New)
        .collect();
    let entries = work
        .baseline()
        .entries_for(new.iter().copied(), &arguments.note.note())?;
    Baseline::write(&work.directory, &entries).context("cannot write the baseline")?;
    print(|out| {
        entries
            .iter()
            .zip(&new)
            .try_for_each(|it| line(out, it.0, it.1))
    })?;
    let number = summary::count(entries.len() as u64, "key");
    say(&format!(
        "{number} noted as known in `{directory}`; commit it"
    ));
    if !entries.is_empty() {
        say("A baseline is for keys that are dead or were never real: deactivate a live key first");
    }
    tell_expired(&report);
    Ok(told(&report))
}

/// One entry, with where its credential is.
fn line(out: &mut dyn Write, entry: &Entry, finding: &Finding) -> io::Result<()> {
    let place = finding.occurrences.first();
    let path = place.map(|it| sanitise::line(it.origin.path().as_bytes()));
    let part = place.and_then(|it| it.parts.first());
    let at = part.map_or(1, |part| part.span.start.line);
    writeln!(
        out,
        "{}  {}  {}:{at}",
        entry.short(),
        sanitise::line(entry.rule().as_bytes()),
        path.unwrap_or_default(),
    )
}

fn tell_expired(report: &Report) {
    let expired = |it: &&Finding| matches!(it.standing, Standing::Expired(_));
    let number = report.findings.iter().filter(expired).count() as u64;
    if number > 0 {
        let keys = summary::count(number, "known key");
        say(&format!(
            "the time of {keys} is over: straykey baseline audit decides anew"
        ));
    }
}

/// Says what could not be read, and what that makes of the outcome.
pub(super) fn told(report: &Report) -> Exit {
    // If standard error is closed, there is nobody to tell.
    let stderr = &mut io::stderr().lock();
    let _ = summary::write_not_scanned(report, &Options::default(), false, stderr);
    match report.complete() {
        true => Exit::Clean,
        false => Exit::Incomplete,
    }
}

fn prune(arguments: &PruneArguments) -> Result<Exit> {
    let work = Work::new(&arguments.place)?;
    if !arguments.place.paths.is_empty() {
        bail!("prune looks at the whole repository: a part of it does not tell what is unused");
    }
    let report = work.scan(!arguments.files_only)?;
    if !report.complete() {
        let exit = told(&report);
        say(
            "error: not everything could be read, so that it cannot be told what is unused; nothing removed",
        );
        return Ok(exit);
    }
    let judgement = work.baseline().judge(&report.findings, Date::today());
    let unused = judgement.unused;
    print(|out| unused.iter().try_for_each(|entry| describe(out, entry)))?;
    let number = match unused.len() {
        1 => "1 unused entry".to_owned(),
        number => format!("{number} unused entries"),
    };
    if arguments.dry_run {
        say(&format!("{number} would be removed"));
    } else {
        Baseline::remove(&work.directory, &unused).context("cannot change the baseline")?;
        say(&format!("{number} removed"));
    }
    Ok(Exit::Clean)
}

fn list(arguments: &WhereArguments) -> Result<Exit> {
    let work = Work::new(arguments)?;
    print(|out| {
        let entries = work.baseline().entries().iter();
        entries
            .into_iter()
            .try_for_each(|entry| describe(out, entry))
    })?;
    Ok(Exit::Clean)
}

/// One entry and what is said of it.
fn describe(out: &mut dyn Write, entry: &Entry) -> io::Result<()> {
    let clean = |text: &str| sanitise::line(text.as_bytes());
    write!(out, "{}  {}", entry.short(), clean(entry.rule()))?;
    let note = entry.note();
    if let Some(until) = note.until {
        let over = if until < Date::today() { " (over)" } else { "" };
        write!(out, "  until {until}{over}")?;
    }
    if let Some(owner) = &note.owner {
        write!(out, "  {}", clean(owner))?;
    }
    if let Some(reason) = &note.reason {
        write!(out, "  {}", clean(reason))?;
    }
    writeln!(out)
}
