//! Where a repository keeps things.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use super::bytes::{path as bytes_path, trim_end};
use super::config::Config;
use super::{HashKind, ObjectId};

/// Why a directory is no repository that can be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepositoryError {
    /// No repository at this path or above it.
    #[error("not a git repository (nor any of its parents): {0}")]
    NotFound(PathBuf),
    /// It is stored in a way that this version does not know.
    #[error("{path}: unknown repository format: {what}")]
    Format {
        /// The configuration file.
        path: PathBuf,
        /// What is not known.
        what: String,
    },
    /// A file could not be read.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A repository's places, as `gitrepository-layout(5)` and the environment give them.
#[derive(Clone, Debug)]
pub struct Repository {
    git_dir: PathBuf,
    common_dir: PathBuf,
    objects: PathBuf,
    environment_alternates: Vec<PathBuf>,
    index: PathBuf,
    work_tree: Option<PathBuf>,
    hash: HashKind,
    ref_storage: String,
    partial: bool,
    remote_url: Option<String>,
}

/// What the environment says of a repository (`git(1)`, "The Git Repository").
#[derive(Clone, Debug, Default)]
struct Overrides {
    git_dir: Option<PathBuf>,
    common_dir: Option<PathBuf>,
    objects: Option<PathBuf>,
    alternates: Option<OsString>,
    index: Option<PathBuf>,
    work_tree: Option<PathBuf>,
}

impl Overrides {
    fn from_environment() -> Self {
        let read = |name| env::var_os(name).filter(|value| !value.is_empty());
        Self {
            git_dir: read("GIT_DIR").map(PathBuf::from),
            common_dir: read("GIT_COMMON_DIR").map(PathBuf::from),
            objects: read("GIT_OBJECT_DIRECTORY").map(PathBuf::from),
            alternates: read("GIT_ALTERNATE_OBJECT_DIRECTORIES"),
            index: read("GIT_INDEX_FILE").map(PathBuf::from),
            work_tree: read("GIT_WORK_TREE").map(PathBuf::from),
        }
    }
}

impl Repository {
    /// The repository that holds `path`, which may be a work tree, a directory inside one, a git
    /// directory or a bare repository. The environment is not looked at.
    ///
    /// # Errors
    /// Where there is none, or it is stored in an unknown way.
    pub fn discover(path: &Path) -> Result<Self, RepositoryError> {
        Self::discover_with(path, Overrides::default())
    }

    /// The repository that git itself would use here: `GIT_DIR` and its sisters first (git sets
    /// them for hooks), then the current directory.
    ///
    /// # Errors
    /// Where there is none, or it is stored in an unknown way.
    pub fn from_environment() -> Result<Self, RepositoryError> {
        let here = env::current_dir().map_err(|source| RepositoryError::Io {
            path: PathBuf::from("."),
            source,
        })?;
        let overrides = Overrides::from_environment();
        match &overrides.git_dir {
            Some(git_dir) => {
                let git_dir = here.join(git_dir);
                let git_dir = pointed_at(&git_dir).unwrap_or(git_dir);
                Self::open(git_dir, Some(here), overrides)
            }
            None => Self::discover_with(&here, overrides),
        }
    }

    fn discover_with(path: &Path, overrides: Overrides) -> Result<Self, RepositoryError> {
        let start = fs::canonicalize(path).map_err(|source| RepositoryError::Io {
            path: path.to_owned(),
            source,
        })?;
        for directory in start.ancestors() {
            let dot_git = directory.join(".git");
            let git_dir = pointed_at(&dot_git).unwrap_or(dot_git);
            if is_git_dir(&git_dir) {
                return Self::open(git_dir, Some(directory.to_owned()), overrides);
            }
            if is_git_dir(directory) {
                return Self::open(directory.to_owned(), None, overrides);
            }
        }
        Err(RepositoryError::NotFound(path.to_owned()))
    }

    fn open(
        git_dir: PathBuf,
        work_tree: Option<PathBuf>,
        overrides: Overrides,
    ) -> Result<Self, RepositoryError> {
        if !is_git_dir(&git_dir) {
            return Err(RepositoryError::NotFound(git_dir));
        }
        let common_dir = overrides
            .common_dir
            .or_else(|| pointer(&git_dir.join("commondir")).map(|to| git_dir.join(to)))
            .unwrap_or_else(|| git_dir.clone());
        let config = read_config(&common_dir.join("config"))?;
        let (hash, ref_storage) = formats(&config, &common_dir)?;
        let bare = config.flag("core.bare") == Some(true) && git_dir == common_dir;
        let work_tree = overrides
            .work_tree
            .or_else(|| config.get("core.worktree").map(|to| git_dir.join(to)))
            .or_else(|| work_tree.filter(|_| !bare));
        let alternates = overrides.alternates.unwrap_or_default();
        Ok(Self {
            objects: overrides
                .objects
                .unwrap_or_else(|| common_dir.join("objects")),
            environment_alternates: env::split_paths(&alternates)
                .filter(|path| !path.as_os_str().is_empty())
                .collect(),
            index: overrides.index.unwrap_or_else(|| git_dir.join("index")),
            work_tree,
            hash,
            ref_storage,
            partial: is_partial(&config, &common_dir),
            remote_url: config.get("remote.origin.url").map(str::to_owned),
            git_dir,
            common_dir,
        })
    }

