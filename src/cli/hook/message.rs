//! The message of a commit that is being made.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use straykey::location::Origin;
use straykey::source::{Blob, Coverage, Sink, Source};

/// Git cuts the message off here: what follows is the difference that `commit --verbose` shows,
/// with lines that the commit removes (`wt-status.c`).
const SCISSORS: &[u8] = b"------------------------ >8 ------------------------\n";

/// The message, as a source.
pub(super) struct Message {
    origin: Origin,
    bytes: Vec<u8>,
}

impl Message {
    /// The message in the file that `arguments` name first.
    ///
    /// # Errors
    /// Where no file is named, or it cannot be read.
    pub(super) fn new(arguments: &[OsString]) -> Result<Self> {
        let path = arguments.first().map(PathBuf::from);
        let path = path.context("the name of the file with the message is missing")?;
        let mut bytes =
            fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        if let Some(end) = scissors(&bytes) {
            bytes.truncate(end);
        }
        let origin = Origin::Message {
            commit: None,
            name: "commit message".into(),
        };
        Ok(Self { origin, bytes })
    }
}

/// Where the line with the scissors begins: a comment of the message's own comment character.
fn scissors(bytes: &[u8]) -> Option<usize> {
    let found = memchr::memmem::find(bytes, SCISSORS)?;
    let line = memchr::memrchr(b'\n', &bytes[..found]).map_or(0, |end| end + 1);
    let before = &bytes[line..found];
    (before.len() <= 8 && before.ends_with(b" ")).then_some(line)
}

impl Source for Message {
    fn read(&self, sink: &dyn Sink) {
        sink.blob(&Blob::whole(&self.origin, &self.bytes));
        sink.covered(Coverage {
            files: 1,
            bytes: self.bytes.len() as u64,
            ..Coverage::default()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_the_scissors_is_not_part_of_the_message() {
        let marked = [b"title\n\n# ".as_slice(), SCISSORS, b"-old key\n"].concat();
        assert_eq!(scissors(&marked), Some(7));
        assert_eq!(scissors(b"title\n"), None);
        let quoted = [b"a long quotation of ".as_slice(), SCISSORS].concat();
        assert_eq!(scissors(&quoted), None);
    }
}
