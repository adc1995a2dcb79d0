//! `pretty`: the look for people. A source excerpt with the parts of the credential marked and
//! its secrets hidden, aligned by display width.

use std::io::{self, Write};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::styles::{Styles, styled};
use super::verdict::LiveWords;
use super::view::{Entry, Place, View};
use super::{excerpt, sanitise};
use crate::finding::{ExcerptLine, PartKind, Segment};

/// Further places that are listed before they are only counted.
const PLACES_LISTED: usize = 10;
/// Text between two marks is cut to this many characters on either side of the cut.
const CONTEXT: usize = 60;
/// Marks under a hidden value; its length says nothing and is spelt out in its place.
const HIDDEN_MARKS: usize = 8;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let styles = Styles::new(view.options().colour);
    for (index, entry) in view.entries().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        write_entry(out, &styles, &entry)?;
    }
    Ok(())
}

fn write_entry(out: &mut dyn Write, styles: &Styles, entry: &Entry<'_>) -> io::Result<()> {
    let (level, style) = match entry.blocks() {
        true => ("error", styles.error),
        false => ("warning", styles.warning),
    };
    if let Some(live) = entry.live() {
        write_live(out, styles, entry, &live)?;
    }
    let head = format!("{level}[{}]", sanitise::line(entry.rule().as_bytes()));
    let title = format!(": {}", sanitise::line(entry.title().as_bytes()));
    writeln!(out, "{}{}", styled(style, &head), styles.strong(&title))?;
    let mut places = entry.places();
    let gutter = match places.next() {
        Some(place) => write_place(out, styles, entry, &place)?,
        None => 1,
    };
    write_notes(out, styles, entry, gutter)?;
    let more = places.len();
    for place in places.take(PLACES_LISTED) {
        write_note(out, styles, gutter, "also in", &location(&place))?;
    }
    if more > PLACES_LISTED {
        let rest = format!(
            "{} more places (-o json lists them all)",
            more - PLACES_LISTED
        );
        write_note(out, styles, gutter, "and", &rest)?;
    }
    Ok(())
}

/// What a responder needs of a live key, before everything else.
fn write_live(
    out: &mut dyn Write,
    styles: &Styles,
    entry: &Entry<'_>,
    live: &LiveWords,
) -> io::Result<()> {
    let severity = entry.severity().as_str().to_uppercase();
    let what = match live.root {
        true => "LIVE ROOT KEY",
        false => "LIVE KEY",
    };
    let id = sanitise::line(entry.access_key_id().unwrap_or_default().as_bytes());
    let head = styled(styles.error, &format!("{severity}  {what}  {id}"));
    let verified = &live.verified;
    writeln!(out, "{head}   verified {verified} by sts:GetCallerIdentity")?;
    let mut row = |name: &str, text: &str| {
        let name = styles.strong(&format!("{name:<10}"));
        writeln!(out, "  {name}  {}", sanitise::line(text.as_bytes()))
    };
    row("belongs to", &live.owner)?;
    row("found in", &found_in(entry))?;
    if let Some(command) = &live.command {
        row("do now", command)?;
    }
    live.notes.iter().try_for_each(|note| row("note", note))
}

/// The first place, and how many more there are.
fn found_in(entry: &Entry<'_>) -> String {
    let mut places = entry.places();
    let first = places.next().map(|place| location(&place));
    let more = match places.len() {
        0 => String::new(),
        1 => " and 1 more place".to_owned(),
        number => format!(" and {number} more places"),
    };
    first.unwrap_or_default() + &more
}

/// Writes the excerpt of one place; the width of its line numbers.
fn write_place(
    out: &mut dyn Write,
    styles: &Styles,
    entry: &Entry<'_>,
    place: &Place<'_>,
) -> io::Result<usize> {
    let last = place.excerpt().map(|line| line.line).max();
    let gutter = last.unwrap_or(place.line_and_column().0).to_string().len();
    let arrow = styled(styles.gutter, "-->");
    writeln!(out, "{:gutter$}{arrow} {}", "", location(place))?;
    let bar = styled(styles.gutter, "|");
    if place.excerpt().len() > 0 {
        writeln!(out, "{:gutter$} {bar}", "")?;
    }
    let mut previous = None;
    for line in place.excerpt() {
        if previous.is_some_and(|previous| line.line > previous + 1) {
            writeln!(out, "{}", styled(styles.gutter, "..."))?;
        }
        previous = Some(line.line);
        write_source_line(out, styles, entry, &line, gutter)?;
    }
    Ok(gutter)
}

fn location(place: &Place<'_>) -> String {
    let (line, column) = place.line_and_column();
    let mut location = format!("{}:{line}:{column}", sanitise::line(&place.path()));
    if let Some(commit) = place.commit() {
        let short: String = commit.chars().take(12).collect();
        location.push_str(&format!(" in commit {}", sanitise::line(short.as_bytes())));
    }
    location
}

/// A mark under a source line.
struct Mark {
    /// Display column, from 0.
    column: usize,
    text: String,
    label: String,
    style: Style,
}

