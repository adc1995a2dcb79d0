//! Builds the lines that a report may show: the name of a value, its operator, its quotes, and
//! nothing else of the line, so that no neighbouring secret is ever shown.

use std::ops::Range;

use crate::finding::{ExcerptLine, PartKind, Segment};

/// A part, by its place in the blob.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) kind: PartKind,
    /// Bytes of the blob.
    pub(crate) range: Range<usize>,
    /// Where its name begins, if it has one on the same line.
    pub(crate) name: Option<usize>,
    /// The access key ID itself, or how many characters are hidden.
    pub(crate) shown: Shown,
    /// Whether the blob holds it as plain text: not encoded, not UTF-16.
    pub(crate) plain: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Id(String),
    Hidden(usize),
}

/// Longest name with its operator, in bytes.
const LEAD_LIMIT: usize = 100;
/// What a name may contain to be shown: a word of credentials, so that a value which merely
/// stands where a name would (a password in a CSV file) is not.
const NAME_WORDS: [&str; 14] = [
    "key", "secret", "token", "access", "aws", "cred", "user", "pass", "pwd", "login", "uid", "s3",
    "auth", "account",
];

/// The lines of `places`, which are sorted by place; `lines` gives the number of each one's line.
pub(crate) fn excerpt(bytes: &[u8], places: &[Place], lines: &[u64]) -> Vec<ExcerptLine> {
    let mut excerpt: Vec<ExcerptLine> = Vec::new();
    let mut shown_to = 0;
    for (place, &line) in places.iter().zip(lines) {
        let line_start =
            memchr::memrchr(b'\n', &bytes[..place.range.start]).map_or(0, |feed| feed + 1);
        if excerpt.last().is_none_or(|last| last.line != line) {
            excerpt.push(ExcerptLine {
                line,
                segments: Vec::new(),
            });
            shown_to = line_start;
        }
        let Some(last) = excerpt.last_mut() else {
            continue;
        };
        let lead = if place.plain {
            lead(bytes, place, shown_to.max(line_start))
        } else {
            place.range.start
        };
        push_gap(&mut last.segments, &bytes[shown_to.min(lead)..lead]);
        push_text(&mut last.segments, &bytes[lead..place.range.start]);
        last.segments.push(match &place.shown {
            Shown::Id(id) => Segment::Id(id.clone()),
            Shown::Hidden(characters) => Segment::Hidden(place.kind, *characters),
        });
        shown_to = place.range.end + trail(bytes, place);
        push_text(&mut last.segments, &bytes[place.range.end..shown_to]);
    }
    for line in &mut excerpt {
        trim(&mut line.segments);
    }
    excerpt
}

/// Where the shown text before a part begins: at its name, or at the punctuation next to it.
fn lead(bytes: &[u8], place: &Place, from: usize) -> usize {
    let start = place.range.start;
    if let Some(name) = place
        .name
        .filter(|&name| name >= from && start - name <= LEAD_LIMIT)
    {
        let text = &bytes[name..start];
        let folded = text.to_ascii_lowercase();
        let known = NAME_WORDS
            .iter()
            .any(|word| memchr::memmem::find(&folded, word.as_bytes()).is_some());
        if known && longest_run(text) < 32 {
            return name;
        }
    }
    let quotes = bytes[from.min(start)..start]
        .iter()
        .rev()
        .take(2)
        .take_while(|byte| byte.is_ascii_punctuation());
    start - quotes.count()
}

/// Length of the longest run of letters, digits, `+` and `/`.
fn longest_run(text: &[u8]) -> usize {
    text.split(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'+' | b'/'))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0)
}

/// How many bytes of punctuation after a part are shown.
fn trail(bytes: &[u8], place: &Place) -> usize {
    let after = &bytes[place.range.end..];
    let quotes = after
        .iter()
        .take(2)
        .take_while(|&&byte| byte.is_ascii_punctuation() && place.plain);
    quotes.count()
}

/// Blanks and punctuation between parts are shown, anything else is left out and said so.
fn push_gap(segments: &mut Vec<Segment>, gap: &[u8]) {
    if gap.len() <= 8
        && !gap
            .iter()
            .any(|byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
    {
        push_text(segments, gap);
    } else if !gap.trim_ascii().is_empty() {
        segments.push(Segment::Elided);
    }
}

fn push_text(segments: &mut Vec<Segment>, text: &[u8]) {
    if !text.is_empty() {
        segments.push(Segment::Text(String::from_utf8_lossy(text).into_owned()));
    }
}

/// Drops blanks at the beginning of a line.
fn trim(segments: &mut Vec<Segment>) {
    if let Some(Segment::Text(text)) = segments.first_mut() {
        *text = text.trim_start().to_owned();
        if text.is_empty() {
            segments.remove(0);
        }
    }
}
