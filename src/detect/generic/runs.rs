//! Where words begin, and where long runs of token characters are. A key is such a run, and most
//! text is not: words are short. So this is the first look at every byte, and what comes after it
//! sees a small part of the text. With AVX2 it reads some 7 GB/s.

/// Length from which a run may be the beginning of a key: no rule that is found by its
/// beginning matches less.
pub(super) const START: usize = 15;
/// Length from which a run with a mark ([`is_mark`]) in it may be a key that only a word nearby gives away.
pub(super) const VALUE: usize = 20;
/// Bytes that are looked at together.
pub(super) const BLOCK: usize = 64;

/// Is told what stands where.
pub(super) trait Visitor {
    /// A letter or digit stands at `at` and none before it, or a capital and none before it.
    fn word(&mut self, at: usize);
    /// A word begins at `at`, and at least [`START`] token characters stand there.
    fn start(&mut self, at: usize);
    /// A run of [`VALUE`] characters, one of them a mark, begins in the [`BLOCK`] at `at`.
    fn value(&mut self, at: usize);
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
struct Masks {
    token: u64,
    word: u64,
    /// Digits and `+`.
    mark: u64,
    /// Capitals and `_`.
    capital: u64,
    underscore: u64,
}

/// Tells `visitor` of the runs in `text`, by place.
pub(super) fn visit(text: &[u8], visitor: &mut impl Visitor) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[expect(unsafe_code, reason = "calls code for processors with AVX2")]
        // SAFETY: this processor has AVX2, as the line above has asked.
        unsafe {
            avx2::visit(text, visitor);
        };
        return;
    }
    walk(text, visitor, masks);
}

#[inline(always)]
fn walk(text: &[u8], visitor: &mut impl Visitor, masks: impl Fn(&[u8; BLOCK]) -> Masks) {
    let (blocks, rest) = text.as_chunks::<BLOCK>();
    let mut last = [0; BLOCK];
    last[..rest.len()].copy_from_slice(rest);
    let (mut before, mut here) = (Masks::default(), Masks::default());
    // Two blocks more than the text has whole ones: its end, and nothing after it.
    for number in 0..blocks.len() + 2 {
        let next = masks(match blocks.get(number) {
            Some(block) => block,
            None if number == blocks.len() => &last,
            None => &[0; BLOCK],
        });
        if let Some(number) = number.checked_sub(1) {
            tell(visitor, number * BLOCK, [before, here, next]);
        }
        before = here;
        here = next;
    }
}

/// Tells `visitor` what begins in the block at `at`, which is the second of three.
#[inline(always)]
fn tell(visitor: &mut impl Visitor, at: usize, [before, here, next]: [Masks; 3]) {
    each(word_starts(before, here), |offset| {
        visitor.word(at + offset)
    });
    let runs = runs_of_15(join(here.token, next.token)) as u64;
    if runs == 0 {
        return;
    }
    let starts = runs & here.word & !after(before.word, here.word);
    each(starts, |offset| visitor.start(at + offset));
    if holds_value(here, next) {
        visitor.value(at);
    }
}

#[inline(always)]
fn each(mut bits: u64, mut visit: impl FnMut(usize)) {
    while bits != 0 {
        visit(bits.trailing_zeros() as usize);
        bits &= bits - 1;
    }
}

/// The bits that follow one that is set.
#[inline(always)]
fn after(before: u64, here: u64) -> u64 {
    here << 1 | before >> (BLOCK - 1)
}

#[inline(always)]
fn word_starts(before: Masks, here: Masks) -> u64 {
    let letters = |masks: Masks| masks.word & !masks.underscore;
    let capitals = |masks: Masks| masks.capital & !masks.underscore;
    letters(here) & !after(letters(before), letters(here))
        | capitals(here) & !after(capitals(before), capitals(here))
}

fn join(low: u64, high: u64) -> u128 {
    u128::from(low) | u128::from(high) << BLOCK
}

