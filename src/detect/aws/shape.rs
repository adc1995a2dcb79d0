//! Shape filters: what forty characters, or an access key ID, must look like to be random.
//!
//! Each filter's price in recall, over a million random values, stands beside it and is measured
//! again by the test at the end.

use super::account::is_body;

/// Length of every secret access key: 30 random bytes in base64.
pub(crate) const SECRET_LENGTH: usize = 40;

/// The alphabet of a secret access key: base64 without padding.
pub(crate) fn is_secret_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/')
}

/// How much the surroundings say for a candidate, and so how strictly its shape is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// A variable or element named for a secret holds it.
    Named,
    /// It merely stands near an access key ID.
    Near,
}

/// Whether forty characters of the alphabet can be a secret access key.
///
/// Costs 0.03 % of random secrets with [`Evidence::Near`], less with a name.
pub(crate) fn is_random_secret(secret: &[u8], evidence: Evidence) -> bool {
    let named = evidence == Evidence::Named;
    let entropy_floor = if named { 4.0 } else { 4.25 };
    let transition_floor = if named { 10 } else { 13 };
    let slash_limit = if named { 3 } else { 1 };
    let count = |class: fn(&u8) -> bool| secret.iter().filter(|&byte| class(byte)).count();
    let digits = count(u8::is_ascii_digit);
    let slashes = count(|&byte| byte == b'/');
    count(u8::is_ascii_uppercase) >= 2
        && count(u8::is_ascii_lowercase) >= 2
        && !(digits == 0 && slashes > slash_limit)
        && transitions(secret) >= transition_floor
        && entropy(secret) >= entropy_floor
        && !has_sequence(secret, 5)
        && !is_periodic(secret, 20)
}

/// Whether an access key ID's body can be random: 7 distinct characters or more, no run of 5
/// neighbours in the alphabet, nothing repeated as a whole. Costs 0.002 %.
pub(crate) fn is_random_key_id(key_id: &[u8]) -> bool {
    let body = &key_id[4..];
    let distinct = (0..=u8::MAX)
        .filter(|byte| is_body(*byte) && body.contains(byte))
        .count();
    distinct >= 7 && !has_sequence(body, 5) && !is_periodic(body, 8)
}

/// Shannon entropy, in bits a character.
fn entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for &byte in text {
        counts[usize::from(byte)] += 1;
    }
    let total = text.len() as f64;
    counts
        .iter()
        .filter(|&&count| count > 0)
        .fold(0.0, |sum, &count| {
            let share = f64::from(count) / total;
            sum - share * share.log2()
        })
}

/// How often the class (upper, lower, digit, other) changes: low in paths and identifiers.
fn transitions(text: &[u8]) -> usize {
    let class = |byte: u8| match byte {
        b'A'..=b'Z' => 0,
        b'a'..=b'z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    text.windows(2)
        .filter(|pair| class(pair[0]) != class(pair[1]))
        .count()
}

/// Whether `length` neighbours ascend, descend or stay the same: `abcde`, `54321`, `XXXXX`.
fn has_sequence(text: &[u8], length: usize) -> bool {
    [-1_i16, 0, 1].iter().any(|&step| {
        let mut run = 1;
        text.windows(2).any(|pair| {
            run = if i16::from(pair[1]) - i16::from(pair[0]) == step {
                run + 1
            } else {
                1
            };
            run >= length
        })
    })
}

/// Whether the whole text repeats itself with a period of at most `longest`.
fn is_periodic(text: &[u8], longest: usize) -> bool {
    (1..=longest.min(text.len() / 2)).any(|period| text[period..] == text[..text.len() - period])
}

/// Whether `text` contains one of `words`, which are lower case. Short words count only as people
/// write them (`test`, `TEST`, `Test`), which makes them rarer by chance.
pub(crate) fn contains_word(text: &[u8], words: &[String]) -> bool {
    words.iter().any(|word| {
        let word = word.as_bytes();
        text.windows(word.len()).any(|window| {
            window.eq_ignore_ascii_case(word) && (word.len() > 5 || is_one_case(&window[1..]))
        })
    })
}

/// Whether all letters are small or all are capitals.
fn is_one_case(text: &[u8]) -> bool {
    !text.iter().any(u8::is_ascii_uppercase) || !text.iter().any(u8::is_ascii_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::testing::Random;

    #[test]
    fn refuses_what_people_and_machines_write() {
        for text in [
            "0123456789abcdef0123456789abcdef01234567",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "src/main/java/com/example/service/Config",
            "BatchGetItemRequestMarshallerFactoryBean",
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMN",
            "x8Fq2LpZx8Fq2LpZx8Fq2LpZx8Fq2LpZx8Fq2LpZ",
            "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
        ] {
            assert!(!is_random_secret(text.as_bytes(), Evidence::Near), "{text}");
        }
        for body in [
            "AAAAAAAAAAAAAAAA",
            "ABCDEFGHIJKLMNOP",
            "Q2W3Q2W3Q2W3Q2W3",
            "XXXXXXXXXXXXXXXX",
        ] {
            assert!(
                !is_random_key_id(format!("AKIA{body}").as_bytes()),
                "{body}"
            );
        }
    }

    #[test]
    fn costs_little_recall() {
        let mut random = Random::new(1);
        let total = 100_000;
        let lost = |evidence, random: &mut Random| {
            (0..total)
                .filter(|_| !is_random_secret(random.secret().as_bytes(), evidence))
                .count()
        };
        let near = lost(Evidence::Near, &mut random);
        let named = lost(Evidence::Named, &mut random);
        let ids = (0..total)
            .filter(|_| !is_random_key_id(random.key_id("AKIA").as_bytes()))
            .count();
        println!("lost of {total}: {near} near, {named} named, {ids} ids");
        assert!(
            near <= 60 && named <= 30 && ids <= 20,
            "{near} {named} {ids}"
        );
    }
}
