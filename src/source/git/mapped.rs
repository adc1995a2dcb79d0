//! Read-only views of pack files and their indexes.

use std::fs::File;
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};

/// A whole file, mapped: packs are larger than the memory we may use. Only packs and indexes are
/// mapped, which git never changes in place; work-tree files, which anybody may cut short while
/// we look at them, are read instead.
#[derive(Debug)]
pub(super) struct Mapped {
    map: Option<memmap2::Mmap>,
    path: PathBuf,
}

impl Mapped {
    /// Maps `path`. An empty file is an empty view: the system refuses to map one.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let data = file.metadata()?;
        if !data.is_file() {
            return Err(io::Error::other("not a regular file"));
        }
        if data.len() == 0 {
            return Ok(Self {
                map: None,
                path: path.to_owned(),
            });
        }
        #[expect(
            unsafe_code,
            reason = "mapping has no safe form; git replaces packs, it never rewrites one in place"
        )]
        let map = unsafe { memmap2::Mmap::map(&file) }?;
        let mapped = Self {
            map: Some(map),
            path: path.to_owned(),
        };
        match mapped.is_whole() {
            true => Ok(mapped),
            false => Err(io::Error::other("it is being cut short")),
        }
    }

    /// Whether the file is still as long as it was. To look at a page that is no longer there
    /// ends the program, so whoever reads for long asks now and then.
    pub(super) fn is_whole(&self) -> bool {
        // A file that was removed stays mapped as it was. It is not kept open to be asked: there
        // may be thousands.
        let now = self.path.metadata();
        now.map_or(true, |data| data.len() >= self.len() as u64)
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }
}
