//! Standard input, or any other stream, as a [`Source`].

use std::cell::Cell;
use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use super::stream::{Input, Stream};
use super::{Coverage, NotScanned, Sink, Source};
use crate::location::Origin;

/// A stream, read to its end in bounded memory.
#[derive(Debug)]
pub struct Stdin<R> {
    reader: Mutex<R>,
}

impl<R: Read> Stdin<R> {
    /// Will read `reader`, once.
    #[must_use]
    pub fn new(reader: R) -> Self {
        Self {
            reader: Mutex::new(reader),
        }
    }
}

impl<R: Read> Source for Stdin<R> {
    fn read(&self, sink: &dyn Sink) {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        pump(&mut Reader(&mut *reader), &Origin::Stdin, sink);
    }
}

/// Reads `input` to its end as `origin`, whatever its length, and tells if that fails.
pub(crate) fn pump(input: &mut impl Input, origin: &Origin, sink: &dyn Sink) {
    if let Err((error, read)) = try_pump(input, origin, sink) {
        sink.not_scanned(NotScanned {
            path: origin.path().into_owned(),
            reason: format!("cannot be read further than {read} bytes: {error}"),
            incomplete: true,
        });
    }
}

/// Reads `input` to its end as `origin`, whatever its length.
///
/// # Errors
/// Where that fails, and after how many bytes; what came before them was scanned.
pub(crate) fn try_pump(
    input: &mut impl Input,
    origin: &Origin,
    sink: &dyn Sink,
) -> Result<(), (io::Error, u64)> {
    let mut stream = Stream::new(sink, origin, take_buffer());
    let result = loop {
        match stream.fill(input) {
            Ok(true) if sink.stopped() => return Ok(()),
            Ok(true) => stream.advance(),
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    stream.finish();
    sink.covered(Coverage {
        files: u64::from(result.is_ok()),
        bytes: stream.uncounted(),
        ..Coverage::default()
    });
    let read = stream.read();
    keep_buffer(stream.into_buffer());
    result.map_err(|error| (error, read))
}

/// Any reader as an [`Input`].
pub(crate) struct Reader<R>(pub(crate) R);

impl<R: Read> Input for Reader<R> {
    fn fill(&mut self, buffer: &mut Vec<u8>, full: usize) -> io::Result<bool> {
        let missing = full - buffer.len();
        // `take` ends at the limit, and `read_to_end` retries interrupted reads.
        let read = (&mut self.0).take(missing as u64).read_to_end(buffer)?;
        Ok(read == missing)
    }
}

thread_local! {
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// This thread's buffer: its pages are warm, and nobody has to zero them again. A second call
/// before [`keep_buffer`] gets a new one.
pub(crate) fn take_buffer() -> Vec<u8> {
    BUFFER.take()
}

/// Leaves `buffer` to the next origin that this thread reads.
pub(crate) fn keep_buffer(buffer: Vec<u8>) {
    BUFFER.set(buffer);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::recorder::Recorder;

    /// Gives 10 bytes, then fails.
    struct Failing(bool);

    impl Read for Failing {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(io::Error::other("the cable is cut"));
            }
            buffer[..10].fill(b'x');
            Ok(10)
        }
    }

    #[test]
    fn what_came_before_an_error_is_scanned_and_the_error_counts() {
        let recorder = Recorder::default();
        Stdin::new(Failing(false)).read(&recorder);
        assert_eq!(recorder.text(&Origin::Stdin), b"xxxxxxxxxx");
        assert_eq!(
            recorder.left_out(),
            [NotScanned {
                path: "-".into(),
                reason: "cannot be read further than 10 bytes: the cable is cut".into(),
                incomplete: true,
            }]
        );
        assert_eq!(recorder.coverage().files, 0);
    }

    #[test]
    fn a_stop_is_heard_between_windows() {
        let recorder = Recorder::stopping_after(2);
        Stdin::new(io::repeat(b'x')).read(&recorder);
        assert_eq!(recorder.blobs().len(), 2);
    }

    #[test]
    fn an_empty_stream_is_one_file() {
        let recorder = Recorder::default();
        Stdin::new(io::empty()).read(&recorder);
        assert_eq!(recorder.coverage().files, 1);
        assert!(recorder.blobs().is_empty());
    }
}
