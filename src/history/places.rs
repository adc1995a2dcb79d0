//! The paths at which things were found, each with the first commit that has it there.

use std::collections::{HashMap, HashSet};

use super::graph::{CommitNumber, Graph, Target, TreeNumber};
use super::hits::HitId;

/// Number of a path.
pub(super) type PathId = u32;

/// The top of the tree.
const TOP: PathId = 0;

/// Directories that are looked into, one path at a time. No history of real life has so many that
/// lead to a finding; a few trees that name each other many times (a "git bomb") have billions.
const MOST_VISITS: usize = 4_000_000;
/// Trees are followed this deep.
const DEEPEST: usize = 512;

/// Paths, and what was found at them.
#[derive(Debug)]
pub(super) struct Places {
    /// For each hit, in the order in which commits were shown: path and commit.
    pub(super) of_hit: HashMap<HitId, Vec<(PathId, CommitNumber)>>,
    known: HashSet<(HitId, PathId)>,
    paths: Vec<(PathId, u32)>,
    numbers: HashMap<(PathId, u32), PathId>,
    seen: HashSet<(TreeNumber, PathId)>,
}

impl Places {
    /// No places yet.
    pub(super) fn new() -> Self {
        Self {
            of_hit: HashMap::new(),
            known: HashSet::new(),
            paths: vec![(TOP, 0)],
            numbers: HashMap::new(),
            seen: HashSet::new(),
        }
    }

    /// Whether so much was seen that the rest was left out.
    pub(super) fn is_full(&self) -> bool {
        self.seen.len() >= MOST_VISITS
    }

    /// Notes what is below `root`, as far as no earlier call has. `leads` says which trees lead to
    /// a hit.
    pub(super) fn visit(
        &mut self,
        graph: &Graph,
        leads: &[bool],
        root: TreeNumber,
        commit: CommitNumber,
    ) {
        let mut waiting = vec![(root, TOP, 0)];
        while let Some((tree, path, depth)) = waiting.pop() {
            let visited = !leads[tree as usize] || depth > DEEPEST || self.is_full();
            if visited || !self.seen.insert((tree, path)) {
                continue;
            }
            for edge in graph.entries(tree) {
                match edge.target {
                    Target::Absent => {}
                    Target::Tree(below) if !leads[below as usize] => {}
                    Target::Tree(below) => {
                        let path = self.path_below(path, edge.name);
                        waiting.push((below, path, depth + 1));
                    }
                    Target::Hit(hit) => {
                        let path = self.path_below(path, edge.name);
                        if self.known.insert((hit, path)) {
                            self.of_hit.entry(hit).or_default().push((path, commit));
                        }
                    }
                }
            }
        }
    }

    fn path_below(&mut self, parent: PathId, name: u32) -> PathId {
        let next = self.paths.len() as PathId;
        let number = *self.numbers.entry((parent, name)).or_insert(next);
        if number == next {
            self.paths.push((parent, name));
        }
        number
    }

    /// The bytes of a path.
    pub(super) fn path(&self, graph: &Graph, mut path: PathId) -> Vec<u8> {
        let mut names = Vec::new();
        while path != TOP {
            let (parent, name) = self.paths[path as usize];
            names.push(graph.name(name));
            path = parent;
        }
        names.reverse();
        names.join(&b'/')
    }
}
