//! What a scan has to say ([`Report`]), and how it is written: one file a format.

use crate::finding::Finding;
use crate::source::{Coverage, NotScanned};

/// The outcome of one scan.
#[derive(Debug, Default)]
pub struct Report {
    /// Sorted by first occurrence; one entry a credential.
    pub findings: Vec<Finding>,
    /// What was not read, sorted.
    pub not_scanned: Vec<NotScanned>,
    /// What was read.
    pub coverage: Coverage,
    /// Wall time, in seconds.
    pub seconds: f64,
    /// Whether the scan was interrupted before its end.
    pub interrupted: bool,
}

impl Report {
    /// Whether everything that was asked for has been read.
    #[must_use]
    pub fn complete(&self) -> bool {
        !self.interrupted && !self.not_scanned.iter().any(|entry| entry.incomplete)
    }
}