/// The bits that begin a run of [`START`].
#[inline(always)]
fn runs_of_15(mut bits: u128) -> u128 {
    for shift in [1, 2, 4, 7] {
        bits &= bits >> shift;
    }
    bits
}

/// Whether a run of [`VALUE`] characters begins in the block that has a mark.
#[inline(always)]
fn holds_value(here: Masks, next: Masks) -> bool {
    let token = join(here.token, next.token);
    let runs = runs_of_15(token) & runs_of_15(token) >> (VALUE - START);
    let mut marks = join(here.mark, next.mark);
    for shift in [1, 2, 4, 8, 4] {
        marks |= marks >> shift;
    }
    (runs & marks) as u64 != 0
}

fn masks(block: &[u8; BLOCK]) -> Masks {
    let mut masks = Masks::default();
    for (place, &byte) in block.iter().enumerate() {
        masks.token |= u64::from(is_token(byte)) << place;
        masks.word |= u64::from(is_word(byte)) << place;
        masks.mark |= u64::from(is_mark(byte)) << place;
        masks.capital |= u64::from(byte.is_ascii_uppercase() || byte == b'_') << place;
        masks.underscore |= u64::from(byte == b'_') << place;
    }
    masks
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    //! Each byte's two halves are looked up in tables of sixteen; a bit that both hold says which
    //! class the byte is of.

    use std::arch::x86_64::{
        __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_set1_epi8,
        _mm256_setr_epi64x, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_srli_epi16,
    };

    use super::{BLOCK, Masks, Visitor, is_token, is_word, walk};

    /// Bits of the classes: the rows of the ASCII table that hold token characters, with words
    /// apart from the other signs in their rows.
    const SIGNS: u8 = 1;
    const DIGITS: u8 = 2;
    const AFTER_DIGITS: u8 = 4;
    const UPPER: u8 = 8;
    const UPPER_REST: u8 = 16;
    const LOWER: u8 = 32;
    const LOWER_REST: u8 = 64;
    const TILDE: u8 = 128;

    /// The classes of a row, twice over: a vector has two halves.
    const HIGH: [u8; 32] = {
        let mut table = [0; 32];
        let mut half = 0;
        while half < 32 {
            table[half + 2] = SIGNS;
            table[half + 3] = DIGITS | AFTER_DIGITS;
            table[half + 4] = UPPER;
            table[half + 5] = UPPER_REST;
            table[half + 6] = LOWER;
            table[half + 7] = LOWER_REST | TILDE;
            half += 16;
        }
        table
    };

    /// The classes of a column, twice over.
    const LOW: [u8; 32] = {
        let mut table = [0; 32];
        let mut low = 0;
        while low < 32 {
            let byte = low as u8 & 15;
            let mut bits = 0;
            if is_token(0x20 | byte) {
                bits |= SIGNS;
            }
            if is_word(0x30 | byte) {
                bits |= DIGITS;
            } else if is_token(0x30 | byte) {
                bits |= AFTER_DIGITS;
            }
            if is_word(0x40 | byte) {
                bits |= UPPER | LOWER;
            }
            if is_word(0x50 | byte) {
                bits |= UPPER_REST;
            }
            if is_word(0x70 | byte) {
                bits |= LOWER_REST;
            } else if is_token(0x70 | byte) {
                bits |= TILDE;
            }
            table[low] = bits;
            low += 1;
        }
        table
    };

    #[target_feature(enable = "avx2")]
    pub(super) fn visit(text: &[u8], visitor: &mut impl Visitor) {
        walk(text, visitor, |block| masks(block));
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn masks(block: &[u8; BLOCK]) -> Masks {
        let (halves, _) = block.as_chunks::<32>();
        let (low, high) = (half(&halves[0]), half(&halves[1]));
        let join = |low: i32, high: i32| u64::from(low as u32) | u64::from(high as u32) << 32;
        Masks {
            token: join(low.token, high.token),
            word: join(low.word, high.word),
            mark: join(low.mark, high.mark),
            capital: join(low.capital, high.capital),
            underscore: join(low.underscore, high.underscore),
        }
    }

    /// The masks of 32 bytes.
    struct Half {
        token: i32,
        word: i32,
        mark: i32,
        capital: i32,
        underscore: i32,
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn half(bytes: &[u8; 32]) -> Half {
        let bytes = load(bytes);
        let low = _mm256_shuffle_epi8(load(&LOW), bytes);
        let high = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), _mm256_set1_epi8(15));
        let class = _mm256_and_si256(low, _mm256_shuffle_epi8(load(&HIGH), high));
        Half {
            token: any(class, u8::MAX),
            word: any(class, DIGITS | UPPER | UPPER_REST | LOWER | LOWER_REST),
            mark: any(class, DIGITS) | equal(bytes, b'+'),
            capital: any(class, UPPER | UPPER_REST),
            underscore: equal(bytes, b'_'),
        }
    }

    /// The bytes of one of `classes`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn any(class: __m256i, classes: u8) -> i32 {
        let of = _mm256_and_si256(class, _mm256_set1_epi8(classes as i8));
        !_mm256_movemask_epi8(_mm256_cmpeq_epi8(of, _mm256_setzero_si256()))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn equal(bytes: __m256i, byte: u8) -> i32 {
        _mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte as i8)))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load(bytes: &[u8; 32]) -> __m256i {
        let (words, _) = bytes.as_chunks::<8>();
        let word = |at: usize| i64::from_le_bytes(words[at]);
        _mm256_setr_epi64x(word(0), word(1), word(2), word(3))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq)]
    struct Seen {
        words: Vec<usize>,
        starts: Vec<usize>,
        values: Vec<usize>,
    }

    impl Visitor for Seen {
        fn word(&mut self, at: usize) {
            self.words.push(at);
        }

        fn start(&mut self, at: usize) {
            self.starts.push(at);
        }

        fn value(&mut self, at: usize) {
            self.values.push(at);
        }
    }

    /// What `visit` promises, byte by byte.
    fn slowly(text: &[u8]) -> Seen {
        let mut seen = Seen::default();
        let run = |at: usize, length: usize| {
            text.get(at..at + length)
                .is_some_and(|run| run.iter().all(|&byte| is_token(byte)))
        };
        for at in 0..text.len() {
            let follows =
                |class: fn(&u8) -> bool| class(&text[at]) && (at == 0 || !class(&text[at - 1]));
            if follows(u8::is_ascii_alphanumeric) || follows(u8::is_ascii_uppercase) {
                seen.words.push(at);
            }
            let begins = is_word(text[at]) && (at == 0 || !is_word(text[at - 1]));
            if begins && run(at, START) {
                seen.starts.push(at);
            }
            let value = run(at, VALUE) && text[at..at + VALUE].iter().any(|&byte| is_mark(byte));
            let block = at / BLOCK * BLOCK;
            if value && seen.values.last() != Some(&block) {
                seen.values.push(block);
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

    #[test]
    fn every_run_is_seen_at_its_place() {
        let mut seed = 7;
        let all: Vec<u8> = (0..=255).collect();
        let mostly_token = b"abcdefghijklmnoprstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_____-+/=.~ :";
        for length in 0..400 {
            for alphabet in [&all[..], mostly_token, b"abcdefghijklm0123 -_/"] {
                let text = random(length, &mut seed, alphabet);
                let expected = slowly(&text);
                let mut seen = Seen::default();
                visit(&text, &mut seen);
                assert_eq!(seen, expected);
                let mut seen = Seen::default();
                walk(&text, &mut seen, masks);
                assert_eq!(seen, expected);
            }
        }
        let byte = |byte: u8| [byte; BLOCK];
        for value in 0..=255 {
            let mut seen = Seen::default();
            visit(&byte(value), &mut seen);
            assert_eq!(seen, slowly(&byte(value)), "{value}");
        }
    }
}
