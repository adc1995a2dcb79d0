//! Commits and directories that a history names and that are not here, though nothing says that it
//! is cut: what a clone has lost is not clean.

use std::collections::{BTreeMap, HashSet};

use super::record::Record;
use super::token::TokenMap;
use crate::report::summary;
use crate::source::NotScanned;
use crate::source::changes::{empty_trees, is_empty_tree};
use crate::source::git::{Commit, Kind, ObjectId, ObjectStore, Refs, Repository, Tag};

/// Objects told one by one; the rest is counted.
const MOST_TOLD: usize = 100;

/// What refs of `repository` lead to and `store` has not got, and refs that cannot be read; `record` is
/// of the commits that were scanned. A partial clone may lack anything, and so may what no ref
/// leads to: git prunes by age.
pub(super) fn lacking(
    record: &Record,
    repository: &Repository,
    store: &ObjectStore,
) -> Vec<NotScanned> {
    let refs = Refs::read(repository);
    let mut lacking: Vec<NotScanned> = refs.problems.iter().cloned().map(super::told).collect();
    let shallow: HashSet<ObjectId> = repository.shallow_commits().into_iter().collect();
    if repository.is_partial() || has_all(record, &refs, &shallow, store) {
        return lacking;
    }
    let absent = reached(&refs, store, &shallow);
    let more = absent.len().saturating_sub(MOST_TOLD);
    let told = |(id, (kind, by)): (ObjectId, (&str, String))| NotScanned {
        path: format!("{kind} {id}"),
        reason: format!("not here, though {by} names it; what it leads to was not scanned"),
        incomplete: true,
    };
    lacking.extend(absent.into_iter().take(MOST_TOLD).map(told));
    if more > 0 {
        lacking.push(NotScanned {
            path: summary::count(more as u64, "more object"),
            reason: "not here, like those named".to_owned(),
            incomplete: true,
        });
    }
    lacking
}

/// Whether everything is here that the recorded commits and the refs name: parents and root directories.
/// What they name is struck off by one look at the names of all objects.
fn has_all(record: &Record, refs: &Refs, shallow: &HashSet<ObjectId>, store: &ObjectStore) -> bool {
    let token = |id: &ObjectId| record.tokens().id(id.as_bytes());
    let targets = refs.all.iter().map(|reference| token(&reference.target));
    let mut named: TokenMap<()> = targets.map(|target| (target, ())).collect();
    for (commit, parents) in record.commits() {
        named.insert(commit.tree, ());
        // A shallow clone has the names of these parents, and not the commits.
        if !shallow.contains(&commit.id) {
            named.extend(parents.iter().map(|&parent| (parent, ())));
        }
    }
    store.listing(|id| {
        named.remove(&token(id));
    });
    for id in empty_trees() {
        named.remove(&token(&id));
    }
    named.is_empty()
}

/// The absent objects that refs lead to: what they are, and what names them.
fn reached(
    refs: &Refs,
    store: &ObjectStore,
    shallow: &HashSet<ObjectId>,
) -> BTreeMap<ObjectId, (&'static str, String)> {
    let tips = refs.all.iter();
    let mut waiting: Vec<(ObjectId, String)> = tips
        .map(|reference| (reference.target, reference.name.clone()))
        .collect();
    let (mut seen, mut absent) = (HashSet::new(), BTreeMap::new());
    let mut content = Vec::new();
    while let Some((id, by)) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let kind = match store.find(&id, &mut content) {
            Ok(Some(kind)) => kind,
            Ok(None) => {
                absent.insert(id, ("object", by));
                continue;
            }
            // Damaged: the scan has told of it.
            Err(_) => continue,
        };
        let name = format!("{} {id}", kind.as_str());
        if let Some(commit) = Commit::parse(&content).filter(|_| kind == Kind::Commit) {
            let tree = commit.tree.filter(|tree| !is_empty_tree(*tree));
            if let Some(tree) = tree.filter(|tree| !store.contains(tree)) {
                absent.insert(tree, ("tree", name.clone()));
            }
            let parents = commit
                .parents
                .into_iter()
                .filter(|_| !shallow.contains(&id));
            waiting.extend(parents.map(|parent| (parent, name.clone())));
        } else if let Some(tag) = Tag::parse(&content).filter(|_| kind == Kind::Tag) {
            waiting.push((tag.target, name));
        }
    }
    absent
}
