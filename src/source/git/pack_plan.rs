//! What to decode of a pack, and in which order, known from the entries' headers alone.

use std::collections::HashSet;

use rayon::prelude::*;

use super::pack::{Form, Pack};
use super::{Kind, ObjectError};

/// The delta trees of a pack. Entries are numbered by their order in the pack.
#[derive(Debug)]
pub(super) struct Plan {
    offsets: Vec<u64>,
    positions: Vec<u32>,
    first_child: Vec<u32>,
    next_sibling: Vec<u32>,
    /// How many objects at and below an entry are to be shown.
    weights: Vec<u32>,
    kinds: Vec<Resolved>,
    shown: Vec<bool>,
    end: u64,
    /// Whole entries at or below which something is to be shown, in the pack's order.
    pub(super) roots: Vec<u32>,
    /// Entries whose kind could not be found out, with the reason.
    pub(super) broken: Vec<(u32, ObjectError)>,
    damaged: HashSet<u32>,
}

/// No entry.
const NONE: u32 = u32::MAX;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolved {
    Known(Kind),
    Waiting,
    Broken,
}

/// An entry's base, or what stands in its place. Small, for there are millions.
#[derive(Clone, Copy, Debug)]
enum Base {
    Whole(Kind),
    Entry(u32),
    Bad,
    /// Its checksum is wrong, or another entry begins at the same place: whatever its header
    /// says, even of its kind, may be wrong.
    Damaged,
}

impl Plan {
    /// Plans `pack`: objects of a kind that `wanted` names are to be shown, unless `skip` says of
    /// an object, by its position in the index, that it is not.
    pub(super) fn new(
        pack: &Pack,
        wanted: impl Fn(Kind) -> bool + Sync,
        skip: impl Fn(usize) -> bool + Sync,
    ) -> Self {
        let (mut plan, sums) = Self::unplanned(pack);
        let bases: Vec<Base> = (0..plan.offsets.len())
            .into_par_iter()
            .with_min_len(4096)
            .map(|entry| match plan.is_intact(pack, entry, sums[entry]) {
                true => plan.base(pack, entry).unwrap_or(Base::Bad),
                false => Base::Damaged,
            })
            .collect();
        drop(sums);
        let order = plan.resolve(pack, &bases);
        plan.shown = (0..plan.offsets.len())
            .into_par_iter()
            .with_min_len(4096)
            .map(|entry| match plan.kinds[entry] {
                Resolved::Known(kind) => wanted(kind) && !skip(plan.positions[entry] as usize),
                _ => false,
            })
            .collect();
        plan.weigh(&order);
        let is_root = |entry: &u32| {
            let entry = *entry as usize;
            plan.weights[entry] > 0 && matches!(bases[entry], Base::Whole(_))
        };
        plan.roots = (0..bases.len() as u32).filter(is_root).collect();
        plan
    }

    /// The entries in the pack's order, of which nothing is known yet, and their checksums: read
    /// in the index's order, which in the pack's order would be a jump for each.
    fn unplanned(pack: &Pack) -> (Self, Vec<u32>) {
        let count = u32::try_from(pack.index.count()).unwrap_or(u32::MAX);
        let mut places: Vec<(u64, u32, u32)> = (0..count)
            .map(|at| {
                let offset = pack.index.offset(at as usize).unwrap_or(u64::MAX);
                (offset, at, pack.index.sum(at as usize).unwrap_or(0))
            })
            .collect();
        places.par_sort_unstable();
        let length = places.len();
        let plan = Self {
            offsets: places.iter().map(|place| place.0).collect(),
            positions: places.iter().map(|place| place.1).collect(),
            first_child: vec![NONE; length],
            next_sibling: vec![NONE; length],
            weights: vec![0; length],
            kinds: vec![Resolved::Waiting; length],
            shown: Vec::new(),
            end: pack.end() as u64,
            roots: Vec::new(),
            broken: Vec::new(),
            damaged: HashSet::new(),
        };
        (plan, places.iter().map(|place| place.2).collect())
    }

    /// Whether the entry is as it was written. A changed kind would be believed otherwise: only
    /// the content has a checksum in the pack itself.
    fn is_intact(&self, pack: &Pack, entry: usize, sum: u32) -> bool {
        let (start, end) = self.extent(entry as u32);
        match pack.data.get(start as usize..end as usize) {
            None | Some([]) => false,
            Some(bytes) => !pack.index.has_sums() || libdeflater::crc32(bytes) == sum,
        }
    }

    fn base(&self, pack: &Pack, entry: usize) -> Result<Base, ObjectError> {
        let offset = match pack.entry(self.offsets[entry])?.form {
            Form::Whole(kind) => return Ok(Base::Whole(kind)),
            Form::OffsetDelta(offset) => Some(offset),
            Form::IdDelta(id) => pack
                .index
                .position(&id)
                .and_then(|position| pack.index.offset(position)),
        };
        let base = offset.and_then(|offset| self.entry_at(offset, entry));
        match base {
            Some(base) => Ok(Base::Entry(base as u32)),
            None => Err(ObjectError::MissingBase),
        }
    }

