//! The parts of git's index file behind its entries: the cache tree and the split index.

use std::ops::Range;

use super::file::{Form, Slot, object_id};
use crate::source::git::{HashKind, ObjectId};

/// Reads bytes one after the other and never beyond their end.
#[derive(Debug)]
pub(super) struct Reader<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Reader<'b> {
    pub(super) fn new(bytes: &'b [u8], at: usize) -> Self {
        Self { bytes, at }
    }

    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    pub(super) fn take(&mut self, length: usize) -> Form<&'b [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.get(..length).ok_or("cut off")?;
        self.at += length;
        Ok(taken)
    }

    pub(super) fn big_endian_32(&mut self) -> Form<u32> {
        let bytes = self.take(4)?;
        Ok(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn big_endian_64(&mut self) -> Form<u64> {
        let high = self.big_endian_32()?;
        Ok(u64::from(high) << 32 | u64::from(self.big_endian_32()?))
    }

    /// The bytes before the next `end`, which is passed over.
    pub(super) fn until(&mut self, end: u8) -> Form<&'b [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = memchr::memchr(end, rest).ok_or("cut off")?;
        self.at += length + 1;
        Ok(&rest[..length])
    }

    /// A decimal number, maybe negative, before the next `end`.
    fn decimal(&mut self, end: u8) -> Form<i64> {
        let digits = self.until(end)?;
        let text = std::str::from_utf8(digits).ok();
        let number = text.and_then(|text| text.parse().ok());
        number.ok_or_else(|| "a number is expected".into())
    }

    /// The number coding of pack offsets (`gitformat-pack(5)`, `OFS_DELTA`).
    pub(super) fn offset_varint(&mut self) -> Form<usize> {
        let mut byte = self.take(1)?[0];
        let mut value = usize::from(byte & 0x7F);
        while byte & 0x80 != 0 {
            byte = self.take(1)?[0];
            if value >= 1 << 24 {
                return Err("a number is too large".into());
            }
            value = (value + 1) << 7 | usize::from(byte & 0x7F);
        }
        Ok(value)
    }
}

/// The `TREE` extension: for each directory in which nothing was staged since, the id of the tree
/// that git would write for it. Nodes in pre-order.
#[derive(Debug)]
pub(super) struct CacheTree {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    /// Its name inside its parent, as a range of the index's bytes.
    name: Range<usize>,
    /// The tree, unless something below was staged.
    id: Option<ObjectId>,
    /// The node after this one and all nodes below it.
    next: usize,
}

/// A place in a [`CacheTree`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NodeId(usize);

/// Deeper than any path can be: `PATH_MAX` is 4096 on Linux.
const DEEPEST: usize = 4096;

impl CacheTree {
    /// Reads the extension whose bytes begin at `offset` of the index.
    pub(super) fn parse(extension: &[u8], offset: usize, hash: HashKind) -> Form<Self> {
        let mut reader = Reader::new(extension, 0);
        let mut nodes: Vec<Node> = Vec::new();
        // Directories that are not complete: their node and how many children are still to come.
        let mut open: Vec<(usize, i64)> = Vec::new();
        while !reader.at_end() {
            let name_at = offset + reader.position();
            let name = reader.until(0)?;
            let entries = reader.decimal(b' ')?;
            let children = reader.decimal(b'\n')?;
            let mut id = None;
            if entries >= 0 {
                id = Some(object_id(reader.take(hash.length())?, hash));
            }
            if children < 0 || (open.is_empty() && !nodes.is_empty()) || open.len() > DEEPEST {
                return Err("the cache tree has a wrong form".into());
            }
            open.push((nodes.len(), children));
            nodes.push(Node {
                name: name_at..name_at + name.len(),
                id,
                next: 0,
            });
            close(&mut open, &mut nodes);
        }
        if !open.is_empty() {
            return Err("the cache tree is cut off".into());
        }
        Ok(Self { nodes })
    }

    /// The node of the top of the work tree.
    pub(super) fn root(&self) -> Option<NodeId> {
        (!self.nodes.is_empty()).then_some(NodeId(0))
    }

    /// The id of the tree at `node`, if nothing below it was staged.
    pub(super) fn id(&self, node: NodeId) -> Option<ObjectId> {
        self.nodes[node.0].id
    }

