//! The entries of a tree, read as fast as they can be: a history has hundreds of millions.

use crate::source::git::HashKind;

/// One entry; only what attribution asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry<'t> {
    /// Whether it is a directory.
    pub(super) is_tree: bool,
    /// Its name.
    pub(super) name: &'t [u8],
    /// Raw id of what it names.
    pub(super) id: &'t [u8],
}

/// Calls `each` for every entry of a tree object's content. What is damaged ends it.
#[inline]
pub(super) fn for_each<'t>(content: &'t [u8], hash: HashKind, mut each: impl FnMut(Entry<'t>)) {
    let id_length = hash.length();
    let mut rest = content;
    while let Some((is_tree, after)) = mode(rest) {
        let Some(end) = memchr::memchr(0, after) else {
            return;
        };
        let id_start = end + 1;
        let Some(id) = after.get(id_start..id_start + id_length) else {
            return;
        };
        each(Entry {
            is_tree,
            name: &after[..end],
            id,
        });
        rest = &after[id_start + id_length..];
    }
}

/// Whether the mode is a directory's, and what follows its space.
#[inline]
fn mode(rest: &[u8]) -> Option<(bool, &[u8])> {
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
    Some((digits.len() == 5 && digits[0] == b'4', after))
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
                .map(|it| (it.is_tree(), it.name, it.id.as_bytes().to_vec()))
                .collect();
            let mut fast = Vec::new();
            for_each(content, HashKind::Sha1, |it| {
                fast.push((it.is_tree, it.name, it.id.to_vec()));
            });
            assert_eq!(fast, careful, "{cut}");
        }
    }
}
