//! Where words begin that may be keywords, and where long runs of token characters are. A key is such
//! a run, and most text is not: words are short. So this is the first look at every byte, and what
//! comes after it sees a small part of the text.
//!
//! Places are written to lists without a branch that depends on the text, and looked at later by
//! the [`Visitor`]: half of the blocks have a run, and a processor that guesses wrongly in each
//! second one takes twice as long.

#[cfg(target_arch = "x86_64")]
use super::avx2;
use super::fingerprint::{Fingerprint, WINDOW};
use super::places::Places;

/// Length from which a run may be the beginning of a key: no rule that is found by its
/// beginning matches less.
pub(super) const START: usize = 15;
/// Length from which a run with a mark ([`is_mark`]) in it may be a key that only a word nearby gives away.
pub(super) const VALUE: usize = 20;
/// Bytes that are looked at together.
pub(super) const BLOCK: usize = 64;
/// How far before the block in which a value begins its keyword may begin.
pub(super) const BEFORE_VALUE: usize = 4 * BLOCK;
/// How far after the beginning of that block its keyword may begin.
const AFTER_VALUE: usize = 2 * BLOCK;
/// Blocks after which the visitor is told.
const SEGMENT: usize = 32;
/// How far before its segment a place may be: a value that ends there may have begun a block before.
pub(super) const BEFORE_SEGMENT: usize = BEFORE_VALUE + BLOCK;
/// The most places that one list takes.
pub(super) const MOST: usize = SEGMENT * BLOCK + BEFORE_SEGMENT + AFTER_VALUE;
/// Is told what stands where; within each list by place.
pub(super) trait Visitor {
    /// A letter or digit stands there and none before it, or a capital and none before it; and the
    /// fingerprint for words fits.
    fn words(&mut self, places: &mut Places);
    /// A word begins there, and at least [`START`] token characters stand there.
    fn starts(&mut self, places: &mut Places);
    /// Near there is a run of [`VALUE`] characters, one of them a mark, and the fingerprint for
    /// keywords near values fits.
    fn near(&mut self, places: &mut Places);
}

/// What is looked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Fingerprints {
    pub(super) words: Fingerprint,
    pub(super) near: Fingerprint,
}

/// Whether `byte` is one of `[0-9A-Za-z_+/=.:~-]`.
pub(super) const fn is_token(byte: u8) -> bool {
    is_word(byte) || matches!(byte, b'+' | b'-' | b'/' | b'=' | b'.' | b':' | b'~')
}

pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// What is in most values and in few words.
pub(super) const fn is_mark(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'+'
}

/// One bit a byte.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Masks {
    pub(super) token: u64,
    /// Letters and digits.
    pub(super) letter: u64,
    /// Those and `_`.
    pub(super) word: u64,
    pub(super) capital: u64,
    /// Digits and `+`.
    pub(super) mark: u64,
    /// Where the fingerprint for words fits.
    pub(super) print: u64,
}

/// Tells `visitor` of what is in `text`.
pub(super) fn visit(text: &[u8], prints: &Fingerprints, visitor: &mut impl Visitor) {
    #[cfg(target_arch = "x86_64")]
    if avx2::is_available() {
        #[expect(unsafe_code, reason = "calls code for processors with AVX2")]
        // SAFETY: this processor has what is needed, as the line above has asked.
        unsafe {
            avx2::visit(text, prints, visitor);
        };
        return;
    }
    walk(text, prints, visitor, masks, |window, print| {
        print.mask(window)
    });
}

