//! UTF-16: telling it from other bytes, and decoding it.

use encoding_rs::{CoderResult, Decoder, Encoding, UTF_16BE, UTF_16LE};

use super::window::Windows;

/// The byte order mark of UTF-8.
pub(crate) const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Bytes at the beginning of a text that tell its encoding.
const HEAD: usize = 4096;

/// The UTF-16 encoding that `bytes`, the beginning of a text, seem to be in.
///
/// With a byte order mark it is certain. Without one it is a guess: text in a Latin script has a
/// zero in nearly every second byte, all on the same side. A wrong guess loses nothing, as what
/// does not look like UTF-16 is scanned as bytes too.
pub(crate) fn utf16(bytes: &[u8]) -> Option<&'static Encoding> {
    match bytes {
        [0xFF, 0xFE, ..] => return Some(UTF_16LE),
        [0xFE, 0xFF, ..] => return Some(UTF_16BE),
        _ => {}
    }
    let head = &bytes[..bytes.len().min(HEAD)];
    memchr::memchr(0, &head[..head.len().min(64)])?;
    let pairs = head.len() / 2;
    let zeros = |side: usize| {
        let (pairs, _) = head.as_chunks::<2>();
        pairs.iter().filter(|pair| pair[side] == 0).count()
    };
    let (even, odd) = (zeros(0), zeros(1));
    let mostly = |zeros: usize, other: usize| zeros * 5 >= pairs * 2 && other * 20 <= pairs;
    if mostly(odd, even) {
        Some(UTF_16LE)
    } else if mostly(even, odd) {
        Some(UTF_16BE)
    } else {
        None
    }
}

/// Whether a word of `bytes` is long enough for a key: twenty characters of ASCII.
pub(crate) fn has_words(bytes: &[u8]) -> bool {
    let mut run = 0;
    bytes.iter().any(|byte| {
        run = if byte.is_ascii_graphic() { run + 1 } else { 0 };
        run >= 20
    })
}

/// Decodes UTF-16 piece by piece into windows of UTF-8.
pub(crate) struct Utf16<'w> {
    decoder: Decoder,
    windows: Windows<'w>,
    piece: String,
    /// Which byte of a code unit is the high one.
    high: usize,
}

impl<'w> Utf16<'w> {
    /// A decoder of `encoding` that writes to `windows`, without the byte order mark.
    pub(crate) fn new(encoding: &'static Encoding, windows: Windows<'w>) -> Self {
        Self {
            decoder: encoding.new_decoder_with_bom_removal(),
            windows,
            piece: String::with_capacity(16 * 1024),
            high: usize::from(encoding == UTF_16LE),
        }
    }

    /// Decodes `bytes`; nothing may follow once `last` was true. What is no UTF-16 becomes U+FFFD.
    pub(crate) fn push(&mut self, mut bytes: &[u8], last: bool) {
        loop {
            self.piece.clear();
            let (result, read, _) = self.decoder.decode_to_string(bytes, &mut self.piece, last);
            self.windows.push(self.piece.as_bytes());
            bytes = &bytes[read..];
            if result == CoderResult::InputEmpty {
                break;
            }
        }
        if last {
            self.windows.emit(true);
        }
    }

    /// Replaces the ASCII characters of UTF-16 in `bytes` by blanks, except line ends. A single
    /// one is left: it may be the last letter of a string in ASCII, and the zero after it.
    pub(crate) fn blank_out(&self, bytes: &mut [u8]) {
        let low = 1 - self.high;
        let (units, _) = bytes.as_chunks_mut::<2>();
        let is_ascii = |unit: &[u8; 2]| unit[self.high] == 0 && (1..0x80).contains(&unit[low]);
        let mut before = false;
        for at in 0..units.len() {
            let here = is_ascii(&units[at]);
            if here && (before || units.get(at + 1).is_some_and(is_ascii)) {
                let last = if units[at][low] == b'\n' { b'\n' } else { b' ' };
                units[at] = [b' ', last];
            }
            before = here;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn little(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    fn big(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_be_bytes).collect()
    }

    #[test]
    fn marks_and_zeros_tell_utf16() {
        let text = "[default]\naws_access_key_id = x\n";
        assert_eq!(utf16(&little(text)), Some(UTF_16LE));
        assert_eq!(utf16(&big(text)), Some(UTF_16BE));
        assert_eq!(utf16(&little("\u{FEFF}日本語")), Some(UTF_16LE));
        assert_eq!(utf16(&big("\u{FEFF}日本語")), Some(UTF_16BE));
        assert_eq!(utf16(&little("größe = \"日本\"\n")), Some(UTF_16LE));
    }

    #[test]
    fn other_bytes_are_not_taken_for_utf16() {
        assert_eq!(utf16(b""), None);
        assert_eq!(utf16(b"a"), None);
        assert_eq!(utf16(text_with_one_zero().as_bytes()), None);
        assert_eq!(utf16(&[0; 4096]), None);
        let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0\x01\0\0\0".to_vec();
        elf.extend((0..4000_u32).flat_map(|number| (number * 77_777).to_le_bytes()));
        assert_eq!(utf16(&elf), None);
    }

    fn text_with_one_zero() -> String {
        format!("\0{}", "plain text\n".repeat(20))
    }
}
