//! One pack: its entries by offset, and single objects out of it.

use std::path::{Path, PathBuf};

use super::bytes::be32;
use super::inflate::{Inflater, plausible};
use super::mapped::Mapped;
use super::pack_index::PackIndex;
use super::{HashKind, Kind, ObjectError, ObjectId, delta};

/// A pack file and its index.
#[derive(Debug)]
pub(super) struct Pack {
    /// The `.pack` file.
    pub(super) path: PathBuf,
    pub(super) data: Mapped,
    pub(super) index: PackIndex,
    hash: HashKind,
}

/// An entry's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) form: Form,
    /// Size of what the compressed data holds: the object, or the delta.
    pub(super) size: u64,
    /// Where the compressed data begins in the pack.
    pub(super) data: usize,
}

/// How an entry holds its object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Whole.
    Whole(Kind),
    /// As a delta to the entry at this offset.
    OffsetDelta(u64),
    /// As a delta to this object.
    IdDelta(ObjectId),
}

/// git makes chains of up to 4,095 deltas (`pack.depth`); a longer one is an attack.
pub(super) const LONGEST_CHAIN: usize = 4096;

/// Buffers that are used again for each object.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    pub(super) inflater: Inflater,
    delta: Vec<u8>,
    other: Vec<u8>,
}

impl Pack {
    /// Opens the pack whose index is at `index_path`.
    pub(super) fn open(index_path: &Path, hash: HashKind) -> Result<Self, ObjectError> {
        let index = PackIndex::open(index_path, hash)?;
        let path = index_path.with_extension("pack");
        let data = Mapped::open(&path).map_err(|source| ObjectError::Io {
            path: path.display().to_string(),
            source,
        })?;
        if !data.starts_with(b"PACK") || !matches!(be32(&data, 4), Some(2 | 3)) {
            return Err(ObjectError::Corrupt("not a pack of version 2 or 3"));
        }
        Ok(Self {
            path,
            data,
            index,
            hash,
        })
    }

    /// Whether pack and index fit each other; what is in the pack and not in the index cannot be
    /// told otherwise.
    pub(super) fn fits_index(&self) -> Result<(), ObjectError> {
        if be32(&self.data, 8).map(|count| count as usize) != Some(self.index.count()) {
            return Err(ObjectError::Corrupt("pack and index differ in length"));
        }
        if self.data.get(self.end()..) != Some(self.index.pack_checksum()) {
            return Err(ObjectError::Corrupt("the index is for another pack"));
        }
        Ok(())
    }