    /// The entry at `offset`. It is looked for backwards from `near` in growing steps first: bases
    /// stand close before what is made from them, and a search of the whole list misses the
    /// cache at every step.
    fn entry_at(&self, offset: u64, near: usize) -> Option<usize> {
        let (mut high, mut step) = (near, 1);
        let mut low = near;
        while low > 0 && self.offsets[low] > offset {
            high = low;
            low = low.saturating_sub(step);
            step *= 2;
        }
        if self.offsets[low] > offset || self.offsets[near] < offset {
            return self.offsets.binary_search(&offset).ok();
        }
        let found = self.offsets[low..=high].binary_search(&offset).ok()?;
        Some(low + found)
    }

    /// Finds each entry's kind and children. Returns the entries in an order in which bases come
    /// before what is made from them; entries of a circle are not in it and count as broken.
    fn resolve(&mut self, pack: &Pack, bases: &[Base]) -> Vec<u32> {
        let mut order = Vec::with_capacity(bases.len());
        let mut late = false;
        for (entry, &base) in bases.iter().enumerate() {
            match base {
                Base::Whole(kind) => self.kinds[entry] = Resolved::Known(kind),
                Base::Entry(base) => {
                    self.next_sibling[entry] = self.first_child[base as usize];
                    self.first_child[base as usize] = entry as u32;
                    // A base by offset stands earlier, so its kind is known already.
                    self.kinds[entry] = self.kinds[base as usize];
                }
                Base::Bad | Base::Damaged => self.kinds[entry] = Resolved::Broken,
            }
            match self.kinds[entry] {
                Resolved::Known(_) => order.push(entry as u32),
                Resolved::Waiting => late = true,
                Resolved::Broken => {}
            }
        }
        if late {
            self.resolve_late(&mut order);
        }
        for (entry, kind) in self.kinds.iter().enumerate() {
            if !matches!(kind, Resolved::Known(_)) {
                let reason = match bases[entry] {
                    Base::Damaged => {
                        self.damaged.insert(entry as u32);
                        ObjectError::Corrupt("checksum of a pack entry")
                    }
                    _ => self
                        .base(pack, entry)
                        .err()
                        .unwrap_or(ObjectError::MissingBase),
                };
                self.broken.push((entry as u32, reason));
            }
        }
        order
    }

    /// Settles entries whose base stands later in the pack: from each known entry down to its
    /// children, each once, so that a circle, which no known entry leads into, ends nothing.
    fn resolve_late(&mut self, order: &mut Vec<u32>) {
        let mut next = 0;
        while let Some(&entry) = order.get(next) {
            next += 1;
            let mut child = self.first_child[entry as usize];
            while child != NONE {
                if self.kinds[child as usize] == Resolved::Waiting {
                    self.kinds[child as usize] = self.kinds[entry as usize];
                    order.push(child);
                }
                child = self.next_sibling[child as usize];
            }
        }
    }

    /// Counts what is to be shown at and below each entry.
    fn weigh(&mut self, order: &[u32]) {
        for &entry in order.iter().rev() {
            let mut weight = u32::from(self.shown[entry as usize]);
            for child in self.children(entry) {
                weight = weight.saturating_add(self.weights[child as usize]);
            }
            self.weights[entry as usize] = weight;
        }
    }

    fn children(&self, entry: u32) -> impl Iterator<Item = u32> + '_ {
        let some = |entry| Some(entry).filter(|&entry| entry != NONE);
        std::iter::successors(some(self.first_child[entry as usize]), move |&child| {
            some(self.next_sibling[child as usize])
        })
    }

    /// Adds the entries made from `entry` that lead to something to be shown, the one with the
    /// most last: whoever takes them off the end and leaves the heaviest for last needs to hold
    /// only as many bases as the logarithm of the tree's size.
    pub(super) fn push_children(&self, entry: u32, list: &mut Vec<u32>) {
        let from = list.len();
        list.extend(
            self.children(entry)
                .filter(|&child| self.weights[child as usize] > 0),
        );
        list[from..].sort_unstable_by_key(|&child| std::cmp::Reverse(self.weights[child as usize]));
    }

    /// Everything at and below `entry` that was to be shown.
    pub(super) fn shown_below(&self, entry: u32) -> Vec<u32> {
        let (mut found, mut waiting) = (Vec::new(), vec![entry]);
        while let Some(entry) = waiting.pop() {
            if self.shown[entry as usize] {
                found.push(entry);
            }
            self.push_children(entry, &mut waiting);
        }
        found
    }

    /// Whether the entry itself is not as it was written, so that its kind may be wrong.
    pub(super) fn is_damaged(&self, entry: u32) -> bool {
        self.damaged.contains(&entry)
    }

    /// Number of the entry's object in the pack's index.
    pub(super) fn position(&self, entry: u32) -> usize {
        self.positions[entry as usize] as usize
    }

    /// Where the entry begins, and where the next one does.
    pub(super) fn extent(&self, entry: u32) -> (u64, u64) {
        let entry = entry as usize;
        let next = self.offsets.get(entry + 1).copied();
        (self.offsets[entry], next.unwrap_or(self.end).min(self.end))
    }

    /// The entry's kind; only asked of entries below a root.
    pub(super) fn kind(&self, entry: u32) -> Kind {
        match self.kinds[entry as usize] {
            Resolved::Known(kind) => kind,
            _ => Kind::Blob,
        }
    }

    /// Whether the entry itself is to be shown, not only used as a base.
    pub(super) fn is_shown(&self, entry: u32) -> bool {
        self.shown[entry as usize]
    }

    /// How many objects at and below the entry are to be shown.
    pub(super) fn weight(&self, entry: u32) -> u32 {
        self.weights[entry as usize]
    }
}
