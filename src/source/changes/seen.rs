//! Which changes came before: few people make many commits, and a change is often made twice.

use std::collections::HashSet;
use std::os::unix::ffi::OsStrExt as _;

use sha2::{Digest as _, Sha256};

use super::{Entry, Text};
use crate::location::Origin;
use crate::source::git::ObjectId;
use crate::source::index::difference::MODE_GITLINK;

/// So many changes are remembered at least, and twice as many at most: 17 MiB and 34.
const GENERATION: usize = if cfg!(test) { 1 << 10 } else { 1 << 20 };

/// What is remembered of a change: who could find two with the same could hide one behind the other.
type Digest = [u8; 16];

/// The latest changes, whatever their number: what is new in a commit counts at the first one only.
#[derive(Debug, Default)]
pub(super) struct Seen {
    recent: HashSet<Digest>,
    older: HashSet<Digest>,
}

impl Seen {
    /// Leaves one entry of those that change the same path in the same way, and one submodule entry
    /// a path.
    pub(super) fn leave_new_entries(&mut self, entries: &mut Vec<Entry>) {
        entries.retain(|entry| {
            let Origin::Commit { path, .. } = &entry.origin else {
                return true;
            };
            let mut parts = vec![path.as_os_str().as_bytes()];
            let mut before: Vec<ObjectId> = entry.before.iter().map(|old| old.id).collect();
            before.sort();
            if entry.new.mode != MODE_GITLINK {
                parts.push(entry.new.id.as_bytes());
                parts.extend(before.iter().map(ObjectId::as_bytes));
            }
            self.is_new(b"entry", &parts)
        });
    }

    /// Leaves one of the fields that say the same.
    pub(super) fn leave_new_texts(&mut self, texts: &mut Vec<Text>) {
        texts.retain(|text| {
            let name = text.origin.path();
            !text.is_field || self.is_new(b"text", &[name.as_bytes(), &text.bytes])
        });
    }

    fn is_new(&mut self, kind: &[u8], parts: &[&[u8]]) -> bool {
        let mut hash = Sha256::new_with_prefix(kind);
        for part in parts {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(&hash.finalize()[..16]);
        if self.recent.len() >= GENERATION {
            self.older = std::mem::take(&mut self.recent);
        }
        !self.older.contains(&digest) && self.recent.insert(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_same_is_new_once_and_what_was_long_ago_is_forgotten() {
        let mut seen = Seen::default();
        assert!(seen.is_new(b"a", &[b"bc", b"d"]));
        assert!(!seen.is_new(b"a", &[b"bc", b"d"]));
        for (kind, parts) in [(b"a", [b"b".as_slice(), b"cd"]), (b"b", [b"bc", b"d"])] {
            assert!(seen.is_new(kind, &parts));
        }
        for number in 0..2 * GENERATION {
            assert!(seen.is_new(b"a", &[&number.to_le_bytes()]));
            assert!(seen.recent.len() + seen.older.len() <= 2 * GENERATION);
        }
        assert!(seen.is_new(b"a", &[b"bc", b"d"]));
    }
}
