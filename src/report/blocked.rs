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
    /// The first commit of a repository: there is none to go back to.
    FirstCommit,
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
        Gate::Commit | Gate::FirstCommit => {
            format!("✗ commit blocked: {keys} in the staged changes")
        }
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
    let Some(first) = blocking.first() else {
        return Ok(());
    };
    let place = first.places().next();
    let path = place.map(|place| shell_word(&sanitise::line(&place.path())));
    let path = path.unwrap_or_default();
    let keep = "move the key to an environment variable, ~/.aws/credentials or Secrets Manager";
    let rule = sanitise::line(first.rule().as_bytes());
    let kept = match asked {
        true => "Nothing is committed yet.",
        false => "Nothing has left your machine.",
    };
    let steps = match gate {
        Gate::Commit => format!(
            "{kept} To commit without it:\n  \
             1. {keep}\n  \
             2. git restore --staged -- {path}   (or edit, then git add)"
        ),
        Gate::FirstCommit => format!(
            "{kept} To commit without it:\n  \
             1. {keep}\n  \
             2. git rm --cached -- {path}   (or edit, then git add)"
        ),
        Gate::Message => "Nothing has left your machine. Commit again with another message;\n\
             what you wrote is kept in .git/COMMIT_EDITMSG."
            .to_owned(),
        Gate::Push => format!(
            "Nothing has left your machine. To push without it:\n  \
             1. {keep}\n  \
             2. take it out of the commits: git commit --amend for the last one,\n     \
             git rebase -i for older ones; a later commit that deletes it is not enough"
        ),
        Gate::Receive => {
            "The server has refused it and keeps nothing, but the key has travelled here:\n  \
             1. deactivate it now: straykey explain RULE says how\n  \
             2. take it out of the commits (git commit --amend, git rebase -i), push again;\n     \
             a later commit that deletes it is not enough"
                .replace("RULE", &rule)
        }
        Gate::Files => format!("To get rid of it: {keep}"),
    };
    writeln!(out, "{steps}")?;
    let what = match gate {
        // In the files, where it can be looked up.
        Gate::Commit | Gate::FirstCommit | Gate::Files => first.short_fingerprint(),
        _ => rule.clone(),
    };
    if gate != Gate::Receive {
        let leaked = "Was it ever pushed, pasted or shared?  Treat it as leaked";
        writeln!(out, "{leaked}: straykey explain {what}")?;
    }
    match gate {
        Gate::Message => Ok(()),
        Gate::Receive => writeln!(
            out,
            "Not a real key?  The configuration and the baseline of the default branch decide here"
        ),
        _ => writeln!(
            out,
            "Not a real key?  add  # straykey:allow {rule} <why>   on that line"
        ),
    }
}

/// `text` as one word for a shell.
fn shell_word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+,@%=:".contains(&byte);
    match !text.is_empty() && text.bytes().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn style(options: &Options, style: Style) -> Style {
    if options.colour { style } else { Style::new() }
}

#[cfg(test)]
mod tests {
    use super::shell_word;

    #[test]
    fn paths_can_be_typed_as_they_are_shown() {
        assert_eq!(shell_word("app/settings.py"), "app/settings.py");
        assert_eq!(shell_word("it's a.env"), "'it'\\''s a.env'");
    }
}
