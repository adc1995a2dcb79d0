//! The paths that a git index lists: enough of its format to tell tracked files from others.
//!
//! Format: git's `Documentation/gitformat-index.txt`, versions 2, 3 and 4, SHA-1 and SHA-256.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::repository::git_directory;

/// The paths of an index, sorted as bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TrackedPaths {
    names: Vec<u8>,
    /// Where each path ends in `names`; it starts where the one before ends.
    ends: Vec<usize>,
}

impl TrackedPaths {
    /// Whether git tracks exactly `path`, relative to the work tree.
    pub(super) fn holds(&self, path: &[u8]) -> bool {
        let at = self.position(path);
        at < self.ends.len() && self.name(at) == path
    }

    /// Whether git tracks anything in the directory `path`, relative to the work tree.
    pub(super) fn holds_below(&self, path: &[u8]) -> bool {
        let mut prefix = path.to_vec();
        prefix.push(b'/');
        let at = self.position(&prefix);
        at < self.ends.len() && self.name(at).starts_with(&prefix)
    }

    /// Number of paths before `path`.
    fn position(&self, path: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            if self.name(middle) < path {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    fn name(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.names[start..self.ends[at]]
    }

    /// Adds a path; false if it does not come after all others.
    fn push(&mut self, name: &[u8]) -> bool {
        if !self.ends.is_empty() && self.name(self.ends.len() - 1) > name {
            return false;
        }
        self.names.extend_from_slice(name);
        self.ends.push(self.names.len());
        true
    }
}

/// The paths that git tracks in `work_tree`. `None` if the index cannot be understood as a whole
/// (a split or sparse index, an unknown version, damage): any file may be tracked then.
pub(super) fn tracked_paths(work_tree: &Path) -> Option<TrackedPaths> {
    let index = git_directory(work_tree)?.join("index");
    match fs::read(index) {
        Ok(bytes) => parse(&bytes, 20).or_else(|| parse(&bytes, 32)),
        // Before the first `git add` there is none.
        Err(error) if error.kind() == ErrorKind::NotFound => Some(TrackedPaths::default()),
        Err(_) => None,
    }
}

/// Reads an index with object ids of `hash` bytes.
fn parse(bytes: &[u8], hash: usize) -> Option<TrackedPaths> {
    let body = bytes.get(..bytes.len().checked_sub(hash)?)?;
    let mut rest = body.strip_prefix(b"DIRC")?;
    let version = take_u32(&mut rest)?;
    let count = take_u32(&mut rest)?;
    if !(2..=4).contains(&version) {
        return None;
    }
    let mut paths = TrackedPaths::default();
    let mut name = Vec::new();
    for _ in 0..count {
        rest = entry(rest, hash, version, &mut name)?;
        if !paths.push(&name) {
            return None;
        }
    }
    extensions_are_harmless(rest).then_some(paths)
}

/// Reads the entry that `bytes` starts with; `name` holds the path before it, then its own.
/// Returns what follows.
fn entry<'b>(bytes: &'b [u8], hash: usize, version: u32, name: &mut Vec<u8>) -> Option<&'b [u8]> {
    const STAT: usize = 40;
    const MODE: usize = 24;
    const DIRECTORY: u32 = 0o040_000;
    const EXTENDED: u16 = 0x4000;
    let mode = u32::from_be_bytes(bytes.get(MODE..MODE + 4)?.try_into().ok()?);
    if mode & 0o170_000 == DIRECTORY {
        return None; // A sparse index: it stands for everything in the directory.
    }
    let at = STAT + hash;
    let flags = u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?);
    let extended = version >= 3 && flags & EXTENDED != 0;
    let head = at + if extended { 4 } else { 2 };
    let mut rest = bytes.get(head..)?;
    let kept = if version == 4 {
        name.len().checked_sub(take_varint(&mut rest)?)?
    } else {
        0
    };
    name.truncate(kept);
    let length = memchr::memchr(0, rest)?;
    name.extend_from_slice(&rest[..length]);
    let stated = usize::from(flags & 0xFFF);
    if name.is_empty() || stated != name.len().min(0xFFF) {
        return None;
    }
    if version == 4 {
        rest.get(length + 1..)
    } else {
        // One to eight zeros, up to a multiple of eight from the start of the entry.
        bytes.get((head + length + 8) / 8 * 8..)
    }
}

/// Whether `bytes` is a list of extensions, none of which changes what the entries mean.
fn extensions_are_harmless(mut bytes: &[u8]) -> bool {
    while !bytes.is_empty() {
        let Some((signature, after)) = bytes.split_first_chunk::<4>() else {
            return false;
        };
        bytes = after;
        let rest = take_u32(&mut bytes).and_then(|size| bytes.get(size as usize..));
        // Git marks an extension that a reader must understand by a small letter: `link` is a
        // split index, `sdir` a sparse one.
        let (Some(rest), true) = (rest, signature[0].is_ascii_uppercase()) else {
            return false;
        };
        bytes = rest;
    }
    true
}

