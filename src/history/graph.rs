//! The commits of a repository, and of its trees what leads to something found.
//!
//! One walk over all commits and trees, in the order in which packs hold them, each decoded once.
//! Of a tree only the entries are kept that are directories or hold a finding, and each distinct
//! entry once, so that a tree costs four bytes an entry: the version of a directory that did not
//! change is the same entry in every version of the directory above it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::entries::{self, Entry};
use super::hits::{HitId, Hits, Subject};
use super::token::{TokenMap, Tokens};
use crate::source::git::{
    Commit, HashKind, Kind, LargeBlob, NotRead, ObjectError, ObjectId, ObjectRef, ObjectStore,
    Selection, Visit,
};

/// Number of a commit of the graph.
pub(super) type CommitNumber = u32;
/// Number of a tree of the graph.
pub(super) type TreeNumber = u32;

/// One commit.
#[derive(Debug)]
pub(super) struct Node {
    /// Its id.
    pub(super) id: ObjectId,
    /// The token of its tree.
    tree: u64,
    /// Its parents, those that are here; in order.
    pub(super) parents: Vec<CommitNumber>,
    /// Whether a parent is not here.
    pub(super) is_cut: bool,
    /// When it was committed, in seconds since 1970.
    pub(super) seconds: i64,
}

/// Where an entry of a tree leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// To a directory.
    Tree(TreeNumber),
    /// To something that holds a finding.
    Hit(HitId),
    /// To a directory that is not here.
    Absent,
}

/// An entry of a tree, shared by all trees that have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Edge {
    /// Where it leads.
    pub(super) target: Target,
    /// Number of its name.
    pub(super) name: u32,
}

/// Commits, trees and what they hold.
#[derive(Debug)]
pub(super) struct Graph {
    /// All commits, in no particular order.
    pub(super) commits: Vec<Node>,
    by_id: HashMap<ObjectId, CommitNumber>,
    trees: TokenMap<TreeNumber>,
    starts: Vec<u32>,
    lists: Vec<u32>,
    edges: Vec<Edge>,
    names: Vec<Box<[u8]>>,
    tokens: Tokens,
}

impl Graph {
    /// Reads all commits and trees of `store`. What cannot be read goes to `not_read`.
    pub(super) fn read(
        store: &ObjectStore,
        hits: &Hits,
        tokens: Tokens,
        not_read: &mut Vec<NotRead>,
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Self {
        let collector = Collector {
            hash: store.hash(),
            hits,
            tokens: &tokens,
            workers: Mutex::default(),
            collected: Mutex::default(),
            stopped,
        };
        store.for_each(Selection::of(&[Kind::Commit, Kind::Tree]), &collector);
        let collected = collector.collected.into_inner();
        let mut collected = collected.unwrap_or_else(PoisonError::into_inner);
        not_read.append(&mut collected.not_read);
        collected.finish(tokens)
    }

    /// The commit with this id.
    pub(super) fn commit(&self, id: &ObjectId) -> Option<CommitNumber> {
        self.by_id.get(id).copied()
    }

    /// The tree at the root of a commit.
    pub(super) fn root(&self, commit: CommitNumber) -> Option<TreeNumber> {
        let tree = self.commits[commit as usize].tree;
        self.trees.get(&tree).copied()
    }

    /// The tree with this id.
    pub(super) fn tree(&self, id: &ObjectId) -> Option<TreeNumber> {
        self.trees.get(&self.tokens.id(id.as_bytes())).copied()
    }

    /// How many trees there are.
    pub(super) fn tree_count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The entries of `tree` that lead to directories or to something found.
    pub(super) fn entries(&self, tree: TreeNumber) -> impl ExactSizeIterator<Item = Edge> + '_ {
        let tree = tree as usize;
        let range = self.starts[tree] as usize..self.starts[tree + 1] as usize;
        self.lists[range].iter().map(|&it| self.edges[it as usize])
    }

    /// The name with this number.
    pub(super) fn name(&self, name: u32) -> &[u8] {
        &self.names[name as usize]
    }
}

/// A tree entry while the walk goes on: the token of a directory, or a hit.
#[derive(Debug)]
struct RawEdge {
    tree: u64,
    hit: HitId,
    name: u32,
}

/// In the place of a hit: it is a directory.
const NO_HIT: HitId = HitId::MAX;

#[derive(Debug)]
struct RawCommit {
    id: ObjectId,
    tree: u64,
    parents: Vec<ObjectId>,
    seconds: i64,
}

/// What all threads have collected.
#[derive(Debug, Default)]
struct Collected {
    commits: Vec<RawCommit>,
    /// Each tree's token, and where its list ends.
    trees: Vec<(u64, u32)>,
    lists: Vec<u32>,
    edges: Vec<RawEdge>,
    numbers: TokenMap<u32>,
    names: Vec<Box<[u8]>>,
    name_numbers: HashMap<Box<[u8]>, u32>,
    not_read: Vec<NotRead>,
}

impl Collected {
    /// The number of an entry; `key` tells it from all others.
    fn edge(&mut self, key: u64, tree: u64, hit: HitId, name: &[u8]) -> u32 {
        if let Some(&known) = self.numbers.get(&key) {
            return known;
        }
        let name = self.name(name);
        let number = self.edges.len() as u32;
        self.edges.push(RawEdge { tree, hit, name });
        self.numbers.insert(key, number);
        number
    }

