//! Looking at a sweep, and deciding about what it found.

use std::env;

use anyhow::{Result, bail};
use straykey::report::{self, Options};
use straykey::sweep::export;
use straykey::sweep::report::{Blocking, ReportError, View, totals_line, write};
use straykey::sweep::store::Store;

use super::access::existing_store;
use super::args::{ExportCommand, ReportCommand, ShowArguments, StatusCommand, TriageCommand};
use crate::cli::args::FailOn;
use crate::cli::exit::Exit;
use crate::cli::plan::{Surroundings, colour};
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
        mask_ids: show.look.mask_ids,
        all: show.all,
        colour: colour(show.look.color, Surroundings::here()),
        blocking: match show.fail_on {
            Some(FailOn::Live) => Blocking::Live,
            Some(least) => Blocking::From(least.into()),
            None => Blocking::default(),
        },
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
    let blocked = store
        .credentials()?
        .iter()
        .any(|credential| view.blocks(credential));
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
    #[cfg(feature = "parquet")]
    if let Some(file) = &command.parquet {
        export_table(&store, file, command.look.mask_ids)?;
    }
    if command.output.is_empty() {
        return Ok(Exit::Clean);
    }
    let report = export::report(&store)?;
    for target in &command.output {
        let options = Options {
            mask_ids: command.look.mask_ids,
            colour: target.file.is_none() && colour(command.look.color, Surroundings::here()),
            ..Options::default()
        };
        let write =
            |out: &mut dyn std::io::Write| report::write(&report, target.format, &options, out);
        match &target.file {
            Some(file) => output::write_file(file, write)?,
            None => print(write)?,
        }
    }
    Ok(Exit::Clean)
}

#[cfg(feature = "parquet")]
fn export_table(store: &Store, file: &std::path::Path, mask_ids: bool) -> Result<()> {
    let view = View {
        mask_ids,
        ..View::default()
    };
    let mut table = Vec::new();
    straykey::sweep::parquet::write(store, view, &mut table)?;
    output::write_file(file, |out| out.write_all(&table))
}