#[inline(always)]
pub(super) fn walk(
    text: &[u8],
    prints: &Fingerprints,
    visitor: &mut impl Visitor,
    masks: impl Fn(&[u8; WINDOW], &Fingerprint) -> Masks,
    print: impl Fn(&[u8; WINDOW], &Fingerprint) -> u64,
) {
    let (mut words, mut starts, mut near) = (Places::new(), Places::new(), Places::new());
    let mut runs = Runs::default();
    let mut values = [Value::default(); SEGMENT];
    let mut searched = 0;
    let mut rest = [0; WINDOW];
    for segment in (0..text.len()).step_by(SEGMENT * BLOCK) {
        for list in [&mut words, &mut starts, &mut near] {
            list.clear(segment);
        }
        let mut count = 0;
        let end = text.len().min(segment + SEGMENT * BLOCK);
        for at in (segment..end).step_by(BLOCK) {
            let here = masks(window(text, at, &mut rest), &prints.words);
            let offset = at - segment + BEFORE_SEGMENT;
            words.add(here.print & runs.word_starts(here), offset);
            let (ends, value) = runs.step(here);
            starts.add(ends, offset + 1 - START);
            values[count] = Value { at, ..value };
            count += usize::from(value.runs != 0);
        }
        for value in values[..count].iter().filter(|value| value.has_mark()) {
            let start = searched.max(value.at.saturating_sub(BEFORE_SEGMENT));
            searched = value.at + AFTER_VALUE;
            for at in (start..searched.min(text.len())).step_by(BLOCK) {
                let fits = print(window(text, at, &mut rest), &prints.near);
                let there = u64::MAX >> BLOCK.saturating_sub(text.len() - at);
                near.add(fits & there, at + BEFORE_SEGMENT - segment);
            }
        }
        visitor.words(&mut words);
        visitor.starts(&mut starts);
        visitor.near(&mut near);
    }
}

/// The window at `at`, in `rest` where the text ends within it.
#[inline(always)]
fn window<'w>(text: &'w [u8], at: usize, rest: &'w mut [u8; WINDOW]) -> &'w [u8; WINDOW] {
    match text[at..].first_chunk() {
        Some(window) => window,
        None => {
            fill(&text[at..], rest);
            rest
        }
    }
}

#[inline(never)]
fn fill(text: &[u8], window: &mut [u8; WINDOW]) {
    *window = [0; WINDOW];
    window[..text.len()].copy_from_slice(text);
}

/// A block in which runs of [`VALUE`] end.
#[derive(Clone, Copy, Default)]
struct Value {
    at: usize,
    /// Their last places.
    runs: u64,
    /// The marks of this block, and of that before.
    marks: [u64; 2],
}

impl Value {
    /// Whether one of them has a mark.
    #[inline(always)]
    fn has_mark(&self) -> bool {
        let [mut marks, mut before] = self.marks;
        for shift in [1, 2, 4, 8, 4] {
            marks |= shifted(before, marks, shift);
            before |= before << shift;
        }
        self.runs & marks != 0
    }
}

/// What of the block before must be known: each of its masks as far as it reaches into the next block.
#[derive(Default)]
struct Runs {
    letter: u64,
    capital: u64,
    token: u64,
    word: u64,
    /// Runs of 2, 4, 8 and [`START`].
    runs: [u64; 4],
    /// Where words begin, letters or `_`.
    begins: u64,
    /// The marks, all of them.
    mark: u64,
}

impl Runs {
    #[inline(always)]
    fn word_starts(&mut self, here: Masks) -> u64 {
        here.letter & !carried(&mut self.letter, here.letter, 1)
            | here.capital & !carried(&mut self.capital, here.capital, 1)
    }

    /// The last places of the first [`START`] characters after a word's beginning, and runs that may
    /// be values.
    #[inline(always)]
    fn step(&mut self, here: Masks) -> (u64, Value) {
        let [of_2, of_4, of_8, of_15] = &mut self.runs;
        let two = here.token & carried(&mut self.token, here.token, 1);
        let four = two & carried(of_2, two, 2);
        let eight = four & carried(of_4, four, 4);
        let start = eight & carried(of_8, eight, 7);
        let runs = start & carried(of_15, start, (VALUE - START) as u32);
        let begins = here.word & !carried(&mut self.word, here.word, 1);
        let ends = start & carried(&mut self.begins, begins, START as u32 - 1);
        let marks = [here.mark, self.mark];
        self.mark = here.mark;
        (ends, Value { at: 0, runs, marks })
    }
}

/// The bits of `here` moved up by `by`, after what the block before left in `carry`, which is what
/// the next one needs. (Joined from two masks it would be one instruction, which is slow on some
/// processors.)
#[inline(always)]
fn carried(carry: &mut u64, here: u64, by: u32) -> u64 {
    let moved = here << by | *carry;
    *carry = here >> (BLOCK as u32 - by);
    moved
}

/// The bits of `here` moved up by `by`, after those of the block before.
#[inline(always)]
fn shifted(before: u64, here: u64, by: u32) -> u64 {
    here << by | before >> (BLOCK as u32 - by)
}

