//! Read-only views of pack files and their indexes.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::Path;

/// A whole file, mapped: packs are larger than the memory we may use. Only packs and indexes are
/// mapped, which git never changes in place; work-tree files, which anybody may cut short while
/// we look at them, are read instead.
#[derive(Debug)]
pub(super) struct Mapped(Option<memmap2::Mmap>);

impl Mapped {
    /// Maps `path`. An empty file is an empty view: the system refuses to map one.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let data = file.metadata()?;
        if !data.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        if data.len() == 0 {
            return Ok(Self(None));
        }
        #[expect(
            unsafe_code,
            reason = "mapping has no safe form; git replaces packs, it never rewrites one in place"
        )]
        let map = unsafe { memmap2::Mmap::map(&file) }?;
        Ok(Self(Some(map)))
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().unwrap_or_default()
    }
}
