//! A [`View`]: a stretch of text with its escapes undone, and the way back to the bytes it came
//! from, so that lines and columns stay true.

use memchr::memchr3;

/// Text without escapes, and where each byte of it stood.
#[derive(Debug, Default)]
pub(crate) struct View {
    pub(crate) text: Vec<u8>,
    /// (offset in `text`, offset in the source), ascending. Between two anchors both sides run
    /// in step.
    anchors: Vec<(usize, usize)>,
    /// Offsets of the line feeds in `text`.
    line_feeds: Vec<usize>,
}

impl View {
    /// Undoes the escapes of `source`, whose first byte stands at `offset` of the blob.
    pub(crate) fn new(source: &[u8], offset: usize) -> Self {
        let mut view = Self::with_capacity(source.len(), offset);
        let mut rest = 0;
        while let Some(found) = memchr3(b'\\', b'%', b'&', &source[rest..]) {
            let at = rest + found;
            view.text.extend_from_slice(&source[rest..at]);
            rest = match unescape(&source[at..]) {
                Some((byte, length)) => {
                    view.replace(byte, offset + at, length);
                    at + length
                }
                None => {
                    view.text.push(source[at]);
                    at + 1
                }
            };
        }
        view.text.extend_from_slice(&source[rest..]);
        view.finish()
    }

    /// The bytes of UTF-16 text whose code units are all below 256, given as little-endian pairs.
    pub(crate) fn wide(source: &[u8], offset: usize) -> Self {
        let mut view = Self::with_capacity(source.len() / 2, offset);
        for (index, pair) in source.chunks_exact(2).enumerate() {
            view.replace(pair[0], offset + 2 * index, 2);
        }
        view.finish()
    }

    /// A text whose byte `n` came from `place(n)` of the blob.
    pub(crate) fn placed(text: Vec<u8>, place: impl Fn(usize) -> usize) -> Self {
        let anchors = (0..=text.len()).map(|at| (at, place(at))).collect();
        Self {
            text,
            anchors,
            line_feeds: Vec::new(),
        }
        .finish()
    }

    fn with_capacity(length: usize, offset: usize) -> Self {
        Self {
            text: Vec::with_capacity(length),
            anchors: vec![(0, offset)],
            line_feeds: Vec::new(),
        }
    }

    fn replace(&mut self, byte: u8, source: usize, length: usize) {
        self.anchors.push((self.text.len(), source));
        self.text.push(byte);
        self.anchors.push((self.text.len(), source + length));
    }

    fn finish(mut self) -> Self {
        self.line_feeds = memchr::memchr_iter(b'\n', &self.text).collect();
        self
    }

    /// Where the byte at `at` of the text stands in the blob. For the end of a range: where the
    /// byte after it stands.
    pub(crate) fn source(&self, at: usize) -> usize {
        let next = self.anchors.partition_point(|&(text, _)| text <= at);
        let (text, source) = self.anchors[next.saturating_sub(1)];
        source + (at - text)
    }

    /// Number of the line that holds `at`, from 0.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.line_feeds.partition_point(|&feed| feed < at)
    }

    /// Offset of the first byte of line `line`.
    pub(crate) fn line_start(&self, line: usize) -> usize {
        match line.checked_sub(1) {
            None => 0,
            Some(before) => self
                .line_feeds
                .get(before)
                .map_or(self.text.len(), |feed| feed + 1),
        }
    }

    /// Offset of the line feed that ends line `line`, or the end of the text.
    pub(crate) fn line_end(&self, line: usize) -> usize {
        self.line_feeds
            .get(line)
            .copied()
            .unwrap_or(self.text.len())
    }
}

/// Undoes the escape that begins `text`: its byte, and how many bytes it took.
fn unescape(text: &[u8]) -> Option<(u8, usize)> {
    match text[0] {
        b'\\' => unescape_backslash(text),
        b'%' => unescape_percent(text),
        _ => unescape_entity(text),
    }
}

