//! The commits of a repository, and of its trees what leads to something found.
//!
//! Which trees do is known from the record of a walk; only these are read, and of their entries only
//! those are kept that lead there or hold a finding. Each distinct entry is kept once, so that a
//! tree costs four bytes an entry: the version of a directory that did not change is the same
//! entry in every version of the directory above it.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::prelude::*;

use super::entries::{self, Entry};
use super::hits::{HitId, Hits, Subject};
use super::record::{Record, Short, Shorts, short};
use super::token::{TokenMap, Tokens};
use crate::source::git::{
    HashKind, Kind, LargeBlob, NotRead, ObjectError, ObjectId, ObjectRef, ObjectStore, Selection,
    Visit,
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
    by_id: TokenMap<CommitNumber>,
    trees: TokenMap<TreeNumber>,
    starts: Vec<u32>,
    lists: Vec<u32>,
    edges: Vec<Edge>,
    names: Vec<Box<[u8]>>,
    tokens: Tokens,
}

impl Graph {
    /// Makes it of what `record` noted of `store`: reads the trees that lead to one of `hits`.
    pub(super) fn read(
        store: &ObjectStore,
        hits: &Hits,
        record: Record,
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Self {
        let leading = record.leading(hits.shorts(record.tokens()));
        let (commits, by_id) = link(&record);
        let tokens = record.into_tokens();
        let collector = Collector {
            hash: store.hash(),
            hits,
            leading: &leading,
            tokens: &tokens,
            workers: Mutex::default(),
            collected: Mutex::default(),
            stopped,
        };
        collector.read(store);
        let collected = collector.collected.into_inner();
        let collected = collected.unwrap_or_else(PoisonError::into_inner);
        collected.finish(commits, by_id, tokens)
    }

    /// The commit with this id.
    pub(super) fn commit(&self, id: &ObjectId) -> Option<CommitNumber> {
        self.by_id.get(&self.tokens.id(id.as_bytes())).copied()
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

/// What all threads have collected.
#[derive(Debug, Default)]
struct Collected {
    /// Each tree's token, and where its list ends.
    trees: Vec<(u64, u32)>,
    lists: Vec<u32>,
    edges: Vec<RawEdge>,
    numbers: TokenMap<u32>,
    names: Vec<Box<[u8]>>,
    name_numbers: HashMap<Box<[u8]>, u32>,
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

    fn finish(self, commits: Vec<Node>, by_id: TokenMap<CommitNumber>, tokens: Tokens) -> Graph {
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

/// The commits, each with its parents, and their numbers by token. A commit that was shown twice is
/// one.
fn link(record: &Record) -> (Vec<Node>, TokenMap<CommitNumber>) {
    let mut by_id = TokenMap::default();
    let mut nodes = Vec::new();
    let mut links = Vec::new();
    for (commit, parents) in record.commits() {
        let token = record.tokens().id(commit.id.as_bytes());
        let number = nodes.len() as CommitNumber;
        if *by_id.entry(token).or_insert(number) != number {
            continue;
        }
        links.push(parents);
        nodes.push(Node {
            id: commit.id,
            tree: commit.tree,
            parents: Vec::new(),
            is_cut: false,
            seconds: commit.seconds,
        });
    }
    for (node, tokens) in nodes.iter_mut().zip(links) {
        let parents = tokens.iter().filter_map(|parent| by_id.get(parent));
        node.parents = parents.copied().collect();
        node.is_cut = node.parents.len() < tokens.len();
    }
    (nodes, by_id)
}

/// So few trees are read one by one; more of them by a walk through the packs, which makes each
/// base once, and has to find out first what is a tree.
const FEW: usize = 3000;

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
    leading: &'c Shorts,
    tokens: &'c Tokens,
    workers: Mutex<Vec<Worker>>,
    collected: Mutex<Collected>,
    stopped: &'c (dyn Fn() -> bool + Sync),
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Collector<'_> {
    /// Reads the trees that lead to something.
    fn read(&self, store: &ObjectStore) {
        let leads = |id: &ObjectId| self.leading.contains(short(self.tokens, id.as_bytes()));
        if self.leading.len() > FEW {
            let leads_nowhere = |id: &ObjectId| !leads(id);
            let trees = Selection::of(&[Kind::Tree]).without(&leads_nowhere);
            return store.for_each(trees, self);
        }
        let mut ids = Vec::new();
        store.listing(|id| ids.extend(Some(*id).filter(leads)));
        ids.sort_unstable();
        ids.dedup();
        ids.par_iter().for_each_init(Vec::new, |content, id| {
            // What cannot be read the walk that made the record has told of.
            if let Ok(Some(Kind::Tree)) = store.find(id, content) {
                self.tree(id, content);
            }
        });
    }

    fn tree(&self, id: &ObjectId, content: &[u8]) {
        let mut worker = lock(&self.workers).pop().unwrap_or_default();
        worker.list.clear();
        let names = self.hits.may_name(content);
        entries::for_each(content, self.hash, |entry| {
            if entry.is_tree {
                let tree = self.tokens.id(entry.id);
                if self.leading.contains(tree as Short) {
                    self.edge(&mut worker, tree, NO_HIT, entry.name);
                }
            } else if let Some(hit) = self.hits.blob(entry.id, self.tokens) {
                self.edge(&mut worker, u64::from(hit), hit, entry.name);
            }
            if names {
                self.name(&mut worker, &entry);
            }
        });
        let mut collected = lock(&self.collected);
        collected.lists.extend_from_slice(&worker.list);
        let end = collected.lists.len() as u32;
        collected.trees.push((self.tokens.id(id.as_bytes()), end));
        lock(&self.workers).push(worker);
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
        self.tree(&object.id(), object.bytes);
    }

    fn large(&self, _blob: &mut LargeBlob<'_>) -> Result<(), ObjectError> {
        Ok(())
    }

    // The walk that made the record has told of it.
    fn not_read(&self, _what: NotRead) {}

    fn stopped(&self) -> bool {
        (self.stopped)()
    }
}
