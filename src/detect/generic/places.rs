//! Lists of places in a text that are worth a look.

use super::runs::{BEFORE_SEGMENT, MOST};

/// Places that are written at once; most blocks have no more.
const STEP: usize = 4;

/// A list of places in a segment.
#[derive(Debug)]
pub(super) struct Places {
    /// What offset [`BEFORE_SEGMENT`] stands for.
    segment: usize,
    offsets: [u16; MOST + STEP],
    count: usize,
}

impl Places {
    pub(super) const fn new() -> Self {
        Self {
            segment: 0,
            offsets: [0; MOST + STEP],
            count: 0,
        }
    }

    /// Empties the list, for the segment at `segment`.
    pub(super) fn clear(&mut self, segment: usize) {
        (self.segment, self.count) = (segment, 0);
    }

    /// Adds the places of `bits`, of which the first stands for `offset`.
    #[inline(always)]
    pub(super) fn add(&mut self, mut bits: u64, offset: usize) {
        let more = bits.count_ones() as usize;
        let step = |bits: &mut u64| {
            let place = offset + bits.trailing_zeros() as usize;
            *bits &= bits.wrapping_sub(1);
            place as u16
        };
        let rest = &mut self.offsets[self.count..];
        if let Some(first) = rest.first_chunk_mut::<STEP>() {
            *first = std::array::from_fn(|_| step(&mut bits));
        }
        for place in rest.iter_mut().take(more).skip(STEP) {
            *place = step(&mut bits);
        }
        self.count += more;
    }

    /// The places, in ascending order.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        let places = self.offsets[..self.count].iter();
        places.map(|&offset| self.segment + usize::from(offset) - BEFORE_SEGMENT)
    }

    /// Keeps the places for which `keep` is 1 and not 0.
    #[inline(always)]
    pub(super) fn retain(&mut self, keep: impl Fn(usize) -> usize) {
        let mut kept = 0;
        for number in 0..self.count {
            let offset = self.offsets[number];
            self.offsets[kept] = offset;
            kept += keep(self.segment + usize::from(offset) - BEFORE_SEGMENT);
        }
        self.count = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fits_is_kept() {
        let mut places = Places::new();
        places.add(0b1111_0101, BEFORE_SEGMENT);
        places.retain(|at| at & 1);
        assert_eq!(places.iter().collect::<Vec<_>>(), [5, 7]);
    }
}
