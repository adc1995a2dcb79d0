//! Detection: from bytes to findings. Pure: no I/O, no verification.

mod aws;
mod check;
mod prefilter;
#[cfg(test)]
mod testing;
mod view;

pub use check::{Failure, check};

use crate::finding::Finding;
use crate::rules::RuleSet;
use crate::source::Blob;

/// Finds credentials in blobs. Shared by all threads.
#[derive(Clone, Debug)]
pub struct Detector {
    aws: aws::AwsDetector,
}

impl Detector {
    /// A detector for `rules`.
    #[must_use]
    pub fn new(rules: &RuleSet) -> Self {
        Self {
            aws: aws::AwsDetector::new(rules.aws()),
        }
    }

    /// Every credential that starts in the blob's core, one finding each, with all its places in
    /// this blob; sorted by first place.
    #[must_use]
    pub fn scan(&self, blob: &Blob<'_>) -> Vec<Finding> {
        self.aws.scan(blob)
    }
}
