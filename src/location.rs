//! Where bytes came from ([`Origin`]) and where in them something stands ([`Span`]).

use std::path::PathBuf;

/// What a scanned run of bytes is. Ordered, so that reports are.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A file, under the name it was reached by.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// A path of the git index: what the next commit would hold there.
    Index(PathBuf),
    /// A path in a commit.
    Commit {
        /// The commit, in hexadecimal.
        commit: Box<str>,
        /// The path, from the top of the tree.
        path: PathBuf,
    },
    /// The name of a path itself, as bytes of its own; the commit is none for the index.
    Name {
        /// The commit, in hexadecimal.
        commit: Option<Box<str>>,
        /// The path, from the top of the tree.
        path: PathBuf,
    },
    /// The message of a commit or of a tag.
    Message {
        /// The commit or tag object, in hexadecimal; none while it is being made.
        commit: Option<Box<str>>,
        /// What to call it: `commit message`, `author of the commit`, `message of the tag v1`.
        name: Box<str>,
    },
    /// An object of a git repository, whatever leads to it.
    Object {
        /// `blob`, `commit` or `tag`.
        kind: &'static str,
        /// Its id, in hexadecimal.
        id: Box<str>,
    },
}

/// Digits of an object's id that are shown: enough to tell a million objects apart.
const SHOWN_DIGITS: usize = 12;

impl Origin {
    /// The name to show: a path, or `-` for standard input. Not yet safe for a terminal.
    #[must_use]
    pub fn path(&self) -> std::borrow::Cow<'_, str> {
        match self {
            Self::File(path)
            | Self::Index(path)
            | Self::Commit { path, .. }
            | Self::Name { path, .. } => path.to_string_lossy(),
            Self::Message { name, .. } => (&**name).into(),
            Self::Object { kind, id } => {
                let shown = id.get(..SHOWN_DIGITS).unwrap_or(id);
                format!("{kind} {shown}").into()
            }
            Self::Stdin => "-".into(),
        }
    }

    /// The commit in which it was found, as hexadecimal, where there is one.
    #[must_use]
    pub fn commit(&self) -> Option<&str> {
        match self {
            Self::Commit { commit, .. } => Some(commit),
            Self::Name { commit, .. } | Self::Message { commit, .. } => commit.as_deref(),
            Self::Object { kind: "commit", id } => Some(id),
            Self::File(_) | Self::Stdin | Self::Index(_) | Self::Object { .. } => None,
        }
    }
}

/// A place in a text. Lines count from 1 and end with a line feed; columns count from 1, in
/// Unicode code points (a byte that is not part of valid UTF-8 counts as one).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// Line, from 1.
    pub line: u64,
    /// Column in Unicode code points, from 1.
    pub column: u64,
}

impl Position {
    /// The first place of any text.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The place reached from `self` after reading `bytes`.
    #[must_use]
    pub fn after(self, bytes: &[u8]) -> Self {
        match memchr::memrchr(b'\n', bytes) {
            None => Self {
                line: self.line,
                column: self.column + code_points(bytes),
            },
            Some(last) => Self {
                line: self.line + memchr::memchr_iter(b'\n', bytes).count() as u64,
                column: 1 + code_points(&bytes[last + 1..]),
            },
        }
    }
}

/// Number of code points: every byte that is not a UTF-8 continuation byte starts one. In invalid
/// UTF-8 a stray continuation byte is counted with the byte before it.
fn code_points(bytes: &[u8]) -> u64 {
    bytes.iter().filter(|&&byte| byte & 0xC0 != 0x80).count() as u64
}

/// From `start` up to, and without, `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// First place.
    pub start: Position,
    /// The place after the last one.
    pub end: Position,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_code_points() {
        let at = |text: &str| Position::START.after(text.as_bytes());
        assert_eq!(at(""), Position::START);
        assert_eq!(at("ab"), Position { line: 1, column: 3 });
        assert_eq!(at("a\nbé"), Position { line: 2, column: 3 });
        assert_eq!(at("a\r\n\n"), Position { line: 3, column: 1 });
        let middle = at("one\ntwo");
        assert_eq!(middle.after(b"x"), Position { line: 2, column: 5 });
    }
}