fn write_source_line(
    out: &mut dyn Write,
    styles: &Styles,
    entry: &Entry<'_>,
    line: &ExcerptLine,
    gutter: usize,
) -> io::Result<()> {
    let mut shown = String::new();
    let mut marks = Vec::new();
    let count = line.segments.len();
    for (index, segment) in line.segments.iter().enumerate() {
        let column = shown.width();
        match segment {
            Segment::Text(text) => shown.push_str(&context(text, index == 0, index + 1 == count)),
            Segment::Elided => shown.push('…'),
            Segment::Id(id) => {
                let id = sanitise::line(id.as_bytes());
                marks.push(Mark {
                    column,
                    text: "^".repeat(id.width()),
                    label: id_label(entry),
                    style: styles.id,
                });
                shown.push_str(&id);
            }
            Segment::Hidden(kind, length) => {
                shown.push_str(&excerpt::hidden(*length));
                marks.push(Mark {
                    column,
                    text: "-".repeat(HIDDEN_MARKS),
                    label: hidden_label(entry, *kind).to_owned(),
                    style: styles.hidden,
                });
            }
        }
    }
    let number = styled(styles.gutter, &format!("{:>gutter$} |", line.line));
    writeln!(out, "{number} {}", shown.trim_end())?;
    write_marks(out, styles, &marks, gutter)
}

/// The rows under a source line, as rustc draws them: all marks and the last one's label in the
/// first row, the other labels below, each under its mark, from right to left.
fn write_marks(
    out: &mut dyn Write,
    styles: &Styles,
    marks: &[Mark],
    gutter: usize,
) -> io::Result<()> {
    let Some((last, others)) = marks.split_last() else {
        return Ok(());
    };
    let margin = format!("{:gutter$} {}", "", styled(styles.gutter, "|"));
    let mut row = Row::default();
    for mark in marks {
        row.push(mark.column, &mark.text, mark.style);
    }
    row.text
        .push_str(&styled(last.style, &format!(" {}", last.label)));
    writeln!(out, "{margin} {}", row.text)?;
    for (index, mark) in others.iter().enumerate().rev() {
        let mut row = Row::default();
        for before in &others[..index] {
            row.push(before.column, "|", before.style);
        }
        row.push(mark.column, &mark.label, mark.style);
        writeln!(out, "{margin} {}", row.text)?;
    }
    Ok(())
}

/// A row under construction: styled text, and how wide it is.
#[derive(Default)]
struct Row {
    text: String,
    width: usize,
}

impl Row {
    fn push(&mut self, column: usize, text: &str, style: Style) {
        let gap = column.saturating_sub(self.width);
        self.text.push_str(&" ".repeat(gap));
        self.text.push_str(&styled(style, text));
        self.width += gap + text.width();
    }
}

fn id_label(entry: &Entry<'_>) -> String {
    let mut facts: Vec<String> = entry.key_type().map(str::to_owned).into_iter().collect();
    if let Some(account) = entry.account_id_partly() {
        facts.push(format!("account {account}"));
    }
    if facts.is_empty() {
        return "access key ID".to_owned();
    }
    sanitise::line(format!("access key ID ({})", facts.join(", ")).as_bytes())
}

fn hidden_label(entry: &Entry<'_>, kind: PartKind) -> &'static str {
    match kind {
        PartKind::AccessKeyId => "access key ID",
        PartKind::SecretAccessKey if entry.access_key_id().is_some() => "its secret key",
        PartKind::SecretAccessKey => "secret access key",
        PartKind::SessionToken if entry.access_key_id().is_some() => "its session token",
        PartKind::SessionToken => "session token",
        PartKind::Secret => "secret",
    }
}

/// Source text between marks: long runs are cut where no mark is near.
fn context(text: &str, first: bool, last: bool) -> String {
    let shown = sanitise::source_line(text);
    let characters: Vec<char> = shown.chars().collect();
    let (head, tail) = match (first, last) {
        (true, true) => (2 * CONTEXT, 0),
        (true, false) => (0, CONTEXT),
        (false, true) => (CONTEXT, 0),
        (false, false) => (CONTEXT, CONTEXT),
    };
    if characters.len() <= head + tail {
        return shown;
    }
    let start: String = characters[..head].iter().collect();
    let end: String = characters[characters.len() - tail..].iter().collect();
    format!("{start}…{end}")
}

fn write_notes(
    out: &mut dyn Write,
    styles: &Styles,
    entry: &Entry<'_>,
    gutter: usize,
) -> io::Result<()> {
    let margin = format!("{:gutter$} {}", "", styled(styles.gutter, "="));
    let finding = entry.short_fingerprint();
    let severity = entry.severity().as_str();
    let verdict = entry
        .verdict_phrase()
        .unwrap_or_else(|| "not verified".to_owned());
    let verdict = sanitise::line(verdict.as_bytes());
    writeln!(
        out,
        "{margin} finding {finding}   severity {severity}   {verdict}"
    )?;
    for line in entry.provenance_lines() {
        write_note(
            out,
            styles,
            gutter,
            "history",
            &sanitise::line(line.as_bytes()),
        )?;
    }
    if let Some(note) = entry.standing_note() {
        let note = sanitise::line(note.as_bytes());
        write_note(out, styles, gutter, "note", &note)?;
    }
    if entry.canary() {
        let canary =
            "the account is a known issuer of canary tokens: using the key would raise an alarm";
        write_note(out, styles, gutter, "note", canary)?;
    }
    let help = "rotate it first, then clean history: a deleted line stays leaked";
    write_note(out, styles, gutter, "help", help)
}

fn write_note(
    out: &mut dyn Write,
    styles: &Styles,
    gutter: usize,
    name: &str,
    text: &str,
) -> io::Result<()> {
    let margin = format!("{:gutter$} {}", "", styled(styles.gutter, "="));
    writeln!(out, "{margin} {}: {text}", styles.strong(name))
}
