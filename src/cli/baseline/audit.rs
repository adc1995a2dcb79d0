//! `straykey baseline audit`: the findings that count, one after the other, one key press a
//! decision. What was decided is written at once, so that leaving loses nothing.

use std::io::{self, IsTerminal, Read, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};
use straykey::baseline::{Baseline, Entry, Note};
use straykey::date::Date;
use straykey::finding::Finding;
use straykey::report::{self, Format, Options, Report, sanitise, summary};
use straykey::standing::{Known, Standing};

use super::args::AuditArguments;
use super::{Work, told};
use crate::cli::exit::Exit;
use crate::cli::say;

/// Days for which the key `9` notes something as known.
const DAYS: u64 = 90;

/// What can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Decision {
    Accept,
    AcceptForDays,
    NotAKey,
    Remove,
    Skip,
    Quit,
}

pub(super) fn run(arguments: &AuditArguments) -> Result<Exit> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        bail!("audit asks for one key press a decision, and needs a terminal");
    }
    let work = Work::new(&arguments.place)?;
    let report = work.scan(false)?;
    let audited = |finding: &&Finding| match &finding.standing {
        Standing::New | Standing::Expired(_) => true,
        Standing::Baselined(_) => arguments.all,
        Standing::Allowed(_) | Standing::Excluded => false,
    };
    let findings: Vec<&Finding> = report.findings.iter().filter(audited).collect();
    let mut baseline = work.baseline().clone();
    let mut decided = 0;
    for (number, finding) in findings.iter().enumerate() {
        show(finding, number + 1, findings.len())?;
        let decision = ask(matches!(finding.standing, Standing::Baselined(_)))?;
        if decision == Decision::Quit {
            break;
        }
        if decision != Decision::Skip {
            let note = arguments.note.note();
            carry_out(decision, &work.directory, &baseline, finding, &note)?;
            // What comes next takes the same salt.
            baseline = Baseline::load(&work.directory)?;
            decided += 1;
        }
    }
    let left = findings.len() - decided;
    let decided = summary::count(decided as u64, "decision");
    say(&format!("{decided} written, {left} left as they were"));
    Ok(told(&report))
}

/// Shows a finding as `pretty` does, and what the baseline says of it.
fn show(finding: &Finding, number: usize, all: usize) -> Result<()> {
    let alone = Report {
        findings: vec![Finding {
            standing: Standing::New,
            ..finding.clone()
        }],
        ..Report::default()
    };
    let options = Options {
        colour: anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never,
        ..Options::default()
    };
    let mut out = io::stdout().lock();
    writeln!(out, "\n({number} of {all})")?;
    report::write(&alone, Format::Pretty, &options, &mut out)?;
    if let Standing::Baselined(known) | Standing::Expired(known) = &finding.standing {
        writeln!(out, "{}", said(known))?;
    }
    Ok(())
}

fn said(known: &Known) -> String {
    let clean = |text: &String| sanitise::line(text.as_bytes());
    let mut text = format!("known as {}", known.entry);
    if let Some(until) = known.until {
        text.push_str(&format!(", until {until}"));
    }
    if let Some(owner) = &known.owner {
        text.push_str(&format!(", {}", clean(owner)));
    }
    if let Some(reason) = &known.reason {
        text.push_str(&format!(": {}", clean(reason)));
    }
    text
}

/// One decision, at one key press.
fn ask(known: bool) -> Result<Decision> {
    let choices = match known {
        true => "k keep   r remove   q quit",
        false => "a accept   9 accept for 90 days   n not a key   s skip   q quit",
    };
    let mut out = io::stdout().lock();
    write!(out, "{choices} ? ")?;
    out.flush()?;
    loop {
        let decision = match (key()?, known) {
            (b'q' | 3 | 4 | 27, _) => Decision::Quit,
            (b's' | b'k' | b' ', true) | (b's' | b' ', false) => Decision::Skip,
            (b'r', true) => Decision::Remove,
            (b'a', false) => Decision::Accept,
            (b'9', false) => Decision::AcceptForDays,
            (b'n', false) => Decision::NotAKey,
            _ => continue,
        };
        writeln!(out, "{decision:?}")?;
        return Ok(decision);
    }
}

fn carry_out(
    decision: Decision,
    directory: &Path,
    baseline: &Baseline,
    finding: &Finding,
    note: &Note,
) -> Result<()> {
    let own: Vec<Entry> = baseline.entries_of(finding).cloned().collect();
    let reason = |default: &str| note.reason.clone().or(Some(default.to_owned()));
    let note = match decision {
        Decision::Accept => Note {
            reason: reason("accepted in an audit"),
            ..note.clone()
        },
        Decision::AcceptForDays => Note {
            reason: reason("accepted in an audit"),
            until: Some(Date::in_days(DAYS)),
            ..note.clone()
        },
        Decision::NotAKey => Note {
            reason: reason("not a key"),
            ..note.clone()
        },
        Decision::Remove => {
            return Baseline::remove(directory, &own).context("cannot change the baseline");
        }
        Decision::Skip | Decision::Quit => return Ok(()),
    };
    let entries = match own.is_empty() {
        true => baseline.entries_for([finding], &note)?,
        false => own.iter().map(|entry| entry.with_note(&note)).collect(),
    };
    Baseline::write(directory, &entries).context("cannot write the baseline")
}

/// One key press, as a byte. The terminal hands it over at once and does not show it.
#[cfg(unix)]
fn key() -> Result<u8> {
    let _raw = Raw::new().context("cannot read single keys from the terminal")?;
    let mut byte = [0];
    match io::stdin().lock().read(&mut byte)? {
        0 => Ok(4),
        _ => Ok(byte[0]),
    }
}

#[cfg(not(unix))]
fn key() -> Result<u8> {
    bail!("audit needs a Unix terminal");
}

/// The terminal, handing over keys one at a time until this is dropped.
#[cfg(unix)]
struct Raw(rustix::termios::Termios);

#[cfg(unix)]
impl Raw {
    fn new() -> io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        // Without signals, so that Ctrl-C ends here and leaves the terminal as it was.
        raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG;
        tcsetattr(io::stdin(), OptionalActions::Now, &raw)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Raw {
    fn drop(&mut self) {
        use rustix::termios::{OptionalActions, tcsetattr};
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
