//! Sets of findings, each of them stored once: ten thousand commits hold the same three keys.

use std::collections::HashMap;

/// A set; the empty one is [`Sets::EMPTY`].
pub(super) type SetId = u32;

/// The sets there are.
#[derive(Debug)]
pub(super) struct Sets {
    all: Vec<Box<[u64]>>,
    known: HashMap<Box<[u64]>, SetId>,
    unions: HashMap<(SetId, SetId), SetId>,
    words: usize,
}

impl Sets {
    /// The set without members.
    pub(super) const EMPTY: SetId = 0;

    /// Sets of the numbers below `size`.
    pub(super) fn new(size: usize) -> Self {
        let words = size.div_ceil(64);
        let empty = vec![0; words].into_boxed_slice();
        Self {
            all: vec![empty.clone()],
            known: HashMap::from([(empty, Self::EMPTY)]),
            unions: HashMap::new(),
            words,
        }
    }

    /// The set of `members`, each below the size.
    pub(super) fn of(&mut self, members: impl IntoIterator<Item = usize>) -> SetId {
        let mut bits = vec![0; self.words];
        for member in members {
            bits[member / 64] |= 1 << (member % 64);
        }
        self.intern(bits)
    }

    /// Everything that is in one of two sets.
    pub(super) fn union(&mut self, one: SetId, other: SetId) -> SetId {
        if one == other || other == Self::EMPTY {
            return one;
        }
        if one == Self::EMPTY {
            return other;
        }
        let pair = (one.min(other), one.max(other));
        if let Some(&known) = self.unions.get(&pair) {
            return known;
        }
        let (a, b) = (&self.all[one as usize], &self.all[other as usize]);
        let bits = a.iter().zip(b).map(|(a, b)| a | b).collect();
        let union = self.intern(bits);
        self.unions.insert(pair, union);
        union
    }

    /// The members of `set`, in order.
    pub(super) fn members(&self, set: SetId) -> impl Iterator<Item = usize> + '_ {
        let words = self.all[set as usize].iter().enumerate();
        words.flat_map(|(number, &word)| Bits(word).map(move |bit| number * 64 + bit))
    }

    /// Whether `member` is in `set`.
    pub(super) fn has(&self, set: SetId, member: usize) -> bool {
        self.all[set as usize][member / 64] >> (member % 64) & 1 == 1
    }

    fn intern(&mut self, bits: Vec<u64>) -> SetId {
        let bits = bits.into_boxed_slice();
        if let Some(&known) = self.known.get(&bits) {
            return known;
        }
        let id = self.all.len() as SetId;
        self.all.push(bits.clone());
        self.known.insert(bits, id);
        id
    }
}

/// The numbers of the bits that are set.
struct Bits(u64);

impl Iterator for Bits {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(bit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_sets_are_one() {
        let mut sets = Sets::new(130);
        let low = sets.of([0, 3]);
        let high = sets.of([129, 64]);
        assert_eq!(sets.of([3, 0, 3]), low);
        assert_eq!(sets.of([]), Sets::EMPTY);
        let both = sets.union(low, high);
        assert_eq!(sets.members(both).collect::<Vec<_>>(), [0, 3, 64, 129]);
        assert_eq!(sets.union(high, low), both);
        assert_eq!(sets.union(both, low), both);
        assert_eq!(sets.union(Sets::EMPTY, low), low);
        assert!(sets.has(both, 64) && !sets.has(low, 64) && !sets.has(both, 128));
    }
}
