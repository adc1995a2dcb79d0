//! Base64 in lines: what looks like a token there is a piece of something longer.

use std::ops::Range;

use super::report::lines;

/// Fewest characters of a line of wrapped base64.
const LEAST: usize = 40;

/// Whether `secret` is a line of a block of base64: the line before or after has the same length,
/// the same beginning and end, and base64 between them. A list of tokens is none: they begin alike.
pub(super) fn is_line_of_block(text: &[u8], secret: &Range<usize>) -> bool {
    let line = lines(text, secret);
    if secret.len() < LEAST || line.len() > 200 {
        return false;
    }
    let start = memchr::memrchr(b'\n', &text[..secret.start]).map_or(0, |feed| feed + 1);
    let (from, to) = (secret.start - start, secret.end - start);
    let alike = |other: &[u8]| {
        other.len() == line.len()
            && other[..from] == line[..from]
            && other[to..] == line[to..]
            && other[from..to].iter().all(is_base64)
            && other[from..from + 4] != line[from..from + 4]
    };
    let before = start
        .checked_sub(1)
        .map(|feed| lines(text, &(feed..feed)))
        .is_some_and(alike);
    let end = start + line.len();
    let after = end < text.len() && alike(lines(text, &(end + 1..end + 1)));
    line[from..to].iter().all(is_base64) && (before || after)
}

fn is_base64(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/".contains(byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::examples::expand;

    #[test]
    fn a_line_of_a_block_is_told_from_a_token() {
        let block = expand("= \"${B64:64}\\n\"\n  \"EAAAE${ALNUM:59}\\n\"\n  \"${B64:64}\\n\"\n");
        let list = expand("  EAAAl${ALNUM:59}\n  EAAAE${ALNUM:59}\n  EAAAE${ALNUM:59}");
        let named = expand("SECRET=${B64:64}\nSQUARE=EAAAE${ALNUM:59}\nOTHER_=${B64:64}\n");
        let alone = expand("EAAAE${ALNUM:59}");
        for (text, expected) in [(block, true), (list, false), (named, false), (alone, false)] {
            let at = text.find("EAAAE").unwrap();
            assert_eq!(
                is_line_of_block(text.as_bytes(), &(at..at + 64)),
                expected,
                "{text}"
            );
        }
    }
}