fn take_u32(bytes: &mut &[u8]) -> Option<u32> {
    let (first, rest) = bytes.split_first_chunk::<4>()?;
    *bytes = rest;
    Some(u32::from_be_bytes(*first))
}

/// A number as git writes the offset of a delta: seven bits a byte, the high ones first, one added
/// for each byte that follows.
fn take_varint(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0_usize;
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value = value.checked_add(usize::from(byte & 0x7F))?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
        value = value.checked_add(1)?.checked_mul(128)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn git(directory: &Path, arguments: &[&str]) {
        let status = Command::new("git")
            .current_dir(directory)
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .status()
            .unwrap();
        assert!(status.success(), "git {arguments:?}");
    }

    fn repository(hash: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        git(directory.path(), &["init", "-q", "--object-format", hash]);
        let long = "x/".repeat(60) + &"y".repeat(200);
        let longer = (0..20).map(|_| "z".repeat(250) + "/").collect::<String>() + "end";
        for name in [
            "a",
            "a-b/c",
            "a.d/e",
            "b/c/d",
            "b/c/e",
            "ü\n\u{1b}",
            &long,
            &longer[..4010],
        ] {
            let path = directory.path().join(name);
            if path.as_os_str().len() < 4096 {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, name).unwrap();
            }
        }
        git(directory.path(), &["add", "."]);
        directory
    }

    #[test]
    fn all_versions_and_hashes_give_the_paths_of_ls_files() {
        for hash in ["sha1", "sha256"] {
            let directory = repository(hash);
            for version in ["2", "3", "4"] {
                git(directory.path(), &["add", "-A"]);
                git(
                    directory.path(),
                    &["update-index", "--index-version", version],
                );
                if version == "3" {
                    fs::write(directory.path().join("later"), "").unwrap();
                    git(directory.path(), &["add", "--intent-to-add", "later"]);
                }
                let listed = Command::new("git")
                    .current_dir(directory.path())
                    .args(["ls-files", "-z"])
                    .output()
                    .unwrap();
                let expected: Vec<&[u8]> = listed.stdout.split(|&byte| byte == 0).collect();
                let paths = tracked_paths(directory.path()).unwrap();
                let names: Vec<&[u8]> = (0..paths.ends.len()).map(|at| paths.name(at)).collect();
                assert_eq!(names, expected[..expected.len() - 1], "{hash} {version}");
                assert!(names.len() >= 8);
            }
        }
    }

    #[test]
    fn lookups_know_files_from_directories() {
        let mut paths = TrackedPaths::default();
        for name in ["a", "a-b/c", "a.d/e", "a/b", "c/d/e"] {
            assert!(paths.push(name.as_bytes()));
        }
        assert!(!paths.push(b"b"));
        assert!(paths.holds(b"a-b/c") && paths.holds(b"a") && !paths.holds(b"c/d"));
        assert!(paths.holds_below(b"c") && paths.holds_below(b"c/d") && paths.holds_below(b"a"));
        assert!(!paths.holds_below(b"c/d/e") && !paths.holds_below(b"a-") && !paths.holds(b""));
        assert!(!paths.holds_below(b"z"));
    }

    #[test]
    fn without_an_index_nothing_is_tracked() {
        let directory = tempfile::tempdir().unwrap();
        git(directory.path(), &["init", "-q"]);
        assert_eq!(
            tracked_paths(directory.path()),
            Some(TrackedPaths::default())
        );
    }

    #[test]
    fn split_sparse_and_damaged_indexes_are_not_understood() {
        let directory = repository("sha1");
        let index = directory.path().join(".git/index");
        let good = fs::read(&index).unwrap();
        assert!(parse(&good, 20).is_some());
        for cut in [0, 3, 11, 12, 50, 90, good.len() - 21, good.len() - 1] {
            assert_eq!(parse(&good[..cut], 20), None, "cut to {cut} bytes");
        }
        let mut future = good.clone();
        future[7] = 5;
        assert_eq!(parse(&future, 20), None);
        git(directory.path(), &["update-index", "--split-index"]);
        assert_eq!(tracked_paths(directory.path()), None);
        git(directory.path(), &["update-index", "--no-split-index"]);
        assert!(tracked_paths(directory.path()).is_some());
        git(
            directory.path(),
            &[
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@b",
                "commit",
                "-qm",
                "m",
            ],
        );
        git(
            directory.path(),
            &["sparse-checkout", "set", "--cone", "--sparse-index", "a-b"],
        );
        assert_eq!(tracked_paths(directory.path()), None);
    }

    #[test]
    fn any_damage_is_survived() {
        let directory = repository("sha1");
        let good = fs::read(directory.path().join(".git/index")).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0xFF;
            let _ = parse(&bad, 20);
            let _ = parse(&bad, 32);
        }
    }
}
