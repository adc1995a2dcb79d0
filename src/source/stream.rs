//! Reads one origin to its end and hands it over in windows; the way that files and standard
//! input have in common.

use std::io;

use super::text::{self, Utf16};
use super::window::Windows;
use super::{Coverage, Sink};
use crate::location::Origin;

/// Something to read from.
pub(crate) trait Input {
    /// Appends to `buffer` until it holds at least `full` bytes (true) or the input ends (false).
    ///
    /// # Errors
    ///
    /// Whatever reading fails with; what was read before stays in `buffer`.
    fn fill(&mut self, buffer: &mut Vec<u8>, full: usize) -> io::Result<bool>;
}

/// An origin while it is read: fill, and either finish, or advance and fill again.
///
/// Text in UTF-16 is handed over decoded. It may be UTF-16 in part only (a tool has appended ASCII
/// to it), or not at all: what is left when all UTF-16 is blanked out is handed over as well, if
/// there are words in it.
pub(crate) struct Stream<'s> {
    sink: &'s dyn Sink,
    origin: &'s Origin,
    windows: Windows<'s>,
    utf16: Option<Utf16<'s>>,
    /// Where in the buffer the bytes start that were not decoded yet: always at the first byte of
    /// a code unit.
    undecoded: usize,
    read: u64,
    counted: u64,
}

impl<'s> Stream<'s> {
    /// A stream over `origin` that uses the memory of `buffer`.
    pub(crate) fn new(sink: &'s dyn Sink, origin: &'s Origin, buffer: Vec<u8>) -> Self {
        Self {
            sink,
            origin,
            windows: Windows::new(sink, origin, buffer),
            utf16: None,
            undecoded: 0,
            read: 0,
            counted: 0,
        }
    }

    /// Bytes read so far.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// Bytes read that [`Stream::advance`] has not counted yet.
    pub(crate) fn uncounted(&self) -> u64 {
        self.read - self.counted
    }

    /// Gives the memory back.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.windows.into_buffer()
    }

    /// Reads up to a full window; true if there may be more.
    ///
    /// # Errors
    ///
    /// Those of the input. What was read before may still be handed over with
    /// [`Stream::finish`].
    pub(crate) fn fill(&mut self, input: &mut impl Input) -> io::Result<bool> {
        let is_first = self.read == 0;
        let buffer = self.windows.buffer();
        let before = buffer.len();
        let result = input.fill(buffer, Windows::CAPACITY);
        self.read += (buffer.len() - before) as u64;
        if is_first {
            self.look_at_head();
        }
        result
    }

    fn look_at_head(&mut self) {
        let buffer = self.windows.buffer();
        if buffer.starts_with(text::UTF8_MARK) {
            buffer.drain(..text::UTF8_MARK.len());
        } else if let Some(encoding) = text::utf16(buffer) {
            let decoded = Windows::new(self.sink, self.origin, Vec::new());
            self.utf16 = Some(Utf16::new(encoding, decoded));
        }
    }

    /// Hands over a full window, and makes room for more.
    pub(crate) fn advance(&mut self) {
        let before = self.windows.buffer().len();
        self.emit(false);
        let dropped = before - self.windows.buffer().len();
        self.undecoded = self.undecoded.saturating_sub(dropped);
        self.sink.covered(Coverage {
            bytes: self.uncounted(),
            ..Coverage::default()
        });
        self.counted = self.read;
    }

    /// Hands over the rest.
    pub(crate) fn finish(&mut self) {
        self.emit(true);
    }

    fn emit(&mut self, last: bool) {
        let Some(utf16) = &mut self.utf16 else {
            return self.windows.emit(last);
        };
        let buffer = self.windows.buffer();
        let pending = &mut buffer[self.undecoded..];
        let whole_units = pending.len() & !1;
        let end = if last { pending.len() } else { whole_units };
        utf16.push(&pending[..end], last);
        utf16.blank_out(&mut pending[..end]);
        self.undecoded += end;
        if text::has_words(buffer) {
            self.windows.emit(last);
        } else {
            self.windows.pass(last);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::location::{Origin, Position};
    use crate::source::recorder::Recorder;
    use crate::source::window::WINDOW;
    use crate::source::{Source, Stdin};

    fn scan(bytes: &[u8]) -> Recorder {
        let recorder = Recorder::default();
        Stdin::new(std::io::Cursor::new(bytes.to_vec())).read(&recorder);
        assert_eq!(recorder.coverage().bytes, bytes.len() as u64);
        assert_eq!(recorder.coverage().files, 1);
        recorder
    }

    #[test]
    fn the_mark_of_utf8_takes_no_column() {
        let recorder = scan(b"\xEF\xBB\xBFkey");
        assert_eq!(recorder.blobs()[0].bytes, b"key");
    }

    #[test]
    fn utf16_is_handed_over_decoded() {
        let text = "größe = 1, schlüssel = abcdefghijklmnopqrstuvwxyz\n".repeat(100);
        for mark in ["", "\u{FEFF}"] {
            let bytes: Vec<u8> = format!("{mark}{text}")
                .encode_utf16()
                .flat_map(u16::to_be_bytes)
                .collect();
            let blobs: Vec<Vec<u8>> = scan(&bytes).blobs().into_iter().map(|b| b.bytes).collect();
            assert_eq!(blobs, [text.clone().into_bytes()]);
        }
    }

    #[test]
    fn ascii_appended_to_utf16_is_handed_over_too() {
        let text = "\u{FEFF}first = abcdefghijklmnopqrstuvwxyz\nsecond\n";
        let mut bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        bytes.extend_from_slice(b"third = 01234567890123456789\n");
        let blobs = scan(&bytes).blobs();
        let at = |wanted: &[u8]| -> Vec<Position> {
            let found = blobs.iter().filter_map(|blob| {
                let at = memchr::memmem::find(&blob.bytes, wanted)?;
                Some(blob.start.after(&blob.bytes[..at]))
            });
            found.collect()
        };
        assert_eq!(at(b"abcdef"), [Position { line: 1, column: 9 }]);
        assert_eq!(at(b"012345"), [Position { line: 3, column: 9 }]);
        assert_eq!(at(b"a\0b\0"), []);
    }

    #[test]
    fn long_utf16_is_decoded_over_windows() {
        let text: String = (0..WINDOW / 4).map(|n| format!("é{n}\n")).collect();
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(bytes.len() > 2 * WINDOW);
        assert!(scan(&bytes).text(&Origin::Stdin) == text.as_bytes());
    }
}
