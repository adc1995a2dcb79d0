//! `straykey staged` and `straykey hook`: what is about to be committed, pushed or received.
//!
//! Fails closed: whatever cannot be read, be it because git fails or because time is up, ends in
//! exit code 2, which blocks like a finding does.

mod message;
mod push;
mod stage;
mod watchdog;

use std::collections::HashSet;
use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use straykey::detect::Detector;
use straykey::finding::{Finding, Severity};
use straykey::introduced::introduced;
use straykey::location::Origin;
use straykey::report::blocked::{Gate, write_blocked, write_others};
use straykey::report::{Options, Report, summary};
use straykey::scan::{self, Progress};
use straykey::source::changes::{Changes, staged::staged};
use straykey::source::git::Repository;
use straykey::source::{Coverage, Files};

use super::args::Color;
use super::exit::Exit;
use super::hook_args::{GateArguments, HookArguments, Stage, StagedArguments};
use super::plan::Target;
use super::scan::write;
use super::{config, say};

/// The command line; if the program is called under the name of a hook (a link in the directory
/// of hooks), that of `straykey hook`.
pub(super) fn as_called() -> Vec<OsString> {
    let mut arguments: Vec<OsString> = env::args_os().collect();
    let name = arguments.first().map(PathBuf::from);
    let name = name.as_deref().and_then(Path::file_name);
    if let Some(stage) = name.and_then(|name| Stage::from_name(name.to_str()?)) {
        let call = ["hook", "--stage", stage.name()].map(OsString::from);
        arguments.splice(1..1, call);
    }
    arguments
}

pub(super) fn run_staged(arguments: &StagedArguments) -> Result<Exit> {
    let gate = HookRun::new(&arguments.gate)?;
    let outcome = gate.staged(&[])?;
    Ok(gate.finish(outcome))
}

pub(super) fn run(arguments: &HookArguments) -> Result<Exit> {
    let gate = HookRun::new(&arguments.gate)?;
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let call = stage::Call {
        arguments: &arguments.arguments,
        variable: &variable,
        ancestors: &stage::ancestors,
        is_file: &Path::is_file,
    };
    let found = arguments.stage.unwrap_or_else(|| stage::detect(&call));
    let rest = &arguments.arguments;
    let outcome = match found {
        Stage::PreCommit => gate.staged(rest),
        Stage::PreMergeCommit | Stage::PreApplypatch | Stage::PrepareCommitMsg => gate.staged(&[]),
        Stage::CommitMsg | Stage::ApplypatchMsg => gate.message(rest),
        Stage::PrePush => gate.changes(push::to_be_pushed(rest)?, Gate::Push),
        Stage::PreReceive => gate.changes(push::received()?, Gate::Receive),
        Stage::Update => gate.changes(push::updated(rest)?, Gate::Receive),
    };
    Ok(gate.finish(outcome?))
}

/// What a hook has found.
struct Outcome {
    report: Report,
    before: Vec<Finding>,
    gate: Gate,
    /// What to say if nothing was scanned, and that is all right.
    nothing: &'static str,
}

struct HookRun<'a> {
    arguments: &'a GateArguments,
    options: Options,
    detector: Detector,
    progress: Arc<Progress>,
}

impl<'a> HookRun<'a> {
    fn new(arguments: &'a GateArguments) -> Result<Self> {
        let progress = Arc::new(Progress::default());
        if let Some(seconds) = arguments.timeout {
            watchdog::start(seconds, &progress);
        }
        let auto = || anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        let default = Options::default();
        let rules = config::of_files(&arguments.config)?;
        Ok(Self {
            arguments,
            options: Options {
                fail_on: arguments.fail_on.map_or(default.fail_on, Severity::from),
                live_only: false,
                mask_ids: arguments.look.mask_ids,
                colour: match arguments.look.color {
                    Color::Auto => auto(),
                    Color::Always => true,
                    Color::Never => false,
                },
            },
            detector: Detector::new(&rules),
            progress,
        })
    }

