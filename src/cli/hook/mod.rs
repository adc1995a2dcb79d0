//! `straykey staged` and `straykey hook`: what is about to be committed, pushed or received.
//!
//! Fails closed: whatever cannot be read, be it because git fails or because time is up, ends in
//! exit code 2, which blocks like a finding does.

mod called;
mod message;
mod policy;
mod push;
mod stage;
mod watchdog;

use std::collections::HashSet;
use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use straykey::finding::{Finding, Severity};
use straykey::introduced::{Introduced, introduced};
use straykey::location::Origin;
use straykey::report::blocked::{Gate, write_blocked, write_noted, write_others};
use straykey::report::{Options, Report, summary};
use straykey::scan::{self, Progress};
use straykey::source::changes::{Changes, staged::staged};
use straykey::source::git::Repository;
use straykey::source::{Coverage, Files};

use super::args::{Color, FailOn};
use super::exit::Exit;
use super::hook_args::{GateArguments, HookArguments, Stage, StagedArguments};
use super::interrupt::stop_on_interrupt;
use super::plan::Target;
use super::say;
use super::scan::write;
use super::verify::VerifyPlan;
pub(super) use called::as_called;
use policy::Deciding;

pub(super) fn run_staged(arguments: StagedArguments) -> Result<Exit> {
    let live_only = arguments.gate.fail_on == Some(FailOn::Live);
    let verify = VerifyPlan::for_gate(arguments.verify, live_only)?;
    let mut run = HookRun::new(&arguments.gate)?;
    run.options.live_only = live_only;
    let mut outcome = run.staged(&[])?;
    let Some(verify) = verify else {
        return Ok(run.finish(outcome));
    };
    stop_on_interrupt(&run.progress);
    let verified = verify.carry_out(&mut outcome.report, &run.options, &run.progress, false);
    let exit = run.finish(outcome);
    Ok(verified.map_or_else(|error| exit.after(&error), |()| exit))
}

pub(super) fn run(arguments: &HookArguments) -> Result<Exit> {
    refuse_verification(arguments)?;
    let rest = &arguments.arguments;
    let mut run = HookRun::new(&arguments.gate)?;
    let variable = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
    let call = stage::Call {
        arguments: rest,
        variable: &variable,
        ancestors: &stage::ancestors,
        is_file: &Path::is_file,
    };
    let found = arguments.stage.unwrap_or_else(|| stage::detect(&call));
    let outcome = match found {
        Stage::PreCommit => run.staged(rest),
        Stage::PreMergeCommit | Stage::PreApplypatch | Stage::PrepareCommitMsg => run.staged(&[]),
        Stage::CommitMsg | Stage::ApplypatchMsg => run.message(rest),
        Stage::PrePush => run.pushed(push::to_be_pushed(rest)?),
        Stage::PreReceive => run.received(push::received()?),
        Stage::Update => run.received(push::updated(rest)?),
    };
    Ok(run.finish(outcome?))
}

/// A hook runs unasked, on a colleague's machine or on a server: it speaks to nobody.
fn refuse_verification(arguments: &HookArguments) -> Result<()> {
    let words = arguments.arguments.iter();
    let mut words = words.filter(|word| !Path::new(word).exists());
    let verify = words.find(|word| word.to_string_lossy().starts_with("--verify"));
    let live = arguments.gate.fail_on == Some(FailOn::Live);
    let word = match verify {
        Some(word) => word.to_string_lossy().into_owned(),
        None if live => "--fail-on live".to_owned(),
        None => return Ok(()),
    };
    bail!(
        "{word} is not for hooks, which ask nobody: `straykey staged --verify` does, and \
         `straykey --verify`"
    )
}

/// What a hook has found.
struct Outcome {
    report: Report,
    /// What was at the same path before.
    before: Vec<Finding>,
    /// What would block if the change did not change the rules.
    let_through: Vec<Finding>,
    gate: Gate,
    /// What to say if nothing was scanned, and that is all right.
    nothing: &'static str,
    /// What to say of the rules.
    notes: Vec<String>,
}

