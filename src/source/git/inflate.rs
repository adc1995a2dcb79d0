//! Inflating zlib streams whose decoded size is known.

use libdeflater::{DecompressionError, Decompressor};
use zlib_rs::{Inflate, InflateFlush, Status};

use super::ObjectError;
use super::buffer::Buffer;

/// No zlib stream expands more than this: deflate's longest match is 258 bytes in two bits. A
/// size that exceeds it is a lie, refused before memory is set aside for it.
const MOST_EXPANSION: u64 = 1032;

/// Whether `size` bytes can come out of `compressed` bytes at all.
pub(super) fn plausible(size: u64, compressed: usize) -> bool {
    size <= (compressed as u64).saturating_mul(MOST_EXPANSION)
}

/// With so many bytes behind the stream and its output the decoder may overshoot, and decodes no
/// part of it byte by byte: it looks ahead 32 bytes of the one and 299 of the other.
pub(super) const ROOM: usize = 512;

/// Whether the first block of a zlib stream is in deflate's fixed code: bits 1 and 2 behind the
/// header of two bytes (RFC 1951, 3.2.3).
fn is_fixed(input: &[u8]) -> bool {
    input.get(2).is_some_and(|byte| byte >> 1 & 3 == 1)
}

/// A reusable decoder.
///
/// Whole buffers, which is what a history consists of, go to libdeflate: it takes a sixth of the
/// time of decoding git's own history off. It cannot stop half way, so streams go to zlib-rs.
pub(super) struct Inflater {
    whole: Decompressor,
    /// For data in the code that deflate itself fixes, as most small deltas are: the tables for it
    /// stay as they are as long as nothing else is decoded.
    fixed: Decompressor,
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
            fixed: Decompressor::new(),
            stream: Inflate::new(true, 15),
        }
    }
}

impl Inflater {
    /// Decodes the stream at the start of `input` into `output`; it must hold exactly that much and
    /// end well (its checksum is checked). The stream may be followed by other bytes.
    pub(super) fn exact(&mut self, input: &[u8], output: &mut [u8]) -> Result<(), ObjectError> {
        let length = output.len();
        self.decode(input, output, length)
    }

    /// As [`Inflater::exact`], and faster where [`ROOM`] bytes follow the stream in `input`.
    pub(super) fn fill(&mut self, input: &[u8], output: &mut Buffer) -> Result<(), ObjectError> {
        let length = output.len();
        self.decode(input, output.with_room(), length)
    }

    /// Decodes `length` bytes into `output`, in which more may follow.
    fn decode(
        &mut self,
        input: &[u8],
        output: &mut [u8],
        length: usize,
    ) -> Result<(), ObjectError> {
        let decoder = match is_fixed(input) {
            true => &mut self.fixed,
            false => &mut self.whole,
        };
        match decoder.zlib_decompress(input, output) {
            Ok(got) if got == length => Ok(()),
            Ok(got) if got > length => Err(ObjectError::Corrupt("more data than the header says")),
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

#[cfg(test)]
mod tests {
    use libdeflater::{CompressionLvl, Compressor};

    use super::*;

    fn compressed(text: &[u8]) -> Vec<u8> {
        let mut compressor = Compressor::new(CompressionLvl::default());
        let mut stream = vec![0; compressor.zlib_compress_bound(text.len())];
        let length = compressor.zlib_compress(text, &mut stream).expect("room");
        stream.truncate(length);
        stream
    }

    #[test]
    fn streams_of_both_codes_take_turns() {
        let (mut inflater, mut buffer) = (Inflater::default(), Buffer::default());
        let mut codes = [0, 0];
        for length in (0..600).chain([70_000, 3, 5_000_000, 4]) {
            let text: Vec<u8> = (0..length).map(|at| (at * at % 251) as u8 & 0x3F).collect();
            let mut stream = compressed(&text);
            let end = stream.len();
            codes[usize::from(is_fixed(&stream))] += 1;
            stream.extend([0xAA; ROOM]);
            for input in [&stream[..end], &stream[..]] {
                buffer.set_length(length);
                inflater.fill(input, &mut buffer).expect("a good stream");
                assert!(*buffer == *text, "{length}");
                let mut exact = vec![0; length];
                inflater.exact(input, &mut exact).expect("a good stream");
                assert!(exact == text, "{length}");
            }
        }
        assert!(codes.iter().all(|&count| count > 1), "{codes:?}");
    }

    #[test]
    fn a_stream_holds_what_the_header_says_and_is_whole() {
        let (mut inflater, mut buffer) = (Inflater::default(), Buffer::default());
        for text in [b"short".to_vec(), vec![7; 3000], (0..=255).collect()] {
            let stream = compressed(&text);
            for wrong in [text.len() - 1, text.len() + 1, 0] {
                buffer.set_length(wrong);
                assert!(inflater.fill(&stream, &mut buffer).is_err(), "{wrong}");
            }
            buffer.set_length(text.len());
            let mut damaged = stream.clone();
            *damaged.last_mut().expect("a checksum") ^= 1;
            assert!(inflater.fill(&damaged, &mut buffer).is_err());
            for cut in 0..stream.len() {
                assert!(inflater.fill(&stream[..cut], &mut buffer).is_err(), "{cut}");
            }
        }
    }
}
