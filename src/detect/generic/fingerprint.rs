//! A weak test for the beginnings of keywords that a vector instruction does for many places at once.
//!
//! The keywords are dealt out to eight groups, one for each bit of a byte. For each of four bytes and
//! each of its halves, a table of sixteen says which groups have such a half there; a place passes if
//! some group is in all eight answers. Some two places of a hundred pass that begin no keyword.

use super::runs::BLOCK;

/// Bytes that are compared.
const LENGTH: usize = 4;
/// A block and as much of what follows as its last places need.
pub(super) const WINDOW: usize = BLOCK + LENGTH - 1;

/// The tables of some keywords. Each stands there twice: a vector has two halves.
#[derive(Clone, Debug, Default)]
pub(super) struct Fingerprint {
    grams: Vec<[Option<u8>; LENGTH]>,
    pub(super) low: [[u8; 32]; LENGTH],
    pub(super) high: [[u8; 32]; LENGTH],
}

impl Fingerprint {
    /// Adds what begins with `keyword`, in either case. [`Fingerprint::finish`] must follow.
    pub(super) fn add(&mut self, keyword: &[u8]) {
        self.grams.push(std::array::from_fn(|place| {
            keyword.get(place).map(|byte| byte | 0x20)
        }));
    }

    /// Makes the tables. Neighbours in the alphabet share a group, so that its tables hold little else.
    pub(super) fn finish(&mut self) {
        self.grams.sort_unstable();
        self.grams.dedup();
        let count = self.grams.len();
        for (number, gram) in std::mem::take(&mut self.grams).iter().enumerate() {
            let group = 1 << (number * 8 / count);
            for (place, byte) in gram.iter().enumerate() {
                self.enter(place, *byte, group);
            }
        }
    }

    fn enter(&mut self, place: usize, byte: Option<u8>, group: u8) {
        let (low, high) = (&mut self.low[place], &mut self.high[place]);
        let Some(byte) = byte else {
            low.iter_mut().chain(high).for_each(|entry| *entry |= group);
            return;
        };
        for half in [0, 16] {
            low[half + usize::from(byte & 15)] |= group;
            for case in [byte, byte & !0x20] {
                // Twice where a bit that is folded makes no difference.
                high[half + usize::from(case >> 4)] |= group;
            }
        }
    }

    /// One bit for each place of a block that passes.
    pub(super) fn mask(&self, window: &[u8; WINDOW]) -> u64 {
        let groups = |at: usize| {
            (0..LENGTH).fold(u8::MAX, |groups, place| {
                let byte = usize::from(window[at + place]);
                groups & self.low[place][byte & 15] & self.high[place][byte >> 4]
            })
        };
        (0..BLOCK).fold(0, |mask, at| mask | u64::from(groups(at) != 0) << at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_each_keyword_and_little_else() {
        let words: [&[u8]; 4] = [b"ghp_", b"Secret", b"sk-", b"\xC3\xA9t\xC3"];
        let mut print = Fingerprint::default();
        words.iter().for_each(|word| print.add(word));
        print.finish();
        for word in words {
            for at in 0..=WINDOW - word.len() {
                let mut window = [b'.'; WINDOW];
                window[at..at + word.len()].copy_from_slice(&word.to_ascii_uppercase());
                let expected = if at < BLOCK { 1 << at } else { 0 };
                assert_eq!(print.mask(&window), expected, "{at} {word:?}");
            }
        }
        assert_eq!(Fingerprint::default().mask(&[b'a'; WINDOW]), 0);
    }
}
