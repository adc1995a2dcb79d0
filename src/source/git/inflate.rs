//! Inflating zlib streams whose decoded size is known.

use libdeflater::{DecompressionError, Decompressor};
use zlib_rs::{Inflate, InflateFlush, Status};

use super::ObjectError;

/// No zlib stream expands more than this: deflate's longest match is 258 bytes in two bits. A
/// size that exceeds it is a lie, refused before memory is set aside for it.
const MOST_EXPANSION: u64 = 1032;

/// Whether `size` bytes can come out of `compressed` bytes at all.
pub(super) fn plausible(size: u64, compressed: usize) -> bool {
    size <= (compressed as u64).saturating_mul(MOST_EXPANSION)
}

/// A reusable decoder.
///
/// Whole buffers, which is what a history consists of, go to libdeflate: it takes a sixth of the
/// time of decoding git's own history off. It cannot stop half way, so streams go to zlib-rs.
pub(super) struct Inflater {
    whole: Decompressor,
    stream: Inflate,
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Inflater")
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self {
            whole: Decompressor::new(),
            stream: Inflate::new(true, 15),
        }
    }
}

impl Inflater {
    /// Decodes the stream at the start of `input` into `output`; it must hold exactly that much and
    /// end well (its checksum is checked). The stream may be followed by other bytes.
    pub(super) fn exact(&mut self, input: &[u8], output: &mut [u8]) -> Result<(), ObjectError> {
        match self.whole.zlib_decompress(input, output) {
            Ok(length) if length == output.len() => Ok(()),
            Ok(_) => Err(ObjectError::Corrupt("less data than the header says")),
            Err(DecompressionError::InsufficientSpace) => {
                Err(ObjectError::Corrupt("more data than the header says"))
            }
            Err(DecompressionError::BadData) => Err(ObjectError::Corrupt("compressed data")),
        }
    }

    /// Begins a new stream.
    pub(super) fn start(&mut self) {
        self.stream.reset(true);
    }

    /// Decodes the next bytes into `output`, as many as fit or remain; returns their number.
    /// `input` is the whole stream at every call.
    pub(super) fn some(&mut self, input: &[u8], output: &mut [u8]) -> Result<usize, ObjectError> {
        let before = self.stream.total_out();
        loop {
            let done = (self.stream.total_out() - before) as usize;
            let (read, room) = (self.rest(input), &mut output[done..]);
            let progress = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(read, room, InflateFlush::NoFlush);
            let done = (self.stream.total_out() - before) as usize;
            match status {
                Err(_) => return Err(ObjectError::Corrupt("compressed data")),
                Ok(Status::StreamEnd) => return Ok(done),
                Ok(_) if done == output.len() => return Ok(done),
                Ok(_) if progress == (self.stream.total_in(), self.stream.total_out()) => {
                    return Ok(done);
                }
                Ok(_) => {}
            }
        }
    }

    /// Checks that the stream held `expected` bytes, of which `got` were decoded, and that its
    /// checksum is right.
    pub(super) fn finish(
        &mut self,
        input: &[u8],
        expected: usize,
        got: usize,
    ) -> Result<(), ObjectError> {
        if got != expected {
            return Err(ObjectError::Corrupt("less data than the header says"));
        }
        let read = self.rest(input);
        // The end mark and checksum may still be unread; one spare byte shows surplus data.
        let status = self.stream.decompress(read, &mut [0], InflateFlush::Finish);
        match status {
            Ok(Status::StreamEnd) if self.stream.total_out() == expected as u64 => Ok(()),
            _ => Err(ObjectError::Corrupt("end of compressed data")),
        }
    }

    fn rest<'i>(&self, input: &'i [u8]) -> &'i [u8] {
        let read = usize::try_from(self.stream.total_in()).unwrap_or(usize::MAX);
        input.get(read..).unwrap_or_default()
    }
}
