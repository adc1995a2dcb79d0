//! Cuts a run of bytes of any length into overlapping [`Blob`]s of bounded size.

use super::{Blob, Sink, WINDOW_MARGIN};
use crate::location::{Origin, Position};

/// The most bytes of one origin that are held at once, and the size up to which an origin is
/// handed over whole.
pub(crate) const WINDOW: usize = 4 * 1024 * 1024;

/// A buffer whose content is handed to a sink whenever it is full.
///
/// Whoever fills it appends to [`Windows::buffer`] up to [`Windows::CAPACITY`] bytes (one more
/// than a window, so that a full buffer means that the origin does not fit a window), and then
/// calls [`Windows::emit`].
pub(crate) struct Windows<'w> {
    sink: &'w dyn Sink,
    origin: &'w Origin,
    buffer: Vec<u8>,
    /// Where the core of the next window starts in `buffer`.
    core_start: usize,
    /// Place of `buffer[0]`.
    start: Position,
}

impl<'w> Windows<'w> {
    /// Bytes that the buffer holds when it is full.
    pub(crate) const CAPACITY: usize = WINDOW + 1;

    /// Windows over `origin`. The content of `buffer` is dropped, its memory used.
    pub(crate) fn new(sink: &'w dyn Sink, origin: &'w Origin, mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        buffer.reserve_exact(Self::CAPACITY);
        Self {
            sink,
            origin,
            buffer,
            core_start: 0,
            start: Position::START,
        }
    }

    /// The bytes not handed over yet, with the margin before them.
    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Gives the memory back.
    pub(crate) fn into_buffer(self) -> Vec<u8> {
        self.buffer
    }

    /// Hands the window over. After a window that is not the `last`, the buffer holds the two
    /// margins around its end and waits for more.
    pub(crate) fn emit(&mut self, last: bool) {
        let core_end = self.core_end(last);
        if self.core_start < core_end {
            self.sink.blob(&Blob {
                origin: self.origin,
                bytes: &self.buffer,
                core: self.core_start..core_end,
                start: self.start,
            });
        }
        self.pass(last);
    }

    /// As [`Windows::emit`], for a window that is not worth handing over.
    pub(crate) fn pass(&mut self, last: bool) {
        if !last {
            let core_end = self.core_end(last);
            let gone = core_end - WINDOW_MARGIN;
            self.start = self.start.after(&self.buffer[..gone]);
            self.buffer.drain(..gone);
            self.core_start = WINDOW_MARGIN;
        }
    }

    fn core_end(&self, last: bool) -> usize {
        let margin = if last { 0 } else { WINDOW_MARGIN };
        self.buffer.len() - margin
    }

    /// Appends `bytes`, handing over windows as they fill up.
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.buffer.len() >= Self::CAPACITY {
                self.emit(false);
            }
            let room = Self::CAPACITY - self.buffer.len();
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::recorder::Recorder;

    /// Windows over `bytes`, pushed in pieces of `step`.
    fn windows(bytes: &[u8], step: usize) -> Recorder {
        let recorder = Recorder::default();
        let mut windows = Windows::new(&recorder, &Origin::Stdin, Vec::new());
        for piece in bytes.chunks(step) {
            windows.push(piece);
        }
        windows.emit(true);
        recorder
    }

    fn lines(length: usize) -> Vec<u8> {
        (0..length)
            .map(|at| {
                if at % 61 == 60 {
                    b'\n'
                } else {
                    b'a' + (at % 23) as u8
                }
            })
            .collect()
    }

    #[test]
    fn a_window_is_whole_up_to_its_size_and_cut_beyond() {
        for (length, expected) in [
            (0, 0),
            (1, 1),
            (WINDOW, 1),
            (WINDOW + 1, 1),
            (WINDOW + 2, 2),
        ] {
            let recorder = windows(&lines(length), 1 << 20);
            assert_eq!(recorder.blobs().len(), expected, "{length} bytes");
            assert_eq!(recorder.text(&Origin::Stdin), lines(length));
        }
    }

    #[test]
    fn cores_adjoin_margins_stand_around_and_positions_hold() {
        let bytes = lines(3 * WINDOW + 12_345);
        for step in [bytes.len(), 700_001] {
            let recorder = windows(&bytes, step);
            let blobs = recorder.blobs();
            assert_eq!(recorder.text(&Origin::Stdin), bytes);
            let mut reached = 0;
            for (number, blob) in blobs.iter().enumerate() {
                let offset = reached - blob.core.start;
                assert_eq!(blob.bytes, bytes[offset..offset + blob.bytes.len()]);
                assert_eq!(blob.start, Position::START.after(&bytes[..offset]));
                assert_eq!(blob.core.start, if number == 0 { 0 } else { WINDOW_MARGIN });
                let after = blob.bytes.len() - blob.core.end;
                let is_last = number + 1 == blobs.len();
                assert_eq!(after, if is_last { 0 } else { WINDOW_MARGIN });
                reached += blob.core.len();
            }
        }
    }

    #[test]
    fn a_marker_across_any_boundary_starts_in_one_core_and_is_in_view() {
        let marker = b"<the marker>";
        let boundary = Windows::CAPACITY - WINDOW_MARGIN;
        let interesting = [boundary - WINDOW_MARGIN, boundary, Windows::CAPACITY];
        for middle in interesting {
            for at in middle - marker.len() - 1..=middle + 1 {
                let mut bytes = vec![b'.'; 2 * WINDOW];
                bytes[at..at + marker.len()].copy_from_slice(marker);
                let recorder = windows(&bytes, WINDOW);
                let seen: Vec<Position> = recorder
                    .blobs()
                    .iter()
                    .filter_map(|blob| {
                        let found = memchr::memmem::find(&blob.bytes, marker)?;
                        (blob.core.contains(&found)).then(|| blob.start.after(&blob.bytes[..found]))
                    })
                    .collect();
                assert_eq!(seen, [Position::START.after(&bytes[..at])], "at {at}");
            }
        }
    }
}
