//! The parents of the commit that is about to be made.

use std::fs;
use std::io;
use std::path::Path;

use super::contents::{ChangeError, Contents};
use crate::source::git::{ObjectId, Repository};

/// The commits that would be the parents: `HEAD`, unless nothing was committed yet, and the other
/// sides of a merge that is under way.
///
/// A conflicted merge has left them in `MERGE_HEAD`. A clean one runs its hook before it writes
/// that file, but names them in the environment as `GITHEAD_<id>` (git's `builtin/merge.c`).
///
/// # Errors
/// Where git's own files cannot be read or are of an unknown form.
pub(super) fn parents(contents: &Contents) -> Result<Vec<ObjectId>, ChangeError> {
    let repository = contents.repository();
    let mut parents: Vec<ObjectId> = head(contents)?.into_iter().collect();
    if parents.is_empty() {
        return Ok(parents);
    }
    let mut others = merge_heads(repository)?;
    if others.is_empty() {
        others = announced();
    }
    parents.extend(others);
    Ok(parents)
}

/// What `HEAD` points at; `None` before the first commit.
pub(super) fn head(contents: &Contents) -> Result<Option<ObjectId>, ChangeError> {
    let repository = contents.repository();
    if repository.ref_storage() != "files" {
        return head_by_git(contents);
    }
    let mut path = repository.git_dir().join("HEAD");
    // Symbolic refs may follow on each other; git stops at five.
    for _ in 0..6 {
        let Some(text) = read(&path)? else {
            return packed(repository, &path);
        };
        let text = text.trim_ascii();
        let Some(name) = text.strip_prefix(b"ref:") else {
            let id = ObjectId::from_hex(text);
            return id.map(Some).ok_or_else(|| odd(&path, "is not a ref"));
        };
        let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
        path = repository.common_dir().join(&name);
        // `refs/bisect`, `refs/worktree` and `refs/rewritten` belong to the one work tree.
        let own = repository.git_dir().join(&name);
        if own.is_file() {
            path = own;
        }
    }
    Err(odd(&path, "symbolic refs go round in circles"))
}

fn head_by_git(contents: &Contents) -> Result<Option<ObjectId>, ChangeError> {
    let shown = contents.git(&["for-each-ref", "--count=1", "--format=%(objectname)"]);
    let shown = contents
        .git(&["rev-parse", "-q", "--verify", "HEAD"])
        .or_else(|error| {
            // Without any ref at all there is no first commit; otherwise HEAD must be looked at.
            let name = contents.git(&["symbolic-ref", "-q", "HEAD"])?;
            let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
            let known = contents.git(&["for-each-ref", "--format=%(objectname)", &name])?;
            shown?;
            known.is_empty().then_some(known).ok_or(error)
        })?;
    Ok(ObjectId::from_hex(shown.trim_ascii()))
}

/// The ref whose loose file would be `path`, from `packed-refs`.
fn packed(repository: &Repository, path: &Path) -> Result<Option<ObjectId>, ChangeError> {
    let name = path
        .strip_prefix(repository.common_dir())
        .map_err(|_| odd(path, "is outside of the repository"))?;
    let name = name.to_string_lossy().into_owned();
    let packed = repository.common_dir().join("packed-refs");
    let Some(text) = read(&packed)? else {
        return Ok(None);
    };
    let line = text.split(|&byte| byte == b'\n').find_map(|line| {
        let space = memchr::memchr(b' ', line)?;
        (line[space + 1..].trim_ascii_end() == name.as_bytes()).then(|| &line[..space])
    });
    match line {
        None => Ok(None),
        Some(id) => ObjectId::from_hex(id)
            .map(Some)
            .ok_or_else(|| odd(&packed, "holds a line that is no ref")),
    }
}

fn merge_heads(repository: &Repository) -> Result<Vec<ObjectId>, ChangeError> {
    let path = repository.git_dir().join("MERGE_HEAD");
    let text = read(&path)?.unwrap_or_default();
    let lines = text.split(|&byte| byte == b'\n');
    lines
        .filter(|line| !line.is_empty())
        .map(|line| ObjectId::from_hex(line).ok_or_else(|| odd(&path, "is not a list of commits")))
        .collect()
}

fn announced() -> Vec<ObjectId> {
    let names = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    let ids =
        names.filter_map(|name| ObjectId::from_hex(name.strip_prefix("GITHEAD_")?.as_bytes()));
    let mut ids: Vec<ObjectId> = ids.collect();
    ids.sort();
    ids
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, ChangeError> {
    match fs::read(path) {
        Ok(text) => Ok(Some(text)),
        // `refs/heads/a` may be unborn while `refs/heads/a/b` exists, and the other way round.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(ChangeError::File {
            path: path.display().to_string(),
            error,
        }),
    }
}

fn odd(path: &Path, what: &str) -> ChangeError {
    ChangeError::File {
        path: path.display().to_string(),
        error: io::Error::other(what.to_owned()),
    }
}
