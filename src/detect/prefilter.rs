//! The one pass over all bytes: a SIMD search for a handful of literals, without which nothing
//! can be found. Everything slower runs only around its hits.

use std::ops::Range;

use aho_corasick::packed::{self, MatchKind, Searcher};
use aho_corasick::{AhoCorasick, Input, Span};

/// What a literal hints at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// The prefix of an access key ID.
    KeyId,
    /// The same in UTF-16 (its little-endian form stands in big-endian text too, one byte later).
    WideKeyId,
    /// The same within base64, at one of the three alignments.
    EncodedKeyId,
    /// `ecret`: the name of a secret, whatever the case of its first letter.
    SecretName,
}

/// Base64 of `AKIA` and `ASIA` at the three alignments: the characters that do not depend on the
/// neighbours.
const LITERALS: [(&[u8], Hint); 16] = [
    (b"AKIA", Hint::KeyId),
    (b"ASIA", Hint::KeyId),
    (b"ABIA", Hint::KeyId),
    (b"ACCA", Hint::KeyId),
    (b"A\0K\0I\0A\0", Hint::WideKeyId),
    (b"A\0S\0I\0A\0", Hint::WideKeyId),
    (b"A\0B\0I\0A\0", Hint::WideKeyId),
    (b"A\0C\0C\0A\0", Hint::WideKeyId),
    (b"QUtJQ", Hint::EncodedKeyId),
    (b"FLSU", Hint::EncodedKeyId),
    (b"BS0l", Hint::EncodedKeyId),
    (b"QVNJQ", Hint::EncodedKeyId),
    (b"FTSU", Hint::EncodedKeyId),
    (b"BU0l", Hint::EncodedKeyId),
    (b"ecret", Hint::SecretName),
    (b"ECRET", Hint::SecretName),
];

/// The compiled search.
#[derive(Clone, Debug)]
pub(crate) struct Prefilter(Engine);

#[derive(Clone, Debug)]
enum Engine {
    Packed(Searcher),
    /// Where the processor has no vector instructions that the packed search can use.
    Automaton(AhoCorasick),
}

impl Prefilter {
    pub(crate) fn new() -> Self {
        let literals = LITERALS.iter().map(|(literal, _)| literal);
        let packed = packed::Config::new()
            .match_kind(MatchKind::LeftmostFirst)
            .builder()
            .extend(literals.clone())
            .build();
        Self(match packed {
            Some(searcher) => Engine::Packed(searcher),
            None => Engine::Automaton(
                AhoCorasick::new(literals).expect("sixteen short literals make an automaton"),
            ),
        })
    }

    /// Calls `hit` with the hint and the offset of every literal that lies in `range`, in order.
    pub(crate) fn search(
        &self,
        haystack: &[u8],
        range: Range<usize>,
        mut hit: impl FnMut(Hint, usize),
    ) {
        let mut at = range.start;
        while at < range.end {
            let span = Span {
                start: at,
                end: range.end,
            };
            let found = match &self.0 {
                Engine::Packed(searcher) => searcher.find_in(haystack, span),
                Engine::Automaton(automaton) => automaton.find(Input::new(haystack).span(span)),
            };
            let Some(found) = found else { break };
            hit(LITERALS[found.pattern().as_usize()].1, found.start());
            at = found.start() + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_each_literal_at_any_place() {
        let prefilter = Prefilter::new();
        for (literal, hint) in LITERALS {
            for before in 0..70 {
                let mut text = vec![b'.'; before];
                text.extend_from_slice(literal);
                text.extend(vec![b'.'; 70 - before]);
                let mut hits = Vec::new();
                prefilter.search(&text, 0..text.len(), |hint, at| hits.push((hint, at)));
                assert_eq!(hits, [(hint, before)]);
            }
        }
    }
}
