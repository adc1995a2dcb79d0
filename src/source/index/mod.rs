//! The git index: what would be committed now, and how it differs from what was committed before.

pub mod difference;
pub mod file;
mod parts;

pub use difference::{Change, Difference, MalformedTree, Removed, TreeCache, Trees, Version};
pub use file::{IndexEntry, IndexError, IndexFile};
