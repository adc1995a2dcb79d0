//! From the literals of the prefilter to the places worth a closer look.

use std::ops::Range;

use super::account::{KEY_ID_LENGTH, is_body};
use super::candidate::{self, Candidate};
use super::shape::{contains_word, is_random_key_id};
use crate::detect::prefilter::{Hint, Prefilter};
use crate::detect::view::View;
use crate::rules::AwsWords;
use crate::source::widened;

/// How far after its name a secret is looked for, in bytes: a name, an operator, forty
/// characters of which some may be escaped.
const NAME_TO_VALUE: usize = 320;
/// How far before its `ecret` a secret's name is read, in bytes.
const BEFORE_NAME: usize = 100;
/// No literal of the prefilter is longer, in bytes.
const LITERAL: usize = 8;

/// What a place must be read as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Hit {
    /// Plain text at this offset.
    Plain(usize),
    /// UTF-16 whose low byte stands at this offset.
    Wide(usize),
    /// Base64 round this offset.
    Encoded(usize),
}

/// The places of `bytes` within `ranges` that can begin a finding, in order.
pub(crate) fn hits(
    prefilter: &Prefilter,
    bytes: &[u8],
    range: Range<usize>,
    words: &AwsWords,
) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut looked_to = 0;
    prefilter.search(bytes, range, |hint, at| match hint {
        Hint::KeyId if may_be_key_id(&bytes[at..], words) => hits.push(Hit::Plain(at)),
        Hint::KeyId => {}
        Hint::WideKeyId => hits.push(Hit::Wide(at)),
        Hint::EncodedKeyId => hits.push(Hit::Encoded(at)),
        Hint::SecretName => {
            // Names cluster: a value that was seen after one name needs no second look.
            if at >= looked_to && secret_follows(bytes, at, words) {
                hits.push(Hit::Plain(at));
                looked_to = at + NAME_TO_VALUE / 2;
            }
        }
    });
    hits
}

/// Whether there is any such place in `bytes` that a change of `changed` can have brought about;
/// anywhere, where that is not given.
pub(crate) fn any_hit(
    prefilter: &Prefilter,
    bytes: &[u8],
    changed: Option<&[Range<usize>]>,
    words: &AwsWords,
) -> bool {
    let there = |range| !hits(prefilter, bytes, range, words).is_empty();
    match changed {
        None => there(0..bytes.len()),
        // What is looked at ends so far after the literal, and begins so far before it.
        Some(changed) => {
            widened(changed, NAME_TO_VALUE, BEFORE_NAME + LITERAL, bytes.len()).any(there)
        }
    }
}

/// Whether an access key ID begins `text`, whole or as the first piece of a split literal.
fn may_be_key_id(text: &[u8], words: &AwsWords) -> bool {
    let body = text[4..]
        .iter()
        .take(16)
        .take_while(|&&byte| is_body(byte))
        .count();
    if body < 16 {
        return matches!(text.get(4 + body), Some(b'"' | b'\'' | b'`' | b'\\'));
    }
    let key_id = &text[..KEY_ID_LENGTH];
    is_random_key_id(key_id) && !contains_word(key_id, &words.placeholder_words)
}

/// Whether something that may be a secret follows the name whose `ecret` stands at `at`.
fn secret_follows(bytes: &[u8], at: usize, words: &AwsWords) -> bool {
    let near = &bytes[at..bytes.len().min(at + NAME_TO_VALUE)];
    if !may_hold_secret(near) {
        return false;
    }
    let from = at.saturating_sub(BEFORE_NAME);
    let view = View::new(&bytes[from..bytes.len().min(at + NAME_TO_VALUE)], from);
    let found = candidate::collect(&view, words, false);
    found
        .secrets
        .iter()
        .any(|secret: &Candidate| !secret.placeholder)
}

/// A quick look, for the many places where people merely write of secrets: whether there is a run
/// of forty characters of the alphabet and its escapes, one at least not a letter, or literals
/// that make one when they are joined.
fn may_hold_secret(near: &[u8]) -> bool {
    let (mut length, mut telling) = (0, false);
    let mut at = 0;
    while let Some(&byte) = near.get(at) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'&' | b'#' | b';' => length += 1,
            b'0'..=b'9' | b'+' | b'/' | b'\\' | b'%' => {
                length += 1;
                telling = true;
            }
            _ => match candidate::continued(near, at).filter(|_| length > 0) {
                Some(piece) => {
                    at = piece.start;
                    continue;
                }
                None => (length, telling) = (0, false),
            },
        }
        if length >= 40 && telling {
            return true;
        }
        at += 1;
    }
    false
}
