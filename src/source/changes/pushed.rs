//! What is about to be pushed, or is being received: every new commit, its content and its
//! message, not only the tip. What is added in one commit and removed in the next is published.

use std::collections::HashSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::contents::{ChangeError, Contents};
use super::seen::Seen;
use super::{Changes, Entry, Text, hexadecimal, path_of, texts};
use crate::location::Origin;
use crate::source::NotScanned;
use crate::source::git::{Commit, Kind, ObjectId, Tag};
use crate::source::index::difference::{flatten, tree_against};
use crate::source::index::{Difference, TreeCache, Version};

/// One ref that is moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefUpdate {
    /// The ref on the receiving side.
    pub name: String,
    /// What it pointed at there; all zero if it is new.
    pub old: ObjectId,
    /// What it will point at; all zero if it is deleted.
    pub new: ObjectId,
}

/// What the receiving side has already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// What the remote-tracking refs of this remote, and the old ends of the updates, reach.
    Remote(String),
    /// What the remote-tracking refs of any remote, and the old ends of the updates, reach.
    AnyRemote,
    /// Everything that a ref of this repository, which is the receiving one, reaches.
    AllRefs,
    /// Only what the old ends of the updates reach.
    OldEnds,
}

/// Commits that one thread compares one after the other: their trees are mostly the same.
const CHUNK: usize = 128;

/// Everything that `updates` bring to a side that has what `known` says.
///
/// # Errors
/// Whatever cannot be read. It must block: nothing was looked at.
pub fn pushed(
    contents: Contents,
    updates: &[RefUpdate],
    known: &Known,
) -> Result<Changes, ChangeError> {
    let mut found = Found::default();
    let mut tips = Vec::new();
    for update in updates.iter().filter(|update| !update.new.is_null()) {
        tip(&contents, update.new, &mut tips, &mut found)?;
    }
    let commits = new_commits(&contents, &tips, updates, known)?;
    of_commits(
        &Arc::new(contents),
        &commits,
        found,
        false,
        &mut Seen::default(),
    )
}

/// What `commits` bring that was not `seen` before, with what was `found` already. With
/// `first_parent`, a merge is compared with its first parent only.
pub(super) fn of_commits(
    contents: &Arc<Contents>,
    commits: &[ObjectId],
    found: Found,
    first_parent: bool,
    seen: &mut Seen,
) -> Result<Changes, ChangeError> {
    let shallow: HashSet<ObjectId> = contents
        .repository()
        .shallow_commits()
        .into_iter()
        .collect();
    let most_parents = if first_parent { 1 } else { usize::MAX };
    let chunks: Vec<Result<Found, ChangeError>> = commits
        .par_chunks(CHUNK)
        .map(|chunk| {
            let cache = TreeCache::new(&**contents);
            let mut found = Found::default();
            for &commit in chunk {
                found.commit(&cache, contents, commit, &shallow, most_parents)?;
            }
            Ok(found)
        })
        .collect();
    let mut changes = Changes::new(Arc::clone(contents));
    found.move_into(&mut changes);
    for chunk in chunks {
        chunk?.move_into(&mut changes);
    }
    seen.leave_new_entries(&mut changes.entries);
    seen.leave_new_texts(&mut changes.texts);
    Ok(changes)
}

/// What was found, before it is part of [`Changes`].
#[derive(Debug, Default)]
pub(super) struct Found {
    entries: Vec<Entry>,
    pub(super) texts: Vec<Text>,
    /// What could not be looked at.
    pub(super) notes: Vec<NotScanned>,
    removed: Vec<(Box<str>, Difference)>,
}

impl Found {
    fn commit(
        &mut self,
        cache: &TreeCache<'_, Contents>,
        contents: &Contents,
        id: ObjectId,
        shallow: &HashSet<ObjectId>,
        most_parents: usize,
    ) -> Result<(), ChangeError> {
        let mut content = Vec::new();
        contents.read(id, Kind::Commit, &mut content)?;
        let not_a_commit = ChangeError::Kind { kind: "commit", id };
        let commit = Commit::parse(&content).ok_or(not_a_commit)?;
        let hexadecimal = hexadecimal(id);
        let texts = texts::of(&hexadecimal, None, &content, commit.message);
        self.texts.extend(texts);
        let mut parents = Vec::new();
        // A shallow clone has the names of these parents, and not the commits.
        if !shallow.contains(&id) {
            for &parent in commit.parents.iter().take(most_parents) {
                parents.push(contents.tree_of(parent)?);
            }
        }
        let Some(tree) = commit.tree else {
            return Ok(());
        };
        let mut difference = tree_against(cache, tree, &parents)?;
        for change in std::mem::take(&mut difference.changes) {
            self.entries.push(Entry {
                origin: Origin::Commit {
                    commit: hexadecimal.clone(),
                    path: path_of(&change.path),
                },
                new: change.new,
                before: change.before,
            });
        }
        if !difference.removed.is_empty() {
            self.removed.push((hexadecimal, difference));
        }
        Ok(())
    }

