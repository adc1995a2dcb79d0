//! From an object to the sink.

use std::process::ChildStdout;

use super::contents::{ChangeError, Contents, fill_from};
use super::large_files;
use crate::location::Origin;
use crate::source::git::{Kind, ObjectError, ObjectId};
use crate::source::stream::{Input, Stream};
use crate::source::{Blob, Coverage, NotScanned, Sink};

/// Hands over the blob `id`, and counts it. If it is the pointer of a large file, the file too.
///
/// # Errors
/// Where it cannot be read.
pub(super) fn blob(
    contents: &Contents,
    origin: &Origin,
    id: ObjectId,
    sink: &dyn Sink,
) -> Result<(), ChangeError> {
    let mut content = Vec::new();
    match contents.read(id, Kind::Blob, &mut content) {
        Ok(()) => {
            counted(origin, &content, sink);
            large_files::hand(contents, origin, &content, sink);
            Ok(())
        }
        Err(ChangeError::Unreadable {
            error: ObjectError::TooLarge { .. },
            ..
        }) => streamed(contents, origin, id, sink),
        Err(error) => Err(error),
    }
}

/// Hands over `bytes` and counts them as one blob.
pub(super) fn counted(origin: &Origin, bytes: &[u8], sink: &dyn Sink) {
    bytes_of(origin, bytes, sink);
    sink.covered(Coverage {
        files: 1,
        ..Coverage::default()
    });
}

/// Hands over the name of a new path.
pub(super) fn name(origin: &Origin, sink: &dyn Sink) {
    let (commit, path) = match origin {
        Origin::Index(path) => (None, path),
        Origin::Commit { commit, path } => (Some(commit.clone()), path),
        _ => return,
    };
    let bytes = std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str());
    let path = path.clone();
    sink.blob(&Blob::whole(&Origin::Name { commit, path }, bytes));
}

/// Hands over `bytes` in windows, UTF-16 decoded, and counts the bytes.
fn bytes_of(origin: &Origin, bytes: &[u8], sink: &dyn Sink) {
    // Nearly every blob fits into one window, and is handed over without being copied.
    if bytes.len() < SMALL && memchr::memchr(0, bytes).is_none() && !bytes.starts_with(b"\xEF\xBB")
    {
        sink.blob(&Blob::whole(origin, bytes));
        return sink.covered(Coverage {
            bytes: bytes.len() as u64,
            ..Coverage::default()
        });
    }
    let mut input = InMemory { rest: bytes };
    // Memory does not fail to be read.
    drop(pump(origin, &mut input, sink));
}

const SMALL: usize = 4 * 1024 * 1024;

fn streamed(
    contents: &Contents,
    origin: &Origin,
    id: ObjectId,
    sink: &dyn Sink,
) -> Result<(), ChangeError> {
    let mut child = contents.stream(id)?;
    let failed = |said: String| ChangeError::git("cat-file", said);
    let output = child.stdout.take();
    let mut pipe = Pipe(output.ok_or_else(|| failed("no output".into()))?);
    let read = pump(origin, &mut pipe, sink);
    drop(pipe);
    let ended = child.wait().map_err(|error| failed(error.to_string()))?;
    read.map_err(|error| failed(error.to_string()))?;
    if !ended.success() {
        return Err(failed(ended.to_string()));
    }
    sink.covered(Coverage {
        files: 1,
        ..Coverage::default()
    });
    Ok(())
}

/// Hands over all of `input` and counts its bytes.
pub(super) fn pump(
    origin: &Origin,
    input: &mut impl Input,
    sink: &dyn Sink,
) -> std::io::Result<()> {
    let mut stream = Stream::new(sink, origin, Vec::new());
    while stream.fill(input)? {
        if sink.stopped() {
            sink.not_scanned(NotScanned {
                path: origin.path().into_owned(),
                reason: "interrupted".into(),
                incomplete: true,
            });
            return Ok(());
        }
        stream.advance();
    }
    stream.finish();
    sink.covered(Coverage {
        bytes: stream.uncounted(),
        ..Coverage::default()
    });
    Ok(())
}

struct InMemory<'b> {
    rest: &'b [u8],
}

impl Input for InMemory<'_> {
    fn fill(&mut self, buffer: &mut Vec<u8>, full: usize) -> std::io::Result<bool> {
        fill_from(&mut self.rest, buffer, full)
    }
}

struct Pipe(ChildStdout);

impl Input for Pipe {
    fn fill(&mut self, buffer: &mut Vec<u8>, full: usize) -> std::io::Result<bool> {
        fill_from(&mut self.0, buffer, full)
    }
}

/// A file that is opened already.
pub(super) struct Opened(pub(super) std::fs::File);

impl Input for Opened {
    fn fill(&mut self, buffer: &mut Vec<u8>, full: usize) -> std::io::Result<bool> {
        fill_from(&mut self.0, buffer, full)
    }
}
