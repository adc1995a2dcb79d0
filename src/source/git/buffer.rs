//! Byte buffers that are used again without being cleared.

use std::ops::{Deref, DerefMut};

use super::inflate::ROOM;

/// Bytes of a set length in memory that may be longer. Growing a `Vec` clears what is about to be
/// overwritten, which costs as much as a scan of the same bytes; this grows once and then only
/// moves its end.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    length: usize,
}

/// A buffer that holds more than this is given back to the system after use.
const LARGEST_KEPT: usize = 4 << 20;
/// As many buffers are kept: chains of live bases are short, see the walker.
const MOST_KEPT: usize = 32;

impl Buffer {
    /// Makes it `length` bytes long; what they are is not said.
    pub(super) fn set_length(&mut self, length: usize) {
        let needed = length.saturating_add(ROOM);
        if self.bytes.len() < needed {
            // Exact for large ones: rounding up 600 MB would double the memory.
            let size = match needed > LARGEST_KEPT {
                true => needed,
                false => needed.next_power_of_two(),
            };
            self.bytes.resize(size, 0);
        }
        self.length = length;
    }

    /// Its bytes, and [`ROOM`] more that do not count.
    pub(super) fn with_room(&mut self) -> &mut [u8] {
        let end = (self.length + ROOM).min(self.bytes.len());
        &mut self.bytes[..end]
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.length]
    }
}

/// Buffers out of use.
#[derive(Debug, Default)]
pub(super) struct Pool(Vec<Buffer>);

impl Pool {
    /// A buffer, used before or new.
    pub(super) fn take(&mut self) -> Buffer {
        self.0.pop().unwrap_or_default()
    }

    /// Gives a buffer back.
    pub(super) fn give(&mut self, buffer: Buffer) {
        if buffer.bytes.len() <= LARGEST_KEPT && self.0.len() < MOST_KEPT {
            self.0.push(buffer);
        }
    }
}