    fn move_into(mut self, changes: &mut Changes) {
        changes.entries.append(&mut self.entries);
        changes.texts.append(&mut self.texts);
        changes.notes.append(&mut self.notes);
        for (commit, difference) in self.removed {
            changes.removed.insert(Some(commit), difference.removed);
        }
    }
}

/// Adds the commit that `id` leads to to `tips`. Messages of tags are part of what is pushed; a
/// ref may also point at a tree or a blob.
fn tip(
    contents: &Contents,
    mut id: ObjectId,
    tips: &mut Vec<ObjectId>,
    found: &mut Found,
) -> Result<(), ChangeError> {
    let mut content = Vec::new();
    loop {
        let hexadecimal = hexadecimal(id);
        match contents.any(id, &mut content)? {
            Kind::Commit => tips.push(id),
            Kind::Tag => {
                let tag = Tag::parse(&content).ok_or(ChangeError::Kind { kind: "tag", id })?;
                let name = String::from_utf8_lossy(tag.name);
                let texts = texts::of(&hexadecimal, Some(&*name), &content, tag.message);
                found.texts.extend(texts);
                id = tag.target;
                continue;
            }
            Kind::Tree => {
                for (path, version) in flatten(contents, id, b"")? {
                    let path = path_of(path.strip_prefix(b"/").unwrap_or(&path));
                    found.lone(hexadecimal.clone(), path, version);
                }
            }
            Kind::Blob => {
                let path = path_of(id.to_string().as_bytes());
                let version = Version {
                    mode: 0o100_644,
                    id,
                };
                found.lone(hexadecimal, path, version);
            }
        }
        return Ok(());
    }
}

impl Found {
    fn lone(&mut self, commit: Box<str>, path: std::path::PathBuf, new: Version) {
        self.entries.push(Entry {
            origin: Origin::Commit { commit, path },
            new,
            before: Vec::new(),
        });
    }
}

/// The commits that `tips` reach and the receiving side does not have, oldest first.
fn new_commits(
    contents: &Contents,
    tips: &[ObjectId],
    updates: &[RefUpdate],
    known: &Known,
) -> Result<Vec<ObjectId>, ChangeError> {
    if tips.is_empty() {
        return Ok(Vec::new());
    }
    let mut input = String::new();
    for tip in tips {
        input.push_str(&format!("{tip}\n"));
    }
    let mut have = Vec::new();
    match known {
        Known::Remote(name) => have = refs_below(contents, &format!("refs/remotes/{name}/"))?,
        Known::AnyRemote => have = refs_below(contents, "refs/remotes/")?,
        Known::AllRefs => have = refs_below(contents, "refs/")?,
        Known::OldEnds => {}
    }
    have.extend(
        updates
            .iter()
            .map(|update| update.old)
            .filter(|old| !old.is_null()),
    );
    let mut content = Vec::new();
    // The other side may have what we never fetched; that does not help us to leave anything out.
    for id in have {
        let kind = contents.any(id, &mut content);
        if matches!(kind, Ok(Kind::Commit | Kind::Tag)) {
            input.push_str(&format!("^{id}\n"));
        }
    }
    let listed = contents.git_fed(
        &["rev-list", "--topo-order", "--reverse", "--stdin"],
        input.into_bytes(),
    )?;
    let odd = || ChangeError::git("rev-list", "its answer is not understood");
    listed
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| ObjectId::from_hex(line).ok_or_else(odd))
        .collect()
}

fn refs_below(contents: &Contents, prefix: &str) -> Result<Vec<ObjectId>, ChangeError> {
    let listed = contents.git(&["for-each-ref", "--format=%(objectname)", prefix])?;
    let mut ids: Vec<ObjectId> = listed
        .split(|&byte| byte == b'\n')
        .filter_map(ObjectId::from_hex)
        .collect();
    ids.sort();
    ids.dedup();
    Ok(ids)
}