    fn name(&mut self, name: &[u8]) -> u32 {
        if let Some(&known) = self.name_numbers.get(name) {
            return known;
        }
        let number = self.names.len() as u32;
        self.names.push(name.into());
        self.name_numbers.insert(name.into(), number);
        number
    }

    fn finish(self, tokens: Tokens) -> Graph {
        // What only told entries apart goes first: it is a third of the memory.
        drop((self.numbers, self.name_numbers));
        let mut starts = Vec::with_capacity(self.trees.len() + 1);
        starts.push(0);
        starts.extend(self.trees.iter().map(|tree| tree.1));
        let numbered = self.trees.iter().enumerate();
        let trees: TokenMap<TreeNumber> = numbered
            .map(|(number, tree)| (tree.0, number as TreeNumber))
            .collect();
        drop(self.trees);
        let target = |edge: &RawEdge| match (edge.hit, trees.get(&edge.tree)) {
            (NO_HIT, Some(&tree)) => Target::Tree(tree),
            (NO_HIT, None) => Target::Absent,
            (hit, _) => Target::Hit(hit),
        };
        let edge = |edge: RawEdge| Edge {
            target: target(&edge),
            name: edge.name,
        };
        let edges = self.edges.into_iter().map(edge).collect();
        let (commits, by_id) = link(self.commits);
        Graph {
            commits,
            by_id,
            trees,
            starts,
            lists: self.lists,
            edges,
            names: self.names,
            tokens,
        }
    }
}

/// Finds every commit's parents.
fn link(raw: Vec<RawCommit>) -> (Vec<Node>, HashMap<ObjectId, CommitNumber>) {
    let numbered = raw.iter().enumerate();
    let by_id: HashMap<ObjectId, CommitNumber> = numbered
        .map(|(number, commit)| (commit.id, number as CommitNumber))
        .collect();
    let node = |commit: RawCommit| {
        let parents: Vec<CommitNumber> = commit
            .parents
            .iter()
            .filter_map(|parent| by_id.get(parent).copied())
            .collect();
        Node {
            id: commit.id,
            tree: commit.tree,
            is_cut: parents.len() < commit.parents.len(),
            parents,
            seconds: commit.seconds,
        }
    };
    (raw.into_iter().map(node).collect(), by_id)
}

/// Entries that a thread remembers: trees that follow on each other are mostly the same.
const REMEMBERED: usize = 4096;

/// What a thread keeps between trees.
struct Worker {
    known: Box<[(u64, u32)]>,
    list: Vec<u32>,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            known: vec![(0, 0); REMEMBERED].into_boxed_slice(),
            list: Vec::new(),
        }
    }
}

struct Collector<'c> {
    hash: HashKind,
    hits: &'c Hits,
    tokens: &'c Tokens,
    workers: Mutex<Vec<Worker>>,
    collected: Mutex<Collected>,
    stopped: &'c (dyn Fn() -> bool + Sync),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collector<'_> {
    fn commit(&self, id: ObjectId, content: &[u8]) {
        let Some(commit) = Commit::parse(content) else {
            return;
        };
        let tree = commit.tree.map_or(0, |id| self.tokens.id(id.as_bytes()));
        lock(&self.collected).commits.push(RawCommit {
            id,
            tree,
            parents: commit.parents,
            seconds: commit.committer.seconds,
        });
    }

    fn tree(&self, id: &ObjectId, content: &[u8], worker: &mut Worker) {
        worker.list.clear();
        let names = self.hits.may_name(content);
        entries::for_each(content, self.hash, |entry| {
            if entry.is_tree {
                let tree = self.tokens.id(entry.id);
                self.edge(worker, tree, NO_HIT, entry.name);
            } else if let Some(hit) = self.hits.blob(entry.id, self.tokens) {
                self.edge(worker, u64::from(hit), hit, entry.name);
            }
            if names {
                self.name(worker, &entry);
            }
        });
        let mut collected = lock(&self.collected);
        collected.lists.extend_from_slice(&worker.list);
        let end = collected.lists.len() as u32;
        collected.trees.push((self.tokens.id(id.as_bytes()), end));
    }

    /// Notes an entry whose name itself was found.
    fn name(&self, worker: &mut Worker, entry: &Entry<'_>) {
        if let Some(hit) = self.hits.number(&Subject::Name(entry.name.into())) {
            self.edge(worker, u64::from(hit), hit, entry.name);
        }
    }

    /// Adds the entry to the worker's list.
    fn edge(&self, worker: &mut Worker, tree: u64, hit: HitId, name: &[u8]) {
        let key = self
            .tokens
            .name(tree ^ u64::from(hit).rotate_left(32), name);
        let slot = &mut worker.known[key as usize % REMEMBERED];
        if slot.0 != key {
            *slot = (key, lock(&self.collected).edge(key, tree, hit, name));
        }
        worker.list.push(slot.1);
    }
}

impl Visit for Collector<'_> {
    fn object(&self, object: &ObjectRef<'_>) {
        match object.kind {
            Kind::Commit => self.commit(object.id(), object.bytes),
            Kind::Tree => {
                let mut worker = lock(&self.workers).pop().unwrap_or_default();
                self.tree(&object.id(), object.bytes, &mut worker);
                lock(&self.workers).push(worker);
            }
            Kind::Blob | Kind::Tag => {}
        }
    }

    fn large(&self, _blob: &mut LargeBlob<'_>) -> Result<(), ObjectError> {
        Ok(())
    }

    fn not_read(&self, what: NotRead) {
        lock(&self.collected).not_read.push(what);
    }

    fn stopped(&self) -> bool {
        (self.stopped)()
    }
}
