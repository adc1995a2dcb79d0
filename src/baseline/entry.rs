//! One credential of the baseline, and the file that it is kept in.
//!
//! ```text
//! 7f3a9c12 rule aws-access-key-pair
//! 7f3a9c12 salt 0f1e2d3c4b5a69788796a5b4c3d2e1f0
//! 7f3a9c12 value 1ad4bd4d1dd5f3a9cb3c1a0a9d6e7f10
//! 7f3a9c12 value c3f0b4ce9d1c1fb0c6c0d9a2ab4e5f11
//! 7f3a9c12 reason key of the demo account, which holds nothing
//! 7f3a9c12 owner payments
//! 7f3a9c12 until 2027-01-31
//! ```
//!
//! The file is called by the keyed hash (HMAC-SHA-256 under the salt, the first 128 bits) of the
//! credential, and its values are keyed hashes, too. Every line begins with the first digits of
//! the name and is short, so that no two entries have a line, or 64 bytes, in common: otherwise
//! git could take an added entry for a renamed one, and find a conflict with a branch that has
//! removed it.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::BaselineError;
use crate::date::Date;
use crate::finding::Fingerprint;
use crate::standing::Known;

/// Longest line, in bytes, its end included: the unit in which git compares files that may have
/// been renamed (`diffcore-delta.c`).
const LINE: usize = 64;
/// Digits of the name that begin each line, and that people call an entry by.
const SHORT: usize = 8;
/// Longest reason and owner, in bytes.
const LONGEST_TEXT: usize = 2000;

/// A random key, 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Salt([u8; 16]);

/// A keyed hash, cut to 128 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Tag([u8; 16]);

impl Salt {
    pub(super) fn random() -> Result<Self, BaselineError> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| BaselineError::NoRandomness)?;
        Ok(Self(bytes))
    }

    /// The keyed hash of `value`.
    pub(super) fn tag(self, value: Fingerprint) -> Tag {
        let mut first = [0; 16];
        // HMAC takes keys of any length.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) {
            mac.update(value.as_bytes());
            first.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        }
        Tag(first)
    }
}

/// What people say of a known credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Why it is known.
    pub reason: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// The last day on which it does not block.
    pub until: Option<Date>,
}

/// A known credential.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    name: String,
    rule: String,
    salt: Salt,
    /// Tags of its values; the credential's own where there is one value.
    values: Vec<Tag>,
    note: Note,
}

impl Entry {
    pub(super) fn new(
        salt: Salt,
        rule: &str,
        credential: Fingerprint,
        values: &[Fingerprint],
        note: &Note,
    ) -> Self {
        let text =
            |text: &Option<String>| text.as_deref().map(one_line).filter(|it| !it.is_empty());
        Self {
            name: hexadecimal(&salt.tag(credential).0),
            rule: rule.to_owned(),
            salt,
            values: values.iter().map(|value| salt.tag(*value)).collect(),
            note: Note {
                reason: text(&note.reason),
                owner: text(&note.owner),
                until: note.until,
            },
        }
    }

