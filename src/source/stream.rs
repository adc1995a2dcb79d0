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
/// Text in UTF-16 is handed over decoded, and once more as it stands: a file may be UTF-16 in part
/// only (a tool has appended ASCII to it), or not at all.
pub(crate) struct Stream<'s> {
    sink: &'s dyn Sink,
    origin: &'s Origin,
    windows: Windows<'s>,
    utf16: Option<Utf16<'s>>,
    /// Where in the buffer the bytes start that were not decoded yet.
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
        self.decode(false);
        self.windows.emit(false);
        self.undecoded = self.windows.buffer().len();
        self.sink.covered(Coverage {
            bytes: self.uncounted(),
            ..Coverage::default()
        });
        self.counted = self.read;
    }

    /// Hands over the rest.
    pub(crate) fn finish(&mut self) {
        self.decode(true);
        self.windows.emit(true);
    }

    fn decode(&mut self, last: bool) {
        if let Some(utf16) = &mut self.utf16 {
            utf16.push(&self.windows.buffer()[self.undecoded..], last);
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn utf16_is_seen_decoded_and_as_it_stands() {
        let text = "größe = 1\n".repeat(100);
        for mark in ["", "\u{FEFF}"] {
            let bytes: Vec<u8> = format!("{mark}{text}")
                .encode_utf16()
                .flat_map(u16::to_be_bytes)
                .collect();
            let blobs: Vec<Vec<u8>> = scan(&bytes).blobs().into_iter().map(|b| b.bytes).collect();
            assert_eq!(blobs.len(), 2);
            assert!(blobs.contains(&text.clone().into_bytes()));
            assert!(blobs.contains(&bytes));
        }
    }

    #[test]
    fn long_utf16_is_decoded_over_windows() {
        let text: String = (0..WINDOW / 4).map(|n| format!("é{n}\n")).collect();
        let bytes: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(bytes.len() > 2 * WINDOW);
        let mut decoded = Vec::new();
        let mut raw = Vec::new();
        for blob in scan(&bytes).blobs() {
            let core = &blob.bytes[blob.core];
            if core.contains(&0) {
                &mut raw
            } else {
                &mut decoded
            }
            .extend_from_slice(core);
        }
        assert!(decoded == text.as_bytes());
        assert!(raw == bytes);
    }
}
