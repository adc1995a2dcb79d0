//! Multi-pack indexes (`gitformat-pack(5)`, "multi-pack-index (MIDX) files"): one sorted list of
//! the ids of many packs.

use std::path::Path;

use super::bytes::{be32, be64};
use super::mapped::Mapped;
use super::pack_index::{checked_fanout, search};
use super::{HashKind, ObjectError, ObjectId};

/// A multi-pack index.
#[derive(Debug)]
pub(super) struct MultiIndex {
    data: Mapped,
    hash: HashKind,
    fanout: usize,
    ids: usize,
    offsets: usize,
    large: Option<usize>,
    /// Index file names (`pack-….idx`) of the packs, in the order that the table of offsets uses.
    packs: Vec<String>,
}

const HEADER: usize = 12;

impl MultiIndex {
    pub(super) fn open(path: &Path, hash: HashKind) -> Result<Self, ObjectError> {
        const BAD: ObjectError = ObjectError::Corrupt("multi-pack index");
        let data = Mapped::open(path).map_err(|source| ObjectError::Io {
            path: path.display().to_string(),
            source,
        })?;
        let width = if hash == HashKind::Sha1 { 1 } else { 2 };
        if !data.starts_with(b"MIDX") || data.get(4..6) != Some(&[1, width]) {
            return Err(BAD);
        }
        let chunks = usize::from(*data.get(6).ok_or(BAD)?);
        let chunk = |name: &[u8]| find_chunk(&data, chunks, name);
        let (fanout, _) = chunk(b"OIDF").ok_or(BAD)?;
        let count = checked_fanout(&data, fanout)?;
        let (ids, ids_end) = chunk(b"OIDL").ok_or(BAD)?;
        let (offsets, offsets_end) = chunk(b"OOFF").ok_or(BAD)?;
        let names = chunk(b"PNAM").ok_or(BAD)?;
        if (ids_end - ids) / hash.length() < count || (offsets_end - offsets) / 8 < count {
            return Err(BAD);
        }
        let packs = data[names.0..names.1]
            .split(|&byte| byte == 0)
            .filter(|name| !name.is_empty())
            .map(|name| String::from_utf8_lossy(name).into_owned())
            .collect();
        let large = chunk(b"LOFF").map(|(start, _)| start);
        Ok(Self {
            hash,
            fanout,
            ids,
            offsets,
            large,
            packs,
            data,
        })
    }

    /// Index file names of the packs it covers.
    pub(super) fn packs(&self) -> &[String] {
        &self.packs
    }

    fn raw_id(&self, position: usize) -> &[u8] {
        let width = self.hash.length();
        let at = self.ids + position * width;
        self.data.get(at..at + width).unwrap_or_default()
    }

    /// Number of the pack that holds the object at `position`, and its place there.
    pub(super) fn place(&self, position: usize) -> Option<(usize, u64)> {
        let at = self.offsets + position * 8;
        let pack = be32(&self.data, at)? as usize;
        let offset = be32(&self.data, at + 4)?;
        match self.large {
            Some(large) if offset & 0x8000_0000 != 0 => {
                let slot = (offset & 0x7FFF_FFFF) as usize;
                Some((pack, be64(&self.data, large + slot * 8)?))
            }
            _ => Some((pack, u64::from(offset))),
        }
    }

    /// Position of `id`.
    pub(super) fn position(&self, id: &ObjectId) -> Option<usize> {
        if id.hash() != self.hash {
            return None;
        }
        search(&self.data, self.fanout, id, |position| {
            self.raw_id(position)
        })
    }
}

/// Start and end of the chunk called `name`.
fn find_chunk(data: &[u8], chunks: usize, name: &[u8]) -> Option<(usize, usize)> {
    for chunk in 0..chunks {
        let at = HEADER + chunk * 12;
        if data.get(at..at + 4)? == name {
            let start = usize::try_from(be64(data, at + 4)?).ok()?;
            let end = usize::try_from(be64(data, at + 16)?).ok()?;
            return (start <= end && end <= data.len()).then_some((start, end));
        }
    }
    None
}
