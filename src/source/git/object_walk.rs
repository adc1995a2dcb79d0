//! Every object of a store, each once: packs first, then what is loose.

use std::cell::Cell;
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::inflate::Inflater;
use super::object_store::PackSet;
use super::pack_plan::Plan;
use super::pack_walk::{Failed, Name, ObjectRef, Visit, walk};
use super::{Kind, NotRead, ObjectId, ObjectStore, loose};

/// Which objects to show.
#[derive(Clone, Copy, Default)]
pub struct Selection<'s> {
    kinds: [bool; 4],
    known: Option<&'s (dyn Fn(&ObjectId) -> bool + Sync)>,
    known_packs: Option<&'s HashSet<String>>,
}

impl<'s> Selection<'s> {
    /// Objects of these kinds.
    #[must_use]
    pub fn of(kinds: &[Kind]) -> Self {
        let mut selection = Self::default();
        for &kind in kinds {
            selection.kinds[kind as usize] = true;
        }
        selection
    }

    /// Leaves out the objects of which `known` says so.
    #[must_use]
    pub fn without(mut self, known: &'s (dyn Fn(&ObjectId) -> bool + Sync)) -> Self {
        self.known = Some(known);
        self
    }

    /// Leaves out whole packs, by file name without its ending, as [`ObjectStore::pack_names`]
    /// gives it.
    #[must_use]
    pub fn without_packs(mut self, known: &'s HashSet<String>) -> Self {
        self.known_packs = Some(known);
        self
    }

    fn wants(&self, kind: Kind) -> bool {
        self.kinds[kind as usize]
    }

    fn knows(&self, id: Option<ObjectId>) -> bool {
        match (self.known, id) {
            (Some(known), Some(id)) => known(&id),
            _ => false,
        }
    }

    fn knows_pack(&self, name: &str) -> bool {
        self.known_packs.is_some_and(|known| known.contains(name))
    }
}

/// Failures told one by one; the rest is only counted, since one broken base may take a hundred
/// thousand objects with it.
const MOST_TOLD: usize = 100;

/// So many are looked for a second time, one by one. Each may take a chain of deltas.
const MOST_RETRIED: usize = 20_000;

impl ObjectStore {
    /// Shows each selected object to `visit` once, however many copies of it there are, in no
    /// particular order and from all threads of the current rayon pool. Objects that are added
    /// meanwhile may or may not be shown; a repack at the same time loses none.
    pub fn for_each(&self, selection: Selection<'_>, visit: &dyn Visit) {
        let mut seen = Seen::default();
        let mut failed = Vec::new();
        let mut set = self.pack_set();
        for problem in self.problems() {
            visit.not_read(problem);
        }
        seen.walk(&set, selection, self.limit(), visit, &mut failed);
        self.walk_loose(&set, selection, visit, &mut failed);
        if self.is_stale(&set) && !visit.stopped() {
            let old = set;
            set = self.reload();
            for problem in set.problems.iter().filter(|it| !old.problems.contains(it)) {
                visit.not_read(problem.clone());
            }
            seen.older = Some(old);
            seen.walk(&set, selection, self.limit(), visit, &mut failed);
        }
        self.retry(failed, selection, visit);
    }

    /// Names of the packs, without `.pack`: git makes them from the packs' content.
    #[must_use]
    pub fn pack_names(&self) -> Vec<String> {
        self.pack_set()
            .packs
            .iter()
            .map(super::pack::Pack::name)
            .collect()
    }

    fn walk_loose(
        &self,
        set: &PackSet,
        selection: Selection<'_>,
        visit: &dyn Visit,
        failed: &mut Vec<Failed>,
    ) {
        let mut listed = HashSet::new();
        let mut files: Vec<(ObjectId, PathBuf)> = Vec::new();
        for directory in self.directories() {
            for id in loose::list(directory, self.hash()) {
                let known = set.contains(&id) || selection.knows(Some(id));
                if !known && listed.insert(id) {
                    files.push((id, loose::path(directory, &id)));
                }
            }
        }
        let bad = Mutex::new(Vec::new());
        let new = || (Inflater::default(), Vec::new());
        files
            .par_iter()
            .for_each_init(new, |(inflater, content), (id, file)| {
                if visit.stopped() {
                    return;
                }
                let wants = |kind| selection.wants(kind);
                match loose::read_if(file, self.limit(), wants, inflater, content) {
                    Ok(Some(kind)) if wants(kind) => visit.object(&whole(*id, kind, content)),
                    Ok(Some(_)) => {}
                    // Packed and deleted in between, or damaged: another copy may be whole.
                    Ok(None) => lock(&bad).push(Failed {
                        id: *id,
                        reason: "object vanished".into(),
                        doubtful: false,
                    }),
                    Err(error) => lock(&bad).push(Failed {
                        id: *id,
                        reason: error.to_string().into(),
                        doubtful: false,
                    }),
                }
            });
        failed.append(&mut lock(&bad));
    }

