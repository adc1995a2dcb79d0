//! Objects of the repository in which a change is made, and git itself where we cannot read it.

use std::ffi::OsStr;
use std::io::{self, Read};
use std::process::{Child, Command, Stdio};

use crate::source::git::{Kind, ObjectError, ObjectId, ObjectStore, Repository};
use crate::source::index::{MalformedTree, Trees};

/// Why something of a change could not be read. Every one of these blocks.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The objects cannot be listed.
    #[error("cannot open the object store: {0}")]
    Store(ObjectError),
    /// An object is in no pack, not loose and in no alternate.
    #[error("{kind} {id} is missing")]
    Missing {
        /// What it should be.
        kind: &'static str,
        /// Its name.
        id: ObjectId,
    },
    /// An object is there and cannot be read.
    #[error("{kind} {id}: {error}")]
    Unreadable {
        /// What it should be.
        kind: &'static str,
        /// Its name.
        id: ObjectId,
        /// What is wrong with it.
        error: ObjectError,
    },
    /// An object is of another kind than what refers to it says.
    #[error("{id} is not a {kind}")]
    Kind {
        /// What it should be.
        kind: &'static str,
        /// Its name.
        id: ObjectId,
    },
    /// A tree that is none.
    #[error(transparent)]
    Tree(#[from] MalformedTree),
    /// Git failed, or said something that is not understood.
    #[error("git {command}: {said}")]
    Git {
        /// Its command, as `diff-index`.
        command: String,
        /// What it said, in one line.
        said: String,
    },
    /// A file of the repository cannot be read.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
}

impl ChangeError {
    pub(super) fn git(command: &str, said: impl Into<String>) -> Self {
        Self::Git {
            command: command.to_owned(),
            said: said.into(),
        }
    }
}

/// The objects that a change refers to. Shared by all threads.
#[derive(Debug)]
pub struct Contents {
    repository: Repository,
    store: ObjectStore,
    fetches: bool,
}

impl Contents {
    /// The objects of `repository`, of its alternates, and those that the environment names: a
    /// receiving repository keeps what is being pushed in quarantine.
    ///
    /// # Errors
    /// Where the object directory cannot be listed.
    pub fn open(repository: Repository) -> Result<Self, ChangeError> {
        let store = ObjectStore::open(&repository).map_err(ChangeError::Store)?;
        Ok(Self {
            repository,
            store,
            fetches: true,
        })
    }

    /// The same, fetching nothing: what a partial clone left out is missing.
    #[must_use]
    pub fn without_fetching(mut self) -> Self {
        self.fetches = false;
        self
    }

    /// The objects themselves.
    #[must_use]
    pub fn store(&self) -> &ObjectStore {
        &self.store
    }

    /// The repository.
    #[must_use]
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// Reads the object `id`, which must be of `kind`, into `output`. In a partial clone what is
    /// not here yet is fetched by git.
    ///
    /// # Errors
    /// Where it is missing, damaged, or of another kind.
    pub fn read(&self, id: ObjectId, kind: Kind, output: &mut Vec<u8>) -> Result<(), ChangeError> {
        let found = self.any(id, output).map_err(|error| match error {
            ChangeError::Missing { id, .. } => ChangeError::Missing {
                kind: kind.as_str(),
                id,
            },
            ChangeError::Unreadable { id, error, .. } => ChangeError::Unreadable {
                kind: kind.as_str(),
                id,
                error,
            },
            error => error,
        })?;
        let kind_name = kind.as_str();
        (found == kind).then_some(()).ok_or(ChangeError::Kind {
            kind: kind_name,
            id,
        })
    }

    /// Reads the object `id` into `output`; gives its kind.
    ///
    /// # Errors
    /// Where it is missing or damaged.
    pub fn any(&self, id: ObjectId, output: &mut Vec<u8>) -> Result<Kind, ChangeError> {
        let kind = "object";
        match self.store.find(&id, output) {
            Ok(Some(kind)) => Ok(kind),
            Ok(None) if self.fetches && self.repository.is_partial() => self.fetched(id, output),
            Ok(None) => Err(ChangeError::Missing { kind, id }),
            Err(error) => Err(ChangeError::Unreadable { kind, id, error }),
        }
    }

    fn fetched(&self, id: ObjectId, output: &mut Vec<u8>) -> Result<Kind, ChangeError> {
        let missing = ChangeError::Missing { kind: "object", id };
        let name = id.to_string();
        let Ok(kind) = self.git(&["cat-file", "-t", &name]) else {
            return Err(missing);
        };
        let word = kind.trim_ascii_end();
        let kind = Kind::from_word(word).ok_or(missing)?;
        *output = self.git(&["cat-file", kind.as_str(), &name])?;
        Ok(kind)
    }