struct HookRun<'a> {
    arguments: &'a GateArguments,
    options: Options,
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
            progress,
        })
    }

    /// What is staged, and those of `names` that are not.
    fn staged(&mut self, names: &[OsString]) -> Result<Outcome> {
        let repository = Repository::from_environment()?;
        let top = repository.work_tree().map(Path::to_path_buf);
        let changes = staged(repository).context("cannot read what is staged")?;
        let others = not_staged(names, &changes, top.as_deref());
        let deciding = Deciding::staged(self.arguments, &changes)?;
        let gate = match changes.contents().head()? {
            Some(_) => Gate::Commit,
            None => Gate::FirstCommit,
        };
        let mut outcome = self.changes(&changes, &deciding, gate);
        outcome.nothing = match changes.is_empty() {
            true => "nothing staged, nothing scanned",
            false => "nothing with content staged",
        };
        if !others.is_empty() {
            self.add_files(others, &deciding, &mut outcome);
        }
        Ok(outcome)
    }

    /// Scans the files `names` as they lie in the work tree.
    fn add_files(&self, names: Vec<PathBuf>, deciding: &Deciding, outcome: &mut Outcome) {
        let files = Files::new(names).no_ignore(true);
        let mut more = scan::run(&files, &deciding.detector, &self.progress);
        deciding.policy.settle(&mut more, false);
        if !outcome.report.blocked(&self.options) {
            outcome.gate = Gate::Files;
        }
        outcome.report.findings.extend(more.findings);
        outcome.report.not_scanned.extend(more.not_scanned);
        // The totals of the progress run on.
        outcome.report.coverage = more.coverage;
        outcome.report.interrupted |= more.interrupted;
    }

    fn pushed(&mut self, changes: Changes) -> Result<Outcome> {
        let deciding = Deciding::pushed(self.arguments, &changes)?;
        Ok(self.changes(&changes, &deciding, Gate::Push))
    }

    fn received(&mut self, (changes, updates): push::Received) -> Result<Outcome> {
        let deciding = Deciding::received(self.arguments, &changes, &updates)?;
        Ok(self.changes(&changes, &deciding, Gate::Receive))
    }

    fn changes(&mut self, changes: &Changes, deciding: &Deciding, gate: Gate) -> Outcome {
        self.options = self.options_by(deciding);
        let found = self.introduced(changes, deciding, &self.progress);
        let mut let_through = Vec::new();
        if let Some(former) = &deciding.former {
            let blocks = |finding: &&Finding| self.options.blocks(finding);
            let blocking = found.report.findings.iter().filter(blocks);
            let known: HashSet<_> = blocking.map(|finding| finding.fingerprint).collect();
            let options = self.options_by(former);
            let other = self.introduced(changes, former, &Progress::default());
            let_through = other.report.findings;
            let_through.retain(|it| options.blocks(it) && !known.contains(&it.fingerprint));
        }
        Outcome {
            report: found.report,
            before: found.before,
            let_through,
            gate,
            nothing: "no new commits, nothing scanned",
            notes: deciding.notes.clone(),
        }
    }

    /// The command line's word for what blocks comes before the configuration's.
    fn options_by(&self, deciding: &Deciding) -> Options {
        let mut options = self.options;
        if self.arguments.fail_on.is_none() {
            let configured = deciding.policy.fail_on();
            options.fail_on = configured.unwrap_or(Options::default().fail_on);
        }
        options
    }

    fn introduced(
        &self,
        changes: &Changes,
        deciding: &Deciding,
        progress: &Progress,
    ) -> Introduced {
        let report = scan::run(changes, &deciding.detector, progress);
        let mut parted = introduced(report, changes, &deciding.detector);
        let mut before = Report {
            findings: std::mem::take(&mut parted.before),
            ..Report::default()
        };
        if self.arguments.block_known {
            parted.report.findings.append(&mut before.findings);
        }
        for report in [&mut parted.report, &mut before] {
            deciding.policy.settle(report, false);
        }
        parted.before = before.findings;
        parted
    }

    /// The message of a commit, in the file that git names.
    fn message(&mut self, arguments: &[OsString]) -> Result<Outcome> {
        let source = message::Message::new(arguments)?;
        let deciding = Deciding::committed(self.arguments, &push::open()?)?;
        self.options = self.options_by(&deciding);
        let mut report = scan::run(&source, &deciding.detector, &self.progress);
        deciding.policy.settle(&mut report, false);
        Ok(Outcome {
            report,
            before: Vec::new(),
            let_through: Vec::new(),
            gate: Gate::Message,
            nothing: "an empty message",
            notes: deciding.notes,
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
        write_others(report, &self.options, out)?;
        write_noted("was there before", &outcome.before, &self.options, out)?;
        for note in &outcome.notes {
            writeln!(out, "straykey: {note}")?;
        }
        let word = "let through by that change";
        write_noted(word, &outcome.let_through, &self.options, out)?;
        summary::write_not_scanned(report, &self.options, self.arguments.show_skipped, out)?;
        if exit == Exit::Blocked {
            write_blocked(report, &self.options, outcome.gate, out)?;
        }
        if report.interrupted {
            let why = match report.verified_at {
                Some(_) => "stopped before the end",
                None => "time is up",
            };
            writeln!(out, "straykey: {why}, the scan is not complete: blocked")?;
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
        "scanned {blobs}, {}{}",
        summary::count(coverage.bytes, "byte"),
        summary::suppressed(&outcome.report)
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