    /// This work tree's own directory: `.git`, or `.git/worktrees/NAME`.
    #[must_use]
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The directory that all work trees share.
    #[must_use]
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Where objects are, without the alternates.
    #[must_use]
    pub fn objects(&self) -> &Path {
        &self.objects
    }

    /// Object directories that the environment adds.
    #[must_use]
    pub fn environment_alternates(&self) -> &[PathBuf] {
        &self.environment_alternates
    }

    /// The index file; `GIT_INDEX_FILE` where it is set. It need not exist.
    #[must_use]
    pub fn index(&self) -> &Path {
        &self.index
    }

    /// The top of the work tree; `None` where the repository is bare.
    #[must_use]
    pub fn work_tree(&self) -> Option<&Path> {
        self.work_tree.as_deref()
    }

    /// The hash that names objects.
    #[must_use]
    pub fn hash(&self) -> HashKind {
        self.hash
    }

    /// How refs are stored: `files` or `reftable`.
    #[must_use]
    pub fn ref_storage(&self) -> &str {
        &self.ref_storage
    }

    /// The address of the remote `origin`, as configured: it may hold a password.
    #[must_use]
    pub fn remote_url(&self) -> Option<&str> {
        self.remote_url.as_deref()
    }

    /// Whether it was cloned without some of its objects (`git clone --filter`).
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// Commits whose parents a shallow clone left out.
    #[must_use]
    pub fn shallow_commits(&self) -> Vec<ObjectId> {
        let text = fs::read(self.common_dir.join("shallow")).unwrap_or_default();
        text.split(|&byte| byte == b'\n')
            .filter_map(|line| ObjectId::from_hex(trim_end(line)))
            .collect()
    }
}

/// What git itself asks of a git directory: `HEAD`, `objects` and `refs` (the latter two may
/// stand in the common directory).
fn is_git_dir(path: &Path) -> bool {
    let head = path.join("HEAD");
    if !head.is_file() && fs::symlink_metadata(&head).is_err() {
        return false;
    }
    let common = pointer(&path.join("commondir")).map_or(path.to_owned(), |to| path.join(to));
    let objects = common.join("objects").is_dir() || env::var_os("GIT_OBJECT_DIRECTORY").is_some();
    objects && common.join("refs").is_dir()
}

/// Content of a one-line file that holds a path.
fn pointer(file: &Path) -> Option<PathBuf> {
    let text = fs::read(file).ok()?;
    let line = trim_end(&text);
    (!line.is_empty()).then(|| bytes_path(line))
}

/// Where a `.git` file (a linked work tree's or a submodule's) points at.
fn pointed_at(file: &Path) -> Option<PathBuf> {
    if !file.is_file() {
        return None;
    }
    let text = fs::read(file).ok()?;
    let target = bytes_path(trim_end(text.strip_prefix(b"gitdir: ")?));
    Some(file.parent()?.join(target))
}

fn read_config(path: &Path) -> Result<Config, RepositoryError> {
    match fs::read(path) {
        Ok(text) => Ok(Config::parse(&text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
        Err(source) => Err(RepositoryError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

fn formats(config: &Config, common_dir: &Path) -> Result<(HashKind, String), RepositoryError> {
    let unknown = |what: String| RepositoryError::Format {
        path: common_dir.join("config"),
        what,
    };
    match config.get("core.repositoryformatversion").unwrap_or("0") {
        "0" | "1" | "" => {}
        other => return Err(unknown(format!("version {other}"))),
    }
    let hash = match config.get("extensions.objectformat").unwrap_or("sha1") {
        "sha1" => HashKind::Sha1,
        "sha256" => HashKind::Sha256,
        other => return Err(unknown(format!("object format {other}"))),
    };
    let storage = config.get("extensions.refstorage").unwrap_or("files");
    Ok((hash, storage.to_owned()))
}

fn is_partial(config: &Config, common_dir: &Path) -> bool {
    let promisor = |entry: fs::DirEntry| {
        let name = entry.file_name();
        Path::new(&name)
            .extension()
            .is_some_and(|end| end == "promisor")
    };
    config.get("extensions.partialclone").is_some()
        || fs::read_dir(common_dir.join("objects/pack"))
            .is_ok_and(|entries| entries.flatten().any(promisor))
}
