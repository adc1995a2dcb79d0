//! What the index holds that the trees of the parent commits do not hold.
//!
//! Guided by the cache tree: a directory whose remembered tree id is the one in the first parent's
//! tree is passed over, entries and all. Git writes commits from the same cache tree, so what is
//! passed over here is what git would take over unseen.

use std::collections::HashMap;
use std::rc::Rc;

use super::file::{IndexEntry, IndexFile};
use super::parts::NodeId;
use crate::source::git::{ObjectId, Tree as RawTree};

/// Mode of a directory, in a tree and in a sparse index.
pub const MODE_DIRECTORY: u32 = 0o040_000;
/// Mode of a symbolic link; its blob is the path it points to.
pub const MODE_SYMLINK: u32 = 0o120_000;
/// Mode of a submodule; its id is a commit of another repository.
pub const MODE_GITLINK: u32 = 0o160_000;
const MODE_KIND: u32 = 0o170_000;

/// Gives the content of trees, decompressed, by their ids.
pub trait Trees {
    /// Why a tree cannot be read.
    type Error: From<MalformedTree>;

    /// The bytes of the tree object `id`.
    ///
    /// # Errors
    /// A tree that is missing or unreadable.
    fn tree(&self, id: ObjectId) -> Result<Vec<u8>, Self::Error>;
}

/// A tree whose bytes are not those of a tree, or that is nested beyond all reason.
#[derive(Debug, thiserror::Error)]
#[error("the tree {0} is malformed")]
pub struct MalformedTree(pub ObjectId);

/// A blob under a path, as one of the two sides of a difference has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// In octal, as git shows it.
    pub mode: u32,
    /// The blob (a commit, for a gitlink).
    pub id: ObjectId,
}

/// A path whose new content is not what any of the parents has there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Path from the top of the work tree.
    pub path: Box<[u8]>,
    /// What will be committed.
    pub new: Version,
    /// What the parents have under this path; none for a new path.
    pub before: Vec<Version>,
}

/// A path of the first parent that is gone. A directory stands for everything below it.
pub type Removed = (Box<[u8]>, Version);

/// What changed.
#[derive(Debug, Default)]
pub struct Difference {
    /// Sorted by path.
    pub changes: Vec<Change>,
    /// What the first parent has and the new side does not.
    pub removed: Vec<Removed>,
    /// Paths added with `--intent-to-add`, which are not committed.
    pub intended: Vec<Box<[u8]>>,
}

/// Compares `index` with the trees of `parents` (their ids; none for the first commit). A path is
/// changed if its content is another than in each of them.
///
/// # Errors
/// Whatever `trees` cannot give.
pub fn index_against<T: Trees>(
    index: &IndexFile,
    parents: &[ObjectId],
    trees: &T,
) -> Result<Difference, T::Error> {
    let cache = TreeCache::new(trees);
    let mut walk = Walk {
        index,
        cache: &cache,
        found: Difference::default(),
    };
    let root = index.cache_tree().and_then(|tree| tree.root());
    let mut prefix = Vec::new();
    walk.directory(0..index.len(), &mut prefix, root, parents.first().copied())?;
    let mut found = walk.found;
    for &parent in parents.iter().skip(1) {
        keep_changed(&mut found.changes, &cache, parent)?;
    }
    Ok(found)
}

/// Compares the tree `new` with the trees of its parents. A path is changed if its content is
/// another than in each of them.
///
/// # Errors
/// Whatever `cache` cannot give.
pub fn tree_against<T: Trees>(
    cache: &TreeCache<'_, T>,
    new: ObjectId,
    parents: &[ObjectId],
) -> Result<Difference, T::Error> {
    let mut found = Difference::default();
    between(
        cache,
        new,
        parents.first().copied(),
        &mut Vec::new(),
        &mut found,
    )?;
    for &parent in parents.iter().skip(1) {
        keep_changed(&mut found.changes, cache, parent)?;
    }
    Ok(found)
}

/// Every blob below the tree `id`, whose path is `prefix`, as removed paths.
///
/// # Errors
/// Whatever `trees` cannot give.
pub fn flatten<T: Trees>(trees: &T, id: ObjectId, prefix: &[u8]) -> Result<Vec<Removed>, T::Error> {
    let cache = TreeCache::new(trees);
    let mut found = Difference::default();
    let mut path = prefix.to_vec();
    path.push(b'/');
    between(&cache, id, None, &mut path, &mut found)?;
    Ok(found
        .changes
        .into_iter()
        .map(|change| (change.path, change.new))
        .collect())
}

