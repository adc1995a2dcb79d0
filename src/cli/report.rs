//! `straykey report`: shows a report that was written as JSON in other forms.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;
use straykey::finding::Severity;
use straykey::report::{Options, Report, read::read, summary};

use super::args::{FailOn, LookArguments, Output};
use super::exit::Exit;
use super::plan::{Surroundings, colour, is_dash, targets};
use super::{say, scan};

/// Options of `report`.
#[derive(Debug, Args)]
pub(crate) struct ReportArguments {
    /// A report written with -o json or -o jsonl; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Write FORMAT to standard output or to a file; repeatable
    ///
    /// The formats are those of a scan: see `straykey --help`. Files are written whole or not at
    /// all.
    #[arg(
        short,
        long,
        alias = "format",
        value_name = "FORMAT[=FILE]",
        help_heading = "Output"
    )]
    output: Vec<Output>,

    #[command(flatten)]
    look: LookArguments,

    /// Print nothing but errors and what -o asks for
    #[arg(short, long, help_heading = "Output")]
    quiet: bool,

    /// Exit with 1 if a finding is of this severity: any, low, medium, high, critical, live
    ///
    /// Without it the exit code says only whether the report was written, and what blocks is what
    /// blocked in the scan.
    #[arg(
        long,
        value_name = "SEVERITY",
        hide_possible_values = true,
        help_heading = "Output"
    )]
    fail_on: Option<FailOn>,
}

pub(crate) fn run(arguments: &ReportArguments) -> Result<Exit> {
    let (report, mut options) = load(&arguments.file)?;
    let surroundings = Surroundings::here();
    if let Some(fail_on) = arguments.fail_on {
        options.fail_on = Severity::from(fail_on);
        options.live_only = fail_on == FailOn::Live;
    }
    options.mask_ids = arguments.look.mask_ids;
    options.colour = colour(arguments.look.color, surroundings);
    let mut exit = match arguments.fail_on {
        Some(_) => Exit::of(report.blocked(&options), report.complete()),
        None => Exit::Clean,
    };
    // Who names an output wants that one.
    let quiet = arguments.quiet || !arguments.output.is_empty();
    for target in &targets(&arguments.output, quiet, surroundings)? {
        if let Err(error) = scan::write(target, &report, options) {
            say(&format!("error: {error:#}"));
            exit = exit.and_failed();
        }
    }
    if !arguments.quiet {
        say(&summary::line(&report, &options));
    }
    Ok(exit)
}

fn load(file: &PathBuf) -> Result<(Report, Options)> {
    if is_dash(file) {
        return read(&mut io::stdin().lock()).context("cannot read standard input");
    }
    let opened = File::open(file).map_err(anyhow::Error::new);
    opened
        .and_then(|opened| Ok(read(&mut BufReader::with_capacity(1 << 16, opened))?))
        .with_context(|| format!("cannot read `{}`", file.display()))
}
