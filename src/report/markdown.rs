//! `markdown`: a table for job summaries, comments and tickets. Like every format that lands on
//! shared pages it masks identifiers.

use std::io::{self, Write};

use super::view::{Entry, View};
use super::{group, markup, sanitise, summary};

/// GitHub takes 1 MiB of job summary, and nothing if there is more. A row takes some hundred bytes;
/// what is cut is counted.
const MOST_BYTES: usize = 900 * 1024;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let number = view.entries().len() as u64;
    if number == 0 {
        let verdict = match view.complete() {
            true => "No leaked keys",
            false => "No leaked keys in what was read; the scan is not complete",
        };
        return writeln!(out, "### {verdict}");
    }
    writeln!(out, "### {}\n", summary::count(number, "leaked key"))?;
    writeln!(out, "| severity | what | key | where | finding |")?;
    writeln!(out, "|---|---|---|---|---|")?;
    let mut bytes = 0;
    let mut left_out = 0_u64;
    for entry in group::worst_first(view) {
        let row = row(&entry);
        bytes += row.len();
        if bytes > MOST_BYTES {
            left_out += 1;
        } else {
            out.write_all(row.as_bytes())?;
        }
    }
    if left_out > 0 {
        writeln!(out, "\nAnd {}.", summary::count(left_out, "more key"))?;
    }
    if !view.complete() {
        writeln!(out, "\n**The scan is not complete**: there may be more.")?;
    }
    writeln!(
        out,
        "\nDeactivate each key first, then replace it, look for abuse, and only then clean the history."
    )
}

fn row(entry: &Entry<'_>) -> String {
    let mut places = entry.places();
    let first = places.next().map_or(String::new(), |place| {
        let path = sanitise::line(&place.path());
        code(&format!("{path}:{}", place.line_and_column().0))
    });
    let more = match places.len() {
        0 => String::new(),
        number => format!(" and {}", summary::count(number as u64, "more place")),
    };
    let key = entry.access_key_id().map_or(String::new(), |id| code(&id));
    let mut title = code_free(entry.title());
    if let Some(verdict) = entry.verdict_phrase() {
        title.push_str(&format!(": {}", code_free(&verdict)));
    }
    let severity = entry.severity().as_str();
    let finding = code(&entry.short_fingerprint());
    format!("| {severity} | {title} | {key} | {first}{more} | {finding} |\n")
}

/// Text in a monospaced face. Markdown's own code spans cannot hold every text within a table.
fn code(text: &str) -> String {
    format!("<code>{}</code>", code_free(text))
}

/// Text in which nothing means anything to Markdown.
fn code_free(text: &str) -> String {
    let text = sanitise::line(text.as_bytes());
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '*' | '_' | '[' | ']' | '(' | ')' | '#' | '~' | '|' | '!' | '@' | ':' | '{'
            | '}' => {
                escaped.push_str(&format!("&#{};", u32::from(character)));
            }
            _ => escaped.push_str(&markup::escape(character.encode_utf8(&mut [0; 4]))),
        }
    }
    escaped
}
