//! Decides which secret belongs to which access key ID: one to one, by proximity, by the block
//! they stand in, and by what their names have in common.

use std::collections::HashMap;

use super::candidate::Candidate;
use super::structure::Structure;
use crate::detect::view::View;
use crate::rules::AwsWords;

/// A named secret may stand this far from its access key ID, in bytes.
pub(crate) const NAMED_REACH: usize = 4000;
/// An anonymous one this far, or [`ANONYMOUS_LINES`] lines within [`ANONYMOUS_LINE_REACH`] bytes.
const ANONYMOUS_REACH: usize = 600;
const ANONYMOUS_LINES: usize = 6;
const ANONYMOUS_LINE_REACH: usize = 2000;
/// Pairs below this score are none.
const SCORE_FLOOR: i64 = 300;
/// Groups up to this size are matched for the best total, larger ones greedily.
const EXACT_LIMIT: usize = 64;

/// Two indexes, and how well they fit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) key_id: usize,
    pub(crate) secret: usize,
    score: i64,
}

/// What distinguishes a candidate for matching, computed once.
struct Side {
    line: usize,
    at: usize,
    remainder: String,
    block: Vec<usize>,
    section: usize,
}

/// Every possible pair, best first.
pub(crate) fn edges(
    view: &View,
    key_ids: &[Candidate],
    secrets: &[Candidate],
    words: &AwsWords,
) -> Vec<Edge> {
    let structure = Structure::new(&view.text);
    let sides = |candidates: &[Candidate]| -> Vec<Side> {
        let places: Vec<usize> = candidates
            .iter()
            .map(|candidate| candidate.range.start)
            .collect();
        let blocks = structure.blocks(&places);
        let side = |(candidate, block): (&Candidate, Vec<usize>)| Side {
            line: view.line(candidate.range.start),
            at: candidate.range.start,
            remainder: candidate.name.remainder(words),
            block,
            section: structure.section(candidate.range.start),
        };
        candidates.iter().zip(blocks).map(side).collect()
    };
    let key_sides = sides(key_ids);
    let secret_sides = sides(secrets);
    let mut edges = Vec::new();
    let mut first = 0;
    for (key_id, key_side) in key_sides.iter().enumerate() {
        while first < secrets.len() && secret_sides[first].at + NAMED_REACH < key_side.at {
            first += 1;
        }
        for (secret, secret_side) in secret_sides.iter().enumerate().skip(first) {
            if secret_side.at > key_side.at + NAMED_REACH {
                break;
            }
            if let Some(score) = score(key_side, secret_side, secrets[secret].marked) {
                edges.push(Edge {
                    key_id,
                    secret,
                    score,
                });
            }
        }
    }
    edges.sort_by_key(|edge| (-edge.score, edge.key_id, edge.secret));
    edges
}

/// How well two sides fit; in hundredths, so that small preferences can break ties.
fn score(key_id: &Side, secret: &Side, named: bool) -> Option<i64> {
    let lines = key_id.line.abs_diff(secret.line);
    let bytes = key_id.at.abs_diff(secret.at);
    let near =
        bytes <= ANONYMOUS_REACH || lines <= ANONYMOUS_LINES && bytes <= ANONYMOUS_LINE_REACH;
    if !named && !near {
        return None;
    }
    let lines = lines.min(60) as i64;
    let bytes = bytes.min(2000) as i64;
    let mut score = 100_000 - 2000 * lines.min(30) - 2 * bytes;
    // Grows faster than the distance: of two ways to match a block of ids with a block of
    // secrets, the one that keeps their order wins.
    score -= 3 * lines * lines + bytes * bytes / 20_000;
    score += if named { 6000 } else { 0 };
    score += if secret.at > key_id.at { 1000 } else { 0 };
    if key_id.section != secret.section || !related(&key_id.block, &secret.block) {
        score -= 50_000;
    }
    if !key_id.remainder.is_empty() && key_id.remainder == secret.remainder {
        score += 40_000;
    } else if !key_id.remainder.is_empty() && !secret.remainder.is_empty() {
        score -= 10_000;
    }
    (score >= SCORE_FLOOR * 100).then_some(score)
}

/// Whether one block holds the other.
fn related(one: &[usize], other: &[usize]) -> bool {
    one.iter().zip(other).all(|(one, other)| one == other)
}

/// Chooses pairs one to one. Groups of candidates that no possible pair joins are independent.
pub(crate) fn matching(edges: &[Edge]) -> Vec<Edge> {
    let mut chosen = Vec::new();
    for group in groups(edges) {
        chosen.extend(if group.len() <= EXACT_LIMIT * EXACT_LIMIT {
            best_total(&group)
        } else {
            greedy(&group)
        });
    }
    chosen.sort_by_key(|edge| edge.key_id);
    chosen
}

