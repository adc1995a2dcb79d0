//! Collects what may be part of a credential from a [`View`]: access key IDs, secrets, tokens.

use std::ops::Range;

use data_encoding::{BASE64, BASE64_NOPAD};

use super::account::{KEY_ID_LENGTH, is_body, key_type};
use super::name::{Name, name_before};
use super::shape::{
    Evidence, SECRET_LENGTH, contains_word, is_random_key_id, is_random_secret, is_secret_byte,
};
use crate::detect::view::View;
use crate::rules::AwsWords;

/// Shortest session token looked for, in characters.
const TOKEN_LENGTH: usize = 100;

/// How the session tokens of AWS begin (base64 of the issuer's header).
const TOKEN_PREFIXES: [&[u8]; 4] = [b"IQoJ", b"FwoG", b"FQoG", b"AQoD"];

/// Something that may be a part of a credential.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Where it stands in the view.
    pub(crate) range: Range<usize>,
    /// Its characters, joined and decoded.
    pub(crate) value: Vec<u8>,
    /// What the text calls it.
    pub(crate) name: Name,
    /// An example from documentation or a placeholder: takes part in pairing, so that it does not
    /// leave its partner to another, but is never reported.
    pub(crate) placeholder: bool,
    /// For a secret: named for one. For an access key ID: merely named in a signature or a log.
    pub(crate) marked: bool,
}

/// All candidates of a view, each list in order of place.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    pub(crate) key_ids: Vec<Candidate>,
    pub(crate) secrets: Vec<Candidate>,
    pub(crate) tokens: Vec<Candidate>,
}

/// Collects the candidates of `view`. `glued_ids`: accept access key IDs between letters, as
/// compilers lay out strings without separators.
pub(crate) fn collect(view: &View, words: &AwsWords, glued_ids: bool) -> Candidates {
    let mut found = Candidates::default();
    let mut collector = Collector {
        view,
        words,
        glued_ids,
        found: &mut found,
    };
    let mut at = 0;
    while let Some(run) = next_run(&view.text, at) {
        at = collector.run(&run).max(run.end);
    }
    found
}

/// The next maximal run of the secret alphabet that begins at `from` or later.
fn next_run(text: &[u8], from: usize) -> Option<Range<usize>> {
    let start = from + text[from..].iter().position(|&byte| is_secret_byte(byte))?;
    let length = text[start..]
        .iter()
        .take_while(|&&byte| is_secret_byte(byte))
        .count();
    Some(start..start + length)
}

struct Collector<'v> {
    view: &'v View,
    words: &'v AwsWords,
    glued_ids: bool,
    found: &'v mut Candidates,
}

