//! What differs between a tree and the one it is stored as a difference to.

use super::entries::{self, Entry};
use crate::source::git::{HashKind, MadeFrom};

/// Which of two trees an entry stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// In the older one alone: the entry was taken out.
    Removed,
    /// In the newer one alone: it was added.
    Added,
}

/// Calls `each` for every entry that only one of two trees has: `tree`, and what it was made from. What was
/// copied is not read, but for the entries that differences touch.
///
/// An entry counts as another one if its name or the id of what it names is. `base_ends` are the places at
/// which the entries of the older tree end; `ends`, which is empty, gets those of `tree`.
pub(super) fn for_each<'t>(
    made_from: &MadeFrom<'t>,
    base_ends: &[u32],
    tree: &'t [u8],
    hash: HashKind,
    ends: &mut Vec<u32>,
    mut each: impl FnMut(Side, Entry<'t>),
) {
    let base = made_from.bytes;
    let mut copied = Copied::new(made_from, tree.len());
    let (mut new_at, mut old_at, mut taken) = (0, 0, 0);
    loop {
        if let Some(old_end) = copied.until(new_at, old_at) {
            let rest = base_ends.get(taken..).unwrap_or_default();
            let same = &rest[..rest.partition_point(|&end| end as usize <= old_end)];
            if let Some(&last) = same.last() {
                let moved = |end: u32| (end as usize + new_at - old_at) as u32;
                ends.extend(same.iter().map(|&end| moved(end)));
                (new_at, old_at) = (moved(last) as usize, last as usize);
                taken += same.len();
            }
        }
        let new = entries::at(tree, new_at, hash);
        let old = entries::at(base, old_at, hash);
        let (take_new, take_old) = match (new, old) {
            (None, None) => return,
            (new, None) => (new, None),
            (None, old) => (None, old),
            // Names are in order, but for directories; out of order an entry counts as both added and
            // removed, which comes to the same.
            (Some(one), Some(other)) => match one.name.cmp(other.name) {
                std::cmp::Ordering::Less => (new, None),
                std::cmp::Ordering::Greater => (None, old),
                std::cmp::Ordering::Equal => (new, old),
            },
        };
        if let Some(entry) = take_new {
            new_at = entry.end;
            ends.push(entry.end as u32);
        }
        if let Some(entry) = take_old {
            old_at = entry.end;
            taken += 1;
        }
        if let (Some(one), Some(other)) = (take_new, take_old)
            && one.id == other.id
        {
            continue;
        }
        take_old.into_iter().for_each(|it| each(Side::Removed, it));
        take_new.into_iter().for_each(|it| each(Side::Added, it));
    }
}

/// The stretches of a tree that were copied, one after the other.
struct Copied<'c> {
    made_from: &'c MadeFrom<'c>,
    length: usize,
    /// Number of the change that ends the stretch looked at.
    change: usize,
    /// Where it begins, in the tree and in what it was made from.
    start: (usize, usize),
}

impl<'c> Copied<'c> {
    fn new(made_from: &'c MadeFrom<'c>, length: usize) -> Self {
        Self {
            made_from,
            length,
            change: 0,
            start: (0, 0),
        }
    }