    /// Looks for another copy of what could not be read.
    fn retry(&self, mut failed: Vec<Failed>, selection: Selection<'_>, visit: &dyn Visit) {
        failed.sort_by_key(|failed| (failed.id, !failed.doubtful));
        failed.dedup_by_key(|failed| failed.id);
        let mut content = Vec::new();
        let mut lost = Vec::new();
        for (number, failed) in failed.into_iter().enumerate() {
            if visit.stopped() {
                break;
            }
            let Failed { id, reason, .. } = failed;
            if failed.doubtful {
                lost.push((id, Arc::clone(&reason)));
            }
            if number >= MOST_RETRIED {
                lost.push((id, reason));
                continue;
            }
            match self.find(&id, &mut content) {
                Ok(Some(kind)) if selection.wants(kind) => visit.object(&whole(id, kind, &content)),
                Ok(Some(_)) => {}
                Ok(None) => lost.push((id, reason)),
                Err(error) => lost.push((id, error.to_string().into())),
            }
        }
        lost.dedup_by_key(|lost| lost.0);
        let more = lost.len().saturating_sub(MOST_TOLD);
        for (id, reason) in lost.into_iter().take(MOST_TOLD) {
            visit.not_read(NotRead {
                what: format!("object {id}"),
                reason: reason.to_string(),
            });
        }
        if more > 0 {
            visit.not_read(NotRead {
                what: format!("{more} more objects"),
                reason: "damaged like those named".to_owned(),
            });
        }
    }
}

fn whole(id: ObjectId, kind: Kind, bytes: &[u8]) -> ObjectRef<'_> {
    ObjectRef {
        kind,
        bytes,
        changed: None,
        made_from: None,
        name: Name::Id(id),
        marked: Cell::new(false),
        note: Cell::new(None),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What has been shown already.
#[derive(Default)]
struct Seen {
    /// The packs of an earlier listing, all of them shown.
    older: Option<Arc<PackSet>>,
}

impl Seen {
    fn walk(
        &self,
        set: &PackSet,
        selection: Selection<'_>,
        limit: u64,
        visit: &dyn Visit,
        failed: &mut Vec<Failed>,
    ) {
        for (number, pack) in set.packs.iter().enumerate() {
            let old = self.older.as_ref().is_some_and(|old| old.has(&pack.path));
            if visit.stopped() || old || selection.knows_pack(&pack.name()) {
                continue;
            }
            let others = Others {
                packs: set
                    .packs
                    .iter()
                    .enumerate()
                    .filter(|(other, pack)| {
                        // A pack that is left out answers for its objects whatever its size.
                        *other < number || selection.knows_pack(&pack.name())
                    })
                    .map(|(_, pack)| pack)
                    .chain(self.older.iter().flat_map(|old| &old.packs))
                    .collect(),
            };
            let skip = |position: usize| {
                let id = || pack.index.id(position);
                (!others.packs.is_empty() && others.contains(id()))
                    || (selection.known.is_some() && selection.knows(id()))
            };
            let plan = Plan::new(pack, |kind| selection.wants(kind), skip);
            for (entry, reason) in &plan.broken {
                failed.extend(pack.index.id(plan.position(*entry)).map(|id| Failed {
                    id,
                    reason: reason.to_string().into(),
                    doubtful: plan.is_damaged(*entry),
                }));
            }
            failed.append(&mut walk(pack, &plan, limit, visit));
        }
    }
}

/// Packs whose objects are shown from there.
struct Others<'p> {
    packs: Vec<&'p super::pack::Pack>,
}

impl Others<'_> {
    fn contains(&self, id: Option<ObjectId>) -> bool {
        id.is_some_and(|id| {
            self.packs
                .iter()
                .any(|pack| pack.index.position(&id).is_some())
        })
    }
}
