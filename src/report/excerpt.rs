//! A source excerpt as plain text, for formats that take no marks.

use super::sanitise;
use super::view::Place;
use crate::finding::Segment;

/// What stands for a hidden part of `length` characters.
pub(super) fn hidden(length: usize) -> String {
    let plural = if length == 1 { "" } else { "s" };
    format!("········ {length} character{plural} hidden ········")
}

/// The lines of a place with their numbers, redacted and sanitised.
pub(super) fn lines(place: &Place<'_>) -> Vec<(u64, String)> {
    let text = |segment: &Segment| match segment {
        Segment::Text(text) | Segment::Id(text) => sanitise::source_line(text),
        Segment::Hidden(_, length) => hidden(*length),
        Segment::Elided => "…".to_owned(),
    };
    place
        .excerpt()
        .map(|line| (line.line, line.segments.iter().map(text).collect()))
        .collect()
}
