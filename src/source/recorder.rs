//! A sink for tests that keeps everything it is given.

use std::ops::Range;
use std::sync::Mutex;

use super::{Blob, Coverage, NotScanned, Sink};
use crate::location::{Origin, Position};

/// A blob as it was handed over.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    pub(crate) origin: Origin,
    pub(crate) bytes: Vec<u8>,
    pub(crate) core: Range<usize>,
    pub(crate) start: Position,
}

/// Keeps everything.
#[derive(Debug, Default)]
pub(crate) struct Recorder {
    blobs: Mutex<Vec<Kept>>,
    not_scanned: Mutex<Vec<NotScanned>>,
    coverage: Mutex<Coverage>,
    stop_after: Option<usize>,
}

impl Recorder {
    /// A recorder that asks to stop after `blobs` blobs.
    pub(crate) fn stopping_after(blobs: usize) -> Self {
        Self {
            stop_after: Some(blobs),
            ..Self::default()
        }
    }

    /// The blobs in the order of their origins, those of one origin in the order they came.
    pub(crate) fn blobs(&self) -> Vec<Kept> {
        let mut blobs = self.blobs.lock().unwrap().clone();
        blobs.sort_by(|a, b| a.origin.cmp(&b.origin));
        blobs
    }

    /// The cores of one origin, joined.
    pub(crate) fn text(&self, origin: &Origin) -> Vec<u8> {
        let blobs = self.blobs();
        let of_origin = blobs.iter().filter(|blob| blob.origin == *origin);
        of_origin
            .flat_map(|blob| blob.bytes[blob.core.clone()].to_vec())
            .collect()
    }

    /// The entries that were not scanned, sorted.
    pub(crate) fn left_out(&self) -> Vec<NotScanned> {
        let mut entries = self.not_scanned.lock().unwrap().clone();
        entries.sort();
        entries
    }

    /// The totals.
    pub(crate) fn coverage(&self) -> Coverage {
        *self.coverage.lock().unwrap()
    }
}

impl Sink for Recorder {
    fn blob(&self, blob: &Blob<'_>) {
        self.blobs.lock().unwrap().push(Kept {
            origin: blob.origin.clone(),
            bytes: blob.bytes.to_vec(),
            core: blob.core.clone(),
            start: blob.start,
        });
    }

    fn not_scanned(&self, entry: NotScanned) {
        self.not_scanned.lock().unwrap().push(entry);
    }

    fn covered(&self, more: Coverage) {
        let mut total = self.coverage.lock().unwrap();
        total.files += more.files;
        total.bytes += more.bytes;
        total.git_ignored += more.git_ignored;
    }

    fn stopped(&self) -> bool {
        let blobs = self.blobs.lock().unwrap().len();
        self.stop_after.is_some_and(|limit| blobs >= limit)
    }
}
