//! Reading a git repository's objects and refs straight from its files.
//!
//! Nothing here runs a program that the repository names, fetches a missing object, or trusts a
//! size that a file declares. Facts from git's own `gitformat-pack(5)`, `gitformat-commit-graph(5)`,
//! `gitrepository-layout(5)` and `git(1)`.

mod buffer;
mod bytes;
pub mod commit;
mod config;
mod delta;
mod error;
pub mod header;
mod inflate;
mod listing;
mod loose;
mod mapped;
mod multi_index;
pub mod object_id;
pub mod object_store;
pub mod object_walk;
mod pack;
mod pack_index;
mod pack_plan;
pub mod pack_walk;
pub mod refs;
pub mod repository;
pub mod tag;
pub mod tree;

pub use commit::{Commit, CommitLinks};
pub use error::ObjectError;
pub use header::Part;
pub use object_id::{HashKind, ObjectId};
pub use object_store::{NotRead, ObjectStore};
pub use object_walk::Selection;
pub use pack_walk::{LargeBlob, MadeFrom, ObjectRef, Visit};
pub use refs::{Reference, Refs};
pub use repository::{Repository, RepositoryError};
pub use tag::Tag;
pub use tree::{Tree, TreeEntry};

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A commit.
    Commit,
    /// A directory.
    Tree,
    /// A file's content, a symlink's target.
    Blob,
    /// An annotated tag.
    Tag,
}

impl Kind {
    /// The word git uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tree => "tree",
            Self::Blob => "blob",
            Self::Tag => "tag",
        }
    }

    /// From the word git uses.
    #[must_use]
    pub fn from_word(word: &[u8]) -> Option<Self> {
        match word {
            b"commit" => Some(Self::Commit),
            b"tree" => Some(Self::Tree),
            b"blob" => Some(Self::Blob),
            b"tag" => Some(Self::Tag),
            _ => None,
        }
    }
}