/// JSON, C, Python, Java and PHP escapes, at any level of nesting: `\/`, `\"`, `\n`, `\u002f`,
/// `\x2b`, `\\\"`.
fn unescape_backslash(text: &[u8]) -> Option<(u8, usize)> {
    let depth = text
        .iter()
        .take(64)
        .take_while(|&&byte| byte == b'\\')
        .count();
    let after = &text[depth..];
    match after.first()? {
        &byte @ (b'"' | b'\'' | b'/' | b'`' | b'=' | b':' | b'+') => Some((byte, depth + 1)),
        b'n' | b'r' => Some((b'\n', depth + 1)),
        b't' => Some((b'\t', depth + 1)),
        b'u' => Some((ascii(hexadecimal(after.get(1..5)?)?)?, depth + 5)),
        b'x' => Some((ascii(hexadecimal(after.get(1..3)?)?)?, depth + 3)),
        _ => None,
    }
}

/// Percent-encoding (RFC 3986, section 2.1), also when it was applied twice (`%252F`).
fn unescape_percent(text: &[u8]) -> Option<(u8, usize)> {
    let mut digits = 1;
    while text.get(digits..digits + 2) == Some(b"25") && digits < 7 {
        digits += 2;
    }
    Some((
        ascii(hexadecimal(text.get(digits..digits + 2)?)?)?,
        digits + 2,
    ))
}

/// The character references of HTML and XML that occur round a key or in it.
fn unescape_entity(text: &[u8]) -> Option<(u8, usize)> {
    let end = text.iter().take(9).position(|&byte| byte == b';')?;
    let byte = match &text[1..end] {
        b"quot" => b'"',
        b"apos" => b'\'',
        b"amp" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"plus" => b'+',
        b"sol" => b'/',
        b"equals" => b'=',
        b"nbsp" => b' ',
        [b'#', b'x' | b'X', digits @ ..] => ascii(hexadecimal(digits)?)?,
        [b'#', digits @ ..] => ascii(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        _ => return None,
    };
    Some((byte, end + 1))
}

fn hexadecimal(digits: &[u8]) -> Option<u32> {
    let all_digits = digits.iter().all(u8::is_ascii_hexdigit);
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16)
        .ok()
        .filter(|_| all_digits)
}

/// Printable ASCII and white space; anything else stays escaped.
fn ascii(value: u32) -> Option<u8> {
    u8::try_from(value)
        .ok()
        .filter(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(source: &str) -> String {
        String::from_utf8(View::new(source.as_bytes(), 0).text).unwrap()
    }

    #[test]
    fn undoes_the_escapes_of_the_formats_that_carry_keys() {
        for (escaped, plain) in [
            (r"a\/b", "a/b"),
            (r"a\u002fb\u002Bc", "a/b+c"),
            (r"a\x2fb", "a/b"),
            ("a%2Fb%2bc%3D", "a/b+c="),
            ("a%252Fb", "a/b"),
            ("a&#47;b&#x2B;c&quot;", "a/b+c\""),
            (r#"{\"k\":\"v\\n\"}"#, "{\"k\":\"v\n\"}"),
            (r#"\\\"x\\\""#, "\"x\""),
            (
                "100% & more \\ and \\q %zz &unknown;",
                "100% & more \\ and \\q %zz &unknown;",
            ),
        ] {
            assert_eq!(text(escaped), plain, "{escaped}");
        }
    }

    #[test]
    fn every_byte_knows_where_it_stood() {
        let source = r"ab\/cd%2Fe";
        let view = View::new(source.as_bytes(), 100);
        let places: Vec<usize> = (0..=view.text.len()).map(|at| view.source(at)).collect();
        assert_eq!(view.text, b"ab/cd/e");
        assert_eq!(places, [100, 101, 102, 104, 105, 106, 109, 110]);
    }
}
