//! Each byte's two halves are looked up in tables of sixteen; a bit that both hold says which
//! class the byte is of.

use std::arch::is_x86_feature_detected as has;
use std::arch::x86_64::{
    __m256i, _mm256_and_si256, _mm256_cmpeq_epi8, _mm256_movemask_epi8, _mm256_set1_epi8,
    _mm256_setr_epi64x, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi16,
    _mm256_srli_epi16,
};

use super::fingerprint::{Fingerprint, WINDOW};
use super::runs::{BLOCK, Fingerprints, Masks, Visitor, walk};

/// Bits of the classes, which together are the token characters; some are written by row and
/// column of the ASCII table.
const SIGNS: u8 = 1;
const DIGITS: u8 = 2;
const AFTER_DIGITS: u8 = 4;
const LETTERS: u8 = 8;
const LETTERS_REST: u8 = 16;
const TILDE: u8 = 32;
const UNDERSCORE: u8 = 64;
const PLUS: u8 = 128;

/// The classes of a row, twice over: a vector has two halves.
const HIGH: [u8; 32] = {
    let mut table = [0; 32];
    let mut half = 0;
    while half < 32 {
        table[half + 2] = SIGNS | PLUS;
        table[half + 3] = DIGITS | AFTER_DIGITS;
        table[half + 4] = LETTERS;
        table[half + 5] = LETTERS_REST | UNDERSCORE;
        table[half + 6] = LETTERS;
        table[half + 7] = LETTERS_REST | TILDE;
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
        let [two, three, four] = [0x20 | byte, 0x30 | byte, 0x40 | byte];
        let [five, seven] = [0x50 | byte, 0x70 | byte];
        table[low] = bit(matches!(two, b'+' | b'-' | b'.' | b'/'), SIGNS)
            | bit(two == b'+', PLUS)
            | bit(three.is_ascii_digit(), DIGITS)
            | bit(matches!(three, b':' | b'='), AFTER_DIGITS)
            | bit(four.is_ascii_alphabetic(), LETTERS)
            | bit(five.is_ascii_alphabetic(), LETTERS_REST)
            | bit(five == b'_', UNDERSCORE)
            | bit(seven == b'~', TILDE);
        low += 1;
    }
    table
};

const fn bit(there: bool, class: u8) -> u8 {
    if there { class } else { 0 }
}

pub(super) fn is_available() -> bool {
    has!("avx2") && has!("bmi1") && has!("bmi2") && has!("popcnt")
}

#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
pub(super) fn visit(text: &[u8], prints: &Fingerprints, visitor: &mut impl Visitor) {
    walk(
        text,
        prints,
        visitor,
        |window, words| masks(window, words),
        |window, print| fits(window, print),
    );
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn masks(window: &[u8; WINDOW], print: &Fingerprint) -> Masks {
    let (low, high) = (half(window, 0), half(window, BLOCK / 2));
    let letter = join(low.letter, high.letter);
    Masks {
        token: join(low.token, high.token),
        letter,
        word: join(low.word, high.word),
        capital: letter & !join(low.fifth, high.fifth),
        mark: join(low.mark, high.mark),
        print: fits(window, print),
    }
}

fn join(low: i32, high: i32) -> u64 {
    u64::from(low as u32) | u64::from(high as u32) << 32
}

/// The masks of 32 bytes.
struct Half {
    token: i32,
    letter: i32,
    word: i32,
    mark: i32,
    /// Bytes with the bit that tells small letters, and digits, from capitals.
    fifth: i32,
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn half(window: &[u8; WINDOW], at: usize) -> Half {
    let bytes = load(window, at);
    let class = look_up(bytes, &LOW, &HIGH);
    let letters = DIGITS | LETTERS | LETTERS_REST;
    Half {
        token: any(class, u8::MAX),
        letter: any(class, letters),
        word: any(class, letters | UNDERSCORE),
        mark: any(class, DIGITS | PLUS),
        fifth: _mm256_movemask_epi8(_mm256_slli_epi16::<2>(bytes)),
    }
}

/// The places of a block where the fingerprint fits.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn fits(window: &[u8; WINDOW], print: &Fingerprint) -> u64 {
    let half = |at: usize| {
        let place = |of: usize| look_up(load(window, at + of), &print.low[of], &print.high[of]);
        let first = _mm256_and_si256(place(0), place(1));
        let all = _mm256_and_si256(first, _mm256_and_si256(place(2), place(3)));
        any(all, u8::MAX)
    };
    join(half(0), half(BLOCK / 2))
}

/// What both the low and the high half of each byte stand for.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn look_up(bytes: __m256i, low: &[u8; 32], high: &[u8; 32]) -> __m256i {
    let half = _mm256_set1_epi8(15);
    let above = _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), half);
    let below = _mm256_and_si256(bytes, half);
    _mm256_and_si256(
        _mm256_shuffle_epi8(load(low, 0), below),
        _mm256_shuffle_epi8(load(high, 0), above),
    )
}

/// The bytes of one of `classes`.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn any(class: __m256i, classes: u8) -> i32 {
    let of = _mm256_and_si256(class, _mm256_set1_epi8(classes as i8));
    !_mm256_movemask_epi8(_mm256_cmpeq_epi8(of, _mm256_setzero_si256()))
}

#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,popcnt")]
fn load(bytes: &[u8], at: usize) -> __m256i {
    let (words, _) = bytes[at..at + 32].as_chunks::<8>();
    let word = |at: usize| i64::from_le_bytes(words[at]);
    _mm256_setr_epi64x(word(0), word(1), word(2), word(3))
}
