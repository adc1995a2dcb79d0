//! The entries of one directory.

use std::ffi::CStr;
use std::os::fd::BorrowedFd;

use rustix::fs::FileType;
use rustix::io::Errno;

/// Names and kinds, in the order of the file system, without `.` and `..`.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// Every name, with a zero after it.
    names: Vec<u8>,
    entries: Vec<(usize, FileType)>,
}

impl Listing {
    /// Lists the open directory `directory`: what could be read of it, and the error that ended
    /// it, if any.
    pub(super) fn of(directory: BorrowedFd<'_>) -> (Self, Option<Errno>) {
        let mut listing = Self::default();
        let error = listing.fill(directory).err();
        (listing, error)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn fill(&mut self, directory: BorrowedFd<'_>) -> Result<(), Errno> {
        let mut buffer = [std::mem::MaybeUninit::uninit(); 32 * 1024];
        let mut raw = rustix::fs::RawDir::new(directory, &mut buffer);
        while let Some(entry) = raw.next() {
            match entry {
                Ok(entry) => self.push(entry.file_name(), entry.file_type()),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn fill(&mut self, directory: BorrowedFd<'_>) -> Result<(), Errno> {
        for entry in rustix::fs::Dir::read_from(directory)? {
            let entry = entry?;
            self.push(entry.file_name(), entry.file_type());
        }
        Ok(())
    }

    fn push(&mut self, name: &CStr, kind: FileType) {
        if name != c"." && name != c".." {
            self.entries.push((self.names.len(), kind));
            self.names.extend_from_slice(name.to_bytes_with_nul());
        }
    }

    /// Every entry, with its kind as far as the directory tells it.
    pub(super) fn entries(&self) -> &[(usize, FileType)] {
        &self.entries
    }

    /// The name that starts at `at`.
    pub(super) fn name(&self, at: usize) -> &CStr {
        CStr::from_bytes_until_nul(&self.names[at..]).unwrap_or(c"")
    }
}
