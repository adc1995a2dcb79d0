//! `line`: `path:line:col: severity rule: message`, one line an occurrence, for pipes and logs.

use std::io::{self, Write};

use super::sanitise;
use super::view::{Entry, Place, View};

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    for entry in view.entries() {
        let message = message(&entry);
        for place in entry.places() {
            write_place(out, &entry, &place, &message)?;
        }
    }
    Ok(())
}

pub(super) fn write_place(
    out: &mut dyn Write,
    entry: &Entry<'_>,
    place: &Place<'_>,
    message: &str,
) -> io::Result<()> {
    let mut path = sanitise::line(&place.path());
    if path.starts_with("::") {
        // In the log of a GitHub job a line that starts so would be a command.
        path.insert_str(0, "./");
    }
    let (line, column) = place.line_and_column();
    let severity = entry.severity().as_str();
    let rule = sanitise::line(entry.rule().as_bytes());
    write!(out, "{path}:{line}:{column}: {severity} {rule}: {message}")?;
    if let Some(commit) = place.commit() {
        write!(out, " (commit {})", sanitise::line(commit.as_bytes()))?;
    }
    writeln!(out)
}

/// What is said of a credential, the same at each of its places.
pub(super) fn message(entry: &Entry<'_>) -> String {
    let mut message = sanitise::line(entry.title().as_bytes());
    if let Some(id) = entry.access_key_id() {
        message.push_str(": ");
        message.push_str(&sanitise::line(id.as_bytes()));
    }
    if entry.canary() {
        message.push_str(" (canary)");
    }
    if let Some(verdict) = entry.verdict_phrase() {
        message.push_str(&format!(" ({})", sanitise::line(verdict.as_bytes())));
    }
    if let Some(note) = entry.standing_note() {
        message.push_str(&format!(" ({})", sanitise::line(note.as_bytes())));
    }
    message.push_str(&format!(" [{}]", entry.short_fingerprint()));
    message
}
