//! The one pass over all bytes: finds the keywords of all rules, whatever their number.
//!
//! A rule of the library says where its keywords are worth looking for ([`Search`]): where a word
//! begins, where a long run of token characters begins, or near a run that may be a value. So most
//! of the text is only looked at for words and runs ([`runs`]). Rules of a team's own files are
//! looked for everywhere.

use memchr::memchr;
use memchr::memmem;

#[cfg(doc)]
use super::grams::SHORTEST;
use super::grams::{Grams, Use};
use super::places::Places;
use super::runs::{self, Fingerprints};
use crate::rules::pattern::Search;

/// Longest scheme of a URL.
const SCHEME: usize = 40;
/// Longest user and password of a URL.
const USERINFO: usize = 200;

/// A compiled search for the keywords of rules.
#[derive(Clone, Debug, Default)]
pub(super) struct Prefilter {
    words: Grams,
    starts: Grams,
    near: Grams,
    everywhere: Grams,
    prints: Fingerprints,
    /// The rules that are for URLs, in ascending order.
    urls: Vec<u32>,
}

impl Prefilter {
    /// Adds a keyword of at least [`SHORTEST`] bytes; its case does not matter.
    /// [`Prefilter::finish`] must follow.
    pub(super) fn add(&mut self, search: Search, keyword: &[u8], used: Use) {
        match search {
            Search::Word => {
                let before = signs(keyword);
                self.words.add_from(before, keyword, used);
                self.prints.words.add(&keyword[before..]);
            }
            Search::Url => {
                self.words.add(keyword, used);
                self.prints.words.add(keyword);
                if self.urls.last() != Some(&used.rule) {
                    self.urls.push(used.rule);
                }
            }
            Search::Start => self.starts.add(keyword, used),
            Search::Near => {
                self.near.add(keyword, used);
                self.prints.near.add(keyword);
            }
            Search::Everywhere => self.everywhere.add(keyword, used),
        }
    }

    /// Makes what was added searchable.
    pub(super) fn finish(&mut self) {
        self.words.finish();
        self.starts.finish();
        self.near.finish();
        self.everywhere.finish();
        self.prints.words.finish();
        self.prints.near.finish();
    }

    /// Calls `hit` for every keyword in `text` that is where its rule has it. The keywords of one
    /// rule come by offset; those of different rules do not.
    pub(super) fn search(&self, text: &[u8], mut hit: impl FnMut(Use, usize)) {
        if !(self.words.is_empty() && self.starts.is_empty() && self.near.is_empty()) {
            let mut visitor = Visitor {
                prefilter: self,
                text,
                hit: &mut hit,
            };
            runs::visit(text, &self.prints, &mut visitor);
        }
        self.everywhere.search(text, 0..text.len(), &mut hit);
    }
}

/// Looks for keywords where words and runs are.
struct Visitor<'v, H> {
    prefilter: &'v Prefilter,
    text: &'v [u8],
    hit: &'v mut H,
}

impl<H: FnMut(Use, usize)> runs::Visitor for Visitor<'_, H> {
    #[inline(always)]
    fn words(&mut self, places: &mut Places) {
        let (text, urls, hit) = (self.text, &self.prefilter.urls, &mut *self.hit);
        let mut real = |used: Use, at: usize| {
            if urls.binary_search(&used.rule).is_err() || has_password(text, at) {
                hit(used, at);
            }
        };
        self.prefilter.words.test(text, places, &mut real);
    }

    #[inline(always)]
    fn starts(&mut self, places: &mut Places) {
        self.prefilter.starts.test(self.text, places, self.hit);
    }

    #[inline(always)]
    fn near(&mut self, places: &mut Places) {
        self.prefilter.near.test(self.text, places, self.hit);
    }
}

/// Number of bytes before the first letter or digit, which must leave enough of the keyword.
pub(super) fn signs(keyword: &[u8]) -> usize {
    keyword
        .iter()
        .take_while(|byte| !byte.is_ascii_alphanumeric())
        .count()
}

/// Whether the URL that begins at `at` has a user and a password.
fn has_password(text: &[u8], at: usize) -> bool {
    let scheme = &text[at..text.len().min(at + SCHEME)];
    let Some(colon) = memmem::find(scheme, b"://") else {
        return false;
    };
    let start = at + colon + 3;
    let after = &text[start..text.len().min(start + USERINFO)];
    let end = after
        .iter()
        .position(|byte| b" \t\r\n/\"'<>`\\{}".contains(byte))
        .unwrap_or(after.len());
    memchr(b'@', &after[..end]).is_some_and(|sign| after[..sign].contains(&b':'))
}
