//! The paths named on the command line: what each of them is, and which are the same.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use rustix::fs::FileType;

/// What a named path turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    File,
    /// An inherited file descriptor that is a pipe, as process substitution gives it.
    Stream,
    /// Something else, or nothing: why it is not scanned.
    Unusable(String),
}

/// A named path.
#[derive(Debug)]
pub(super) struct Root {
    /// As it was given.
    pub(super) path: PathBuf,
    /// As it is shown: without needless dots and slashes; empty for the working directory.
    pub(super) shown: PathBuf,
    pub(super) kind: Kind,
}

/// Entries that a walk must leave to the name they were given by: the name of each, by the
/// device and inode of the directory it is in.
#[derive(Debug, Default)]
pub(super) struct Named(HashMap<(u64, u64), Vec<Vec<u8>>>);

impl Named {
    /// The names to leave out in a directory.
    pub(super) fn within(&self, device: u64, inode: u64) -> &[Vec<u8>] {
        self.0.get(&(device, inode)).map_or(&[], Vec::as_slice)
    }

    /// Remembers the place of `path`, which has no links in it.
    fn add(&mut self, path: &Path) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return;
        };
        if let Ok(parent) = fs::metadata(parent) {
            let names = self.0.entry((parent.dev(), parent.ino())).or_default();
            names.push(name.as_bytes().to_vec());
        }
    }
}

/// Looks at every path; what is named twice comes once.
pub(super) fn roots(paths: &[PathBuf]) -> (Vec<Root>, Named) {
    let mut roots = Vec::new();
    let mut named = Named::default();
    let mut seen = HashSet::new();
    for path in paths {
        let kind = kind(path);
        if paths.len() > 1
            && matches!(kind, Kind::Directory | Kind::File)
            && let Ok(canonical) = fs::canonicalize(path)
        {
            named.add(&canonical);
            if !seen.insert(canonical) {
                continue;
            }
        }
        roots.push(Root {
            shown: tidy(path),
            path: path.clone(),
            kind,
        });
    }
    (roots, named)
}

fn tidy(path: &Path) -> PathBuf {
    let parts = path.components();
    parts.filter(|part| *part != Component::CurDir).collect()
}

fn kind(path: &Path) -> Kind {
    let status = match fs::metadata(path) {
        Ok(status) => status,
        Err(error) => return Kind::Unusable(no_access(&error)),
    };
    let kind = FileType::from_raw_mode(status.mode());
    match kind {
        FileType::Directory => Kind::Directory,
        FileType::RegularFile => Kind::File,
        FileType::Fifo | FileType::CharacterDevice if is_descriptor(path) => Kind::Stream,
        FileType::Fifo => unusable("a named pipe"),
        FileType::Socket => unusable("a socket"),
        _ => unusable("a device"),
    }
}

fn unusable(what: &str) -> Kind {
    Kind::Unusable(format!("is {what}, not a file; use - to scan a stream"))
}

fn no_access(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "does not exist".to_owned(),
        std::io::ErrorKind::NotADirectory => "does not exist: a part of it is a file".to_owned(),
        _ => super::read::reason(error),
    }
}

/// Whether `path` names a descriptor that this process was started with.
fn is_descriptor(path: &Path) -> bool {
    path == Path::new("/dev/stdin")
        || ["/dev/fd", "/proc/self/fd"]
            .iter()
            .any(|directory| path.parent() == Some(Path::new(directory)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_paths_are_tidy() {
        for (given, shown) in [
            (".", ""),
            ("./", ""),
            ("./a//b/", "a/b"),
            ("a/./b", "a/b"),
            ("../a", "../a"),
            ("/", "/"),
            ("a/..", "a/.."),
        ] {
            assert_eq!(tidy(Path::new(given)), Path::new(shown), "{given}");
        }
    }
}
