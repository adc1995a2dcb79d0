//! The entries of a tree, read as fast as they can be: a history has hundreds of millions.

use crate::source::git::HashKind;

/// One entry; only what is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    /// Whether it is a directory.
    pub(super) is_tree: bool,
    /// Whether it is the commit of a submodule.
    pub(super) is_submodule: bool,
    /// Its name.
    pub(super) name: &'t [u8],
    /// Raw id of what it names.
    pub(super) id: &'t [u8],
    /// Where in the tree's content it ends.
    pub(super) end: usize,
}

/// Calls `each` for every entry of a tree object's content. What is damaged ends it.
#[inline]
pub(super) fn for_each<'t>(content: &'t [u8], hash: HashKind, mut each: impl FnMut(Entry<'t>)) {
    let mut start = 0;
    while let Some(entry) = at(content, start, hash) {
        start = entry.end;
        each(entry);
    }
}

/// The entry of a tree object's content that begins at `start`; `None` at its end, and where it is
/// damaged.
#[inline]
pub(super) fn at(content: &[u8], start: usize, hash: HashKind) -> Option<Entry<'_>> {
    let (kind, after) = mode(content.get(start..)?)?;
    let name_end = memchr::memchr(0, after)?;
    let id_start = name_end + 1;
    let id = after.get(id_start..id_start + hash.length())?;
    Some(Entry {
        is_tree: kind == b'4',
        is_submodule: kind == b'6',
        name: &after[..name_end],
        id,
        end: content.len() - after.len() + id_start + id.len(),
    })
}

/// The digit that tells the mode's kind (`4` of a directory, `6` of a submodule's commit), and
/// what follows its space.
#[inline]
fn mode(rest: &[u8]) -> Option<(u8, &[u8])> {
    // `40000`, or six digits; other lengths come from broken tools.
    let (digits, after) = match rest {
        [_, _, _, _, _, b' ', after @ ..] => (&rest[..5], after),
        [_, _, _, _, _, _, b' ', after @ ..] => (&rest[..6], after),
        _ => {
            let space = memchr::memchr(b' ', rest)?;
            (&rest[..space], &rest[space + 1..])
        }
    };
    let digits = match digits {
        [b'0', later @ ..] => later,
        digits => digits,
    };
    let kind = match digits {
        [b'4', _, _, _, _] => b'4',
        [b'1', b'6', _, _, _, _] => b'6',
        _ => 0,
    };
    Some((kind, after))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::git::Tree;

    #[test]
    fn it_sees_what_the_careful_reader_sees() {
        let mut content = Vec::new();
        for (number, head) in [
            "100644 a b",
            "40000  dir",
            "040000 old",
            "120000 l",
            "160000 s",
            "100755 x",
        ]
        .iter()
        .enumerate()
        {
            content.extend(head.as_bytes());
            content.push(0);
            content.extend([number as u8; 20]);
        }
        for cut in 0..content.len() {
            let content = &content[..cut];
            let mut tree = Tree::new(content, HashKind::Sha1);
            let careful: Vec<_> = tree
                .by_ref()
                .map(|it| {
                    (
                        it.is_tree(),
                        it.is_submodule(),
                        it.name,
                        it.id.as_bytes().to_vec(),
                    )
                })
                .collect();
            let mut fast = Vec::new();
            for_each(content, HashKind::Sha1, |it| {
                fast.push((it.is_tree, it.is_submodule, it.name, it.id.to_vec()));
                assert_eq!(&content[it.end - it.id.len()..it.end], it.id);
            });
            assert_eq!(fast, careful, "{cut}");
        }
    }
}