impl Collector<'_> {
    /// Looks at one run; returns where to go on.
    fn run(&mut self, run: &Range<usize>) -> usize {
        if run.len() < KEY_ID_LENGTH {
            return self.split_literal(run).unwrap_or(run.end);
        }
        if run.len() >= TOKEN_LENGTH {
            self.key_ids(run);
            return self.token(run);
        }
        if let Some(end) = self.split_literal(run) {
            return end;
        }
        self.key_ids(run);
        if let Some(secret) = self.secret_range(run) {
            let value = self.view.text[secret.clone()].to_vec();
            self.secret(secret, value);
        } else {
            self.encoded(run);
        }
        run.end
    }

    fn byte(&self, at: usize) -> u8 {
        self.view.text.get(at).copied().unwrap_or(b'\n')
    }

    fn byte_before(&self, at: usize) -> u8 {
        at.checked_sub(1).map_or(b'\n', |before| self.byte(before))
    }

    /// Every access key ID within `run`.
    fn key_ids(&mut self, run: &Range<usize>) {
        let mut at = run.start;
        while at + KEY_ID_LENGTH <= run.end {
            if self.is_key_id(at, run) {
                let range = at..at + KEY_ID_LENGTH;
                let value = self.view.text[range.clone()].to_vec();
                self.key_id(range, value);
                at += KEY_ID_LENGTH;
            } else {
                at += 1;
            }
        }
    }

    fn is_key_id(&self, at: usize, run: &Range<usize>) -> bool {
        let text = &self.view.text;
        if key_type(&text[at..]).is_none()
            || !text[at + 4..at + KEY_ID_LENGTH]
                .iter()
                .all(|&byte| is_body(byte))
        {
            return false;
        }
        let (before, after) = (self.byte_before(at), self.byte(at + KEY_ID_LENGTH));
        let clean_before = !(before.is_ascii_alphanumeric() || matches!(before, b'_' | b'+'))
            || at == run.start + 2
                && text[run.start..].starts_with(b"3D")
                && self.byte_before(run.start) == b'=';
        let clean_after = !(after.is_ascii_alphanumeric() || after == b'_');
        // Between strings that a compiler laid out without separators, a digit tells an id from
        // a word in capitals.
        let glued = self.glued_ids
            && text[at + 4..at + KEY_ID_LENGTH]
                .iter()
                .any(u8::is_ascii_digit);
        clean_before && clean_after || glued
    }

    fn key_id(&mut self, range: Range<usize>, value: Vec<u8>) {
        let placeholder =
            !is_random_key_id(&value) || contains_word(&value, &self.words.placeholder_words);
        let name = name_before(self.view, range.start);
        let marked = self.is_mention(&range);
        self.found.key_ids.push(Candidate {
            range,
            value,
            name,
            placeholder,
            marked,
        });
    }

    /// Whether an access key ID stands where a secret never does: in a signed URL, in an
    /// `Authorization` header, in an audit log.
    fn is_mention(&self, id: &Range<usize>) -> bool {
        let text = &self.view.text;
        let before = &text[id.start.saturating_sub(40)..id.start];
        let after = &text[id.end..text.len().min(id.end + 80)];
        let scope = after.strip_prefix(b"/").is_some_and(|scope| {
            scope.len() > 9 && scope[..8].iter().all(u8::is_ascii_digit) && scope[8] == b'/'
        });
        let query = before.ends_with(b"AWSAccessKeyId=")
            && after.first() == Some(&b'&')
            && [&b"Signature="[..], b"Expires="]
                .iter()
                .any(|name| contains(after, name));
        let header = before.ends_with(b"Authorization: AWS ")
            || before.ends_with(b"Authorization\": \"AWS ");
        let wide = &text[id.start.saturating_sub(1500)..text.len().min(id.end + 1500)];
        let log = before
            .to_ascii_lowercase()
            .windows(11)
            .any(|word| word == b"accesskeyid")
            && [
                &b"userIdentity"[..],
                b"eventSource",
                b"\"eventName\"",
                b"AccessKeyLastUsed",
            ]
            .iter()
            .any(|name| contains(wide, name));
        scope || query || header || log
    }

    /// The forty characters of `run` that may be a secret: all of it, or all but what stands
    /// before by the rules of an URL, of quoted-printable text or of `id/secret`.
    fn secret_range(&self, run: &Range<usize>) -> Option<Range<usize>> {
        let text = &self.view.text[run.clone()];
        let before = self.byte_before(run.start);
        let lead = match run.len().checked_sub(SECRET_LENGTH)? {
            0 => 0,
            2 if text.starts_with(b"//") && before == b':' => 2,
            2 if text.starts_with(b"3D") && before == b'=' => 2,
            21 if key_type(text).is_some() && text[KEY_ID_LENGTH] == b'/' => 21,
            _ => return None,
        };
        // Padded base64 is no secret access key, and what precedes an equals sign is a name.
        if self.byte(run.end) == b'=' {
            return None;
        }
        Some(run.start + lead..run.end)
    }

    /// Takes forty characters as a secret candidate if their shape and surroundings allow it.
    fn secret(&mut self, range: Range<usize>, value: Vec<u8>) {
        let name = name_before(self.view, range.start);
        let named = name.is_secret(self.words);
        let placeholder = contains_word(&value, &self.words.placeholder_words);
        let evidence = if named || self.touches_key_id(&range) {
            Evidence::Named
        } else {
            Evidence::Near
        };
        let possible = placeholder || is_random_secret(&value, evidence);
        if !possible
            || name.is_hash(self.words)
            || self.is_glued(&range)
            || self.is_inside_block(&range)
        {
            return;
        }
        self.found.secrets.push(Candidate {
            range,
            value,
            name,
            placeholder,
            marked: named,
        });
    }

    /// Whether only punctuation and blanks stand between `range` and an access key ID.
    fn touches_key_id(&self, range: &Range<usize>) -> bool {
        let is_id = |text: &[u8]| {
            text.len() == KEY_ID_LENGTH
                && key_type(text).is_some()
                && text[4..].iter().all(|&byte| is_body(byte))
        };
        let text = &self.view.text;
        let before = &text[range.start.saturating_sub(KEY_ID_LENGTH + 16)..range.start];
        let end = before
            .iter()
            .rposition(u8::is_ascii_alphanumeric)
            .map_or(0, |last| last + 1);
        let after = &text[range.end..text.len().min(range.end + KEY_ID_LENGTH + 16)];
        let start = after
            .iter()
            .position(u8::is_ascii_alphanumeric)
            .unwrap_or(after.len());
        is_id(&before[end.saturating_sub(KEY_ID_LENGTH)..end])
            || is_id(&after[start..after.len().min(start + KEY_ID_LENGTH)])
    }

    /// Whether `-`, `_` or a dotted word joins the run to something longer (base64url, a file
    /// name, a JSON web token).
    fn is_glued(&self, range: &Range<usize>) -> bool {
        let (before, after) = (self.byte_before(range.start), self.byte(range.end));
        matches!(before, b'-' | b'_')
            || matches!(after, b'-' | b'_')
            || before == b'.' && self.byte_before(range.start - 1).is_ascii_alphanumeric()
            || after == b'.' && self.byte(range.end + 1).is_ascii_alphanumeric()
    }

    /// Whether the run is the last line of wrapped base64, or within a PEM block.
    fn is_inside_block(&self, range: &Range<usize>) -> bool {
        let text = &self.view.text;
        let line = self.view.line(range.start);
        let wrapped = line > 0 && {
            let above =
                text[self.view.line_start(line - 1)..self.view.line_end(line - 1)].trim_ascii();
            let own = text[self.view.line_start(line)..range.start].trim_ascii();
            own.is_empty()
                && (57..=256).contains(&above.len())
                && above.iter().all(|&byte| is_secret_byte(byte))
        };
        let before = &text[range.start.saturating_sub(5000)..range.start];
        let begin = memchr::memmem::rfind(before, b"-----BEGIN ");
        let end = memchr::memmem::rfind(before, b"-----END ");
        wrapped || begin.is_some_and(|begin| end.is_none_or(|end| end < begin))
    }

    /// An access key ID or a secret that stands in base64 by itself, as in a Kubernetes Secret.
    fn encoded(&mut self, run: &Range<usize>) {
        let padding = self.view.text[run.end..]
            .iter()
            .take(3)
            .take_while(|&&byte| byte == b'=')
            .count();
        if !matches!((run.len(), padding), (27, 1) | (28, 0) | (54, 2) | (55, 1)) {
            return;
        }
        let range = run.start..run.end + padding;
        let encoded = &self.view.text[range.clone()];
        let Ok(decoded) = BASE64
            .decode(encoded)
            .or_else(|_| BASE64_NOPAD.decode(encoded))
        else {
            return;
        };
        let value = decoded.trim_ascii_end().to_vec();
        let is_id = value.len() == KEY_ID_LENGTH && key_type(&value).is_some();
        if is_id && value[4..].iter().all(|&byte| is_body(byte)) {
            self.key_id(range, value);
        } else if value.len() == SECRET_LENGTH && value.iter().all(|&byte| is_secret_byte(byte)) {
            self.secret(range, value);
        }
    }

    /// A session token: a long run with its padding, over several lines where it is wrapped.
    fn token(&mut self, run: &Range<usize>) -> usize {
        let pieces = wrapped_pieces(&self.view.text, run);
        let end = pieces.last().map_or(run.end, |piece| piece.end);
        let name = name_before(self.view, run.start);
        let known = TOKEN_PREFIXES
            .iter()
            .any(|prefix| self.view.text[run.clone()].starts_with(prefix));
        if known || name.folded().contains("token") {
            let value = pieces
                .iter()
                .flat_map(|piece| &self.view.text[piece.clone()])
                .copied()
                .collect();
            self.found.tokens.push(Candidate {
                range: run.start..end,
                value,
                name,
                placeholder: false,
                marked: known,
            });
        }
        end
    }

    /// A string literal in several pieces (`"AKIA" + "…"`, a line continued with a backslash)
    /// that together are exactly an access key ID or a secret.
    fn split_literal(&mut self, run: &Range<usize>) -> Option<usize> {
        let text = &self.view.text;
        if !matches!(
            self.byte_before(run.start),
            b'"' | b'\'' | b'`' | b'=' | b' '
        ) {
            return None;
        }
        let mut value = text[run.clone()].to_vec();
        let mut end = run.end;
        while value.len() < SECRET_LENGTH {
            let piece = continued(text, end)?;
            value.extend_from_slice(&text[piece.clone()]);
            end = piece.end;
            let whole = continued(text, end).is_none();
            let range = run.start..end;
            let key_id = value.len() == KEY_ID_LENGTH && key_type(&value).is_some();
            if whole && key_id && value[4..].iter().all(|&byte| is_body(byte)) {
                self.key_id(range, value);
                return Some(end);
            }
            if whole && value.len() == SECRET_LENGTH && self.byte(end) != b'=' {
                self.secret(range, value);
                return Some(end);
            }
        }
        None
    }
}

