//! Directories: entries of mode, name and id.

use super::ObjectId;

/// One entry of a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TreeEntry<'t> {
    /// Type and permission bits, as in `ls -l`; octal in the file.
    pub mode: u32,
    /// Name, without any slash.
    pub name: &'t [u8],
    /// What it names.
    pub id: ObjectId,
}

impl TreeEntry<'_> {
    /// A directory.
    #[must_use]
    pub fn is_tree(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }

    /// A commit of another repository: no object of this one.
    #[must_use]
    pub fn is_submodule(&self) -> bool {
        self.mode & 0o170_000 == 0o160_000
    }

    /// A symbolic link; its blob is the target.
    #[must_use]
    pub fn is_link(&self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }
}

/// Iterates over a tree object's entries. Ends early at bytes that are no entry;
/// [`Tree::is_damaged`] then says so.
#[derive(Clone, Debug)]
pub struct Tree<'t> {
    rest: &'t [u8],
    id_length: usize,
    damaged: bool,
}

impl<'t> Tree<'t> {
    /// Over the content of a tree object.
    #[must_use]
    pub fn new(content: &'t [u8], hash: super::HashKind) -> Self {
        Self {
            rest: content,
            id_length: hash.length(),
            damaged: false,
        }
    }

    /// Whether something followed that is no entry.
    #[must_use]
    pub fn is_damaged(&self) -> bool {
        self.damaged
    }

    fn entry(&mut self) -> Option<TreeEntry<'t>> {
        let space = memchr::memchr(b' ', self.rest)?;
        let mode = octal(&self.rest[..space])?;
        let after = &self.rest[space + 1..];
        let end = memchr::memchr(0, after)?;
        let id_end = (end + 1).checked_add(self.id_length)?;
        let id = ObjectId::from_bytes(after.get(end + 1..id_end)?)?;
        self.rest = &after[id_end..];
        Some(TreeEntry {
            mode,
            name: &after[..end],
            id,
        })
    }
}

impl<'t> Iterator for Tree<'t> {
    type Item = TreeEntry<'t>;

    fn next(&mut self) -> Option<TreeEntry<'t>> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_none() {
            self.damaged = true;
            self.rest = &[];
        }
        entry
    }
}

fn octal(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 7 {
        return None;
    }
    digits.iter().try_fold(0, |value, &digit| {
        (b'0'..=b'7')
            .contains(&digit)
            .then(|| value * 8 + u32::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::git::HashKind;

    #[test]
    fn entries_are_read_and_damage_is_noticed() {
        let mut content = b"100644 a b\0".to_vec();
        content.extend([7; 20]);
        content.extend(b"40000 dir\0");
        content.extend([9; 20]);
        let mut tree = Tree::new(&content, HashKind::Sha1);
        let names: Vec<_> = tree.by_ref().map(|e| (e.name, e.is_tree())).collect();
        assert_eq!(names, [(&b"a b"[..], false), (b"dir", true)]);
        assert!(!tree.is_damaged());
        for cut in [1, 19, 21, 25] {
            let mut tree = Tree::new(&content[..content.len() - cut], HashKind::Sha1);
            assert_eq!(tree.by_ref().count(), 1);
            assert!(tree.is_damaged(), "cut {cut}");
        }
    }
}
