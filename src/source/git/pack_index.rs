//! Pack indexes, versions 1 and 2 (`gitformat-pack(5)`).

use std::path::Path;

use super::bytes::{be32, be64};
use super::mapped::Mapped;
use super::{HashKind, ObjectError, ObjectId};

/// The sorted ids of a pack and where each stands in it.
#[derive(Debug)]
pub(super) struct PackIndex {
    data: Mapped,
    hash: HashKind,
    count: usize,
    layout: Layout,
}

#[derive(Clone, Copy, Debug)]
enum Layout {
    /// Entries of a 32-bit offset and an id.
    One,
    /// Tables of ids, checksums, 31-bit offsets and 64-bit offsets, each at its place.
    Two {
        ids: usize,
        sums: usize,
        offsets: usize,
        large: usize,
    },
}

const FANOUT: usize = 256 * 4;
const SIGNATURE: &[u8] = b"\xFFtOc";

impl PackIndex {
    pub(super) fn open(path: &Path, hash: HashKind) -> Result<Self, ObjectError> {
        let data = Mapped::open(path).map_err(|source| ObjectError::Io {
            path: path.display().to_string(),
            source,
        })?;
        let two = data.starts_with(SIGNATURE);
        if two && be32(&data, 4) != Some(2) {
            return Err(ObjectError::Corrupt("unknown version of a pack index"));
        }
        let start = if two { 8 } else { 0 };
        let count = checked_fanout(&data, start)?;
        let width = hash.length();
        let tables = start + FANOUT;
        let (layout, end) = if two {
            let sums = tables + count * width;
            let offsets = sums + count * 4;
            let large = offsets + count * 4;
            let layout = Layout::Two {
                ids: tables,
                sums,
                offsets,
                large,
            };
            (layout, large)
        } else {
            (Layout::One, tables + count * (width + 4))
        };
        if data.len() < end + 2 * width {
            return Err(ObjectError::Corrupt("pack index is cut short"));
        }
        Ok(Self {
            data,
            hash,
            count,
            layout,
        })
    }

    /// Number of objects.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Raw id at `position`, which must be below the count.
    pub(super) fn raw_id(&self, position: usize) -> &[u8] {
        let width = self.hash.length();
        let at = match self.layout {
            Layout::One => FANOUT + position * (width + 4) + 4,
            Layout::Two { ids, .. } => ids + position * width,
        };
        self.data.get(at..at + width).unwrap_or_default()
    }

    /// Id at `position`; `None` past the end.
    pub(super) fn id(&self, position: usize) -> Option<ObjectId> {
        ObjectId::from_bytes(self.raw_id(position))
    }

    /// Place in the pack of the object at `position`; `None` where the index is damaged.
    pub(super) fn offset(&self, position: usize) -> Option<u64> {
        if position >= self.count {
            return None;
        }
        let (offsets, large) = match self.layout {
            Layout::One => {
                let at = FANOUT + position * (self.hash.length() + 4);
                return be32(&self.data, at).map(u64::from);
            }
            Layout::Two { offsets, large, .. } => (offsets, large),
        };
        let offset = be32(&self.data, offsets + position * 4)?;
        if offset & 0x8000_0000 == 0 {
            return Some(u64::from(offset));
        }
        be64(&self.data, large + (offset & 0x7FFF_FFFF) as usize * 8)
    }

    /// CRC-32 of the entry of the object at `position`, as it stands in the pack; version 1 has
    /// none.
    pub(super) fn sum(&self, position: usize) -> Option<u32> {
        match self.layout {
            Layout::One => None,
            Layout::Two { sums, .. } => be32(&self.data, sums + position * 4),
        }
    }

    /// Whether it has a CRC-32 of each entry.
    pub(super) fn has_sums(&self) -> bool {
        matches!(self.layout, Layout::Two { .. })
    }

    /// Checksum of the pack that it is the index of.
    pub(super) fn pack_checksum(&self) -> &[u8] {
        let width = self.hash.length();
        let at = self.data.len().saturating_sub(2 * width);
        self.data.get(at..at + width).unwrap_or_default()
    }

    /// Position of `id`.
    pub(super) fn position(&self, id: &ObjectId) -> Option<usize> {
        if id.hash() != self.hash {
            return None;
        }
        let start = match self.layout {
            Layout::One => 0,
            Layout::Two { .. } => 8,
        };
        search(&self.data, start, id, |position| self.raw_id(position))
    }
}

