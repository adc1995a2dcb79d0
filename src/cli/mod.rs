//! The command line: what was typed ([`args`]), what it means ([`plan`]), one file a command.

use std::io::{self, Write};

use clap::Parser;

pub(crate) mod args;
mod baseline;
mod config;
pub(crate) mod exit;
mod explain;
mod history;
mod hook;
mod hook_args;
mod import;
mod install;
mod interrupt;
mod output;
mod plan;
mod policy;
mod progress;
mod report;
mod repository;
mod rules;
mod scan;
#[cfg(feature = "sweep")]
mod sweep;
mod verify;

use args::{Arguments, Command};
use exit::Exit;

/// Runs what the command line asks for. Whatever goes wrong has been said when it returns.
pub(crate) fn main() -> Exit {
    #[cfg(feature = "sweep")]
    if let Some(answer) = sweep::answer_git() {
        return give(answer);
    }
    let called = match hook::as_called() {
        Ok(words) => words,
        Err(error) => return failed(&error),
    };
    let arguments = match Arguments::try_parse_from(called) {
        Ok(arguments) => arguments,
        Err(message) => return usage(&message),
    };
    let result = match arguments.command {
        None => scan::run(arguments.scan),
        Some(Command::Staged(staged)) => hook::run_staged(*staged),
        Some(Command::Hook(hook)) => hook::run(&hook),
        Some(Command::Install(install)) => install::install(&install),
        Some(Command::Uninstall(uninstall)) => install::uninstall(&uninstall),
        Some(Command::Doctor) => install::doctor(),
        Some(Command::Scan(scan)) => scan::run(*scan),
        Some(Command::Report(report)) => report::run(&report),
        Some(Command::History(history)) => history::run(*history),
        Some(Command::Rules(command)) => rules::run(&command),
        #[cfg(feature = "sweep")]
        Some(Command::Sweep(sweep)) => sweep::run(*sweep),
        #[cfg(not(feature = "sweep"))]
        Some(Command::Sweep { .. }) => Err(anyhow::anyhow!(
            "this straykey was built without sweep (cargo feature `sweep`); \
             `cargo install straykey --locked --features sweep` builds it in"
        )),
        Some(Command::Baseline(command)) => baseline::run(&command),
        Some(Command::Import(arguments)) => import::run(&arguments),
        Some(Command::Explain(arguments)) => explain::run(&arguments),
    };
    result.unwrap_or_else(|error| failed(&error))
}

fn failed(error: &anyhow::Error) -> Exit {
    say(&format!("error: {error:#}"));
    Exit::Incomplete
}

/// Tells git what it has asked for; git takes a failure for "nobody knows".
#[cfg(feature = "sweep")]
fn give(answer: Option<String>) -> Exit {
    match answer.map(|answer| print(|out| writeln!(out, "{answer}"))) {
        Some(Ok(())) => Exit::Clean,
        _ => Exit::Incomplete,
    }
}

/// Prints what clap has to say: an error, or help and version, which are no error.
fn usage(message: &clap::Error) -> Exit {
    match (message.use_stderr(), message.print()) {
        (false, Ok(())) => Exit::Clean,
        _ => Exit::Incomplete,
    }
}

/// One line on standard error. If that is closed, there is nobody to tell.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Prints on standard output. That the reader has gone away is not an error: it got what it
/// wanted, and the exit code says the rest.
fn print(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(anyhow::Error::new(error).context("cannot write to standard output"))
        }
        _ => Ok(()),
    }
}
