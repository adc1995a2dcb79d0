//! Names of files and directories that hold a credential themselves.
//!
//! Names stand in trees, and trees are stored as differences to each other: only what is new in
//! one is looked at, and only where the detector sees something there are the entries read.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use super::entries;
use crate::detect::Detector;
use crate::finding::{Finding, Fingerprint};
use crate::location::Origin;
use crate::scan::{Progress, merge};
use crate::source::git::{
    HashKind, Kind, LargeBlob, NotRead, ObjectError, ObjectId, ObjectRef, ObjectStore, Selection,
    Visit,
};
use crate::source::{Blob, NotScanned, widened};

/// How far round what is new a name may reach, in bytes. Git's own limit for a path is 4,096.
const LONGEST_NAME: usize = 4096;

/// What was found in names.
#[derive(Default)]
pub(super) struct Found {
    pub(super) findings: HashMap<Fingerprint, Finding>,
    pub(super) not_scanned: Vec<NotScanned>,
    /// Trees that hold such a name.
    pub(super) trees: Vec<ObjectId>,
    names: HashSet<Box<[u8]>>,
}

/// Scans the names in the trees of `selection`.
pub(super) fn scan(
    store: &ObjectStore,
    selection: Selection<'_>,
    detector: &Detector,
    progress: &Progress,
) -> Found {
    let names = Names {
        hash: store.hash(),
        detector,
        progress,
        found: Mutex::default(),
    };
    store.for_each(selection, &names);
    let found = names.found.into_inner();
    found.unwrap_or_else(PoisonError::into_inner)
}

struct Names<'n> {
    hash: HashKind,
    detector: &'n Detector,
    progress: &'n Progress,
    found: Mutex<Found>,
}

impl Names<'_> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the detector sees something in `bytes` of a tree, where names end with a zero.
    fn suspects(&self, bytes: &[u8]) -> bool {
        let lines: Vec<u8> = bytes
            .iter()
            .map(|&byte| if byte == 0 { b'\n' } else { byte })
            .collect();
        let origin = Origin::Stdin;
        !self.detector.scan(&Blob::whole(&origin, &lines)).is_empty()
    }

    /// Scans a name of the tree `tree`; each name once.
    fn look(&self, name: &[u8], tree: &ObjectId) {
        if !self.lock().names.insert(name.into()) {
            return;
        }
        let origin = Origin::Name {
            commit: None,
            path: super::path_of(name),
        };
        let findings = self.detector.scan(&Blob::whole(&origin, name));
        let mut found = self.lock();
        if !findings.is_empty() {
            found.trees.push(*tree);
        }
        for finding in findings {
            merge(&mut found.findings, finding);
        }
    }
}

impl Visit for Names<'_> {
    fn object(&self, object: &ObjectRef<'_>) {
        if object.kind != Kind::Tree {
            return;
        }
        let bytes = object.bytes;
        let whole = 0..bytes.len();
        let changed = object.changed.unwrap_or(std::slice::from_ref(&whole));
        let mut near = widened(changed, LONGEST_NAME, LONGEST_NAME, bytes.len());
        if near.any(|range| self.suspects(&bytes[range])) {
            let id = object.id();
            entries::for_each(bytes, self.hash, |entry| self.look(entry.name, &id));
        }
    }

    fn large(&self, _blob: &mut LargeBlob<'_>) -> Result<(), ObjectError> {
        Ok(())
    }

    fn not_read(&self, what: NotRead) {
        self.lock().not_scanned.push(NotScanned {
            path: what.what,
            reason: what.reason,
            incomplete: true,
        });
    }

    fn stopped(&self) -> bool {
        self.progress.is_stopped()
    }
}
