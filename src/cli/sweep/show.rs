//! Looking at a sweep, and deciding about what it found.

use std::env;

use anyhow::{Result, bail};
use straykey::finding::Severity;
use straykey::report::{self, Options};
use straykey::sweep::export;
use straykey::sweep::report::{ReportError, View, totals_line, write};
use straykey::sweep::store::Store;

use super::access::existing_store;
use super::args::{ExportCommand, ReportCommand, ShowArguments, StatusCommand, TriageCommand};
use crate::cli::exit::Exit;
use crate::cli::{output, print, say};

pub(super) fn status(command: &StatusCommand) -> Result<Exit> {
    let store = existing_store(&command.state)?;
    let (totals, jobs) = (store.totals()?, store.jobs()?);
    print(|out| {
        writeln!(out, "{}", totals_line(&totals))?;
        writeln!(
            out,
            "jobs: {} ready, {} running, {} done, {} failed",
            jobs.ready, jobs.running, jobs.done, jobs.failed
        )
    })?;
    Ok(Exit::of(false, jobs.left() == 0 && jobs.failed == 0))
}

pub(super) fn report(command: &ReportCommand) -> Result<Exit> {
    print_report(&existing_store(&command.state)?, &command.show)
}

/// Prints the report, and says what it means: open credentials block, and what is not covered
/// makes it incomplete.
pub(super) fn print_report(store: &Store, show: &ShowArguments) -> Result<Exit> {
    let view = View {
        json: show.json,
        mask_ids: show.mask_ids,
        all: show.all,
    };
    let mut failed = None;
    print(|out| match write(store, view, out) {
        Err(ReportError::Io(error)) => Err(error),
        Err(ReportError::Store(error)) => {
            failed = Some(error);
            Ok(())
        }
        _ => Ok(()),
    })?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let least = show.fail_on.map_or(Severity::Medium, Into::into);
    let worse = |word: &str| match word {
        "low" => Severity::Low,
        "medium" => Severity::Medium,
        "high" => Severity::High,
        _ => Severity::Critical,
    };
    let blocked = store
        .credentials()?
        .iter()
        .any(|credential| credential.triage == "open" && worse(&credential.severity) >= least);
    let totals = store.totals()?;
    let whole = totals.incomplete + totals.failed + totals.pending + totals.cut_short == 0;
    Ok(Exit::of(blocked, whole && totals.repositories > 0))
}

pub(super) fn triage(command: &TriageCommand) -> Result<Exit> {
    let digits = command.identity.to_ascii_lowercase();
    if digits.len() < 8 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        bail!(
            "`{}` is no identity: at least eight digits, as `report` shows",
            command.identity
        );
    }
    let who = command.by.clone().or_else(|| env::var("USER").ok());
    let Some(who) = who.filter(|who| !who.is_empty()) else {
        bail!("USER is not set; say who decides with --by NAME");
    };
    let store = existing_store(&command.state)?;
    match store.triage(&digits, command.decision, &who, &command.note)? {
        1 => say(&format!("{digits}: {}", command.decision)),
        0 => bail!("there is no credential `{digits}`"),
        _ => bail!("`{digits}` is the beginning of several; give more digits"),
    }
    Ok(Exit::Clean)
}

pub(super) fn export(command: &ExportCommand) -> Result<Exit> {
    let store = existing_store(&command.state)?;
    let report = export::report(&store)?;
    let options = Options {
        mask_ids: command.mask_ids,
        ..Options::default()
    };
    for target in &command.output {
        let write =
            |out: &mut dyn std::io::Write| report::write(&report, target.format, &options, out);
        match &target.file {
            Some(file) => output::write_file(file, write)?,
            None => print(write)?,
        }
    }
    Ok(Exit::Clean)
}
