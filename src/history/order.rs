//! The order of commits: parents before children, and of those that are no relations the older
//! first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::graph::{CommitNumber, Graph};

/// All commits of `graph`, in order. It depends on the commits alone, not on how they were read.
pub(super) fn in_order(graph: &Graph) -> Vec<CommitNumber> {
    let count = graph.commits.len();
    let mut waiting_for: Vec<u32> = vec![0; count];
    let children = Children::of(graph);
    let mut ready = BinaryHeap::new();
    let entry = |number: CommitNumber| {
        let commit = &graph.commits[number as usize];
        Reverse((commit.seconds, commit.id, number))
    };
    for (number, commit) in graph.commits.iter().enumerate() {
        waiting_for[number] = commit.parents.len() as u32;
        if commit.parents.is_empty() {
            ready.push(entry(number as CommitNumber));
        }
    }
    let mut order = Vec::with_capacity(count);
    while let Some(Reverse((_, _, number))) = ready.pop() {
        order.push(number);
        for &child in children.of_parent(number) {
            waiting_for[child as usize] -= 1;
            if waiting_for[child as usize] == 0 {
                ready.push(entry(child));
            }
        }
    }
    order
}

/// The children of every commit, in one list.
struct Children {
    starts: Vec<u32>,
    list: Vec<CommitNumber>,
}

impl Children {
    fn of(graph: &Graph) -> Self {
        let mut starts = vec![0; graph.commits.len() + 1];
        let parents = || graph.commits.iter().flat_map(|commit| &commit.parents);
        for &parent in parents() {
            starts[parent as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut next = starts.clone();
        let mut list = vec![0; parents().count()];
        for (number, commit) in graph.commits.iter().enumerate() {
            for &parent in &commit.parents {
                let at = &mut next[parent as usize];
                list[*at as usize] = number as CommitNumber;
                *at += 1;
            }
        }
        Self { starts, list }
    }

    fn of_parent(&self, parent: CommitNumber) -> &[CommitNumber] {
        let parent = parent as usize;
        &self.list[self.starts[parent] as usize..self.starts[parent + 1] as usize]
    }
}