    /// The tree of the commit `id`.
    ///
    /// # Errors
    /// Where the commit cannot be read.
    pub fn tree_of(&self, id: ObjectId) -> Result<ObjectId, ChangeError> {
        let mut content = Vec::new();
        self.read(id, Kind::Commit, &mut content)?;
        let commit = crate::source::git::Commit::parse(&content);
        let kind = Kind::Commit.as_str();
        commit
            .and_then(|commit| commit.tree)
            .ok_or(ChangeError::Kind { kind, id })
    }

    /// The commit that `HEAD` leads to; `None` before the first one.
    ///
    /// # Errors
    /// Where git's own files cannot be read, or git fails.
    pub fn head(&self) -> Result<Option<ObjectId>, ChangeError> {
        super::parents::head(self)
    }

    /// What git says to `arguments`, in this repository and with this environment.
    ///
    /// # Errors
    /// Where git cannot be started or fails.
    pub fn git(&self, arguments: &[&str]) -> Result<Vec<u8>, ChangeError> {
        self.git_fed(arguments, Vec::new())
    }

    /// As [`Contents::git`], with `input` as its standard input.
    ///
    /// # Errors
    /// Where git cannot be started or fails.
    pub fn git_fed(&self, arguments: &[&str], input: Vec<u8>) -> Result<Vec<u8>, ChangeError> {
        let command = arguments.first().copied().unwrap_or_default();
        let failed = |said: String| ChangeError::git(command, said);
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(format!("cannot be started: {error}")))?;
        // Fed from a thread: git may answer before it has read everything.
        let feeder = child.stdin.take().map(|mut pipe| {
            std::thread::spawn(move || {
                // Git that ends early closes the pipe; its exit code says why.
                drop(io::Write::write_all(&mut pipe, &input));
            })
        });
        let output = child
            .wait_with_output()
            .map_err(|error| failed(error.to_string()))?;
        if let Some(feeder) = feeder {
            drop(feeder.join());
        }
        if output.status.success() {
            return Ok(output.stdout);
        }
        Err(failed(first_line(
            &output.stderr,
            &output.status.to_string(),
        )))
    }

    /// Starts `git cat-file blob`, for a blob too large to be held in memory.
    pub(super) fn stream(&self, id: ObjectId) -> Result<Child, ChangeError> {
        self.command(&["cat-file", "blob", &id.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| ChangeError::git("cat-file", format!("cannot be started: {error}")))
    }

    /// Git on this repository. The environment is left as git gave it to us, but for what would
    /// make it answer differently from what it stores: replacement objects.
    fn command(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new("git");
        command
            .args(["--no-pager", "-c", "core.fsmonitor=false"])
            .args(["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"])
            .args(arguments)
            .env("GIT_DIR", self.repository.git_dir())
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C");
        if !self.fetches {
            command.env("GIT_NO_LAZY_FETCH", "1");
        }
        command
    }
}

impl Trees for Contents {
    type Error = ChangeError;

    fn tree(&self, id: ObjectId) -> Result<Vec<u8>, ChangeError> {
        let mut content = Vec::new();
        // The empty tree need not be stored: git knows it.
        if is_empty_tree(id) {
            return Ok(content);
        }
        self.read(id, Kind::Tree, &mut content)?;
        Ok(content)
    }
}

/// Ids of the tree without entries, for SHA-1 and SHA-256.
pub(super) const EMPTY_TREES: [&str; 2] = [
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
];

/// Whether `id` is that of the tree without entries, which need not be stored.
#[must_use]
pub fn is_empty_tree(id: ObjectId) -> bool {
    empty_trees().any(|empty| empty == id)
}

/// The ids of the tree without entries, one for each hash.
pub fn empty_trees() -> impl Iterator<Item = ObjectId> {
    let ids = EMPTY_TREES.iter();
    ids.filter_map(|empty| ObjectId::from_hex(empty.as_bytes()))
}

fn first_line(said: &[u8], otherwise: &str) -> String {
    let said = String::from_utf8_lossy(said);
    let line = said.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or(otherwise).to_owned()
}

/// Reads as much as `full` bytes from `input` into `buffer`; true if there may be more.
pub(super) fn fill_from(
    input: &mut impl Read,
    buffer: &mut Vec<u8>,
    full: usize,
) -> io::Result<bool> {
    let room = full.saturating_sub(buffer.len()) as u64;
    let read = input.take(room).read_to_end(buffer)?;
    Ok(read as u64 == room)
}