    /// What is staged, and those of `names` that are not.
    fn staged(&self, names: &[OsString]) -> Result<Outcome> {
        let repository = Repository::from_environment()?;
        let top = repository.work_tree().map(Path::to_path_buf);
        let changes = staged(repository).context("cannot read what is staged")?;
        let others = not_staged(names, &changes, top.as_deref());
        let nothing = match changes.is_empty() {
            true => "nothing staged, nothing scanned",
            false => "nothing with content staged",
        };
        let mut outcome = self.changes(changes, Gate::Commit)?;
        outcome.nothing = nothing;
        if others.is_empty() {
            return Ok(outcome);
        }
        let files = Files::new(others).no_ignore(true);
        let more = scan::run(&files, &self.detector, &self.progress);
        if !outcome.report.blocked(&self.options) {
            outcome.gate = Gate::Files;
        }
        outcome.report.findings.extend(more.findings);
        outcome.report.not_scanned.extend(more.not_scanned);
        // The totals of the progress run on.
        outcome.report.coverage = more.coverage;
        outcome.report.interrupted |= more.interrupted;
        Ok(outcome)
    }

    fn changes(&self, changes: Changes, gate: Gate) -> Result<Outcome> {
        let report = scan::run(&changes, &self.detector, &self.progress);
        let mut parted = introduced(report, &changes, &self.detector);
        if self.arguments.block_known {
            parted.report.findings.append(&mut parted.before);
        }
        Ok(Outcome {
            report: parted.report,
            before: parted.before,
            gate,
            nothing: "no new commits, nothing scanned",
        })
    }

    /// The message of a commit, in the file that git names.
    fn message(&self, arguments: &[OsString]) -> Result<Outcome> {
        let source = message::Message::new(arguments)?;
        Ok(Outcome {
            report: scan::run(&source, &self.detector, &self.progress),
            before: Vec::new(),
            gate: Gate::Message,
            nothing: "an empty message",
        })
    }

    fn finish(&self, outcome: Outcome) -> Exit {
        let Outcome { report, .. } = &outcome;
        let mut exit = Exit::of(report.blocked(&self.options), report.complete());
        for output in &self.arguments.output {
            let target = Target {
                format: output.format,
                file: output.file.clone(),
            };
            let options = Options {
                colour: self.options.colour && output.file.is_none(),
                ..self.options
            };
            if let Err(error) = write(&target, report, options) {
                say(&format!("error: {error:#}"));
                exit = exit.and_failed();
            }
        }
        let mut text = Vec::new();
        // Memory can always be written to, and a closed standard error has no reader.
        let _ = self.tell(&outcome, exit, &mut text);
        let _ = io::stderr().lock().write_all(&text);
        exit
    }

    fn tell(&self, outcome: &Outcome, exit: Exit, out: &mut dyn Write) -> io::Result<()> {
        let report = &outcome.report;
        let before = Report {
            findings: outcome.before.clone(),
            ..Report::default()
        };
        write_others(report, &before, &self.options, out)?;
        summary::write_not_scanned(report, &self.options, self.arguments.show_skipped, out)?;
        if exit == Exit::Blocked {
            write_blocked(report, &self.options, outcome.gate, out)?;
        }
        if report.interrupted {
            writeln!(
                out,
                "straykey: time is up, the scan is not complete: blocked"
            )?;
        } else if exit == Exit::Incomplete {
            writeln!(out, "straykey: the scan is not complete: blocked")?;
        }
        writeln!(out, "straykey: {}", scanned(report.coverage, outcome))
    }
}

/// The last line of every run.
fn scanned(coverage: Coverage, outcome: &Outcome) -> String {
    let blobs = summary::count(coverage.files, "blob");
    let line = format!(
        "scanned {blobs}, {}",
        summary::count(coverage.bytes, "byte")
    );
    match coverage.files {
        0 => format!("{line}: {}", outcome.nothing),
        _ => line,
    }
}

/// The names among `names` whose content the index part of the scan has not covered.
fn not_staged(names: &[OsString], changes: &Changes, top: Option<&Path>) -> Vec<PathBuf> {
    if names.is_empty() {
        return Vec::new();
    }
    let here = env::current_dir().unwrap_or_default();
    let inner = top.and_then(|top| here.strip_prefix(top).ok());
    let inner = inner.map(Path::to_path_buf).unwrap_or_default();
    let staged: HashSet<&Path> = changes
        .entries()
        .iter()
        .filter_map(|entry| match &entry.origin {
            Origin::Index(path) => Some(path.as_path()),
            _ => None,
        })
        .collect();
    let is_staged = |name: &Path| {
        let plain: PathBuf = inner.join(name).components().collect();
        staged.contains(plain.as_path())
    };
    names
        .iter()
        .map(PathBuf::from)
        .filter(|name| !is_staged(name))
        .collect()
}
