//! Masking of identifiers (`--mask-ids`) for reports that land on shared pages: access key IDs and
//! account IDs. Secrets need no option; they are never shown.

use std::borrow::Cow;

/// Four-letter prefixes of access key IDs.
const PREFIXES: [&[u8]; 4] = [b"AKIA", b"ASIA", b"ABIA", b"ACCA"];
/// Length of an access key ID, in bytes. Longer ones are documented as possible: the run of
/// letters and digits is masked to its end.
const KEY_ID: usize = 20;
/// Length of an account ID, in digits.
const ACCOUNT_ID: usize = 12;
/// What stands for a masked character.
const DOT: &str = "·";
/// Characters left readable at the end.
const TAIL: usize = 4;

/// An access key ID with all but its prefix and last four characters masked. (The account can be
/// computed from what is in the middle.)
#[must_use]
pub fn key_id(id: &str) -> String {
    keep_ends(id, 4)
}

/// An account ID of which the last four digits are left.
#[must_use]
pub fn account_id(id: &str) -> String {
    keep_ends(id, 0)
}

/// An account ID as the terminal shows it without `--mask-ids`: enough to recognise one's own.
#[must_use]
pub fn account_id_partly(id: &str) -> String {
    keep_ends(id, 4)
}

fn keep_ends(text: &str, head: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= head + TAIL {
        return DOT.repeat(characters.len());
    }
    let masked = characters.len() - head - TAIL;
    let mut shown: String = characters[..head].iter().collect();
    shown.push_str(&DOT.repeat(masked));
    shown.extend(&characters[head + masked..]);
    shown
}

/// `text` with everything that looks like an access key ID or an account ID (twelve digits)
/// masked.
#[must_use]
pub fn text(text: &[u8]) -> Cow<'_, [u8]> {
    let mut masked = Vec::new();
    let mut copied = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let (length, shown) = if let Some(length) = key_id_length(rest) {
            (length, key_id(&String::from_utf8_lossy(&rest[..length])))
        } else {
            let digits = run(rest, |byte| byte.is_ascii_digit());
            if digits != ACCOUNT_ID {
                at += digits.max(1);
                continue;
            }
            (
                digits,
                account_id(&String::from_utf8_lossy(&rest[..digits])),
            )
        };
        masked.extend_from_slice(&text[copied..at]);
        masked.extend_from_slice(shown.as_bytes());
        at += length;
        copied = at;
    }
    if copied == 0 {
        return Cow::Borrowed(text);
    }
    masked.extend_from_slice(&text[copied..]);
    Cow::Owned(masked)
}

fn key_id_length(text: &[u8]) -> Option<usize> {
    let length = run(text, |byte| {
        byte.is_ascii_uppercase() || byte.is_ascii_digit()
    });
    let is_key = length >= KEY_ID && PREFIXES.iter().any(|prefix| text.starts_with(prefix));
    is_key.then_some(length)
}

fn run(text: &[u8], belongs: impl Fn(&u8) -> bool) -> usize {
    text.iter().take_while(|byte| belongs(byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_keep_their_width_and_their_ends() {
        assert_eq!(key_id("AKIAIOSFODNN7EXAMPLE"), "AKIA············MPLE");
        assert_eq!(account_id("123456789012"), "········9012");
        assert_eq!(account_id_partly("123456789012"), "1234····9012");
        assert_eq!(key_id("AKIA1234"), "········");
        assert_eq!(account_id(""), "");
    }

    #[test]
    fn ids_in_text_are_masked() {
        let masked = |input: &str| String::from_utf8(text(input.as_bytes()).into_owned()).unwrap();
        assert_eq!(
            masked("x=AKIAIOSFODNN7EXAMPLE;arn:aws:iam::123456789012:user/a"),
            "x=AKIA············MPLE;arn:aws:iam::········9012:user/a"
        );
        assert_eq!(masked("XAKIAIOSFODNN7EXAMPLE"), "XAKIA············MPLE");
        for same in ["", "1234567890123", "AKIA", "AKIASHORT", "plain"] {
            assert_eq!(masked(same), same);
        }
    }
}
