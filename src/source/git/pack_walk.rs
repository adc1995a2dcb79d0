//! Every object of a pack, each decoded once.
//!
//! Reading objects one by one through an index applies a chain of deltas for each of them. Here
//! the chains are walked from their bases down: a base is inflated once, its children are made
//! from it while it is in memory, and it is let go with the last of them. Kinds are known from
//! the headers (`Plan`), so that nothing of an unwanted kind is inflated.
//!
//! Memory: of the children the heaviest comes last and takes its base's place, so a thread holds
//! at most as many bases as the logarithm of a delta tree's size. Threads take runs of roots, in
//! the pack's order.

use std::cell::Cell;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;

use super::buffer::{Buffer, Pool};
use super::delta::{self, Changed};
use super::inflate::{Inflater, ROOM};
use super::pack::{Entry, Pack, check_size};
use super::pack_plan::Plan;
use super::{Kind, NotRead, ObjectError, ObjectId};

/// One object, shown to a visitor.
#[derive(Debug)]
pub struct ObjectRef<'o> {
    /// What it is.
    pub kind: Kind,
    /// Its content.
    pub bytes: &'o [u8],
    /// For an object that was made from another one, which was shown before and not marked: what
    /// is new in it, as sorted ranges of `bytes`. An empty range is a seam: bytes on both sides
    /// of it came from the base, where something else stood between them. `None` where everything
    /// counts as new.
    pub changed: Option<&'o [Range<usize>]>,
    /// For an object that was made from another one that was shown before: that one, marked or not.
    pub made_from: Option<MadeFrom<'o>>,
    pub(super) name: Name<'o>,
    pub(super) marked: Cell<bool>,
    pub(super) note: Cell<Option<u32>>,
}

/// What an object was made from.
#[derive(Clone, Copy, Debug)]
pub struct MadeFrom<'o> {
    /// Its content.
    pub bytes: &'o [u8],
    /// What is new in the object that was made of it, as [`ObjectRef::changed`] tells it.
    pub changed: &'o [Range<usize>],
    /// For each range of `changed`, where in `bytes` what follows it was copied from: the end if nothing
    /// follows.
    pub resumes: &'o [usize],
    /// What was noted of it.
    pub note: Option<u32>,
}

/// Where an object's id is to be had.
#[derive(Clone, Copy, Debug)]
pub(super) enum Name<'o> {
    Id(ObjectId),
    InPack(&'o Pack, usize),
}

impl Name<'_> {
    pub(super) fn id(&self) -> ObjectId {
        match self {
            Self::Id(id) => *id,
            // A plan holds positions below the index's count only.
            Self::InPack(pack, position) => pack.index.id(*position).unwrap_or(ObjectId::NULL),
        }
    }
}

impl ObjectRef<'_> {
    /// Its id, looked up only when asked for: most objects hold nothing of interest.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        self.name.id()
    }

    /// Asks that whatever is made from this object is shown without `changed`.
    pub fn mark(&self) {
        self.marked.set(true);
    }

    /// Notes a number, which is told of whatever is made from this object. That is shown later, by
    /// the same thread.
    pub fn note(&self, number: u32) {
        self.note.set(Some(number));
    }
}

/// A blob too large to be held, to be read as a stream.
#[derive(Debug)]
pub struct LargeBlob<'o> {
    /// Its size in bytes.
    pub size: u64,
    name: Name<'o>,
    input: &'o [u8],
    read: u64,
    inflater: &'o mut Inflater,
}