    /// File name without its ending.
    pub(super) fn name(&self) -> String {
        let name = self.path.file_stem().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// The bytes of the entries: the file without the checksum at its end.
    pub(super) fn end(&self) -> usize {
        self.data.len().saturating_sub(self.hash.length())
    }

    /// Reads the header of the entry at `offset`.
    pub(super) fn entry(&self, offset: u64) -> Result<Entry, ObjectError> {
        const CUT: &str = "pack entry is cut short";
        let cut = || ObjectError::Corrupt(CUT);
        let bytes = &self.data[..self.end()];
        let mut at = usize::try_from(offset).map_err(|_| cut())?;
        let mut next = || {
            let byte = bytes.get(at).copied();
            at += 1;
            byte.ok_or_else(cut)
        };
        let first = next()?;
        let (mut size, mut shift, mut byte) = (u64::from(first & 0x0F), 4, first);
        while byte & 0x80 != 0 {
            byte = next()?;
            if shift > 57 {
                return Err(ObjectError::Corrupt("size of a pack entry"));
            }
            size |= u64::from(byte & 0x7F) << shift;
            shift += 7;
        }
        let form = match first >> 4 & 7 {
            1 => Form::Whole(Kind::Commit),
            2 => Form::Whole(Kind::Tree),
            3 => Form::Whole(Kind::Blob),
            4 => Form::Whole(Kind::Tag),
            6 => Form::OffsetDelta(base_offset(offset, next)?),
            7 => {
                let end = at + self.hash.length();
                let id = bytes.get(at..end).and_then(ObjectId::from_bytes);
                at = end;
                Form::IdDelta(id.ok_or_else(cut)?)
            }
            _ => return Err(ObjectError::Corrupt("kind of a pack entry")),
        };
        Ok(Entry {
            form,
            size,
            data: at,
        })
    }

    /// Inflates an entry's data into `output`, whose old content is lost.
    pub(super) fn inflate(
        &self,
        entry: Entry,
        limit: u64,
        inflater: &mut Inflater,
        output: &mut Vec<u8>,
    ) -> Result<(), ObjectError> {
        let end = self.end();
        let input = self.data.get(entry.data..end).unwrap_or_default();
        check_size(entry.size, input.len(), limit)?;
        resize(output, entry.size as usize);
        inflater.exact(input, output)
    }

    /// Reads the object at `offset` into `output`, applying its deltas one after the other.
    pub(super) fn object(
        &self,
        offset: u64,
        limit: u64,
        scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) -> Result<Kind, ObjectError> {
        let mut chain = Vec::new();
        let mut entry = self.entry(offset)?;
        let kind = loop {
            let base = match entry.form {
                Form::Whole(kind) => break kind,
                Form::OffsetDelta(base) => base,
                Form::IdDelta(id) => {
                    let position = self.index.position(&id).ok_or(ObjectError::MissingBase)?;
                    let offset = self.index.offset(position);
                    offset.ok_or(ObjectError::Corrupt("offset in a pack index"))?
                }
            };
            if chain.len() == LONGEST_CHAIN {
                return Err(ObjectError::Corrupt("endless chain of deltas"));
            }
            chain.push(entry);
            entry = self.entry(base)?;
        };
        let Scratch {
            inflater,
            delta,
            other,
        } = scratch;
        self.inflate(entry, limit, inflater, output)?;
        for entry in chain.into_iter().rev() {
            self.inflate(entry, limit, inflater, delta)?;
            let sizes = delta::sizes(delta)?;
            check_limit(sizes.result, limit)?;
            delta::check(output, delta, sizes)?;
            resize(other, sizes.result as usize);
            delta::apply(output, delta, sizes, other)?;
            std::mem::swap(output, other);
        }
        Ok(kind)
    }
}

/// Distance back to the base, in git's offset encoding, as an absolute offset.
fn base_offset(
    offset: u64,
    mut next: impl FnMut() -> Result<u8, ObjectError>,
) -> Result<u64, ObjectError> {
    const BAD: ObjectError = ObjectError::Corrupt("base of a delta");
    let mut byte = next()?;
    let mut distance = u64::from(byte & 0x7F);
    while byte & 0x80 != 0 {
        byte = next()?;
        if distance >= 1 << 56 {
            return Err(BAD);
        }
        distance = ((distance + 1) << 7) | u64::from(byte & 0x7F);
    }
    match offset.checked_sub(distance) {
        Some(base) if distance > 0 => Ok(base),
        _ => Err(BAD),
    }
}

/// Sets the length, without clearing what is about to be overwritten.
pub(super) fn resize(buffer: &mut Vec<u8>, size: usize) {
    buffer.truncate(size);
    buffer.resize(size, 0);
}

fn check_limit(size: u64, limit: u64) -> Result<(), ObjectError> {
    if size > limit {
        return Err(ObjectError::TooLarge { size, limit });
    }
    Ok(())
}

/// Refuses a size that the compressed bytes cannot hold, or over the limit.
pub(super) fn check_size(size: u64, compressed: usize, limit: u64) -> Result<(), ObjectError> {
    if !plausible(size, compressed) {
        return Err(ObjectError::Corrupt("size that its data cannot have"));
    }
    check_limit(size, limit)
}
