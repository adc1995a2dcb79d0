//! Finds many keywords at once by their first four bytes.
//!
//! Four bytes of the text, with letters of either case made equal, are hashed and looked up in a
//! bit set that fits the first-level cache. What passes is compared with the keywords that begin
//! with the same three bytes. The cost of a byte does not depend on the number of keywords.

use std::ops::Range;

use super::places::Places;

/// Bits of the set. 16 KiB: half of a small first-level cache.
const BITS: u32 = 17;
const BUCKETS: usize = 4096;

/// Shortest keyword that can be looked for.
pub(super) const SHORTEST: usize = 3;

/// A keyword of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Use {
    /// Number of the rule in the engine.
    pub(super) rule: u32,
    /// Number of the keyword in the rule.
    pub(super) keyword: u32,
}

/// A compiled search for keywords.
#[derive(Clone, Debug, Default)]
pub(super) struct Grams {
    set: Vec<u64>,
    /// For each bucket, where its entries begin in `entries`; one more at the end.
    starts: Vec<u32>,
    entries: Vec<Entry>,
    /// The keywords' text.
    text: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    bucket: u32,
    start: u32,
    length: u32,
    /// How many of its bytes stand before the place that is tested.
    before: u32,
    /// The first eight bytes after those, folded, and which bits of them count.
    head: [u64; 2],
    used: Use,
}

impl Grams {
    /// Adds a keyword of at least [`SHORTEST`] bytes. [`Grams::finish`] must follow.
    pub(super) fn add(&mut self, keyword: &[u8], used: Use) {
        self.add_from(0, keyword, used);
    }

    /// The same for a keyword that is found by what follows its first `before` bytes.
    pub(super) fn add_from(&mut self, before: usize, keyword: &[u8], used: Use) {
        self.allocate();
        let mut insert = |gram| {
            let bit = hash(gram);
            self.set[bit >> 6] |= 1 << (bit & 63);
        };
        let rest = &keyword[before..];
        match rest.get(3) {
            Some(_) => insert(gram(rest, 0)),
            None => (0..=255).for_each(|fourth| insert(gram(rest, fourth))),
        }
        self.entries.push(Entry {
            bucket: bucket(rest),
            before: before as u32,
            head: head(rest),
            start: self.text.len() as u32,
            length: keyword.len() as u32,
            used,
        });
        self.text.extend_from_slice(keyword);
    }

    fn allocate(&mut self) {
        if self.set.is_empty() {
            self.set = vec![0; 1 << (BITS - 6)];
        }
    }