/// Leaves only the changes whose content is not what the tree `parent` has at their path.
///
/// # Errors
/// Whatever `cache` cannot give.
pub fn keep_changed<T: Trees>(
    changes: &mut Vec<Change>,
    cache: &TreeCache<'_, T>,
    parent: ObjectId,
) -> Result<(), T::Error> {
    let mut kept = Vec::with_capacity(changes.len());
    for mut change in std::mem::take(changes) {
        match cache.lookup(parent, &change.path)? {
            Some(version) if version == change.new => {}
            Some(version) => {
                change.before.push(version);
                kept.push(change);
            }
            None => kept.push(change),
        }
    }
    *changes = kept;
    Ok(())
}

struct Walk<'w, T: Trees> {
    index: &'w IndexFile,
    cache: &'w TreeCache<'w, T>,
    found: Difference,
}

impl<T: Trees> Walk<'_, T> {
    /// Compares the entries in `range`, all of which lie below `prefix`, with the tree `old`.
    fn directory(
        &mut self,
        range: std::ops::Range<usize>,
        prefix: &mut Vec<u8>,
        node: Option<NodeId>,
        old: Option<ObjectId>,
    ) -> Result<(), T::Error> {
        if old.is_some() && self.remembered(node) == old {
            return Ok(());
        }
        let old = self.cache.maybe(old)?;
        let mut seen = vec![false; old.entries.len()];
        let mut at = range.start;
        while at < range.end {
            let name = &self.index.path(at)[prefix.len()..];
            match memchr::memchr(b'/', name) {
                None => {
                    self.file(self.index.entry(at), old.find(name, false, &mut seen));
                    at += 1;
                }
                Some(length) => {
                    let name = name[..length].to_vec();
                    let end = self
                        .index
                        .end_of_prefix(at, &self.index.path(at)[..prefix.len() + length + 1]);
                    let subtree = old.find(&name, true, &mut seen);
                    self.subdirectory(at..end, prefix, &name, node, subtree)?;
                    at = end;
                }
            }
        }
        for (entry, _) in old.entries.iter().zip(seen).filter(|(_, seen)| !seen) {
            self.found
                .removed
                .push((joined(prefix, &entry.name), entry.version()));
        }
        Ok(())
    }

    fn subdirectory(
        &mut self,
        range: std::ops::Range<usize>,
        prefix: &mut Vec<u8>,
        name: &[u8],
        parent: Option<NodeId>,
        old: Option<&TreeEntry>,
    ) -> Result<(), T::Error> {
        let outer = prefix.len();
        prefix.extend_from_slice(name);
        prefix.push(b'/');
        let old = old.map(|entry| entry.id);
        let first = self.index.entry(range.start);
        let done = if first.path.len() == prefix.len() {
            // A directory of a sparse index stands for its whole tree.
            between(self.cache, first.id, old, prefix, &mut self.found)
        } else {
            let child = parent.and_then(|parent| {
                self.index
                    .cache_tree()?
                    .child(parent, name, self.index.bytes())
            });
            self.directory(range, prefix, child, old)
        };
        prefix.truncate(outer);
        done
    }

    fn file(&mut self, entry: IndexEntry<'_>, old: Option<&TreeEntry>) {
        if entry.intent_to_add {
            self.found.intended.push(entry.path.into());
            return;
        }
        let new = Version {
            mode: entry.mode,
            id: entry.id,
        };
        let old = old.map(TreeEntry::version);
        if entry.stage == 0 && old.as_ref() == Some(&new) {
            return;
        }
        self.found.changes.push(Change {
            path: entry.path.into(),
            new,
            before: old.into_iter().collect(),
        });
    }

    fn remembered(&self, node: Option<NodeId>) -> Option<ObjectId> {
        self.index.cache_tree()?.id(node?)
    }
}

/// Compares two trees; what is in `new` and not the same in `old` is added to `found`.
fn between<T: Trees>(
    cache: &TreeCache<'_, T>,
    new: ObjectId,
    old: Option<ObjectId>,
    prefix: &mut Vec<u8>,
    found: &mut Difference,
) -> Result<(), T::Error> {
    if Some(new) == old {
        return Ok(());
    }
    if prefix.len() > LONGEST_PATH {
        return Err(MalformedTree(new).into());
    }
    let (new, old) = (cache.get(new)?, cache.maybe(old)?);
    let mut seen = vec![false; old.entries.len()];
    for entry in &new.entries {
        let before = old.find(&entry.name, entry.is_directory(), &mut seen);
        if entry.is_directory() {
            let outer = prefix.len();
            prefix.extend_from_slice(&entry.name);
            prefix.push(b'/');
            between(cache, entry.id, before.map(|old| old.id), prefix, found)?;
            prefix.truncate(outer);
        } else if before.map(TreeEntry::version) != Some(entry.version()) {
            found.changes.push(Change {
                path: joined(prefix, &entry.name),
                new: entry.version(),
                before: before.map(TreeEntry::version).into_iter().collect(),
            });
        }
    }
    for (entry, _) in old.entries.iter().zip(seen).filter(|(_, seen)| !seen) {
        found
            .removed
            .push((joined(prefix, &entry.name), entry.version()));
    }
    Ok(())
}

