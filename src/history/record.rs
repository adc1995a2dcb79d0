//! What one walk over commits and trees notes of them: where commits lead, and how trees differ.
//!
//! The scan of a whole history makes it on the way, so that placing what was found does not read
//! all of it a second time. A tree is sixteen bytes, and four for each entry that it adds to the tree
//! it was made from or takes out of it; which trees lead to something is worked out from that
//! ([`Record::leading`]), and only those are read again.

use std::cell::RefCell;
use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::difference::{self, Side};
use super::entries::{self, Entry};
use super::token::{AsItIs, Tokens};
use crate::source::git::{
    CommitLinks, HashKind, Kind, LargeBlob, NotRead, ObjectError, ObjectId, ObjectRef, ObjectStore,
    Selection, Visit,
};

/// A token cut to 32 bits. Of ten million objects a few share one: whatever is decided by it is
/// looked at again.
pub(super) type Short = u32;

/// The short token of an object's raw id.
#[inline]
pub(super) fn short(tokens: &Tokens, id: &[u8]) -> Short {
    tokens.id(id) as Short
}

/// The short token of a name.
pub(super) fn short_name(tokens: &Tokens, name: &[u8]) -> Short {
    tokens.name(0, name) as Short
}

/// A commit; its parents stand in a list of their own.
#[derive(Debug)]
pub(super) struct CommitRecord {
    /// Its id.
    pub(super) id: ObjectId,
    /// The token of its tree.
    pub(super) tree: u64,
    /// How many parents it has.
    pub(super) parents: u32,
    /// When it was committed, in seconds since 1970.
    pub(super) seconds: i64,
}

/// A tree; the entries that it adds and takes out stand in a list of their own.
#[derive(Debug)]
struct TreeRecord {
    token: Short,
    /// Number of the tree it was made from, or [`WHOLE`].
    base: u32,
    removed: u32,
    added: u32,
}

/// The tree was made from none.
const WHOLE: u32 = u32::MAX;

/// What one thread has noted. A tree comes after the one it was made from.
#[derive(Debug, Default)]
struct Log {
    commits: Vec<CommitRecord>,
    /// The tokens of the commits' parents, one commit after the other.
    parents: Vec<u64>,
    trees: Vec<TreeRecord>,
    /// Of each tree the entries that were removed, then those that were added.
    entries: Vec<Short>,
    ends: Ends,
    /// What is used again from tree to tree.
    added: Vec<Short>,
    spare: Vec<u32>,
}

/// Where the entries of the trees end that were seen last: what is made from one of them is then read
/// only where it differs. Directories of a thousand files are not rare.
#[derive(Debug)]
struct Ends(Box<[(u32, Vec<u32>)]>);

/// So many trees are remembered; few bases are live at a time.
const REMEMBERED: usize = 64;

impl Default for Ends {
    fn default() -> Self {
        Self(vec![(WHOLE, Vec::new()); REMEMBERED].into_boxed_slice())
    }
}

impl Ends {
    /// Those of the tree with this number and content.
    fn of(&mut self, number: u32, tree: &[u8], hash: HashKind) -> &[u32] {
        let slot = &mut self.0[number as usize % REMEMBERED];
        if slot.0 != number {
            slot.0 = number;
            slot.1.clear();
            entries::for_each(tree, hash, |entry| slot.1.push(entry.end as u32));
        }
        &slot.1
    }

    /// Remembers `ends` of the tree with this number. Gives a list that is not needed any more.
    fn keep(&mut self, number: u32, ends: Vec<u32>) -> Vec<u32> {
        let slot = &mut self.0[number as usize % REMEMBERED];
        std::mem::replace(slot, (number, ends)).1
    }
}

/// Takes notes; from several threads at once.
pub(super) struct Recorder<'r> {
    hash: HashKind,
    tokens: Tokens,
    logs: Vec<Mutex<Log>>,
    is_found: &'r (dyn Fn(&[u8]) -> bool + Sync),
}

impl<'r> Recorder<'r> {
    /// For the objects of `store`. `is_found` says of a name whether something was found in it.
    pub(super) fn new(
        store: &ObjectStore,
        tokens: Tokens,
        is_found: &'r (dyn Fn(&[u8]) -> bool + Sync),
    ) -> Self {
        let threads = rayon::current_num_threads().max(1);
        Self {
            hash: store.hash(),
            tokens,
            logs: (0..threads).map(|_| Mutex::default()).collect(),
            is_found,
        }
    }

