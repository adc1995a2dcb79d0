//! The one pass over all bytes: finds the keywords of all rules, whatever their number.
//!
//! Every four bytes of the text, with letters of either case made equal, are hashed and looked up
//! in a bit set that fits the first-level cache. What passes is compared with the keywords that
//! begin with the same three bytes. The cost of a byte does not depend on the number of rules.

/// Bits of the set. 16 KiB: half of a small first-level cache.
const BITS: u32 = 17;
const BUCKETS: usize = 4096;

/// A compiled search for keywords of at least three bytes.
#[derive(Clone, Debug)]
pub(super) struct Prefilter {
    set: Vec<u64>,
    /// For each bucket, where its entries begin in `entries`; one more at the end.
    starts: Vec<u32>,
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    /// In lower case.
    keyword: Box<[u8]>,
    number: u32,
}

/// Shortest keyword that the search can look for.
pub(super) const SHORTEST: usize = 3;

impl Prefilter {
    /// A search for `keywords`, in lower case and of at least [`SHORTEST`] bytes.
    pub(super) fn new<'k>(keywords: impl Iterator<Item = (u32, &'k [u8])>) -> Self {
        let mut set = vec![0; 1 << (BITS - 6)];
        let mut buckets: Vec<Vec<Entry>> = vec![Vec::new(); BUCKETS];
        for (number, keyword) in keywords {
            for gram in grams(keyword) {
                let bit = hash(gram);
                set[bit >> 6] |= 1 << (bit & 63);
            }
            buckets[bucket(keyword)].push(Entry {
                keyword: keyword.into(),
                number,
            });
        }
        let mut starts = vec![0];
        let mut entries = Vec::new();
        for mut bucket in buckets {
            entries.append(&mut bucket);
            starts.push(entries.len() as u32);
        }
        Self {
            set,
            starts,
            entries,
        }
    }

    /// Calls `hit` with the number and the offset of every keyword in `text`, by offset.
    pub(super) fn search(&self, text: &[u8], mut hit: impl FnMut(u32, usize)) {
        if self.entries.is_empty() {
            return;
        }
        let (blocks, _) = text.as_chunks::<8>();
        let mut at = 0;
        for pair in blocks.windows(2) {
            let low = fold(u64::from_le_bytes(pair[0]));
            let high = fold(u64::from_le_bytes(pair[1]));
            let wide = u128::from(low) | u128::from(high) << 64;
            let found = (0..8).fold(0, |found, offset| {
                found | self.holds((wide >> (8 * offset)) as u32) << offset
            });
            self.each(text, at, found, &mut hit);
            at += 8;
        }
        for at in at..text.len().saturating_sub(2) {
            let mut four = [b' '; 4];
            let end = text.len().min(at + 4);
            four[..end - at].copy_from_slice(&text[at..end]);
            let found = self.holds(fold(u64::from(u32::from_le_bytes(four))) as u32);
            self.each(text, at, found, &mut hit);
        }
    }

    /// 1 if the four bytes may begin a keyword.
    #[inline(always)]
    fn holds(&self, gram: u32) -> u64 {
        let bit = hash(gram);
        self.set[(bit >> 6) & ((1 << (BITS - 6)) - 1)] >> (bit & 63) & 1
    }

    #[inline(always)]
    fn each(&self, text: &[u8], at: usize, mut found: u64, hit: &mut impl FnMut(u32, usize)) {
        while found != 0 {
            self.compare(text, at + found.trailing_zeros() as usize, hit);
            found &= found - 1;
        }
    }

    #[inline(never)]
    fn compare(&self, text: &[u8], at: usize, hit: &mut impl FnMut(u32, usize)) {
        let bucket = bucket(&text[at..]);
        let (start, end) = (self.starts[bucket], self.starts[bucket + 1]);
        for entry in &self.entries[start as usize..end as usize] {
            let word = text.get(at..at + entry.keyword.len());
            if word.is_some_and(|word| word.eq_ignore_ascii_case(&entry.keyword)) {
                hit(entry.number, at);
            }
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

fn bucket(text: &[u8]) -> usize {
    let gram = fold(u64::from(u32::from_le_bytes([
        text[0], text[1], text[2], 0,
    ]))) as u32;
    (gram.wrapping_mul(0x85EB_CA6B) >> 20) as usize
}

/// The first four bytes of `keyword`, or all that a shorter one may begin.
fn grams(keyword: &[u8]) -> Vec<u32> {
    let gram = |fourth| {
        let four = u32::from_le_bytes([keyword[0], keyword[1], keyword[2], fourth]);
        fold(u64::from(four)) as u32
    };
    match keyword.get(3) {
        Some(&fourth) => vec![gram(fourth)],
        None => (0..=255).map(gram).collect(),
    }
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
        let prefilter = Prefilter::new(words.iter().enumerate().map(|(n, word)| (n as u32, *word)));
        for (number, word) in words.iter().enumerate() {
            for before in 0..40 {
                for after in 0..20 {
                    let mut text = vec![b'.'; before];
                    text.extend_from_slice(&word.to_ascii_uppercase());
                    text.extend(vec![b'.'; after]);
                    let mut hits = Vec::new();
                    prefilter.search(&text, |number, at| hits.push((number, at)));
                    assert!(hits.contains(&(number as u32, before)), "{before} {after}");
                    assert!(hits.len() <= 2);
                }
            }
        }
    }
}
