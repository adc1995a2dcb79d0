//! `straykey sweep`: an organization's repositories, in one process or as parts of a fleet.

mod access;
pub(super) mod args;
mod display;
mod run;
mod show;

pub(super) use access::answer_git;
use anyhow::Result;

use self::args::{SweepArguments, SweepCommand};
use super::exit::Exit;

pub(super) fn run(arguments: SweepArguments) -> Result<Exit> {
    match arguments.command {
        None => run::all(arguments.run),
        Some(SweepCommand::Plan(plan)) => run::plan(plan),
        Some(SweepCommand::Worker(worker)) => run::worker(worker),
        Some(SweepCommand::Status(status)) => show::status(&status),
        Some(SweepCommand::Report(report)) => show::report(&report),
        Some(SweepCommand::Triage(triage)) => show::triage(&triage),
        Some(SweepCommand::Export(export)) => show::export(&export),
    }
}