    /// Notes a commit or a tree.
    pub(super) fn see(&self, object: &ObjectRef<'_>) {
        match object.kind {
            Kind::Commit => self.commit(object),
            Kind::Tree => self.tree(object),
            Kind::Blob | Kind::Tag => {}
        }
    }

    /// This thread's notes: what is made from an object is shown by the same thread.
    fn log(&self) -> MutexGuard<'_, Log> {
        let thread = rayon::current_thread_index().unwrap_or(0);
        let log = &self.logs[thread % self.logs.len()];
        log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn commit(&self, object: &ObjectRef<'_>) {
        thread_local! {
            static PARENTS: RefCell<Vec<ObjectId>> = const { RefCell::new(Vec::new()) };
        }
        PARENTS.with_borrow_mut(|parents| {
            parents.clear();
            let Some(links) = CommitLinks::parse(object.bytes, parents) else {
                return;
            };
            let token = |id: &ObjectId| self.tokens.id(id.as_bytes());
            let mut log = self.log();
            log.parents.extend(parents.iter().map(token));
            log.commits.push(CommitRecord {
                id: object.id(),
                tree: token(&links.tree),
                parents: parents.len() as u32,
                seconds: links.seconds,
            });
        });
    }

    fn tree(&self, object: &ObjectRef<'_>) {
        let mut guard = self.log();
        let log = &mut *guard;
        let number = log.trees.len() as u32;
        let from = log.entries.len();
        log.added.clear();
        let mut ends = std::mem::take(&mut log.spare);
        ends.clear();
        let made_from = object.made_from.and_then(|base| Some((base, base.note?)));
        if let Some((base, base_number)) = made_from {
            let base_ends = log.ends.of(base_number, base.bytes, self.hash);
            let (removed, added) = (&mut log.entries, &mut log.added);
            let each = |side, entry: Entry<'_>| match side {
                Side::Removed => self.entry(&entry, removed),
                Side::Added => self.entry(&entry, added),
            };
            difference::for_each(&base, base_ends, object.bytes, self.hash, &mut ends, each);
        } else {
            entries::for_each(object.bytes, self.hash, |entry| {
                ends.push(entry.end as u32);
                self.entry(&entry, &mut log.added);
            });
        }
        log.spare = log.ends.keep(number, ends);
        let removed = (log.entries.len() - from) as u32;
        log.entries.extend_from_slice(&log.added);
        log.trees.push(TreeRecord {
            token: short(&self.tokens, object.id().as_bytes()),
            base: made_from.map_or(WHOLE, |(_, number)| number),
            removed,
            added: log.added.len() as u32,
        });
        object.note(number);
    }

    /// Notes what an entry leads to, and its name if something was found in that.
    fn entry(&self, entry: &Entry<'_>, list: &mut Vec<Short>) {
        if !entry.is_submodule {
            list.push(short(&self.tokens, entry.id));
        }
        if (self.is_found)(entry.name) {
            list.push(short_name(&self.tokens, entry.name));
        }
    }

    /// What was noted. It is `complete` if all commits and trees there are were shown.
    pub(super) fn finish(self, complete: bool) -> Record {
        let log = |log: Mutex<Log>| log.into_inner().unwrap_or_else(PoisonError::into_inner);
        Record {
            tokens: self.tokens,
            logs: self.logs.into_iter().map(log).collect(),
            complete,
        }
    }
}

/// What was noted of the commits and trees of a repository.
#[derive(Debug)]
pub struct Record {
    tokens: Tokens,
    logs: Vec<Log>,
    complete: bool,
}

impl Record {
    /// Reads all commits and trees of `store`, in the order in which packs hold them. What cannot be
    /// read goes to `not_read`. `is_found` says of a name whether something was found in it.
    pub(super) fn read(
        store: &ObjectStore,
        tokens: Tokens,
        is_found: &(dyn Fn(&[u8]) -> bool + Sync),
        not_read: &mut Vec<NotRead>,
        stopped: &(dyn Fn() -> bool + Sync),
    ) -> Self {
        let walk = Walk {
            recorder: Recorder::new(store, tokens, is_found),
            not_read: Mutex::default(),
            stopped,
        };
        store.for_each(Selection::of(&[Kind::Commit, Kind::Tree]), &walk);
        let lost = walk.not_read.into_inner();
        not_read.append(&mut lost.unwrap_or_else(PoisonError::into_inner));
        walk.recorder.finish(true)
    }