    /// The node of the directory `name` in `parent`.
    pub(super) fn child(&self, parent: NodeId, name: &[u8], index: &[u8]) -> Option<NodeId> {
        let end = self.nodes[parent.0].next;
        let mut at = parent.0 + 1;
        while at < end {
            if index.get(self.nodes[at].name.clone()) == Some(name) {
                return Some(NodeId(at));
            }
            at = self.nodes[at].next;
        }
        None
    }
}

/// Ends every open directory that has all of its children.
fn close(open: &mut Vec<(usize, i64)>, nodes: &mut [Node]) {
    let end = nodes.len();
    while let Some(&(node, 0)) = open.last() {
        nodes[node].next = end;
        open.pop();
        if let Some(parent) = open.last_mut() {
            parent.1 -= 1;
        }
    }
}

/// The `link` extension: this index is a change to a shared one.
#[derive(Debug)]
pub(super) struct Shared {
    id: Vec<u8>,
    deleted: Vec<u64>,
    replaced: Vec<u64>,
}

impl Shared {
    /// Reads the extension; `None` if no shared index is named.
    pub(super) fn parse(extension: &[u8], hash: HashKind) -> Form<Option<Self>> {
        let mut reader = Reader::new(extension, 0);
        let id = reader.take(hash.length())?.to_vec();
        let mut shared = Self {
            id,
            deleted: Vec::new(),
            replaced: Vec::new(),
        };
        if !reader.at_end() {
            shared.deleted = positions(&mut reader)?;
            shared.replaced = positions(&mut reader)?;
        }
        if !reader.at_end() {
            return Err("the link extension has more than two bitmaps".into());
        }
        let none = shared.id.iter().all(|&byte| byte == 0);
        Ok((!none).then_some(shared))
    }

    /// Checksum of the shared index file, which is also its name.
    pub(super) fn id(&self) -> &[u8] {
        &self.id
    }

    pub(super) fn hexadecimal(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.id)
    }

    /// The entries of the shared index, those that `replacements` stand for replaced, the deleted
    /// ones left out.
    pub(super) fn apply(&self, mut base: Vec<Slot>, replacements: &[Slot]) -> Form<Vec<Slot>> {
        if self.replaced.len() != replacements.len() {
            return Err("replacements and bitmap differ in number".into());
        }
        for (&position, replacement) in self.replaced.iter().zip(replacements) {
            let slot = base.get_mut(position as usize).ok_or(BEYOND)?;
            *slot = Slot {
                path: slot.path,
                path_length: slot.path_length,
                ..*replacement
            };
        }
        if self
            .deleted
            .last()
            .is_some_and(|&last| last as usize >= base.len())
        {
            return Err(BEYOND.into());
        }
        let mut deleted = self.deleted.iter().copied().peekable();
        let mut position = 0;
        base.retain(|_| {
            position += 1;
            deleted.next_if_eq(&(position - 1)).is_none()
        });
        Ok(base)
    }
}

const BEYOND: &str = "a bitmap names an entry that is not in the shared index";

/// Most bits a bitmap may set: no index has more entries than its 4 GiB can hold.
const MOST_BITS: u64 = 1 << 24;

/// The set bits of an EWAH bitmap (`gitformat-index(5)` names the JavaEWAH form), in order.
fn positions(reader: &mut Reader<'_>) -> Form<Vec<u64>> {
    let bits = u64::from(reader.big_endian_32()?);
    let words = u64::from(reader.big_endian_32()?);
    if bits > MOST_BITS {
        return Err("a bitmap is too large".into());
    }
    let mut set = Vec::new();
    let mut bit = 0;
    let mut left = words;
    while left > 0 {
        // A marker word: one bit that is repeated, for how many words, and how many plain words
        // follow.
        let marker = reader.big_endian_64()?;
        let (ones, repeated, plain) = (marker & 1 == 1, marker >> 1 & 0xFFFF_FFFF, marker >> 33);
        left -= 1;
        if plain > left || bit + repeated * 64 > MOST_BITS + 64 {
            return Err("a bitmap has a wrong form".into());
        }
        if ones {
            set.extend(bit..bit + repeated * 64);
        }
        bit += repeated * 64;
        for _ in 0..plain {
            let word = reader.big_endian_64()?;
            set.extend(
                (0..64)
                    .filter(|shift| word >> shift & 1 == 1)
                    .map(|shift| bit + shift),
            );
            bit += 64;
        }
        left -= plain;
    }
    // The place of the last marker word: only of use to who appends.
    reader.take(4)?;
    Ok(set)
}