/// Entries of trees that are kept at once, of about a hundred bytes each: a long history has more
/// than fit into memory.
const MOST_ENTRIES: usize = 250_000;

/// Longer than any path that could be checked out; bounds the recursion.
const LONGEST_PATH: usize = 16 * 1024;

fn joined(prefix: &[u8], name: &[u8]) -> Box<[u8]> {
    [prefix, name].concat().into()
}

#[derive(Debug)]
struct TreeEntry {
    name: Box<[u8]>,
    mode: u32,
    id: ObjectId,
}

impl TreeEntry {
    fn is_directory(&self) -> bool {
        self.mode & MODE_KIND == MODE_DIRECTORY
    }

    fn version(&self) -> Version {
        Version {
            mode: self.mode,
            id: self.id,
        }
    }
}

/// A parsed tree, sorted by name, then kind.
#[derive(Debug, Default)]
struct Tree {
    entries: Vec<TreeEntry>,
}

impl Tree {
    fn parse(content: &[u8], id: ObjectId) -> Result<Self, MalformedTree> {
        let mut raw = RawTree::new(content, id.hash());
        let mut entries: Vec<TreeEntry> = raw
            .by_ref()
            .map(|entry| TreeEntry {
                name: entry.name.into(),
                mode: entry.mode,
                id: entry.id,
            })
            .collect();
        if raw.is_damaged() {
            return Err(MalformedTree(id));
        }
        // Git's own order puts a directory where its name with a slash would stand.
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self { entries })
    }

    /// The place of the entry `name` that is a directory, or of the one that is not.
    fn position(&self, name: &[u8], directory: bool) -> Option<usize> {
        let first = self.entries.partition_point(|entry| &*entry.name < name);
        let same = self.entries[first..]
            .iter()
            .take_while(|entry| &*entry.name == name);
        let mut same = same.enumerate();
        same.find(|(_, entry)| entry.is_directory() == directory)
            .map(|(offset, _)| first + offset)
    }

    /// As [`Tree::position`]; marks the entry as seen.
    fn find(&self, name: &[u8], directory: bool, seen: &mut [bool]) -> Option<&TreeEntry> {
        let at = self.position(name, directory)?;
        seen[at] = true;
        self.entries.get(at)
    }
}
/// Reads each tree once, more or less.
#[derive(Debug)]
pub struct TreeCache<'t, T: Trees> {
    trees: &'t T,
    known: std::cell::RefCell<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    trees: HashMap<ObjectId, Rc<Tree>>,
    entries: usize,
}

impl<'t, T: Trees> TreeCache<'t, T> {
    /// An empty cache of what `trees` gives.
    pub fn new(trees: &'t T) -> Self {
        Self {
            trees,
            known: std::cell::RefCell::default(),
        }
    }

    fn maybe(&self, id: Option<ObjectId>) -> Result<Rc<Tree>, T::Error> {
        id.map_or_else(|| Ok(Rc::default()), |id| self.get(id))
    }

    fn get(&self, id: ObjectId) -> Result<Rc<Tree>, T::Error> {
        if let Some(tree) = self.known.borrow().trees.get(&id) {
            return Ok(Rc::clone(tree));
        }
        let tree = Rc::new(Tree::parse(&self.trees.tree(id)?, id)?);
        let mut known = self.known.borrow_mut();
        if known.entries + tree.entries.len() > MOST_ENTRIES {
            *known = Kept::default();
        }
        known.entries += tree.entries.len();
        known.trees.insert(id, Rc::clone(&tree));
        drop(known);
        Ok(tree)
    }

    /// What stands at `path` below the tree `root`, unless it is a directory.
    fn lookup(&self, root: ObjectId, path: &[u8]) -> Result<Option<Version>, T::Error> {
        let mut tree = self.get(root)?;
        let mut names = path.split(|&byte| byte == b'/').peekable();
        while let Some(name) = names.next() {
            let directory = names.peek().is_some();
            let Some(at) = tree.position(name, directory) else {
                return Ok(None);
            };
            let found = &tree.entries[at];
            if !directory {
                return Ok(Some(found.version()));
            }
            let id = found.id;
            tree = self.get(id)?;
        }
        Ok(None)
    }
}