fn contains(text: &[u8], word: &[u8]) -> bool {
    memchr::memmem::find(text, word).is_some()
}

/// The next piece of a literal that ended at `end`: after a backslash and a line feed, or after
/// the closing quote, an operator or a line feed, and another opening quote.
pub(crate) fn continued(text: &[u8], end: usize) -> Option<Range<usize>> {
    let mut rest = &text[end..text.len().min(end + 120)];
    let quote = *rest.first()?;
    if quote == b'\\' {
        let feed = rest[1..].strip_prefix(b"\r").unwrap_or(&rest[1..]);
        rest = feed.strip_prefix(b"\n")?.trim_ascii_start();
        rest = rest
            .strip_prefix(b"\"")
            .or_else(|| rest.strip_prefix(b"'"))
            .unwrap_or(rest);
    } else if matches!(quote, b'"' | b'\'' | b'`') {
        rest = strip_operator(rest[1..].trim_ascii_start());
        let next = *rest.first()?;
        if !matches!(next, b'"' | b'\'' | b'`') {
            return None;
        }
        rest = &rest[1..];
    } else {
        return None;
    }
    let start = text.len().min(end + 120) - rest.len();
    let length = text[start..]
        .iter()
        .take_while(|&&byte| is_secret_byte(byte))
        .count();
    (length > 0).then_some(start..start + length)
}

