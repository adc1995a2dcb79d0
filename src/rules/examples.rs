//! Placeholders in the examples of rules: the files hold none that looks like a key.

/// Replaces each `${NAME}` of `text` by a made-up value, the same at each run: `AKID`, `ASIA`,
/// `ABIA`, `ACCA` (access key IDs), `BODY` (their last sixteen characters), `SECRET`, `TOKEN`. A
/// number after the name makes another value. Unknown names stay as they are.
///
/// The tokens of other providers have placeholders too: `${HEX:40}` and other alphabets with a
/// length or a range of lengths, `${UUID}`, `${JWT}`, and some that carry a checksum. `$${NAME}`
/// stands for the text `${NAME}`.
#[must_use]
pub fn expand(text: &str) -> String {
    expand_anew(text, "")
}

/// The same with other values for each `salt`.
pub(crate) fn expand_anew(text: &str, salt: &str) -> String {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if before.ends_with('$') {
            expanded.push_str(before);
            expanded.push('{');
            rest = after;
            continue;
        }
        expanded.push_str(before);
        let Some((name, tail)) = after.split_once('}') else {
            expanded.push_str("${");
            rest = after;
            continue;
        };
        let seed = || format!("{text} {}{salt}", expanded.len());
        match value(name).or_else(|| super::placeholder::value(name, &seed())) {
            Some(value) => expanded.push_str(&value),
            None => expanded.push_str(&format!("${{{name}}}")),
        }
        rest = tail;
    }
    expanded + rest
}

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn value(name: &str) -> Option<String> {
    let kind = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let id = |prefix: &str| format!("{prefix}{}", body(name));
    Some(match kind {
        "AKID" => id("AKIA"),
        "ASIA" | "ABIA" | "ACCA" => id(kind),
        "BODY" => body(name),
        "SECRET" => random(name, BASE64, 40),
        "TOKEN" => format!("IQoJb3JpZ2luX2Vj{}==", random(name, BASE64, 400)),
        _ => return None,
    })
}

/// Sixteen characters of a key of the newer generation.
fn body(seed: &str) -> String {
    random(seed, &BASE32[16..], 1) + &random(&format!("{seed} body"), BASE32, 15)
}

/// `length` characters of `alphabet`, drawn by a hash of `seed`.
fn random(seed: &str, alphabet: &[u8], length: usize) -> String {
    use sha2::{Digest, Sha256};
    let mut text = String::new();
    let mut block = Sha256::digest(seed.as_bytes());
    while text.len() < length {
        text.extend(
            block
                .iter()
                .map(|&byte| char::from(alphabet[usize::from(byte) % alphabet.len()])),
        );
        block = Sha256::digest(block);
    }
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_to_the_same_value_each_time() {
        let text = expand("a ${AKID} b ${SECRET} ${AKID2} ${OTHER} ${");
        assert_eq!(text, expand("a ${AKID} b ${SECRET} ${AKID2} ${OTHER} ${"));
        assert!(text.starts_with("a AKIA") && text.ends_with(" ${OTHER} ${"));
        assert_ne!(expand("${AKID}"), expand("${AKID2}"));
        assert_eq!(expand("${SECRET}").len(), 40);
    }
}
