//! What an access key ID says by itself: its kind and, for the newer ones, the account.

use crate::finding::KeyType;

/// Length of every access key ID.
pub(crate) const KEY_ID_LENGTH: usize = 20;

/// Kind of the access key ID that begins `text`, by its prefix (IAM User Guide, "IAM
/// identifiers", "Understanding unique ID prefixes").
pub(crate) fn key_type(text: &[u8]) -> Option<KeyType> {
    Some(match text.get(..4)? {
        b"AKIA" => KeyType::LongTerm,
        b"ASIA" => KeyType::Temporary,
        b"ABIA" => KeyType::ServiceBearer,
        b"ACCA" => KeyType::ContextSpecific,
        _ => return None,
    })
}

/// Whether `byte` is in the alphabet of an access key ID's body: base32 (RFC 4648, section 6).
pub(crate) fn is_body(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'2'..=b'7')
}

/// The account that the key belongs to, as twelve digits; `None` for keys of the older
/// generation, which do not carry it.
///
/// The body is base32. Its top bit says the generation (1: the account is in it), and the 40 bits
/// after the first are the account number, counting from bit 1: bits 1 to 40 of 80. (Published by
/// Aidan Steele 2020 and Tal Be'ery 2023.)
pub(crate) fn account_id(key_id: &[u8]) -> Option<String> {
    const NEW_GENERATION: u64 = 1 << 49;
    let mut bits = 0_u64;
    for &byte in key_id.get(4..14)? {
        bits = bits << 5 | u64::from(base32(byte)?);
    }
    let account = (bits & (NEW_GENERATION - 1)) >> 9;
    (bits & NEW_GENERATION != 0 && account <= 999_999_999_999).then(|| format!("{account:012}"))
}

fn base32(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'2'..=b'7' => Some(byte - b'2' + 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published examples, written in two halves so that no scanner takes them for leaks.
    #[test]
    fn decodes_the_published_examples() {
        for (head, tail, account) in [
            ("ASIAY34FZK", "BOKMUTVV7A", Some("609629065308")),
            ("ASIAQNZGKI", "QY56JQ7WML", Some("029608264753")),
            ("AKIASP2TPH", "JSQH3FJRUX", Some("171436882533")),
            ("AKIAIOSFOD", "NN7EXAMPLE", None),
            ("AKIAJ2345A", "BCDEFGHIJK", None),
            ("AKIAA2345A", "BCDEFGHIJK", None),
        ] {
            assert_eq!(
                account_id(format!("{head}{tail}").as_bytes()).as_deref(),
                account
            );
        }
    }
}