/// Drops one concatenation operator, and the blanks, comments' backslashes and prefixes round it.
fn strip_operator(text: &[u8]) -> &[u8] {
    const OPERATORS: [&[u8]; 9] = [b"||", b"..", b"++", b"<>", b"~", b"+", b".", b"&", b"\\"];
    let mut rest = text;
    for _ in 0..2 {
        if let Some(after) = OPERATORS
            .iter()
            .find_map(|operator| rest.strip_prefix(*operator))
        {
            rest = after.trim_ascii_start();
        }
        rest = rest
            .strip_prefix(b"_")
            .map_or(rest, <[u8]>::trim_ascii_start);
    }
    // The prefixes of Python, C and Rust literals, and Objective-C's `@`.
    match rest {
        [b'r' | b'b' | b'u' | b'f' | b'L' | b'@', b'"' | b'\'', ..] => &rest[1..],
        _ => rest,
    }
}

/// The pieces of a token that begins with `run`, its padding included.
fn wrapped_pieces(text: &[u8], run: &Range<usize>) -> Vec<Range<usize>> {
    let with_padding = |run: Range<usize>| {
        let padding = text[run.end..]
            .iter()
            .take(2)
            .take_while(|&&byte| byte == b'=')
            .count();
        run.start..run.end + padding
    };
    let mut pieces = vec![with_padding(run.clone())];
    while let Some(last) = pieces.last().cloned() {
        if text[last.end - 1] == b'=' || pieces.len() > 200 {
            break;
        }
        let literal = continued(text, last.end);
        let Some(next) = literal.or_else(|| wrapped_line(text, &last)) else {
            break;
        };
        pieces.push(with_padding(next));
    }
    pieces
}

/// The run alone on the line below, where `last` ends its own.
fn wrapped_line(text: &[u8], last: &Range<usize>) -> Option<Range<usize>> {
    let rest = text[last.end..]
        .strip_prefix(b"\r")
        .unwrap_or(&text[last.end..]);
    let next = rest.strip_prefix(b"\n")?;
    let indent = next
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let start = text.len() - next.len() + indent;
    let length = text[start..]
        .iter()
        .take_while(|&&byte| is_secret_byte(byte))
        .count();
    let end = start + length;
    let alone = text[end..]
        .iter()
        .find(|&&byte| byte != b'=')
        .is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\''));
    (length > 0 && alone && last.len() >= 57).then_some(start..end)
}