    /// Whether it knows of all commits and trees.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// What makes its tokens.
    pub(super) fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// Every commit, with the tokens of its parents.
    pub(super) fn commits(&self) -> impl Iterator<Item = (&CommitRecord, &[u64])> {
        self.logs.iter().flat_map(|log| {
            let mut rest = &log.parents[..];
            log.commits.iter().map(move |commit| {
                let (parents, after) = rest.split_at(commit.parents as usize);
                rest = after;
                (commit, parents)
            })
        })
    }

    /// Lets go of what was noted, but for what makes tokens.
    pub(super) fn into_tokens(self) -> Tokens {
        self.tokens
    }

    /// The trees that lead to one of `wanted`, directly or through others: their tokens.
    pub(super) fn leading(&self, wanted: impl IntoIterator<Item = Short>) -> Shorts {
        let mut goals = Shorts::default();
        goals.extend(wanted);
        let mut leading = Shorts::default();
        loop {
            // What is found on the way counts from the next round on: within one, an entry counts
            // alike in a tree and in what was made from it.
            let mut found = Vec::new();
            for log in &self.logs {
                log.leading(&goals, |tree| {
                    if leading.insert(tree) {
                        found.push(tree);
                    }
                });
            }
            if found.is_empty() {
                return leading;
            }
            goals.extend(found);
        }
    }
}

impl Log {
    /// Calls `each` with the token of every tree that has one of `goals` as an entry.
    fn leading(&self, goals: &Shorts, mut each: impl FnMut(Short)) {
        let mut counts: Vec<u32> = Vec::with_capacity(self.trees.len());
        let mut rest = &self.entries[..];
        for tree in &self.trees {
            let mut next = |number: u32| {
                let (entries, after) = rest.split_at(number as usize);
                rest = after;
                entries.iter().filter(|&&it| goals.contains(it)).count() as u32
            };
            let (removed, added) = (next(tree.removed), next(tree.added));
            let base = counts.get(tree.base as usize).copied().unwrap_or(0);
            // A damaged tree may lose what it never had.
            let count = base.saturating_sub(removed) + added;
            counts.push(count);
            if count > 0 {
                each(tree.token);
            }
        }
    }
}

/// A set of short tokens, of which most questions are answered by a bit.
#[derive(Debug)]
pub(super) struct Shorts {
    bits: Vec<u64>,
    all: HashSet<Short, BuildHasherDefault<AsItIs>>,
}

/// So many bits there are, by the lower end of a token.
const BITS: u32 = 1 << 21;

impl Default for Shorts {
    fn default() -> Self {
        Self {
            bits: vec![0; BITS as usize / 64],
            all: HashSet::default(),
        }
    }
}

impl Extend<Short> for Shorts {
    fn extend<I: IntoIterator<Item = Short>>(&mut self, tokens: I) {
        for token in tokens {
            self.insert(token);
        }
    }
}

impl Shorts {
    /// Adds a token; whether it was not there before.
    fn insert(&mut self, token: Short) -> bool {
        let bit = token % BITS;
        self.bits[bit as usize / 64] |= 1 << (bit % 64);
        self.all.insert(token)
    }

    /// Whether it is there.
    #[inline]
    pub(super) fn contains(&self, token: Short) -> bool {
        let bit = token % BITS;
        self.bits[bit as usize / 64] >> (bit % 64) & 1 == 1 && self.all.contains(&token)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }
}

/// The walk of [`Record::read`].
struct Walk<'w> {
    recorder: Recorder<'w>,
    not_read: Mutex<Vec<NotRead>>,
    stopped: &'w (dyn Fn() -> bool + Sync),
}

impl Visit for Walk<'_> {
    fn object(&self, object: &ObjectRef<'_>) {
        self.recorder.see(object);
    }

    fn large(&self, _blob: &mut LargeBlob<'_>) -> Result<(), ObjectError> {
        Ok(())
    }

    fn not_read(&self, what: NotRead) {
        let mut not_read = self.not_read.lock().unwrap_or_else(PoisonError::into_inner);
        not_read.push(what);
    }

    fn stopped(&self) -> bool {
        (self.stopped)()
    }
}
