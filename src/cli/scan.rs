//! `straykey scan`, and `straykey` without a command.

use std::env;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use straykey::detect::Detector;
use straykey::report::{self, Format, Options, Report, summary};
use straykey::scan::{self, Progress};
use straykey::source::{Files, Sink, Source, Stdin};

use super::args::ScanArguments;
use super::exit::Exit;
use super::interrupt::stop_on_interrupt;
use super::plan::{CommonPlan, Input, ScanPlan, Surroundings, Target};
use super::policy::{self, Policy};
use super::progress::Display;
use super::{output, print, repository, say};

pub(crate) fn run(arguments: ScanArguments) -> Result<Exit> {
    let mut plan = ScanPlan::new(arguments, Surroundings::here())?;
    let progress = Arc::new(Progress::default());
    let paths: Vec<PathBuf> = plan.inputs.iter().filter_map(Input::path).collect();
    let policy = Policy::of(&mut plan.common, &paths)?;
    let report = scan(&plan, &policy, &progress)?;
    let whole = policy::is_whole(&paths) && plan.max_file_size.is_none();
    Ok(finish(&plan.common, &policy, report, whole, &progress))
}

fn scan(plan: &ScanPlan, policy: &Policy, progress: &Arc<Progress>) -> Result<Report> {
    set_threads(plan.common.threads)?;
    let detector = Detector::new(&policy.rules);
    stop_on_interrupt(progress);
    let _display = Display::start(progress, plan.common.quiet);
    let mut report = scan::run(&Inputs::of(plan), &detector, progress);
    let paths: Vec<PathBuf> = plan.inputs.iter().filter_map(Input::path).collect();
    report.repository = repository::of(&paths);
    Ok(report)
}

/// What follows on every scan: which findings count, verification where it was asked for, and the
/// reports. `whole`: the scan is about everything that the baseline is for.
pub(crate) fn finish(
    plan: &CommonPlan,
    policy: &Policy,
    mut report: Report,
    whole: bool,
    progress: &Arc<Progress>,
) -> Exit {
    policy.settle(&mut report, whole);
    let verified = match &plan.verify {
        Some(verify) => verify.carry_out(&mut report, &plan.options, progress, plan.quiet),
        None => Ok(()),
    };
    let exit = deliver(plan, &report);
    // What was found is reported even where it could not be verified.
    verified.map_or_else(|error| exit.after(&error), |()| exit)
}

/// Starts so many threads; without a number, one a processor.
pub(crate) fn set_threads(threads: Option<usize>) -> Result<()> {
    let Some(number) = threads else {
        return Ok(());
    };
    rayon::ThreadPoolBuilder::new()
        .num_threads(number)
        .build_global()
        .with_context(|| format!("cannot start {number} threads"))
}

/// The inputs of a plan, one after the other.
struct Inputs(Vec<Box<dyn Source>>);

impl Inputs {
    /// Paths are read together, so that their files share the threads.
    fn of(plan: &ScanPlan) -> Self {
        let mut sources: Vec<Box<dyn Source>> = Vec::new();
        if plan.inputs.contains(&Input::Stdin) {
            if io::stdin().is_terminal() {
                say("reading standard input (Ctrl-D ends it)");
            }
            sources.push(Box::new(Stdin::new(io::stdin())));
        }
        let paths: Vec<PathBuf> = plan.inputs.iter().filter_map(Input::path).collect();
        if !paths.is_empty() {
            let files = Files::new(paths)
                .no_ignore(plan.no_ignore)
                .max_file_size(plan.max_file_size);
            sources.push(Box::new(files));
        }
        Self(sources)
    }
}

impl Source for Inputs {
    fn read(&self, sink: &dyn Sink) {
        for source in &self.0 {
            source.read(sink);
        }
    }
}

/// Writes every report that was asked for, then says what is to be said. One that cannot be
/// written does not keep the others from being written.
fn deliver(plan: &CommonPlan, report: &Report) -> Exit {
    let scanned = report.scanned();
    let mut exit = Exit::of(report.blocked(&plan.options), report.complete() && scanned);
    for target in &plan.targets {
        if let Err(error) = write(target, report, plan.options) {
            say(&format!("error: {error:#}"));
            exit = exit.and_failed();
        }
    }
    let mut stderr = io::stderr().lock();
    // If standard error is closed, there is nobody to tell.
    let _ = summary::write_not_scanned(report, &plan.options, plan.show_skipped, &mut stderr);
    drop(stderr);
    if !plan.quiet || !scanned {
        say(&summary::line(report, &plan.options));
    }
    exit
}

/// Writes one report.
pub(crate) fn write(target: &Target, report: &Report, options: Options) -> Result<()> {
    write_target(target, report, options)?;
    match env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) {
        Some(path) if target.format == Format::Github => {
            output::append_file(Path::new(&path), |out| {
                report::write(report, Format::Markdown, &options, out)
            })
        }
        _ => Ok(()),
    }
}

fn write_target(target: &Target, report: &Report, options: Options) -> Result<()> {
    let Some(file) = &target.file else {
        return print(|out| report::write(report, target.format, &options, out));
    };
    let options = Options {
        colour: false,
        ..options
    };
    output::write_file(file, |out| {
        report::write(report, target.format, &options, out)
    })
}