    /// Makes what was added searchable.
    pub(super) fn finish(&mut self) {
        self.allocate();
        if self.entries.is_empty() {
            return;
        }
        self.entries.sort_by_key(|entry| entry.bucket);
        self.starts = vec![0; BUCKETS + 1];
        for entry in &self.entries {
            self.starts[entry.bucket as usize + 1] += 1;
        }
        for bucket in 0..BUCKETS {
            self.starts[bucket + 1] += self.starts[bucket];
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Calls `hit` for every keyword that is found by what begins at one of `places`, and leaves of
    /// these what was worth a comparison.
    #[inline(always)]
    pub(super) fn test(&self, text: &[u8], places: &mut Places, hit: &mut impl FnMut(Use, usize)) {
        if self.is_empty() {
            return;
        }
        places.retain(|at| match text[at..].first_chunk::<4>() {
            Some(four) => self.holds(fold(u32::from_le_bytes(*four).into()) as u32) as usize,
            None => usize::from(at + SHORTEST <= text.len()),
        });
        for at in places.iter() {
            self.compare(text, at, hit);
        }
    }

    /// Calls `hit` for every keyword that begins in `range`, by offset.
    pub(super) fn search(
        &self,
        text: &[u8],
        range: Range<usize>,
        hit: &mut impl FnMut(Use, usize),
    ) {
        if self.is_empty() {
            return;
        }
        let mut at = range.start;
        while let Some((eight, more)) = text[at..].split_first_chunk::<8>() {
            if at >= range.end || more.len() < 3 {
                break;
            }
            let low = fold(u64::from_le_bytes(*eight));
            let high =
                fold(u64::from(more[0]) | u64::from(more[1]) << 8 | u64::from(more[2]) << 16);
            let wide = u128::from(low) | u128::from(high) << 64;
            let mut found = (0..8).fold(0_u64, |found, offset| {
                found | self.holds((wide >> (8 * offset)) as u32) << offset
            });
            while found != 0 {
                let place = at + found.trailing_zeros() as usize;
                if place < range.end {
                    self.compare(text, place, hit);
                }
                found &= found - 1;
            }
            at += 8;
        }
        for at in at..range.end.min(text.len().saturating_sub(SHORTEST - 1)) {
            self.compare(text, at, hit);
        }
    }

    /// 1 if the four bytes may begin a keyword.
    #[inline(always)]
    fn holds(&self, gram: u32) -> u64 {
        let bit = hash(gram);
        self.set[(bit >> 6) & ((1 << (BITS - 6)) - 1)] >> (bit & 63) & 1
    }

    #[inline(never)]
    fn compare(&self, text: &[u8], at: usize, hit: &mut impl FnMut(Use, usize)) {
        let bucket = bucket(&text[at..]) as usize;
        let [here, _] = head(&text[at..]);
        let (start, end) = (self.starts[bucket], self.starts[bucket + 1]);
        for entry in &self.entries[start as usize..end as usize] {
            let [head, counts] = entry.head;
            if (here ^ head) & counts == 0 {
                self.confirm(entry, text, at, hit);
            }
        }
    }

    #[inline(never)]
    fn confirm(&self, entry: &Entry, text: &[u8], at: usize, hit: &mut impl FnMut(Use, usize)) {
        let (start, length) = (entry.start as usize, entry.length as usize);
        let keyword = &self.text[start..start + length];
        let Some(at) = at.checked_sub(entry.before as usize) else {
            return;
        };
        let word = text.get(at..at + length);
        if word.is_some_and(|word| word.eq_ignore_ascii_case(keyword)) {
            hit(entry.used, at);
        }
    }
}

/// The first eight bytes of `text`, folded, and the bits of those that are there.
#[inline(always)]
fn head(text: &[u8]) -> [u64; 2] {
    match text.first_chunk::<8>() {
        Some(eight) => [fold(u64::from_le_bytes(*eight)), u64::MAX],
        None => {
            let mut eight = [0; 8];
            eight[..text.len()].copy_from_slice(text);
            let counts = (1 << (8 * text.len())) - 1;
            [fold(u64::from_le_bytes(eight)), counts]
        }
    }
}

/// Sets bit 5 of every byte: letters of either case become equal, and so do some other bytes,
/// which the comparison tells apart.
#[inline(always)]
fn fold(bytes: u64) -> u64 {
    bytes | 0x2020_2020_2020_2020
}

#[inline(always)]
fn hash(gram: u32) -> usize {
    (gram.wrapping_mul(0x9E37_79B1) >> (32 - BITS)) as usize
}

/// The first four bytes of `text`, folded; `fourth` where it has but three.
#[inline(always)]
fn gram(text: &[u8], fourth: u8) -> u32 {
    let fourth = text.get(3).copied().unwrap_or(fourth);
    fold(u64::from(u32::from_le_bytes([
        text[0], text[1], text[2], fourth,
    ]))) as u32
}

fn bucket(text: &[u8]) -> u32 {
    let three = fold(u64::from(u32::from_le_bytes([
        text[0], text[1], text[2], 0,
    ]))) as u32;
    three.wrapping_mul(0x85EB_CA6B) >> 20
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_keyword_at_every_place() {
        let words: [&[u8]; 5] = [
            b"ghp_",
            b"sk-",
            b"secret",
            b"ghp_long",
            b"\xC3\xA9t\xC3\xA9",
        ];
        let mut grams = Grams::default();
        for (rule, word) in (0..).zip(words) {
            grams.add(word, Use { rule, keyword: 0 });
        }
        grams.finish();
        for (rule, word) in (0..).zip(words) {
            for before in 0..40 {
                for after in 0..20 {
                    let mut text = vec![b'.'; before];
                    text.extend_from_slice(&word.to_ascii_uppercase());
                    text.extend(vec![b'.'; after]);
                    let mut hits = Vec::new();
                    let mut hit = |used: Use, at| hits.push((used.rule, at));
                    grams.search(&text, 0..text.len(), &mut hit);
                    assert!(hits.contains(&(rule, before)), "{before} {after}");
                    assert!(hits.len() <= 2);
                    let mut hits = 0;
                    grams.search(&text, 0..before, &mut |_, _| hits += 1);
                    assert_eq!(hits, 0);
                }
            }
        }
    }
}
