//! `csv`: one row an occurrence (RFC 4180, UTF-8), for spreadsheets and `pandas`.

use std::io::{self, Write};

use super::provenance::ProvenanceObject;
use super::sanitise;
use super::view::View;

const HEADER: [&str; 23] = [
    "fingerprint",
    "rule",
    "severity",
    "confidence",
    "blocks",
    "title",
    "access_key_id",
    "account_id",
    "key_type",
    "canary",
    "verdict",
    "verdict_words",
    "path",
    "commit",
    "line",
    "column",
    "parts",
    "suppressed_by",
    "reason",
    "url",
    "first_commit",
    "first_author",
    "first_date",
];

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_row(out, &HEADER.map(str::to_owned))?;
    for entry in view.all_entries() {
        let standing = entry.standing().filter(|_| entry.suppressed());
        let suppressed_by = standing.as_ref().map_or("", |it| it.by);
        let reason = standing.as_ref().and_then(|it| it.known.reason.clone());
        let reason = reason.unwrap_or_default();
        let provenance = entry.provenance();
        let first = |of: fn(&ProvenanceObject) -> &Option<String>| {
            let value = provenance.as_ref().and_then(|it| of(it).clone());
            value.unwrap_or_default()
        };
        for place in entry.places() {
            let (line, column) = place.line_and_column();
            let parts: Vec<&str> = place
                .parts()
                .iter()
                .map(|part| part.kind.as_str())
                .collect();
            write_row(
                out,
                &[
                    entry.fingerprint(),
                    entry.rule().to_owned(),
                    entry.severity().as_str().to_owned(),
                    entry.confidence().to_owned(),
                    entry.blocks().to_string(),
                    entry.title().to_owned(),
                    entry.access_key_id().unwrap_or_default(),
                    entry.account_id().unwrap_or_default(),
                    entry.key_type().unwrap_or_default().to_owned(),
                    entry.canary().to_string(),
                    entry.verdict_state().to_owned(),
                    sanitise::line(entry.verdict_phrase().unwrap_or_default().as_bytes()),
                    sanitise::line(&place.path()),
                    place.commit().unwrap_or_default().to_owned(),
                    line.to_string(),
                    column.to_string(),
                    parts.join(" "),
                    suppressed_by.to_owned(),
                    sanitise::line(reason.as_bytes()),
                    place.url().unwrap_or_default(),
                    first(|it| &it.first_commit),
                    first(|it| &it.author),
                    first(|it| &it.date),
                ],
            )?;
        }
    }
    Ok(())
}

fn write_row(out: &mut dyn Write, cells: &[String; HEADER.len()]) -> io::Result<()> {
    let row: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    write!(out, "{}\r\n", row.join(","))
}

/// A cell. What a spreadsheet would take for a formula gets an apostrophe before it, which it takes
/// for "this is text".
fn cell(text: &str) -> String {
    let mut text = sanitise::line(text.as_bytes());
    if text.starts_with(['=', '+', '-', '@', '|', '%', '＝', '＋', '－', '＠']) {
        text.insert(0, '\'');
    }
    match text.contains([',', '"', ';', '\'', ' ']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells() {
        assert_eq!(cell("plain"), "plain");
        assert_eq!(cell("a,b \"c\""), "\"a,b \"\"c\"\"\"");
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("-"), "\"'-\"");
        assert_eq!(cell("a\nb"), "a\\nb");
        assert_eq!(cell(""), "");
    }
}