    /// Where in the older tree the stretch ends in which `new_at` lies, if `old_at` is the same place of
    /// it. Asked of growing places.
    fn until(&mut self, new_at: usize, old_at: usize) -> Option<usize> {
        let MadeFrom {
            changed, resumes, ..
        } = *self.made_from;
        while let Some(range) = changed.get(self.change).filter(|it| it.end <= new_at) {
            self.start = (range.end, resumes.get(self.change).copied()?);
            self.change += 1;
        }
        let end = changed.get(self.change).map_or(self.length, |it| it.start);
        let (new_start, old_start) = self.start;
        let is_here = new_at <= end && new_at + old_start == old_at + new_start;
        is_here.then(|| end + old_start - new_start)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::ops::Range;

    use super::*;

    type Files = BTreeMap<String, u8>;

    fn content(files: &Files) -> Vec<u8> {
        let entry = |(name, id): (&String, &u8)| {
            let mut entry = format!("100644 {name}\0").into_bytes();
            entry.extend([*id; 20]);
            entry
        };
        files.iter().flat_map(entry).collect()
    }

    /// What is new in `new`, and where the copying goes on, if stretches of at least `least` bytes are
    /// copied from wherever they stand in `old`.
    fn changes(old: &[u8], new: &[u8], least: usize) -> (Vec<Range<usize>>, Vec<usize>) {
        let (mut changed, mut resumes): (Vec<Range<usize>>, Vec<usize>) = Default::default();
        let (mut at, mut source) = (0, 0);
        while at < new.len() {
            let alike = |from: usize| {
                let pairs = new[at..].iter().zip(&old[from..]);
                pairs.take_while(|(one, other)| one == other).count()
            };
            let best = (0..old.len()).max_by_key(|&from| (alike(from), from == source));
            let copy = best.filter(|&from| alike(from) >= least);
            if copy.is_none_or(|from| from != source) && changed.last().is_none_or(|it| it.end < at)
            {
                changed.push(at..at);
                resumes.push(old.len());
            }
            let touched = changed.last_mut().filter(|last| last.end == at);
            if let Some(from) = copy {
                if touched.is_some() {
                    *resumes.last_mut().unwrap() = from;
                }
                source = from + alike(from);
                at += alike(from);
            } else {
                at += 1;
                touched.unwrap().end = at;
            }
        }
        if source != old.len() && changed.last().is_none_or(|last| last.end < at) {
            changed.push(at..at);
            resumes.push(old.len());
        }
        (changed, resumes)
    }

    fn ends(tree: &[u8]) -> Vec<u32> {
        let mut ends = Vec::new();
        entries::for_each(tree, HashKind::Sha1, |entry| ends.push(entry.end as u32));
        ends
    }

    fn differences(old: &[u8], new: &[u8], least: usize) -> Vec<(Side, String, u8)> {
        let (changed, resumes) = changes(old, new, least);
        let made_from = MadeFrom {
            bytes: old,
            changed: &changed,
            resumes: &resumes,
            note: None,
        };
        let (mut found, mut told) = (Vec::new(), Vec::new());
        let hash = HashKind::Sha1;
        for_each(
            &made_from,
            &ends(old),
            new,
            hash,
            &mut told,
            |side, entry| {
                let name = String::from_utf8_lossy(entry.name).into_owned();
                found.push((side, name, entry.id[0]));
            },
        );
        assert_eq!(told, ends(new));
        found
    }

    #[test]
    fn what_is_added_and_removed_is_told() {
        let mut state = 7_u64;
        let mut next = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) % below
        };
        for round in 0..2000 {
            let mut old = Files::new();
            for _ in 0..next(12) {
                old.insert(format!("f{}", next(30)), next(4) as u8);
            }
            let mut new = old.clone();
            for _ in 0..next(4) {
                new.insert(format!("f{}", next(30)), next(4) as u8);
                new.remove(&format!("f{}", next(30)));
            }
            let mut expected: Vec<(Side, String, u8)> = Vec::new();
            for (side, one, other) in [(Side::Removed, &old, &new), (Side::Added, &new, &old)] {
                let alone = one
                    .iter()
                    .filter(|(name, id)| other.get(*name) != Some(*id));
                expected.extend(alone.map(|(name, id)| (side, name.clone(), *id)));
            }
            let key = |it: &(Side, String, u8)| (it.0 == Side::Added, it.1.clone(), it.2);
            expected.sort_by_key(key);
            let mut told = differences(&content(&old), &content(&new), 1 + round % 40);
            told.sort_by_key(key);
            assert_eq!(told, expected, "{old:?} {new:?}");
        }
    }

    #[test]
    fn damage_ends_and_hides_nothing_before_it() {
        let whole = content(&Files::from([("a".to_owned(), 1), ("b".to_owned(), 2)]));
        for cut in 0..whole.len() {
            let told = differences(&whole, &whole[..cut], 4);
            let lost = 2 - cut / (whole.len() / 2);
            assert_eq!(told.len(), lost, "{cut}");
            assert_eq!(differences(&whole[..cut], &whole, 4).len(), lost, "{cut}");
        }
    }
}