/// Number of objects that the fan-out table at `start` gives; its numbers must not fall.
pub(super) fn checked_fanout(data: &[u8], start: usize) -> Result<usize, ObjectError> {
    let mut last = 0;
    for slot in 0..256 {
        let count =
            be32(data, start + slot * 4).ok_or(ObjectError::Corrupt("pack index is cut short"))?;
        if count < last {
            return Err(ObjectError::Corrupt("fan-out table of a pack index"));
        }
        last = count;
    }
    Ok(last as usize)
}

/// Looks for `id` among sorted ids, within its first byte's slot of the fan-out table.
///
/// Ids are spread evenly, so that a place is guessed from the bytes after the first one, each
/// time between closer bounds: three looks where halving takes twelve, each of them a cache miss. Ids that
/// somebody has chosen may be spread as they like: after some guesses the rest is halved.
pub(super) fn search<'d>(
    data: &[u8],
    fanout: usize,
    id: &ObjectId,
    raw_id: impl Fn(usize) -> &'d [u8],
) -> Option<usize> {
    const GUESSES: usize = 6;
    let wanted = id.as_bytes();
    let first = usize::from(*wanted.first()?);
    let mut low = match first {
        0 => 0,
        _ => be32(data, fanout + (first - 1) * 4)? as usize,
    };
    let mut high = be32(data, fanout + first * 4)? as usize;
    // What stands before `low` is at least the one, what stands at `high` at most the other.
    let (mut least, mut most) = (0, u64::from(u32::MAX) + 1);
    let value = u64::from(be32(wanted, 1)?);
    let mut guesses = 0;
    while low < high {
        let middle = match guesses < GUESSES && (least..most).contains(&value) {
            true => low + ((high - low) as u64 * (value - least) / (most - least)) as usize,
            false => low + (high - low) / 2,
        };
        guesses += 1;
        let there = raw_id(middle);
        match there.cmp(wanted) {
            std::cmp::Ordering::Less => (low, least) = (middle + 1, u64::from(be32(there, 1)?)),
            std::cmp::Ordering::Equal => return Some(middle),
            std::cmp::Ordering::Greater => (high, most) = (middle, u64::from(be32(there, 1)?)),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ids, sorted, and the fan-out table for them.
    fn index(mut ids: Vec<[u8; 20]>) -> (Vec<[u8; 20]>, Vec<u8>) {
        ids.sort_unstable();
        ids.dedup();
        let until = |first: u8| ids.iter().filter(|id| id[0] <= first).count() as u32;
        let fanout = (0..=255).flat_map(|first| until(first).to_be_bytes());
        let fanout = fanout.collect();
        (ids, fanout)
    }

    #[test]
    fn every_id_is_found_however_they_are_spread() {
        let mut state = 1_u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as u8
        };
        let even: Vec<[u8; 20]> = (0..3000).map(|_| std::array::from_fn(|_| next())).collect();
        // Alike in the bytes that are guessed by, at one end, and twice as far each.
        let alike = (0..=255).map(|last| std::array::from_fn(|at| if at == 19 { last } else { 7 }));
        let ends = (0..=255).map(|last| {
            std::array::from_fn(|at| {
                if at == 4 {
                    last
                } else {
                    255 * u8::from(last > 9)
                }
            })
        });
        let doubling = (0..32).map(|bit| {
            let [a, b, c, d] = (1_u32 << bit).to_be_bytes();
            let mut id = [0; 20];
            id[..5].copy_from_slice(&[9, a, b, c, d]);
            id
        });
        for ids in [
            vec![],
            even,
            alike.collect(),
            ends.collect(),
            doubling.collect(),
        ] {
            let (ids, fanout) = index(ids);
            let find = |id: &[u8]| {
                let id = ObjectId::from_bytes(id).expect("20 bytes");
                search(&fanout, 0, &id, |position| &ids[position])
            };
            for (position, id) in ids.iter().enumerate() {
                assert_eq!(find(id), Some(position));
                let mut other = *id;
                other[10] ^= 1;
                assert_eq!(find(&other), ids.binary_search(&other).ok());
            }
            assert_eq!(find(&[0xEE; 20]), None);
        }
    }
}