    /// Name of its file: 32 hexadecimal digits.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What people call it by: the first digits of the name.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.name[..SHORT]
    }

    /// The rule that found it.
    #[must_use]
    pub fn rule(&self) -> &str {
        &self.rule
    }

    /// What people say of it. Text from outside: sanitise before printing.
    #[must_use]
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// The same credential with other words.
    #[must_use]
    pub fn with_note(&self, note: &Note) -> Self {
        let text =
            |text: &Option<String>| text.as_deref().map(one_line).filter(|it| !it.is_empty());
        Self {
            note: Note {
                reason: text(&note.reason),
                owner: text(&note.owner),
                until: note.until,
            },
            ..self.clone()
        }
    }

    pub(super) fn until(&self) -> Option<Date> {
        self.note.until
    }

    pub(super) fn salt(&self) -> Salt {
        self.salt
    }

    /// Whether it was made for the credential `fingerprint`, and not only holds it as a value.
    pub(super) fn is_for(&self, fingerprint: Fingerprint) -> bool {
        self.name == hexadecimal(&self.salt.tag(fingerprint).0)
    }

    /// The tags by which it is found: the credential's and its values'.
    pub(super) fn tags(&self) -> impl Iterator<Item = Tag> + '_ {
        let own = digits(&self.name).map(Tag);
        self.values.iter().copied().chain(own)
    }

    /// What it says in a report.
    #[must_use]
    pub fn known(&self) -> Known {
        Known {
            entry: self.short().to_owned(),
            rule: self.rule.clone(),
            reason: self.note.reason.clone(),
            owner: self.note.owner.clone(),
            until: self.note.until,
        }
    }

    /// The text of its file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.put(&mut text, "rule", &self.rule);
        self.put(&mut text, "salt", &hexadecimal(&self.salt.0));
        for value in &self.values {
            self.put(&mut text, "value", &hexadecimal(&value.0));
        }
        for (key, value) in [("reason", &self.note.reason), ("owner", &self.note.owner)] {
            if let Some(value) = value {
                self.put(&mut text, key, value);
            }
        }
        if let Some(until) = self.note.until {
            self.put(&mut text, "until", &until.to_string());
        }
        text
    }

    /// Adds `key value`, over as many lines as it takes.
    fn put(&self, text: &mut String, key: &str, value: &str) {
        let room = LINE - 1 - SHORT - 1 - key.len() - 1;
        for piece in pieces(value, room) {
            text.push_str(&format!("{} {key} {piece}\n", self.short()));
        }
    }

    /// Reads the file called `name`.
    ///
    /// # Errors
    /// What is wrong, and in which line (from 1).
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, (usize, String)> {
        let wrong = |line: usize, message: &str| (line, message.to_owned());
        if digits(name).is_none() || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(wrong(1, "the file is not called by 32 hexadecimal digits"));
        }
        let (mut rule, mut reason, mut owner) = (String::new(), String::new(), String::new());
        let (mut salt, mut until, mut values) = (None, None, Vec::new());
        for (index, line) in text.lines().enumerate() {
            let number = index + 1;
            let unhex = |value: &str| {
                digits(value).ok_or_else(|| wrong(number, "expected 32 hexadecimal digits"))
            };
            if line.starts_with("<<<<<<<")
                || line.starts_with("=======")
                || line.starts_with(">>>>>>>")
            {
                return Err(wrong(
                    number,
                    "a merge conflict; keep the lines of one side",
                ));
            }
            let mut words = line.splitn(3, ' ');
            if words.next() != name.get(..SHORT) {
                return Err(wrong(
                    number,
                    "the line does not begin with the first 8 digits of the file's name",
                ));
            }
            let (key, value) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
            match key {
                "rule" => rule.push_str(value),
                "salt" => salt = Some(Salt(unhex(value)?)),
                "value" => values.push(Tag(unhex(value)?)),
                "reason" => reason.push_str(value),
                "owner" => owner.push_str(value),
                "until" => until = Some(value.parse().map_err(|error| (number, error))?),
                _ => {
                    return Err((
                        number,
                        format!(
                            "unknown word `{key}`; expected rule, salt, value, reason, owner or until"
                        ),
                    ));
                }
            }
        }
        let last = text.lines().count().max(1);
        let salt = salt.ok_or_else(|| wrong(last, "there is no salt"))?;
        if values.is_empty() {
            return Err(wrong(last, "there is no value"));
        }
        if reason.len().max(owner.len()) > 2 * LONGEST_TEXT {
            return Err(wrong(last, "a reason or an owner longer than 2,000 bytes"));
        }
        let given = |text: String| (!text.is_empty()).then_some(text);
        let (reason, owner) = (given(reason), given(owner));
        Ok(Self {
            name: name.to_owned(),
            rule,
            salt,
            values,
            note: Note {
                reason,
                owner,
                until,
            },
        })
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Entry({} {})", self.short(), self.rule)
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hexadecimal(&self.0))
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hexadecimal(&self.0))
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn digits(text: &str) -> Option<[u8; 16]> {
    data_encoding::HEXLOWER
        .decode(text.as_bytes())
        .ok()?
        .try_into()
        .ok()
}

/// `text` on one line, blanks in place of what is none, cut to the longest that is kept.
fn one_line(text: &str) -> String {
    let words: Vec<&str> = text
        .split(|it: char| it.is_whitespace() || it.is_control())
        .collect();
    let mut line = words
        .into_iter()
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    while line.len() > LONGEST_TEXT {
        line.pop();
    }
    line
}

/// `text` in pieces of at most `room` bytes that together are `text`.
fn pieces(text: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while rest.len() > room {
        let mut end = (1..=room)
            .rev()
            .find(|&end| rest.is_char_boundary(end))
            .unwrap_or(room);
        // A line may not end in a blank: editors take it away. So a blank begins the next piece.
        if let Some(blank) = rest[..end].rfind(' ').filter(|&at| at > 0) {
            end = blank;
        }
        let (piece, after) = rest.split_at(end);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}