/// Edges by connected group, each in the given order.
fn groups(edges: &[Edge]) -> Vec<Vec<Edge>> {
    let mut parent: HashMap<(bool, usize), (bool, usize)> = HashMap::new();
    fn root(
        parent: &mut HashMap<(bool, usize), (bool, usize)>,
        mut node: (bool, usize),
    ) -> (bool, usize) {
        while let Some(&above) = parent.get(&node).filter(|&&above| above != node) {
            let top = parent.get(&above).copied().unwrap_or(above);
            parent.insert(node, top);
            node = above;
        }
        node
    }
    for edge in edges {
        let one = root(&mut parent, (false, edge.key_id));
        let other = root(&mut parent, (true, edge.secret));
        parent.insert(one, other);
    }
    let mut groups: HashMap<(bool, usize), Vec<Edge>> = HashMap::new();
    for &edge in edges {
        groups
            .entry(root(&mut parent, (false, edge.key_id)))
            .or_default()
            .push(edge);
    }
    groups.into_values().collect()
}

/// Best pair first, each side once. `edges` are sorted by score.
fn greedy(edges: &[Edge]) -> Vec<Edge> {
    let mut taken_ids = std::collections::HashSet::new();
    let mut taken_secrets = std::collections::HashSet::new();
    edges
        .iter()
        .filter(|edge| {
            let free = !taken_ids.contains(&edge.key_id) && !taken_secrets.contains(&edge.secret);
            if free {
                taken_ids.insert(edge.key_id);
                taken_secrets.insert(edge.secret);
            }
            free
        })
        .copied()
        .collect()
}

/// The matching with the highest total score (the Hungarian method with potentials).
fn best_total(edges: &[Edge]) -> Vec<Edge> {
    let rows = numbered(edges.iter().map(|edge| edge.key_id));
    let columns = numbered(edges.iter().map(|edge| edge.secret));
    if rows.len().max(columns.len()) > EXACT_LIMIT {
        return greedy(edges);
    }
    let size = rows.len().max(columns.len());
    let mut costs = vec![vec![0_i64; size]; size];
    for edge in edges {
        costs[rows[&edge.key_id]][columns[&edge.secret]] = -edge.score;
    }
    let assigned = assignment(&costs);
    edges
        .iter()
        .filter(|edge| assigned[rows[&edge.key_id]] == columns[&edge.secret])
        .copied()
        .collect()
}

fn numbered(values: impl Iterator<Item = usize>) -> HashMap<usize, usize> {
    let mut numbers = HashMap::new();
    for value in values {
        let next = numbers.len();
        numbers.entry(value).or_insert(next);
    }
    numbers
}

/// The column of each row in the cheapest assignment of a square matrix; cubic in its size.
fn assignment(costs: &[Vec<i64>]) -> Vec<usize> {
    let size = costs.len();
    // Rows and columns count from 1; 0 stands for "none".
    let mut row_potential = vec![0; size + 1];
    let mut column_potential = vec![0; size + 1];
    let mut row_of = vec![0_usize; size + 1];
    for row in 1..=size {
        row_of[0] = row;
        let mut column = 0;
        let mut slack = vec![i64::MAX; size + 1];
        let mut previous = vec![0_usize; size + 1];
        let mut done = vec![false; size + 1];
        while row_of[column] != 0 {
            done[column] = true;
            let current = row_of[column];
            let (mut step, mut next) = (i64::MAX, 0);
            for other in (1..=size).filter(|&other| !done[other]) {
                let reduced = costs[current - 1][other - 1]
                    - row_potential[current]
                    - column_potential[other];
                if reduced < slack[other] {
                    slack[other] = reduced;
                    previous[other] = column;
                }
                if slack[other] < step {
                    (step, next) = (slack[other], other);
                }
            }
            for other in 0..=size {
                if done[other] {
                    row_potential[row_of[other]] += step;
                    column_potential[other] -= step;
                } else if slack[other] != i64::MAX {
                    slack[other] -= step;
                }
            }
            column = next;
        }
        while column != 0 {
            row_of[column] = row_of[previous[column]];
            column = previous[column];
        }
    }
    let mut columns = vec![0; size];
    for column in 1..=size {
        columns[row_of[column] - 1] = column - 1;
    }
    columns
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(key_id: usize, secret: usize, score: i64) -> Edge {
        Edge {
            key_id,
            secret,
            score,
        }
    }

    #[test]
    fn the_best_total_beats_the_best_pair() {
        let mut edges = [edge(0, 0, 50), edge(0, 1, 90), edge(1, 1, 80)];
        edges.sort_by_key(|edge| -edge.score);
        let pairs: Vec<_> = matching(&edges)
            .iter()
            .map(|edge| (edge.key_id, edge.secret))
            .collect();
        assert_eq!(pairs, [(0, 0), (1, 1)]);
    }

    #[test]
    fn assignment_is_the_cheapest_of_all() {
        let mut random = crate::detect::testing::Random::new(7);
        for _ in 0..200 {
            let costs: Vec<Vec<i64>> = (0..4)
                .map(|_| (0..4).map(|_| -(random.below(100) as i64)).collect())
                .collect();
            let total = |columns: &[usize]| {
                columns
                    .iter()
                    .enumerate()
                    .map(|(row, &column)| costs[row][column])
                    .sum::<i64>()
            };
            let mut cheapest = i64::MAX;
            for code in 0..256 {
                let columns: Vec<usize> = (0..4).map(|row| code >> (2 * row) & 3).collect();
                if (0..4).all(|column| columns.contains(&column)) {
                    cheapest = cheapest.min(total(&columns));
                }
            }
            assert_eq!(total(&assignment(&costs)), cheapest);
        }
    }
}
