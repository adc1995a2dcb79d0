//! What a clone has not got, told from what is here.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::entries;
use super::token::{TokenMap, Tokens};
use crate::source::git::{
    Commit, Kind, LargeBlob, NotRead, ObjectError, ObjectId, ObjectRef, ObjectStore, Selection,
    Tag, Visit,
};

/// How many objects those of `store` name that are not in it. Parents of the commits in `shallow`
/// do not count. `None` where `stopped` said so before the end.
///
/// One walk over commits, trees and tags; of a tree that is made from another one only the entries
/// that are new are looked up.
pub(super) fn count(
    store: &ObjectStore,
    shallow: HashSet<ObjectId>,
    stopped: &(dyn Fn() -> bool + Sync),
) -> Option<u64> {
    let absent = Absent {
        store,
        shallow,
        tokens: Tokens::new(),
        found: Mutex::default(),
        stopped,
    };
    store.for_each(
        Selection::of(&[Kind::Commit, Kind::Tree, Kind::Tag]),
        &absent,
    );
    let found = absent.found.into_inner();
    let found = found.unwrap_or_else(PoisonError::into_inner);
    (!stopped()).then_some(found.len() as u64)
}

struct Absent<'a> {
    store: &'a ObjectStore,
    shallow: HashSet<ObjectId>,
    tokens: Tokens,
    found: Mutex<TokenMap<()>>,
    stopped: &'a (dyn Fn() -> bool + Sync),
}

impl Absent<'_> {
    fn look(&self, id: ObjectId) {
        if !self.store.contains(&id) {
            let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
            found.insert(self.tokens.id(id.as_bytes()), ());
        }
    }

    fn commit(&self, object: &ObjectRef<'_>) {
        let Some(commit) = Commit::parse(object.bytes) else {
            return;
        };
        commit.tree.into_iter().for_each(|tree| self.look(tree));
        if self.shallow.is_empty() || !self.shallow.contains(&object.id()) {
            commit.parents.into_iter().for_each(|it| self.look(it));
        }
    }

    fn tree(&self, object: &ObjectRef<'_>) {
        let mut changed = object.changed.map(New);
        let mut from = 0;
        entries::for_each(object.bytes, self.store.hash(), |entry| {
            let place = from..entry.end;
            from = entry.end;
            let is_new = changed.as_mut().is_none_or(|new| new.touches(&place));
            if is_new && !entry.is_submodule {
                ObjectId::from_bytes(entry.id)
                    .into_iter()
                    .for_each(|id| self.look(id));
            }
        });
    }
}

/// What is new in a tree and still to come.
struct New<'n>(&'n [Range<usize>]);

impl New<'_> {
    /// Whether the entry at `place` touches it; asked of one entry after the other.
    fn touches(&mut self, place: &Range<usize>) -> bool {
        while let Some((first, later)) = self.0.split_first() {
            if first.end >= place.start {
                return first.start <= place.end;
            }
            self.0 = later;
        }
        false
    }
}

impl Visit for Absent<'_> {
    fn object(&self, object: &ObjectRef<'_>) {
        match object.kind {
            Kind::Commit => self.commit(object),
            Kind::Tree => self.tree(object),
            Kind::Tag => Tag::parse(object.bytes)
                .into_iter()
                .for_each(|tag| self.look(tag.target)),
            Kind::Blob => {}
        }
    }

    fn large(&self, _blob: &mut LargeBlob<'_>) -> Result<(), ObjectError> {
        Ok(())
    }

    fn not_read(&self, _what: NotRead) {
        // The scan has said so.
    }

    fn stopped(&self) -> bool {
        (self.stopped)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_that_touch_what_is_new_are_looked_up() {
        let changed = [5..5, 12..14, 40..50];
        let mut new = New(&changed);
        let places = [0..5, 5..10, 10..20, 20..30, 30..39, 39..60, 60..70];
        let touched: Vec<bool> = places.iter().map(|place| new.touches(place)).collect();
        assert_eq!(touched, [true, true, true, false, false, true, false]);
    }
}
