//! Commits.

use super::ObjectId;
use super::bytes::trim_end;

/// A commit's fields, borrowed from its content.
#[derive(Clone, Debug, Default)]
pub struct Commit<'c> {
    /// The directory at its root.
    pub tree: Option<ObjectId>,
    /// Parents, in order.
    pub parents: Vec<ObjectId>,
    /// Who wrote it.
    pub author: Signature<'c>,
    /// Who committed it.
    pub committer: Signature<'c>,
    /// What follows the first empty line.
    pub message: &'c [u8],
}

/// A name, an address and a time, as `author`, `committer` and `tagger` lines hold them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Signature<'c> {
    /// `Name <address>`, as it stands.
    pub person: &'c [u8],
    /// Seconds since 1970; 0 where it cannot be read.
    pub seconds: i64,
    /// Offset from UTC in minutes, east positive.
    pub offset: i32,
}

impl<'c> Commit<'c> {
    /// Reads the content of a commit object; `None` where it names no tree.
    #[must_use]
    pub fn parse(content: &'c [u8]) -> Option<Self> {
        let mut commit = Self::default();
        let mut rest = content;
        while let Some((line, after)) = header_line(&mut rest) {
            match line {
                b"tree" => commit.tree = ObjectId::from_hex(after),
                b"parent" => commit.parents.extend(ObjectId::from_hex(after)),
                b"author" => commit.author = Signature::parse(after),
                b"committer" => commit.committer = Signature::parse(after),
                _ => {}
            }
        }
        commit.message = rest;
        commit.tree.is_some().then_some(commit)
    }
}

/// What a commit leads to and when it was made: all that a walk over a history asks of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitLinks {
    /// The directory at its root.
    pub tree: ObjectId,
    /// When it was committed, in seconds since 1970; 0 where that cannot be read.
    pub seconds: i64,
}

impl CommitLinks {
    /// Reads the content of a commit object as far as the committer, and adds its parents to
    /// `parents`, in order. `None` where it names no tree.
    pub fn parse(content: &[u8], parents: &mut Vec<ObjectId>) -> Option<Self> {
        let (mut tree, mut seconds, mut rest) = (None, 0, content);
        while let Some((line, after)) = header_line(&mut rest) {
            match line {
                b"tree" => tree = ObjectId::from_hex(after),
                b"parent" => parents.extend(ObjectId::from_hex(after)),
                b"committer" => {
                    seconds = Signature::parse(after).seconds;
                    break;
                }
                _ => {}
            }
        }
        Some(Self {
            tree: tree?,
            seconds,
        })
    }
}

/// Takes the next header line off `rest`: its word and its value. At the empty line before the
/// message it takes that line and returns `None`. Continuation lines give an empty word.
pub(super) fn header_line<'c>(rest: &mut &'c [u8]) -> Option<(&'c [u8], &'c [u8])> {
    let end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
    let line = &rest[..end];
    *rest = rest.get(end + 1..).unwrap_or_default();
    if line.is_empty() {
        return None;
    }
    let space = memchr::memchr(b' ', line).unwrap_or(line.len());
    Some((&line[..space], line.get(space + 1..).unwrap_or_default()))
}

impl<'c> Signature<'c> {
    /// Reads `Name <address> seconds offset`.
    #[must_use]
    pub fn parse(line: &'c [u8]) -> Self {
        let close = memchr::memrchr(b'>', line).map_or(0, |at| at + 1);
        let (person, time) = line.split_at(close);
        if close == 0 {
            return Self {
                person: line,
                ..Self::default()
            };
        }
        let mut words = trim_end(time)
            .split(|&byte| byte == b' ')
            .filter(|word| !word.is_empty())
            .map(|word| std::str::from_utf8(word).unwrap_or_default());
        let seconds = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let zone: i32 = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
        let zone = if zone.abs() > 9999 { 0 } else { zone };
        Self {
            person,
            seconds,
            offset: zone / 100 * 60 + zone % 100,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_read() {
        let id = "1".repeat(40);
        let text = format!(
            "tree {id}\nparent {id}\nauthor A <a@b> 12 +0130\ncommitter C <c> 13 -0200\ngpgsig x\n y\n\nHi\n\nthere"
        );
        let commit = Commit::parse(text.as_bytes()).expect("a commit");
        assert_eq!(commit.parents.len(), 1);
        assert_eq!(commit.author.person, b"A <a@b>");
        assert_eq!((commit.author.seconds, commit.author.offset), (12, 90));
        assert_eq!(commit.committer.offset, -120);
        assert_eq!(commit.message, b"Hi\n\nthere");
        let mut parents = Vec::new();
        let links = CommitLinks::parse(text.as_bytes(), &mut parents);
        let expected = CommitLinks {
            tree: commit.tree.expect("a tree"),
            seconds: 13,
        };
        assert_eq!((links, parents), (Some(expected), commit.parents));
        assert!(Commit::parse(b"garbage").is_none());
        assert!(CommitLinks::parse(b"garbage", &mut Vec::new()).is_none());
        assert_eq!(Signature::parse(b"no address").person, b"no address");
    }
}
