//! Reads one open file.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use rustix::buffer::spare_capacity;
use rustix::fs::{FileType, OFlags, fstat};
use rustix::io::Errno;

use crate::location::Origin;
use crate::source::stdin::{keep_buffer, take_buffer};
use crate::source::stream::{Input, Stream};
use crate::source::window::WINDOW;
use crate::source::{Coverage, NotScanned, Sink};

/// How a file in a walked tree is opened: whatever took its place since the directory was listed,
/// opening neither follows it elsewhere nor waits for it.
pub(super) const FROM_WALK: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);

/// Reads files for a sink.
pub(super) struct Reader<'r> {
    pub(super) sink: &'r dyn Sink,
    /// Larger files, in bytes, are left out.
    pub(super) max_file_size: Option<u64>,
}

/// Why a file was not read to its end.
enum Failure {
    /// The sink wants no more.
    Stopped,
    TooLarge,
    NoFile,
    Shrank {
        from: u64,
        to: u64,
    },
    Error(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Error(error)
    }
}

impl Reader<'_> {
    /// Reads the file `file` and adds it to `tally`.
    pub(super) fn file(&self, file: impl AsFd, origin: &Origin, tally: &mut Coverage) {
        let file = file.as_fd();
        let mut stream = Stream::new(self.sink, origin, take_buffer());
        let outcome = self.read(file, &mut stream);
        tally.bytes += stream.uncounted();
        match outcome {
            Ok(()) => tally.files += 1,
            Err(Failure::Stopped) => {}
            Err(failure) => self.sink.not_scanned(NotScanned {
                path: origin.path().into_owned(),
                incomplete: !matches!(failure, Failure::TooLarge),
                reason: self.reason(&failure),
            }),
        }
        keep_buffer(stream.into_buffer());
    }

    fn read(&self, file: BorrowedFd<'_>, stream: &mut Stream<'_>) -> Result<(), Failure> {
        let cap = self.max_file_size.unwrap_or(u64::MAX);
        let mut input = Descriptor(file);
        let is_longer = input_or_rest(stream.fill(&mut input), stream)?;
        if !is_longer {
            // Nothing was asked of the file system yet but to open and to read.
            if stream.read() > cap {
                return Err(Failure::TooLarge);
            }
            stream.finish();
            return Ok(());
        }
        let stat = fstat(file).map_err(io::Error::from)?;
        if !FileType::from_raw_mode(stat.st_mode).is_file() {
            return Err(Failure::NoFile);
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        if size.max(WINDOW as u64) > cap {
            return Err(Failure::TooLarge);
        }
        let mut is_longer = true;
        while is_longer {
            if self.sink.stopped() {
                return Err(Failure::Stopped);
            }
            stream.advance();
            is_longer = input_or_rest(stream.fill(&mut input), stream)?;
        }
        stream.finish();
        let read = stream.read();
        if read < size {
            return Err(Failure::Shrank {
                from: size,
                to: read,
            });
        }
        Ok(())
    }

    fn reason(&self, failure: &Failure) -> String {
        match failure {
            Failure::Stopped => "interrupted".to_owned(),
            Failure::TooLarge => format!(
                "larger than the cap of {} bytes",
                self.max_file_size.unwrap_or(u64::MAX)
            ),
            Failure::NoFile => "is no longer a regular file".to_owned(),
            Failure::Shrank { from, to } => {
                format!("shrank from {from} to {to} bytes while it was read")
            }
            Failure::Error(error) => reason(error),
        }
    }
}

/// On an error, hands over what was read before it.
fn input_or_rest(result: io::Result<bool>, stream: &mut Stream<'_>) -> io::Result<bool> {
    if result.is_err() {
        stream.finish();
    }
    result
}

/// A file descriptor as an [`Input`]: reads go straight into memory that nobody zeroed.
pub(super) struct Descriptor<'d>(pub(super) BorrowedFd<'d>);

impl Input for Descriptor<'_> {
    fn fill(&mut self, buffer: &mut Vec<u8>, full: usize) -> io::Result<bool> {
        while buffer.len() < full {
            match rustix::io::read(self.0, spare_capacity(buffer)) {
                Ok(0) => return Ok(false),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }
}

/// What went wrong, in words for people.
pub(super) fn reason(error: &io::Error) -> String {
    let words = match Errno::from_io_error(error) {
        Some(Errno::NOENT) => "vanished before it could be read",
        Some(Errno::ACCESS | Errno::PERM) => "permission denied",
        Some(Errno::LOOP | Errno::MLINK) => "became a symbolic link before it could be read",
        Some(Errno::NOTDIR | Errno::ISDIR) => "changed its kind before it could be read",
        Some(Errno::NAMETOOLONG) => "the path is too long for the system",
        Some(Errno::MFILE | Errno::NFILE) => "too many open files",
        Some(Errno::AGAIN) => "has nothing to read now, and may never have",
        _ => return format!("cannot be read: {error}"),
    };
    words.to_owned()
}
