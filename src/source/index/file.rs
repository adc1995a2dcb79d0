//! Own reader of git's index file: what would be committed now.
//!
//! Versions 2, 3 and 4, SHA-1 and SHA-256, split index, sparse index. The format is the one of
//! git's `gitformat-index(5)`. Nothing is allocated an entry: all entries lie in one vector of
//! offsets into the file's bytes. What is not understood is an error, so that the caller can let
//! git itself read the index; nothing is passed over in silence.
//!
//! The trailing checksum is not verified: git does not verify it when it commits either
//! (`read-cache.c`, only `git fsck` does), and it may be all zero (`index.skipHash`). Everything
//! that is read is checked for its bounds and its order instead.

use std::fs;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::parts::{CacheTree, Reader, Shared};
use crate::source::git::{HashKind, ObjectId};

/// Why an index could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The operating system would not give the bytes.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The index file, or the shared index it refers to.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
    /// The bytes are not an index, or not one of a known form.
    #[error("index {path}: {what}")]
    Form {
        /// The index file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

/// What makes an index unreadable, before its path is known.
pub(super) type Form<T> = Result<T, String>;

/// A name in the index with what git would commit under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexEntry<'i> {
    /// Path from the top of the work tree; ends with `/` for a directory of a sparse index.
    pub path: &'i [u8],
    /// `100644`, `100755`, `120000` (symlink), `160000` (gitlink) or `040000` (sparse directory),
    /// in octal.
    pub mode: u32,
    /// What is under that path: a blob, a commit for a gitlink, a tree for a sparse directory.
    pub id: ObjectId,
    /// 0, or 1 to 3 for the sides of an unresolved merge.
    pub stage: u8,
    /// `git add --intent-to-add`: the name is known, its content is not; it is not committed.
    pub intent_to_add: bool,
    /// Not checked out (sparse checkout).
    pub skip_worktree: bool,
}

/// Where an entry lies in [`IndexFile::bytes`]. 32-bit offsets: a larger index is left to git.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot {
    pub(super) path: u32,
    pub(super) path_length: u32,
    pub(super) record: u32,
    pub(super) flags: u16,
    pub(super) extended: u16,
}

/// Bytes of an entry before its object id: times, device, inode, mode, owner, size.
const STAT: usize = 40;
const HEADER: usize = 12;
const MODE_AT: usize = 24;
const EXTENDED: u16 = 0x4000;
const NAME_LENGTH: u16 = 0x0FFF;
const SKIP_WORKTREE: u16 = 0x4000;
const INTENT_TO_ADD: u16 = 0x2000;
const CUT_OFF: &str = "an entry runs over the end of the file";

/// An index, read as a whole.
#[derive(Debug)]
pub struct IndexFile {
    bytes: Vec<u8>,
    slots: Vec<Slot>,
    hash: HashKind,
    cache_tree: Option<CacheTree>,
    sparse: bool,
}

