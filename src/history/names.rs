//! Names of files and directories that hold a credential themselves.
//!
//! Names stand in trees, and trees are stored as differences to each other: only what is new in
//! one is looked at, and only where the detector sees something there are the entries read.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use super::entries;
use crate::detect::Detector;
use crate::finding::{Finding, Fingerprint};
use crate::location::Origin;
use crate::scan::merge;
use crate::source::Blob;
use crate::source::git::{HashKind, ObjectId, ObjectRef, ObjectStore};

/// What was found in names.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) findings: HashMap<Fingerprint, Finding>,
    /// Trees that hold such a name.
    pub(super) trees: Vec<ObjectId>,
    names: HashSet<Box<[u8]>>,
    /// The names in which something was found.
    holding: HashSet<Box<[u8]>>,
}

impl Found {
    /// Whether `name` was looked at before; from now on it was.
    fn is_known(&mut self, name: &[u8]) -> bool {
        self.names.contains(name) || !self.names.insert(name.into())
    }
}

/// Looks at names: a reader of trees.
#[derive(Debug)]
pub struct Names<'n> {
    hash: HashKind,
    detector: &'n Detector,
    found: Mutex<Found>,
    /// Whether something was found in a name.
    any: AtomicBool,
}

impl<'n> Names<'n> {
    /// Looks with `detector` at the trees of `store`.
    #[must_use]
    pub fn new(store: &ObjectStore, detector: &'n Detector) -> Self {
        Self {
            hash: store.hash(),
            detector,
            found: Mutex::default(),
            any: AtomicBool::new(false),
        }
    }

    /// What was found.
    pub(super) fn found(self) -> Found {
        let found = self.found.into_inner();
        found.unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the detector sees something in the stretch `near` of the tree `bytes`, in which names end
    /// with a zero.
    fn suspects(&self, bytes: &[u8], near: Range<usize>) -> bool {
        let lines: Vec<u8> = bytes[near]
            .iter()
            .map(|&byte| if byte == 0 { b'\n' } else { byte })
            .collect();
        self.detector.notices(&lines, None)
    }

    /// Whether something was found in `name`. It is known of every name in a tree that was looked at.
    pub(super) fn holds(&self, name: &[u8]) -> bool {
        self.any.load(Ordering::Relaxed) && self.lock().holding.contains(name)
    }

    /// Scans a name of the tree `tree`; each name once.
    fn look(&self, name: &[u8], tree: &ObjectId) {
        // Nobody else passes the name meanwhile, and takes it for harmless.
        let mut found = self.lock();
        if found.is_known(name) {
            return;
        }
        let origin = Origin::Name {
            commit: None,
            path: super::path_of(name),
        };
        let findings = self.detector.scan(&Blob::whole(&origin, name));
        if !findings.is_empty() {
            self.any.store(true, Ordering::Relaxed);
            found.holding.insert(name.into());
            found.trees.push(*tree);
        }
        for finding in findings {
            merge(&mut found.findings, finding);
        }
    }

    /// The findings, in no order.
    #[must_use]
    pub fn into_findings(self) -> Vec<Finding> {
        self.found().findings.into_values().collect()
    }

    /// Looks at a tree: at the names that what is new in it touches.
    pub fn tree(&self, object: &ObjectRef<'_>) {
        let bytes = object.bytes;
        let is_suspect = match object.changed {
            None => self.suspects(bytes, 0..bytes.len()),
            Some(changed) => changed
                .iter()
                .any(|range| self.suspects(bytes, between_zeroes(bytes, range))),
        };
        if is_suspect {
            let id = object.id();
            entries::for_each(bytes, self.hash, |entry| self.look(entry.name, &id));
        }
    }
}

/// `range` of a tree, widened to the zeroes on both sides: no name goes on beyond them.
fn between_zeroes(bytes: &[u8], range: &Range<usize>) -> Range<usize> {
    let before = memchr::memrchr(0, &bytes[..range.start]);
    let after = memchr::memchr(0, &bytes[range.end..]);
    before.map_or(0, |zero| zero + 1)..after.map_or(bytes.len(), |zero| range.end + zero)
}
