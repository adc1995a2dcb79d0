//! `github`: workflow commands, which GitHub Actions shows as annotations at the lines of a pull
//! request. They land on pages that others read, so identifiers are masked.
//!
//! GitHub shows ten annotations of a kind and step ("Workflow commands", "Usage limits"): the
//! worst come first, and the rest is in the log.

use std::io::{self, Write};

use super::view::{Entry, Place, View};
use super::{group, line, sanitise};

/// Annotations of a kind that are shown for one step.
const SHOWN: usize = 10;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut written = [0_usize; 2];
    let mut rest = 0_usize;
    for entry in group::worst_first(view) {
        for place in entry.places() {
            let kind = &mut written[usize::from(entry.blocks())];
            *kind += 1;
            // The last one is for the number of the others.
            if *kind < SHOWN {
                write_annotation(out, &entry, &place)?;
            } else {
                rest += 1;
                line::write_place(out, &entry, &place, &line::message(&entry))?;
            }
        }
    }
    if rest > 0 {
        let level = if written[1] >= SHOWN {
            "error"
        } else {
            "warning"
        };
        let text = format!("{rest} more places with leaked keys are in the log of this step");
        writeln!(out, "::{level} title=straykey::{text}")?;
    }
    for entry in view.not_scanned().filter(|it| it.incomplete()).take(SHOWN) {
        let path = sanitise::line(entry.path().as_bytes());
        let reason = sanitise::line(entry.reason().as_bytes());
        let text = data(&format!("{path} was not scanned: {reason}"));
        writeln!(out, "::error title=straykey::{text}")?;
    }
    Ok(())
}

fn write_annotation(out: &mut dyn Write, entry: &Entry<'_>, place: &Place<'_>) -> io::Result<()> {
    let level = if entry.blocks() { "error" } else { "warning" };
    let path = place.path();
    let path = property(&sanitise::line(path.strip_prefix(b"./").unwrap_or(&path)));
    let title = property(&sanitise::line(entry.title().as_bytes()));
    let message = data(&line::message(entry));
    let (line, column) = place.line_and_column();
    let end = place.parts().first().map(|part| part.span.end);
    let end = end.filter(|end| end.line == line);
    // An end column is taken only where the annotation stays on its line; it is inclusive.
    let end = end.map_or(String::new(), |end| {
        format!(",endLine={line},endColumn={}", end.column.saturating_sub(1))
    });
    writeln!(
        out,
        "::{level} file={path},line={line},col={column}{end},title={title}::{message}"
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
