//! Where in a repository's history a credential is: data only.

/// How the worst placed copy of a credential is held. Ordered from published to forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reachability {
    /// In the history of a ref: a branch, a tag, a remote-tracking ref, a note, or `HEAD`.
    Reachable,
    /// In no ref's history, but staged: the next commit would hold it.
    Index,
    /// Only in `git stash`.
    Stash,
    /// Only in what refs pointed at before, which the reflog remembers.
    Reflog,
    /// Nothing leads to it. It stays until git prunes it, and a server may still hand it out.
    Dangling,
}

impl Reachability {
    /// The word used in every output.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Index => "index",
            Self::Stash => "stash",
            Self::Reflog => "reflog",
            Self::Dangling => "dangling",
        }
    }
}

/// A commit, as far as reports tell of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitFacts {
    /// Its id, in hexadecimal.
    pub id: String,
    /// `Name <address>` of its author, bytes that are not UTF-8 replaced. Not yet safe for a
    /// terminal.
    pub author: String,
    /// When it was written, in seconds since 1970.
    pub seconds: i64,
}

/// Names, the first of them listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The first ones, sorted.
    pub listed: Vec<String>,
    /// How many there are.
    pub count: u64,
}

/// Where in history a credential is. The commits are those of the best class that
/// [`Provenance::reachability`] names: if refs lead to some of them, what only the reflog knows is
/// not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// How it is held.
    pub reachability: Reachability,
    /// The first commit that holds it: parents come before children, the older of two that are
    /// no relations first.
    pub first: Option<CommitFacts>,
    /// Whether the history is cut at that commit (a shallow clone): it may have come in earlier.
    pub first_at_cut: bool,
    /// The last commit that holds it, in the same order.
    pub last: Option<CommitFacts>,
    /// The last commit that took it out: it holds it nowhere, and one of its parents does.
    pub removed: Option<CommitFacts>,
    /// How many commits hold it.
    pub commits: u64,
    /// In how many objects (versions of files, messages) it stands.
    pub objects: u64,
    /// At how many places it stands: paths, messages. At most so many are listed as occurrences.
    pub places: u64,
    /// Whether the commit that `HEAD` points at holds it.
    pub in_head: bool,
    /// Branches whose history holds it.
    pub branches: Names,
    /// Tags whose history, or own message, holds it.
    pub tags: Names,
    /// Remote-tracking refs whose history holds it: what was published.
    pub remotes: Names,
    /// Other refs whose history holds it: notes, pull requests.
    pub other_refs: Names,
    /// The submodule whose history it is; `None` for the repository itself.
    pub submodule: Option<String>,
}
