//! Texts within the text: UTF-16 strings of programs, and base64 of whole files.

use std::ops::Range;

use data_encoding::BASE64_NOPAD;

use super::account::{is_body, key_type};
use crate::detect::view::View;

/// How far a UTF-16 text is read to either side of a hit, in bytes.
const WIDE_REACH: usize = 8 * 1024;
/// How far base64 is read to either side of a hit, in characters.
const ENCODED_REACH: usize = 16 * 1024;
/// The shortest base64 run worth decoding: an access key ID.
const ENCODED_LENGTH: usize = 26;

/// The UTF-16 text round `at`, where the low byte of a code unit stands.
pub(crate) fn wide_view(bytes: &[u8], at: usize) -> (Range<usize>, View) {
    let start = at - (at.min(WIDE_REACH) & !1);
    let end = bytes.len().min(at + WIDE_REACH);
    let mut view = View::wide(&bytes[start..end], start);
    // A unit above 255 is no part of a key; let it separate what stands round it.
    for (byte, pair) in view.text.iter_mut().zip(bytes[start..end].chunks_exact(2)) {
        if pair[1] != 0 {
            *byte = 0;
        }
    }
    (start..end, view)
}

/// What the base64 round `at` decodes to, if there is an access key ID in it; line feeds within
/// it are passed over. `None` for runs so short that they hold one value only, which are looked
/// at in their place.
pub(crate) fn decoded_view(bytes: &[u8], at: usize) -> Option<(Range<usize>, View)> {
    let range = encoded_range(bytes, at);
    let places: Vec<usize> = range
        .clone()
        .filter(|&place| is_encoded(bytes[place]))
        .collect();
    if places.len() < ENCODED_LENGTH {
        return None;
    }
    let characters: Vec<u8> = places.iter().map(|&place| standard(bytes[place])).collect();
    // The run may begin before the base64 does (a path, a data URI), so each alignment is tried.
    (0..4).find_map(|skip| {
        let usable = characters.len().checked_sub(skip)? & !3;
        let tail = (characters.len() - skip) & 3;
        let usable = if tail >= 2 { usable + tail } else { usable };
        let text = decode(&characters[skip..skip + usable])?;
        holds_key_id(&text).then(|| {
            let view = View::placed(text, |byte| {
                places
                    .get(skip + byte * 4 / 3)
                    .copied()
                    .unwrap_or(range.end)
            });
            (range.clone(), view)
        })
    })
}

/// Decodes without padding; trailing bits that should be zero may be anything, since the run may
/// be cut off.
fn decode(characters: &[u8]) -> Option<Vec<u8>> {
    match BASE64_NOPAD.decode(characters) {
        Ok(text) => Some(text),
        Err(_) => BASE64_NOPAD
            .decode(&characters[..characters.len() & !3])
            .ok(),
    }
}

/// The base64 characters round `at`, over line ends but not over blanks within a line.
fn encoded_range(bytes: &[u8], at: usize) -> Range<usize> {
    let first = at.saturating_sub(ENCODED_REACH);
    let last = bytes.len().min(at + ENCODED_REACH);
    let mut start = at;
    while start > first {
        let before = bytes[start - 1];
        let over_line_end = matches!(before, b'\n' | b'\r') && start > first + 1 && {
            let above = bytes[first..start].trim_ascii_end();
            above.len() >= 40
                && above[above.len() - 40..]
                    .iter()
                    .all(|&byte| is_encoded(byte))
        };
        if !is_encoded(before) && !over_line_end {
            break;
        }
        start -= 1;
    }
    let mut end = at;
    while end < last {
        let over_line_end = matches!(bytes[end], b'\n' | b'\r') && {
            let line = &bytes[start..end];
            line.len() >= 40
                && line[line.len() - 40..]
                    .iter()
                    .all(|&byte| is_encoded(byte) || matches!(byte, b'\r'))
        };
        if !is_encoded(bytes[end]) && !over_line_end {
            break;
        }
        end += 1;
    }
    start..end
}

fn is_encoded(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// The character of the standard alphabet for one of the URL-safe alphabet.
fn standard(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}

fn holds_key_id(text: &[u8]) -> bool {
    text.windows(20)
        .any(|window| key_type(window).is_some() && window[4..].iter().all(|&byte| is_body(byte)))
}
