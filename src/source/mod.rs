//! Sources of bytes: each hands [`Blob`]s to a [`Sink`] and says what it could not read.
//!
//! A source knows nothing of rules. It may call the sink from several threads at once.

pub mod changes;
pub mod files;
pub mod git;
pub mod index;
pub mod objects;
#[cfg(test)]
pub(crate) mod recorder;
pub mod stdin;
mod stream;
mod text;
mod window;

use std::ops::Range;

pub use self::files::Files;
pub use self::objects::{ObjectAt, Objects};
pub use self::stdin::Stdin;
use crate::location::{Origin, Position};

/// Bytes to scan, whole or a window of something too large to hold at once.
///
/// Windows of one origin overlap: `core` ranges adjoin and never overlap, and around them stand
/// margins of up to [`WINDOW_MARGIN`] bytes, so that a credential whose first part is in the core
/// is in view as a whole. Only what starts in the core is reported.
#[derive(Clone, Debug)]
pub struct Blob<'b> {
    /// Where the bytes came from.
    pub origin: &'b Origin,
    /// The bytes. Text in UTF-16 comes decoded to UTF-8; if a part of it may be plain bytes, that
    /// part comes in a blob of its own, with blanks in place of the text.
    pub bytes: &'b [u8],
    /// The part of `bytes` that this blob answers for; all of them where the blob is whole.
    pub core: Range<usize>,
    /// Place of `bytes[0]` in the origin.
    pub start: Position,
}

impl<'b> Blob<'b> {
    /// A whole blob.
    #[must_use]
    pub fn whole(origin: &'b Origin, bytes: &'b [u8]) -> Self {
        Self {
            origin,
            bytes,
            core: 0..bytes.len(),
            start: Position::START,
        }
    }
}

/// Bytes of context that a window carries on either side of its core. No detector may look
/// further than half of it from a credential's first part.
pub const WINDOW_MARGIN: usize = 32 * 1024;

/// The stretches of `length` bytes that come within `before` bytes of the start of one of the
/// sorted `ranges`, or within `after` bytes of its end; those that overlap are joined.
pub(crate) fn widened(
    ranges: &[Range<usize>],
    before: usize,
    after: usize,
    length: usize,
) -> impl Iterator<Item = Range<usize>> {
    let mut ranges = ranges.iter().map(move |range| {
        let end = range.end.saturating_add(after).min(length);
        range.start.saturating_sub(before)..end
    });
    let mut next = ranges.next();
    std::iter::from_fn(move || {
        let mut widened = next.take()?;
        for range in ranges.by_ref() {
            if range.start > widened.end {
                next = Some(range);
                break;
            }
            widened.end = widened.end.max(range.end);
        }
        Some(widened)
    })
}

/// Why something was not scanned.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotScanned {
    /// Path, or another name of what was left out.
    pub path: String,
    /// Why, in one line.
    pub reason: String,
    /// Whether the scan is incomplete by it (exit code 2), or it was left out by rule (a socket,
    /// a file over the size cap that the user set).
    pub incomplete: bool,
}

/// What has been read so far by a source, or was left out by it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Files, blobs or streams read to their end.
    pub files: u64,
    /// Bytes read, before decoding.
    pub bytes: u64,
    /// Entries left out because git ignores them.
    pub git_ignored: u64,
}

/// Receives what a source reads.
pub trait Sink: Sync {
    /// Scans one blob or window.
    fn blob(&self, blob: &Blob<'_>);
    /// Scans an object of a repository, a whole blob. Where `changed` is given, the object is a
    /// version of another one of which this method has said that nothing in it matters, and
    /// `changed` tells what is new: sorted ranges of its bytes, an empty one where two parts of
    /// the other object have come together.
    ///
    /// Returns whether anything in the object matters: a version of it is then handed over
    /// without `changed`.
    fn object(&self, blob: &Blob<'_>, changed: Option<&[Range<usize>]>) -> bool {
        let _ = changed;
        self.blob(blob);
        true
    }
    /// Whether [`Sink::object`] would say of these bytes that something in them matters. Asked
    /// first, so that an object's name is only looked up where it is needed.
    fn notices(&self, bytes: &[u8], changed: Option<&[Range<usize>]>) -> bool {
        let _ = (bytes, changed);
        true
    }
    /// Something was not scanned.
    fn not_scanned(&self, entry: NotScanned);
    /// Adds to the totals.
    fn covered(&self, more: Coverage);
    /// Whether to stop early (an interrupt); sources look at it between blobs.
    fn stopped(&self) -> bool {
        false
    }
}

/// A source of blobs.
pub trait Source {
    /// Reads everything and hands it to `sink`. What cannot be read goes to
    /// [`Sink::not_scanned`]; nothing is silently left out.
    fn read(&self, sink: &dyn Sink);
}
