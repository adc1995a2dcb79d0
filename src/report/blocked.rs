//! The message of a hook that blocks: what was found, and what to do about it now.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::view::{Entry, View};
use super::{Options, Report, sanitise, summary};
use crate::finding::Finding;

/// What is held back; each has its own wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// A commit, before it is made.
    Commit,
    /// The message of a commit, before it is made.
    Message,
    /// A push, before anything has left the machine.
    Push,
    /// A push, as the receiving server sees it.
    Receive,
    /// Files that were named: nothing is held back, the run fails.
    Files,
}

/// Places of one credential that are listed before they are only counted.
const LISTED: usize = 5;

/// Writes why `gate` is closed: the blocking findings of `report` and the steps to take.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_blocked(
    report: &Report,
    options: &Options,
    gate: Gate,
    out: &mut dyn Write,
) -> io::Result<()> {
    let view = View::new(report, options);
    let blocking: Vec<Entry<'_>> = view.entries().filter(Entry::blocks).collect();
    let keys = summary::count(blocking.len() as u64, "leaked key");
    let head = match gate {
        Gate::Commit => format!("✗ commit blocked: {keys} in the staged changes"),
        Gate::Message => format!("✗ commit blocked: {keys} in the commit message"),
        Gate::Push => format!("✗ push blocked: {keys} in the commits to be pushed"),
        Gate::Receive => format!("✗ push rejected: {keys} in the pushed commits"),
        Gate::Files => format!("✗ {keys} in the named files"),
    };
    let red = style(options, AnsiColor::BrightRed.on_default().bold());
    writeln!(out, "{red}{head}{red:#}")?;
    for entry in &blocking {
        write_entry(entry, options, out)?;
    }
    // With a question to AWS a session token may have left.
    let asked = report.verified_at.is_some();
    write_steps(&blocking, gate, asked, out)
}

/// Writes the findings of `report` that do not block, one line each.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_others(report: &Report, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let view = View::new(report, options);
    for entry in view.entries().filter(|entry| !entry.blocks()) {
        write!(out, "not blocking:")?;
        write_entry(&entry, options, out)?;
    }
    Ok(())
}

/// Writes `findings`, none of which blocks, one line each, with `word` before them.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_noted(
    word: &str,
    findings: &[Finding],
    options: &Options,
    out: &mut dyn Write,
) -> io::Result<()> {
    let report = Report {
        findings: findings.to_vec(),
        ..Report::default()
    };
    let view = View::new(&report, options);
    for entry in view.entries() {
        write!(out, "{word}:")?;
        write_entry(&entry, options, out)?;
    }
    Ok(())
}

fn write_entry(entry: &Entry<'_>, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let bold = style(options, Style::new().bold());
    let id = entry.access_key_id().unwrap_or_default();
    let about = format!(
        "{}  {}  [{}]",
        sanitise::line(entry.title().as_bytes()),
        sanitise::line(id.as_bytes()),
        entry.short_fingerprint(),
    );
    let places: Vec<String> = entry.places().map(|place| shown(&place)).collect();
    let (first, more) = match places.split_first() {
        Some((first, more)) => (first.as_str(), more),
        None => ("", &[][..]),
    };
    writeln!(out, "  {bold}{first}{bold:#}  {about}")?;
    if let Some(verdict) = entry.verdict_phrase() {
        writeln!(out, "    {}", sanitise::line(verdict.as_bytes()))?;
    }
    for place in more.iter().take(LISTED) {
        writeln!(out, "    also {place}")?;
    }
    if more.len() > LISTED {
        writeln!(out, "    and {} more places", more.len() - LISTED)?;
    }
    Ok(())
}

fn shown(place: &super::view::Place<'_>) -> String {
    let (line, _) = place.line_and_column();
    let mut text = format!("{}:{line}", sanitise::line(&place.path()));
    if place.is_name() {
        text = format!("{} (the name itself)", sanitise::line(&place.path()));
    }
    if let Some(commit) = place.commit() {
        let short: String = commit.chars().take(12).collect();
        text.push_str(&format!(" in {}", sanitise::line(short.as_bytes())));
    }
    text
}

fn write_steps(
    blocking: &[Entry<'_>],
    gate: Gate,
    asked: bool,
    out: &mut dyn Write,
) -> io::Result<()> {
    let path = blocking.iter().find_map(|entry| {
        let place = entry.places().next()?;
        Some(sanitise::line(&place.path()))
    });
    let path = path.unwrap_or_default();
    let keep = "move the key to an environment variable, ~/.aws/credentials or Secrets Manager";
    match gate {
        Gate::Commit => {
            let kept = match asked {
                true => "Nothing is committed yet.",
                false => "Nothing has left your machine.",
            };
            writeln!(out, "{kept} To commit without it:")?;
            writeln!(out, "  1. {keep}")?;
            writeln!(
                out,
                "  2. git restore --staged -- {path}   (or edit, then git add)"
            )?;
        }
        Gate::Message => {
            writeln!(
                out,
                "Nothing has left your machine. Commit again with another message;"
            )?;
            writeln!(out, "what you wrote is kept in .git/COMMIT_EDITMSG.")?;
        }
        Gate::Push => {
            writeln!(out, "Nothing has left your machine. To push without it:")?;
            writeln!(out, "  1. {keep}")?;
            writeln!(
                out,
                "  2. take it out of the commits: git commit --amend for the last one,"
            )?;
            writeln!(
                out,
                "     git rebase -i for older ones; a later commit that deletes it is not enough"
            )?;
        }
        Gate::Receive => {
            writeln!(
                out,
                "The server has refused it and keeps nothing, but the key has travelled here:"
            )?;
            writeln!(
                out,
                "  1. deactivate it now:  aws iam update-access-key --status Inactive --access-key-id …"
            )?;
            writeln!(
                out,
                "  2. take it out of the commits (git commit --amend, git rebase -i), push again;"
            )?;
            return writeln!(out, "     a later commit that deletes it is not enough");
        }
        Gate::Files => writeln!(out, "To get rid of it: {keep}")?,
    }
    writeln!(
        out,
        "Was it ever pushed, pasted or shared?  Treat it as leaked and deactivate it:"
    )?;
    writeln!(
        out,
        "  aws iam update-access-key --status Inactive --access-key-id …"
    )
}

fn style(options: &Options, style: Style) -> Style {
    if options.colour { style } else { Style::new() }
}
