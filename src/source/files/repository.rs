//! Where a git work tree keeps its things, read from the file system alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::tracked::{TrackedPaths, tracked_paths};

/// A git work tree that was met on a walk.
#[derive(Debug)]
pub(super) struct Repository {
    work_tree: PathBuf,
    /// The directory that all work trees of the repository share: `info/exclude` is there.
    common: PathBuf,
    tracked: OnceLock<Option<TrackedPaths>>,
}

impl Repository {
    /// The repository whose work tree `directory` is the top of, if it is one. A `.git` that git
    /// itself would not accept is none: its rules would only hide files.
    pub(super) fn at(directory: &Path) -> Option<Self> {
        let git = git_directory(directory)?;
        let common = match fs::read(git.join("commondir")) {
            Ok(content) => git.join(path_in(&content)?),
            Err(_) => git.clone(),
        };
        let is_repository = fs::symlink_metadata(git.join("HEAD")).is_ok()
            && common.join("objects").is_dir()
            && common.join("refs").is_dir();
        is_repository.then(|| Self {
            work_tree: directory.to_owned(),
            common,
            tracked: OnceLock::new(),
        })
    }

    /// The top of the work tree.
    pub(super) fn work_tree(&self) -> &Path {
        &self.work_tree
    }

    /// The file with the ignore patterns that are not committed.
    pub(super) fn exclude_file(&self) -> PathBuf {
        self.common.join("info").join("exclude")
    }

    /// The paths that git tracks, read when first asked for. `None` where they cannot be known.
    pub(super) fn tracked(&self) -> Option<&TrackedPaths> {
        self.tracked
            .get_or_init(|| tracked_paths(&self.work_tree))
            .as_ref()
    }
}

/// The git directory of the work tree `directory`: its `.git`, or where its `.git` file points to
/// (a linked work tree, a submodule).
pub(super) fn git_directory(directory: &Path) -> Option<PathBuf> {
    let dot_git = directory.join(".git");
    let kind = fs::metadata(&dot_git).ok()?;
    if kind.is_dir() {
        return Some(dot_git);
    }
    if !kind.is_file() || kind.len() > 64 * 1024 {
        return None;
    }
    let content = fs::read(&dot_git).ok()?;
    Some(directory.join(path_in(content.strip_prefix(b"gitdir: ")?)?))
}

/// The path that is the only line of `content`.
fn path_in(content: &[u8]) -> Option<PathBuf> {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    let end = content.iter().rposition(|byte| !b"\r\n".contains(byte))?;
    Some(PathBuf::from(OsStr::from_bytes(&content[..=end])))
}
