//! Which commit holds which findings, and what follows from it: first and last commits, removals,
//! and what each ref's history holds.

use std::collections::HashMap;

use super::graph::{CommitNumber, Graph, Target, TreeNumber};
use super::hits::{HitId, Hits, Subject};
use super::sets::{SetId, Sets};
use crate::provenance::Reachability;
use crate::source::git::Kind;

/// A value for every tree, made from the values of what it leads to.
pub(super) fn fold<T: Copy>(
    graph: &Graph,
    empty: T,
    hit: impl Fn(HitId) -> T,
    mut join: impl FnMut(T, T) -> T,
) -> Vec<T> {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        New,
        Entered,
        Done,
    }
    let count = graph.tree_count();
    let (mut states, mut values) = (vec![State::New; count], vec![empty; count]);
    let mut stack: Vec<TreeNumber> = Vec::new();
    for start in 0..count {
        stack.push(start as TreeNumber);
        while let Some(&tree) = stack.last() {
            let state = states[tree as usize];
            if state == State::New {
                states[tree as usize] = State::Entered;
                let below = graph.entries(tree).filter_map(|edge| match edge.target {
                    Target::Tree(below) => Some(below),
                    _ => None,
                });
                stack.extend(below.filter(|&below| states[below as usize] == State::New));
                continue;
            }
            stack.pop();
            if state == State::Entered {
                states[tree as usize] = State::Done;
                values[tree as usize] =
                    graph
                        .entries(tree)
                        .fold(empty, |value, edge| match edge.target {
                            Target::Tree(below) => join(value, values[below as usize]),
                            Target::Hit(number) => join(value, hit(number)),
                            Target::Absent => value,
                        });
            }
        }
    }
    values
}

/// What the commits of one class say about a finding. Commits are named by their place in the
/// order.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Facts {
    /// The first that holds it, the last, and how many do.
    pub(super) held: Option<(usize, usize, u64)>,
    /// The last that took it out.
    pub(super) removed: Option<usize>,
}

/// What holds the findings of a batch.
#[derive(Debug)]
pub(super) struct Holding {
    sets: Sets,
    /// For each hit, the findings in it.
    hits: Vec<SetId>,
    trees: Vec<SetId>,
    /// For each commit, what it holds, and what its whole history does.
    commits: Vec<(SetId, SetId)>,
}

impl Holding {
    /// For the findings of the range `from..from + size`.
    pub(super) fn new(
        graph: &Graph,
        order: &[CommitNumber],
        hits: &Hits,
        from: usize,
        size: usize,
    ) -> Self {
        let mut sets = Sets::new(size);
        let of_hits: Vec<SetId> = hits
            .all
            .iter()
            .map(|(_, findings)| {
                let in_batch = findings.iter().filter_map(|it| it.checked_sub(from));
                sets.of(in_batch.filter(|&it| it < size))
            })
            .collect();
        let trees = fold(
            graph,
            Sets::EMPTY,
            |hit| of_hits[hit as usize],
            |a, b| sets.union(a, b),
        );
        let mut holding = Self {
            sets,
            hits: of_hits,
            trees,
            commits: vec![(Sets::EMPTY, Sets::EMPTY); graph.commits.len()],
        };
        for &number in order {
            let node = &graph.commits[number as usize];
            let message = hits.number(&Subject::Object(Kind::Commit, node.id));
            let message = message.map_or(Sets::EMPTY, |hit| holding.hits[hit as usize]);
            let tree = graph.root(number);
            let tree = tree.map_or(Sets::EMPTY, |tree| holding.trees[tree as usize]);
            let held = holding.sets.union(message, tree);
            let mut history = held;
            for &parent in &node.parents {
                history = holding
                    .sets
                    .union(history, holding.commits[parent as usize].1);
            }
            holding.commits[number as usize] = (held, history);
        }
        holding
    }

    /// Which of the batch's findings a commit holds.
    pub(super) fn in_commit(&self, commit: CommitNumber) -> impl Iterator<Item = usize> + '_ {
        self.sets.members(self.commits[commit as usize].0)
    }

    /// Which of them its history holds.
    pub(super) fn in_history(&self, commit: CommitNumber) -> impl Iterator<Item = usize> + '_ {
        self.sets.members(self.commits[commit as usize].1)
    }

    /// Which of them stand below a tree.
    pub(super) fn in_tree(&self, tree: TreeNumber) -> impl Iterator<Item = usize> + '_ {
        self.sets.members(self.trees[tree as usize])
    }

    /// Which of them stand in a hit.
    pub(super) fn in_hit(&self, hit: HitId) -> impl Iterator<Item = usize> + '_ {
        self.sets.members(self.hits[hit as usize])
    }

    /// Calls `each` with a finding, a class of commits, and what they say about it.
    ///
    /// Commits are counted by the set they hold first: there are few sets.
    pub(super) fn facts(
        &self,
        graph: &Graph,
        order: &[CommitNumber],
        classes: &[Reachability],
        mut each: impl FnMut(usize, Reachability, Facts),
    ) {
        let mut held: HashMap<(Reachability, SetId), (usize, usize, u64)> = HashMap::new();
        let mut removed: HashMap<(Reachability, SetId, SetId), usize> = HashMap::new();
        for (place, &number) in order.iter().enumerate() {
            let class = classes[number as usize];
            let own = self.commits[number as usize].0;
            if own != Sets::EMPTY {
                let seen = held.entry((class, own)).or_insert((place, place, 0));
                seen.1 = place;
                seen.2 += 1;
            }
            for &parent in &graph.commits[number as usize].parents {
                let before = self.commits[parent as usize].0;
                if before != own && before != Sets::EMPTY {
                    removed.insert((class, before, own), place);
                }
            }
        }
        for ((class, set), seen) in held {
            for finding in self.sets.members(set) {
                let facts = Facts {
                    held: Some(seen),
                    removed: None,
                };
                each(finding, class, facts);
            }
        }
        for ((class, before, own), place) in removed {
            for finding in self.sets.members(before) {
                if !self.sets.has(own, finding) {
                    let facts = Facts {
                        held: None,
                        removed: Some(place),
                    };
                    each(finding, class, facts);
                }
            }
        }
    }
}

impl Facts {
    /// Adds what other commits say.
    pub(super) fn join(&mut self, other: Self) {
        self.held = match (self.held, other.held) {
            (Some(one), Some(other)) => {
                Some((one.0.min(other.0), one.1.max(other.1), one.2 + other.2))
            }
            (one, other) => one.or(other),
        };
        self.removed = self.removed.max(other.removed);
    }
}

/// How each commit is held: the best of what leads to it or to one of its descendants. `tips`
/// gives commits and their classes.
pub(super) fn classes(
    graph: &Graph,
    order: &[CommitNumber],
    tips: impl Iterator<Item = (CommitNumber, Reachability)>,
) -> Vec<Reachability> {
    let mut classes = vec![Reachability::Dangling; graph.commits.len()];
    for (commit, class) in tips {
        let known = &mut classes[commit as usize];
        *known = class.min(*known);
    }
    for &number in order.iter().rev() {
        let class = classes[number as usize];
        for &parent in &graph.commits[number as usize].parents {
            let known = &mut classes[parent as usize];
            *known = class.min(*known);
        }
    }
    classes
}
