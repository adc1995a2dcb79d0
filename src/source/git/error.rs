//! Why an object could not be read.

use std::io;

/// Why an object could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// A file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The bytes contradict themselves or the format.
    #[error("corrupt: {0}")]
    Corrupt(&'static str),
    /// Larger than the reader's limit.
    #[error("object of {size} bytes is over the limit of {limit} bytes")]
    TooLarge {
        /// Size that the object declares.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// The base of a delta is not there.
    #[error("the base of a delta is missing")]
    MissingBase,
}
