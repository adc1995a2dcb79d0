//! Objects that need no second look: exact, by whole ids.

use crate::source::git::ObjectId;

/// A set of object ids.
#[derive(Debug, Default)]
pub struct Known(Vec<ObjectId>);

impl Known {
    /// The ids of `runs`, each a row of ids of `length` bytes without separators.
    #[must_use]
    pub fn of(runs: &[Vec<u8>], length: usize) -> Self {
        let ids = runs.iter().flat_map(|run| run.chunks_exact(length));
        let mut ids: Vec<ObjectId> = ids.filter_map(ObjectId::from_bytes).collect();
        ids.sort_unstable();
        ids.dedup();
        Self(ids)
    }

    /// Whether `id` is among them.
    #[must_use]
    pub fn contains(&self, id: &ObjectId) -> bool {
        self.0.binary_search(id).is_ok()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// `ids` as a run.
#[must_use]
pub fn run(mut ids: Vec<ObjectId>) -> Vec<u8> {
    ids.sort_unstable();
    ids.dedup();
    ids.iter().flat_map(|id| id.as_bytes().to_vec()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_into_runs_is_known() {
        let id = |byte: u8| ObjectId::from_bytes(&[byte; 20]).unwrap();
        let runs = [run(vec![id(3), id(1), id(3)]), run(vec![id(2)]), Vec::new()];
        assert_eq!(runs[0].len(), 40);
        let known = Known::of(&runs, 20);
        assert_eq!(known.len(), 3);
        assert!([1, 2, 3].iter().all(|&byte| known.contains(&id(byte))));
        assert!(!known.contains(&id(4)) && !known.is_empty());
    }
}
