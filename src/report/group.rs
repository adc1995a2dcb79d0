//! Findings as formats for other tools want them: a file at a time, the worst first.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::view::{Entry, Place, View};

/// The places of one credential in one file.
pub(super) struct Group<'v> {
    /// The path, as [`Place::path`] gives it.
    pub(super) path: Vec<u8>,
    /// The places, in the report's order; never empty.
    pub(super) places: Vec<Place<'v>>,
}

/// The places of `entry` by path, in the order in which the paths first come.
pub(super) fn by_path<'v>(entry: &'v Entry<'v>) -> Vec<Group<'v>> {
    let mut groups: Vec<Group<'v>> = Vec::new();
    let mut known: HashMap<Vec<u8>, usize> = HashMap::new();
    for place in entry.places() {
        let path = place.path().into_owned();
        let index = *known.entry(path).or_insert_with_key(|path| {
            groups.push(Group {
                path: path.clone(),
                places: Vec::new(),
            });
            groups.len() - 1
        });
        groups[index].places.push(place);
    }
    groups
}

/// The entries of `view`, the worst first, otherwise in the report's order.
pub(super) fn worst_first<'v>(view: &'v View<'v>) -> impl Iterator<Item = Entry<'v>> {
    let mut order: Vec<usize> = (0..view.entries().len()).collect();
    let severities: Vec<_> = view.entries().map(|entry| entry.severity()).collect();
    order.sort_by_key(|&index| Reverse(severities[index]));
    order.into_iter().filter_map(|index| view.entry(index))
}
