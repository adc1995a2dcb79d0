//! What is about to be committed.
//!
//! It is read from the index that git points to (`GIT_INDEX_FILE`: for `git commit -a` and
//! `git commit PATH` that is not `.git/index`), never from the work tree.

use std::sync::Arc;

use super::contents::{ChangeError, Contents, EMPTY_TREES};
use super::parents::parents;
use super::{Changes, Entry, path_of, settings};
use crate::location::Origin;
use crate::source::NotScanned;
use crate::source::git::{HashKind, ObjectId, Repository};
use crate::source::index::difference::{index_against, keep_changed};
use crate::source::index::{Change, Difference, IndexFile, Removed, TreeCache, Version};

/// Compares the index of `repository` with the parents of the commit that would be made from it.
///
/// What has the content of one of them is not new.
///
/// # Errors
/// Whatever cannot be read, by us and by git. It must block: nothing was looked at.
pub fn staged(repository: Repository) -> Result<Changes, ChangeError> {
    let contents = Contents::open(repository)?;
    let mut trees = Vec::new();
    for parent in parents(&contents)? {
        trees.push(contents.tree_of(parent)?);
    }
    let (difference, settings) = match by_ourselves(&contents, &trees) {
        Ok(found) => found,
        // An index of a form that only git knows, or a tree that is yet to be fetched.
        Err(_) => (by_git(&contents, &trees)?, settings::listed(&contents)?),
    };
    let mut changes = changes(contents, difference);
    changes.settings = settings;
    Ok(changes)
}

fn by_ourselves(
    contents: &Contents,
    trees: &[ObjectId],
) -> Result<(Difference, Vec<Removed>), String> {
    let repository = contents.repository();
    let index = IndexFile::read(repository.index(), repository.git_dir(), repository.hash())
        .map_err(|error| error.to_string())?;
    let said = |error: ChangeError| error.to_string();
    let difference = index_against(&index, trees, contents).map_err(said)?;
    let settings = settings::in_index(contents, &index).map_err(said)?;
    Ok((difference, settings))
}

/// The same difference as git sees it.
fn by_git(contents: &Contents, trees: &[ObjectId]) -> Result<Difference, ChangeError> {
    let empty = match contents.repository().hash() {
        HashKind::Sha1 => EMPTY_TREES[0],
        HashKind::Sha256 => EMPTY_TREES[1],
    };
    let first = trees.first().map(ToString::to_string);
    let first = first.as_deref().unwrap_or(empty);
    let output = contents.git(&[
        "diff-index",
        "--cached",
        "--raw",
        "-r",
        "-z",
        "--no-renames",
        "--no-abbrev",
        first,
    ])?;
    let mut found = parse_raw(&output)
        .ok_or_else(|| ChangeError::git("diff-index", "its answer is not understood"))?;
    let cache = TreeCache::new(contents);
    for &parent in trees.iter().skip(1) {
        keep_changed(&mut found.changes, &cache, parent)?;
    }
    Ok(found)
}

/// Parses `:<mode> <mode> <id> <id> <status> NUL <path> NUL`, again and again.
fn parse_raw(output: &[u8]) -> Option<Difference> {
    let mut found = Difference::default();
    let mut fields = output.split(|&byte| byte == 0);
    loop {
        let about = fields.next()?;
        if about.is_empty() {
            return fields.next().is_none().then_some(found);
        }
        let path: Box<[u8]> = fields.next()?.into();
        let words: Vec<&[u8]> = about.strip_prefix(b":")?.split(|&b| b == b' ').collect();
        let [old_mode, new_mode, old_id, new_id, status] = words[..] else {
            return None;
        };
        let old = version(old_mode, old_id)?;
        let new = version(new_mode, new_id)?;
        match status.first()? {
            b'D' => found.removed.extend(old.map(|old| (path, old))),
            b'A' | b'M' | b'T' => found.changes.push(Change {
                path,
                new: new?,
                before: old.into_iter().collect(),
            }),
            // Unmerged, unknown: git has to sort it out first.
            _ => return None,
        }
    }
}

/// A version, which is none where the id is all zero.
fn version(mode: &[u8], id: &[u8]) -> Option<Option<Version>> {
    let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok()?;
    let id = ObjectId::from_hex(id)?;
    Some((!id.is_null()).then_some(Version { mode, id }))
}

fn changes(contents: Contents, difference: Difference) -> Changes {
    let mut changes = Changes::new(Arc::new(contents));
    changes.entries = difference
        .changes
        .into_iter()
        .map(|change| Entry {
            origin: Origin::Index(path_of(&change.path)),
            new: change.new,
            before: change.before,
        })
        .collect();
    changes.notes = difference
        .intended
        .iter()
        .map(|path| NotScanned {
            path: String::from_utf8_lossy(path).into_owned(),
            reason: "added with --intent-to-add: its content is not part of the commit".into(),
            incomplete: false,
        })
        .collect();
    if !difference.removed.is_empty() {
        changes.removed.insert(None, difference.removed);
    }
    changes
}