impl<'o> LargeBlob<'o> {
    pub(super) fn new(
        name: Name<'o>,
        size: u64,
        input: &'o [u8],
        inflater: &'o mut Inflater,
    ) -> Self {
        inflater.start();
        Self {
            size,
            name,
            input,
            read: 0,
            inflater,
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> ObjectId {
        self.name.id()
    }

    /// Reads the next bytes; 0 at the end.
    ///
    /// # Errors
    /// Where the data is damaged.
    pub fn read(&mut self, output: &mut [u8]) -> Result<usize, ObjectError> {
        let left = usize::try_from(self.size - self.read).unwrap_or(usize::MAX);
        let room = output.len().min(left);
        if room == 0 {
            return Ok(0);
        }
        let got = self.inflater.some(self.input, &mut output[..room])?;
        self.read += got as u64;
        if got < room {
            return Err(ObjectError::Corrupt("less data than the header says"));
        }
        if self.read == self.size {
            let size = self.size as usize;
            self.inflater.finish(self.input, size, size)?;
        }
        Ok(got)
    }
}

/// Sees objects; from several threads at once.
pub trait Visit: Sync {
    /// One object.
    fn object(&self, object: &ObjectRef<'_>);

    /// A blob of more than [`LARGE`] bytes that is not stored as a delta.
    ///
    /// # Errors
    /// What reading it gave.
    fn large(&self, blob: &mut LargeBlob<'_>) -> Result<(), ObjectError>;

    /// Something could not be read.
    fn not_read(&self, what: NotRead);

    /// Whether to stop early; looked at between objects.
    fn stopped(&self) -> bool {
        false
    }
}

/// Whole blobs of more bytes than this are shown as streams, so that memory stays bounded.
pub const LARGE: u64 = 16 << 20;

/// An object of a pack that could not be read.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) id: ObjectId,
    pub(super) reason: Arc<str>,
    /// Whether a copy that can be read proves nothing, as its kind may be another one.
    pub(super) doubtful: bool,
}

/// Shows every object that `plan` names. Returns those that could not be read.
pub(super) fn walk(pack: &Pack, plan: &Plan, limit: u64, visit: &dyn Visit) -> Vec<Failed> {
    let failed = Mutex::new(Vec::new());
    let workers = Mutex::new(Vec::<Worker>::new());
    // Runs are short: one run may hold a tree of thousands of deltas.
    plan.roots.par_chunks(32).for_each(|roots| {
        let mut worker = lock(&workers).pop().unwrap_or_default();
        let mut walker = Walker {
            pack,
            plan,
            limit,
            visit,
            worker: &mut worker,
            failed: Vec::new(),
        };
        let whole = pack.data.is_whole();
        for &root in roots {
            if visit.stopped() {
                break;
            }
            match whole {
                true => walker.tree(root),
                false => walker.fail(root, &ObjectError::Corrupt("the pack was cut short")),
            }
        }
        let mut more = walker.failed;
        if !more.is_empty() {
            lock(&failed).append(&mut more);
        }
        lock(&workers).push(worker);
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a thread keeps between delta trees.
#[derive(Debug, Default)]
struct Worker {
    inflater: Inflater,
    pool: Pool,
    delta: Buffer,
    changed: Changed,
    children: Vec<u32>,
}

/// Live bases of one thread may take this much more than one object of the largest size; a tree
/// that needs more is an attack, and what is below is left to be read one by one.
const BASES_BUDGET: u64 = 64 << 20;

struct Walker<'w> {
    pack: &'w Pack,
    plan: &'w Plan,
    limit: u64,
    visit: &'w dyn Visit,
    worker: &'w mut Worker,
    failed: Vec<Failed>,
}

/// An entry's compressed data, alone and with what follows it in the pack.
struct Input<'i> {
    data: &'i [u8],
    and_more: &'i [u8],
}

/// A base in memory, and where its children that are still to be made begin in the list.
struct Base {
    content: Buffer,
    children: usize,
    shown: Option<Shown>,
}

/// An object was shown: what its visitor has said of it.
#[derive(Clone, Copy)]
struct Shown {
    marked: bool,
    note: Option<u32>,
}

impl<'w> Walker<'w> {
    fn tree(&mut self, root: u32) {
        match self.root(root) {
            Ok(Some((content, shown))) => self.descend(root, content, shown),
            Ok(None) => {}
            Err(error) => self.fail(root, &error),
        }
    }

    /// Reads and shows a whole entry. `None` where nothing is left to do with it.
    fn root(&mut self, root: u32) -> Result<Option<(Buffer, Option<Shown>)>, ObjectError> {
        let (entry, input) = self.entry(root)?;
        let kind = self.plan.kind(root);
        let alone = self.plan.weight(root) == 1 && self.plan.is_shown(root);
        if alone && kind == Kind::Blob && entry.size > LARGE {
            check_size(entry.size, input.data.len(), u64::MAX)?;
            let name = self.name(root);
            let inflater = &mut self.worker.inflater;
            let mut blob = LargeBlob::new(name, entry.size, input.data, inflater);
            self.visit.large(&mut blob)?;
            return Ok(None);
        }
        check_size(entry.size, input.data.len(), self.limit)?;
        let mut content = self.worker.pool.take();
        content.set_length(entry.size as usize);
        if let Err(error) = self.worker.inflater.fill(input.and_more, &mut content) {
            self.worker.pool.give(content);
            return Err(error);
        }
        let shown = self.show(root, &content, None);
        Ok(Some((content, shown)))
    }

    /// Makes and shows everything below `root`.
    fn descend(&mut self, root: u32, content: Buffer, shown: Option<Shown>) {
        let mut bases = Vec::new();
        self.push(&mut bases, root, content, shown);
        while let Some(base) = bases.last() {
            if self.visit.stopped() {
                break;
            }
            let Some(child) = self.next_child(base.children) else {
                self.pop(&mut bases);
                continue;
            };
            let made = self.child(child, base);
            if self.worker.children.len() == base.children {
                // The last child has been made: its base is not needed below it.
                self.pop(&mut bases);
            }
            match made {
                Ok((content, shown)) => self.push(&mut bases, child, content, shown),
                Err(error) => self.fail(child, &error),
            }
        }
        self.worker.children.clear();
    }

    fn next_child(&mut self, from: usize) -> Option<u32> {
        let list = &mut self.worker.children;
        if list.len() > from { list.pop() } else { None }
    }

    fn push(&mut self, bases: &mut Vec<Base>, entry: u32, content: Buffer, shown: Option<Shown>) {
        let live: u64 = bases.iter().map(|base| base.content.len() as u64).sum();
        if live > self.limit.saturating_add(BASES_BUDGET) {
            return self.fail_below(entry);
        }
        let children = self.worker.children.len();
        self.plan.push_children(entry, &mut self.worker.children);
        if self.worker.children.len() == children {
            self.worker.pool.give(content);
        } else {
            bases.push(Base {
                content,
                children,
                shown,
            });
        }
    }

    fn pop(&mut self, bases: &mut Vec<Base>) {
        if let Some(base) = bases.pop() {
            self.worker.pool.give(base.content);
        }
    }

    /// Makes and shows one object out of its base.
    fn child(&mut self, child: u32, base: &Base) -> Result<(Buffer, Option<Shown>), ObjectError> {
        let (entry, input) = self.entry(child)?;
        check_size(entry.size, input.data.len(), self.limit)?;
        let worker = &mut *self.worker;
        worker.delta.set_length(entry.size as usize);
        worker.inflater.fill(input.and_more, &mut worker.delta)?;
        let sizes = delta::sizes(&worker.delta)?;
        if sizes.result > self.limit {
            return Err(ObjectError::TooLarge {
                size: sizes.result,
                limit: self.limit,
            });
        }
        delta::check(&base.content, &worker.delta, sizes)?;
        let mut content = worker.pool.take();
        content.set_length(sizes.result as usize);
        let (delta, changed) = (&worker.delta, &mut worker.changed);
        match delta::apply_changed(&base.content, delta, sizes, &mut content, changed) {
            Ok(()) => {
                let shown = self.show(child, &content, Some(base));
                Ok((content, shown))
            }
            Err(error) => {
                worker.pool.give(content);
                Err(error)
            }
        }
    }

    /// Shows the object, which was made from `base`, if it is to be shown.
    fn show(&self, entry: u32, bytes: &[u8], base: Option<&Base>) -> Option<Shown> {
        if !self.plan.is_shown(entry) {
            return None;
        }
        let changed = &self.worker.changed.ranges[..];
        let base = base.and_then(|base| Some((base, base.shown?)));
        let object = ObjectRef {
            kind: self.plan.kind(entry),
            bytes,
            changed: base.filter(|(_, shown)| !shown.marked).map(|_| changed),
            made_from: base.map(|(base, shown)| MadeFrom {
                bytes: &base.content,
                changed,
                resumes: &self.worker.changed.resumes,
                note: shown.note,
            }),
            name: self.name(entry),
            marked: Cell::new(false),
            note: Cell::new(None),
        };
        self.visit.object(&object);
        Some(Shown {
            marked: object.marked.get(),
            note: object.note.get(),
        })
    }

    fn name(&self, entry: u32) -> Name<'w> {
        Name::InPack(self.pack, self.plan.position(entry))
    }

    /// Header and compressed data of an entry.
    fn entry(&self, entry: u32) -> Result<(Entry, Input<'w>), ObjectError> {
        let (start, end) = self.plan.extent(entry);
        let header = self.pack.entry(start)?;
        let pack = &self.pack.data;
        let room = pack.len().min(end as usize + ROOM);
        match (
            pack.get(header.data..end as usize),
            pack.get(header.data..room),
        ) {
            (Some(data), Some(and_more)) => Ok((header, Input { data, and_more })),
            _ => Err(ObjectError::Corrupt("pack entry is cut short")),
        }
    }

    fn fail(&mut self, entry: u32, error: &ObjectError) {
        let reason: Arc<str> = error.to_string().into();
        for entry in self.plan.shown_below(entry) {
            self.failed.push(Failed {
                id: self.name(entry).id(),
                reason: Arc::clone(&reason),
                doubtful: false,
            });
        }
    }

    /// Gives up on what is made from `entry`, which itself has been shown.
    fn fail_below(&mut self, entry: u32) {
        let mut children = Vec::new();
        self.plan.push_children(entry, &mut children);
        for child in children {
            self.fail(child, &ObjectError::Corrupt("bases too large to be held"));
        }
    }
}