fn masks(window: &[u8; WINDOW], print: &Fingerprint) -> Masks {
    let mut masks = Masks {
        print: print.mask(window),
        ..Masks::default()
    };
    for (place, &byte) in window[..BLOCK].iter().enumerate() {
        masks.token |= u64::from(is_token(byte)) << place;
        masks.letter |= u64::from(byte.is_ascii_alphanumeric()) << place;
        masks.word |= u64::from(is_word(byte)) << place;
        masks.capital |= u64::from(byte.is_ascii_uppercase()) << place;
        masks.mark |= u64::from(is_mark(byte)) << place;
    }
    masks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Seen {
        words: Vec<usize>,
        starts: Vec<usize>,
        near: Vec<usize>,
    }

    impl Visitor for Seen {
        fn words(&mut self, places: &mut Places) {
            self.words.extend(places.iter());
        }

        fn starts(&mut self, places: &mut Places) {
            self.starts.extend(places.iter());
        }

        fn near(&mut self, places: &mut Places) {
            self.near.extend(places.iter());
        }
    }

    /// Prints that fit everything that is in the text, and those that fit less.
    fn prints() -> [Fingerprints; 2] {
        let print = |keywords: &[&str]| {
            let mut print = Fingerprint::default();
            keywords
                .iter()
                .for_each(|keyword| print.add(keyword.as_bytes()));
            print.finish();
            print
        };
        let prints = |keywords: &[&str]| Fingerprints {
            words: print(keywords),
            near: print(keywords),
        };
        [prints(&[""]), prints(&["ab", "k", "c", "0"])]
    }

    /// What `visit` promises, byte by byte.
    fn slowly(text: &[u8], prints: &Fingerprints) -> Seen {
        let mut seen = Seen::default();
        let run = |at: usize, length: usize| {
            text.get(at..at + length)
                .is_some_and(|run| run.iter().all(|&byte| is_token(byte)))
        };
        let fits = |print: &Fingerprint, at: usize| {
            let mut window = [0; WINDOW];
            let there = &text[at..text.len().min(at + WINDOW)];
            window[..there.len()].copy_from_slice(there);
            print.mask(&window) & 1 == 1
        };
        let mut searched = 0;
        for at in 0..text.len() {
            let follows =
                |class: fn(&u8) -> bool| class(&text[at]) && (at == 0 || !class(&text[at - 1]));
            let word = follows(u8::is_ascii_alphanumeric) || follows(u8::is_ascii_uppercase);
            if word && fits(&prints.words, at) {
                seen.words.push(at);
            }
            let begins = is_word(text[at]) && (at == 0 || !is_word(text[at - 1]));
            if begins && run(at, START) {
                seen.starts.push(at);
            }
            if run(at, VALUE) && text[at..at + VALUE].iter().any(|&byte| is_mark(byte)) {
                let block = (at + VALUE - 1) / BLOCK * BLOCK;
                let from = block.saturating_sub(BEFORE_SEGMENT).max(searched);
                searched = text.len().min(block + AFTER_VALUE);
                seen.near
                    .extend((from..searched).filter(|&at| fits(&prints.near, at)));
            }
        }
        seen
    }

    fn random(length: usize, seed: &mut u64, alphabet: &[u8]) -> Vec<u8> {
        (0..length)
            .map(|_| {
                *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                alphabet[(*seed >> 33) as usize % alphabet.len()]
            })
            .collect()
    }

    fn check(text: &[u8], prints: &Fingerprints) {
        let expected = slowly(text, prints);
        let mut seen = Seen::default();
        visit(text, prints, &mut seen);
        assert_eq!(seen, expected);
        let mut seen = Seen::default();
        let fits = |window: &_, print: &Fingerprint| print.mask(window);
        walk(text, prints, &mut seen, masks, fits);
        assert_eq!(seen, expected);
    }

    #[test]
    fn every_run_is_seen_at_its_place() {
        let mut seed = 7;
        let all: Vec<u8> = (1..=255).collect();
        let mostly_token = b"abcdefghijklmnoprstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_____-+/=.~ :";
        let lengths = (0..300).chain([2047, 2048, 2049, 2175, 4200, 6200]);
        for length in lengths {
            for alphabet in [&all[..], mostly_token, b"abcdefghijklm0123 -_/"] {
                for prints in &prints() {
                    check(&random(length, &mut seed, alphabet), prints);
                }
            }
        }
        for value in 1..=255 {
            check(&[value; BLOCK], &prints()[0]);
        }
        // The most that a list must take: every place, in every block.
        check(&b"aB".repeat(3_000), &prints()[0]);
        check(&[b'0'; 6_000], &prints()[0]);
    }
}