impl IndexFile {
    /// Reads the index at `path`. An absent file is an empty index, as for git. `git_directory`
    /// is where a split index keeps its shared part.
    ///
    /// # Errors
    /// Unreadable files, and every form that this reader does not know.
    pub fn read(path: &Path, git_directory: &Path, hash: HashKind) -> Result<Self, IndexError> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Self::empty(hash));
            }
            Err(error) => return Err(read_error(path, error)),
        };
        let form = |what| IndexError::Form {
            path: path.to_path_buf(),
            what,
        };
        let (mut index, shared) = Self::parse(bytes, hash).map_err(form)?;
        if let Some(shared) = shared {
            let name = format!("sharedindex.{}", shared.hexadecimal());
            let base_path = git_directory.join(name);
            let base = fs::read(&base_path).map_err(|error| read_error(&base_path, error))?;
            index.join_shared(base, &shared).map_err(form)?;
        }
        index.check_order().map_err(form)?;
        Ok(index)
    }

    /// The index of a repository in which nothing was ever added.
    #[must_use]
    pub fn empty(hash: HashKind) -> Self {
        Self {
            bytes: Vec::new(),
            slots: Vec::new(),
            hash,
            cache_tree: None,
            sparse: false,
        }
    }

    /// Number of entries, all stages counted.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no entry.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether directories may stand as entries of mode `040000`.
    #[must_use]
    pub fn is_sparse(&self) -> bool {
        self.sparse
    }

    /// The entry at `position`, which must be below [`IndexFile::len`].
    #[must_use]
    pub fn entry(&self, position: usize) -> IndexEntry<'_> {
        let slot = &self.slots[position];
        let record = &self.bytes[slot.record as usize..];
        IndexEntry {
            path: self.slot_path(slot),
            mode: big_endian_32(&record[MODE_AT..]),
            id: object_id(&record[STAT..], self.hash),
            stage: (slot.flags >> 12 & 3) as u8,
            intent_to_add: slot.extended & INTENT_TO_ADD != 0,
            skip_worktree: slot.extended & SKIP_WORKTREE != 0,
        }
    }

    /// All entries, sorted by path, then stage.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = IndexEntry<'_>> {
        (0..self.len()).map(|position| self.entry(position))
    }

    /// Only the path of an entry: less work than [`IndexFile::entry`].
    #[must_use]
    pub fn path(&self, position: usize) -> &[u8] {
        self.slot_path(&self.slots[position])
    }

    /// The first position whose path is not before `path`.
    #[must_use]
    pub fn position(&self, path: &[u8]) -> usize {
        self.slots
            .partition_point(|slot| self.slot_path(slot) < path)
    }

    /// The first position at or after `from` whose path does not start with `prefix`, given that
    /// the entries from `from` on are sorted and the first one does.
    #[must_use]
    pub fn end_of_prefix(&self, from: usize, prefix: &[u8]) -> usize {
        let starts = |slot: &Slot| self.slot_path(slot).starts_with(prefix);
        // A directory is mostly small: look a few entries ahead before halving the rest.
        let mut step = 1;
        let mut low = from;
        while low + step < self.slots.len() && starts(&self.slots[low + step]) {
            low += step;
            step *= 2;
        }
        let high = (low + step).min(self.slots.len());
        low + self.slots[low..high].partition_point(starts)
    }

    /// The kind of its object ids.
    #[must_use]
    pub fn hash(&self) -> HashKind {
        self.hash
    }

    /// The tree ids that git remembers for directories in which nothing was added since.
    pub(super) fn cache_tree(&self) -> Option<&CacheTree> {
        self.cache_tree.as_ref()
    }

    /// The bytes that [`CacheTree`] refers to.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn slot_path(&self, slot: &Slot) -> &[u8] {
        let start = slot.path as usize;
        &self.bytes[start..start + slot.path_length as usize]
    }

    fn parse(bytes: Vec<u8>, hash: HashKind) -> Form<(Self, Option<Shared>)> {
        let mut index = Self {
            bytes,
            ..Self::empty(hash)
        };
        let file = 0..index.bytes.len();
        let content_end = index.content_end(&file)?;
        let end = index.parse_entries(0, content_end)?;
        let shared = index.parse_extensions(end, content_end)?;
        Ok((index, shared))
    }

    /// Where the content of the index in `file` ends and its checksum begins.
    fn content_end(&self, file: &Range<usize>) -> Form<usize> {
        if u32::try_from(file.end).is_err() {
            return Err("larger than 4 GiB".into());
        }
        let end = file.end.checked_sub(self.hash.length());
        end.filter(|&end| end >= file.start + HEADER)
            .ok_or_else(|| "too short".into())
    }

    /// Reads the header at `start` and the entries after it into `slots`; gives the place where
    /// they end.
    fn parse_entries(&mut self, start: usize, content_end: usize) -> Form<usize> {
        let header = &self.bytes[start..start + HEADER];
        if &header[..4] != b"DIRC" {
            return Err("does not start with DIRC".into());
        }
        let version = big_endian_32(&header[4..]);
        let count = big_endian_32(&header[8..]) as usize;
        if !(2..=4).contains(&version) {
            return Err(format!("version {version} is not known"));
        }
        // The smallest entry bounds the count, so that a hostile count reserves no memory.
        let smallest = STAT + self.hash.length() + 3;
        if count > (content_end - start) / smallest {
            return Err(format!("{count} entries do not fit into the file"));
        }
        self.slots.reserve(count);
        if version == 4 {
            self.parse_compressed(start + HEADER, count, content_end)
        } else {
            self.parse_plain(start + HEADER, count, content_end)
        }
    }

    fn parse_plain(&mut self, mut at: usize, count: usize, content_end: usize) -> Form<usize> {
        for _ in 0..count {
            let (mut slot, path) = self.parse_record(at, content_end)?;
            let short = usize::from(slot.flags & NAME_LENGTH);
            let length = if short < usize::from(NAME_LENGTH) {
                short
            } else {
                memchr::memchr(0, &self.bytes[path..content_end]).ok_or("a path without end")?
            };
            // 1 to 8 NUL bytes make the length of the entry a multiple of 8.
            let next = at + ((path - at + length + 8) & !7);
            if next > content_end || self.bytes[path + length] != 0 {
                return Err("an entry runs over its end".into());
            }
            slot.path = path as u32;
            slot.path_length = length as u32;
            self.slots.push(slot);
            at = next;
        }
        Ok(at)
    }

    /// Version 4: a path is what is left of the one before it, and more. Whole paths are appended
    /// to `bytes`.
    fn parse_compressed(&mut self, mut at: usize, count: usize, content_end: usize) -> Form<usize> {
        let mut path: Vec<u8> = Vec::with_capacity(256);
        let mut paths: Vec<u8> = Vec::with_capacity(count.saturating_mul(32));
        let offset = self.bytes.len();
        for _ in 0..count {
            let (mut slot, rest) = self.parse_record(at, content_end)?;
            let mut reader = Reader::new(&self.bytes[..content_end], rest);
            let dropped = reader.offset_varint()?;
            let more = reader.until(0)?;
            at = reader.position();
            let kept = path.len().checked_sub(dropped);
            path.truncate(kept.ok_or("a path drops more than there is")?);
            path.extend_from_slice(more);
            slot.path = u32::try_from(offset + paths.len()).map_err(|_| "larger than 4 GiB")?;
            slot.path_length = path.len() as u32;
            paths.extend_from_slice(&path);
            self.slots.push(slot);
        }
        if u32::try_from(offset + paths.len()).is_err() {
            return Err("larger than 4 GiB".into());
        }
        self.bytes.append(&mut paths);
        Ok(at)
    }

    /// The fixed part of an entry at `at`, and the place where its path begins.
    fn parse_record(&self, at: usize, content_end: usize) -> Form<(Slot, usize)> {
        let flags_at = at + STAT + self.hash.length();
        let mut path = flags_at + 2;
        if path > content_end {
            return Err(CUT_OFF.into());
        }
        let mut slot = Slot {
            path: 0,
            path_length: 0,
            record: at as u32,
            flags: big_endian_16(&self.bytes[flags_at..]),
            extended: 0,
        };
        if slot.flags & EXTENDED != 0 {
            if path + 2 > content_end {
                return Err(CUT_OFF.into());
            }
            slot.extended = big_endian_16(&self.bytes[path..]);
            path += 2;
        }
        Ok((slot, path))
    }

    fn parse_extensions(&mut self, start: usize, content_end: usize) -> Form<Option<Shared>> {
        let mut reader = Reader::new(&self.bytes[..content_end], start);
        let mut shared = None;
        while reader.position() < content_end {
            let name = reader.take(4)?;
            let length = reader.big_endian_32()? as usize;
            let content = reader.position();
            let extension = reader.take(length)?;
            match name {
                b"TREE" => {
                    let tree = CacheTree::parse(extension, content, self.hash)?;
                    self.cache_tree = Some(tree);
                }
                b"link" => shared = Shared::parse(extension, self.hash)?,
                b"sdir" => self.sparse = true,
                // Upper case: optional, may be passed over (`gitformat-index(5)`).
                [b'A'..=b'Z', ..] => {}
                _ => {
                    return Err(format!(
                        "the extension {} is not known",
                        name.escape_ascii()
                    ));
                }
            }
        }
        Ok(shared)
    }

    /// Puts this index, read from a file with a `link` extension, on top of the shared index whose
    /// bytes are `base` (`gitformat-index(5)`, "Split index").
    fn join_shared(&mut self, mut base: Vec<u8>, shared: &Shared) -> Form<()> {
        let own = std::mem::take(&mut self.slots);
        let start = self.bytes.len();
        self.bytes.append(&mut base);
        let content_end = self.content_end(&(start..self.bytes.len()))?;
        if self.bytes[content_end..] != *shared.id() {
            return Err("the shared index is not the one that belongs to it".into());
        }
        self.parse_entries(start, content_end)?;
        let base = std::mem::take(&mut self.slots);
        let (replacements, added) = own.split_at(own.partition_point(|slot| slot.path_length == 0));
        self.slots = shared.apply(base, replacements)?;
        self.slots.extend_from_slice(added);
        // Additions come later than what they replace, and the sort keeps that order.
        let mut slots = std::mem::take(&mut self.slots);
        slots.sort_by(|a, b| self.order(a).cmp(&self.order(b)));
        slots.reverse();
        slots.dedup_by(|a, b| self.order(a) == self.order(b));
        slots.reverse();
        self.slots = slots;
        Ok(())
    }

    fn order(&self, slot: &Slot) -> (&[u8], u16) {
        (self.slot_path(slot), slot.flags >> 12 & 3)
    }

    fn check_order(&self) -> Form<()> {
        let ordered = |pair: &[Slot]| self.order(&pair[0]) < self.order(&pair[1]);
        if !self.slots.windows(2).all(ordered) {
            return Err("entries are not in order".into());
        }
        match self.slots.first() {
            Some(first) if first.path_length == 0 => Err("an entry without a name".into()),
            _ => Ok(()),
        }
    }
}

fn read_error(path: &Path, error: io::Error) -> IndexError {
    IndexError::Read {
        path: path.to_path_buf(),
        error,
    }
}

fn big_endian_16(bytes: &[u8]) -> u16 {
    u16::from_be_bytes([bytes[0], bytes[1]])
}

fn big_endian_32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// The id at the start of `bytes`, which are known to be long enough.
pub(super) fn object_id(bytes: &[u8], hash: HashKind) -> ObjectId {
    ObjectId::from_bytes(&bytes[..hash.length()]).expect("a hash of its own length")
}
