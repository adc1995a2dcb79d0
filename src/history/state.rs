//! What earlier runs have read, so that the next one reads only what is new.
//!
//! The file holds no credential and nothing of one: ids of objects and names of packs. It may be
//! deleted at any time; then everything is read again.
//!
//! Its form: lines of text (`FORM`, the digest of the rules, `pack NAME`, `hold ID`, `ids COUNT`), then
//! the first [`SHORT`] bytes of each id that was read, sorted, then the SHA-256 of all that.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::finding::Finding;
use crate::location::Origin;
use crate::source::git::{ObjectId, ObjectStore, Repository};

const FORM: &str = "straykey history state 1";
/// Bytes of an id that are kept: no two objects share them by chance, and to make an object that
/// shares them with one of a million takes 2^76 tries.
const SHORT: usize = 12;
const DIGEST: usize = 32;

type ShortId = [u8; SHORT];

/// What has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Which rules it was read with, in hexadecimal.
    rules: String,
    packs: BTreeSet<String>,
    /// Objects in which something was found: they are read every time.
    holding: BTreeSet<ObjectId>,
    /// Everything that was read, sorted.
    ids: Vec<ShortId>,
}

impl State {
    /// Where the state of `repository` is kept if nobody says otherwise.
    #[must_use]
    pub fn default_path(repository: &Repository) -> PathBuf {
        repository.common_dir().join("straykey/history")
    }

    /// What `store` holds now.
    #[must_use]
    pub(super) fn now(store: &ObjectStore, rules: &str) -> Self {
        let mut ids = Vec::new();
        let packs = store.listing(|id| ids.push(short(id)));
        ids.sort_unstable();
        ids.dedup();
        Self {
            rules: rules.to_owned(),
            packs: packs.into_iter().collect(),
            holding: BTreeSet::new(),
            ids,
        }
    }

    /// Reads the file at `path`. `None` where there is none, where it is damaged or of another
    /// form, and where it was made with other rules than those of the digest `rules`: then
    /// nothing counts as read.
    ///
    /// # Errors
    /// Where the file is there and cannot be read.
    pub fn read(path: &Path, rules: &str) -> io::Result<Option<Self>> {
        match fs::read(path) {
            Ok(bytes) => Ok(Self::parse(&bytes).filter(|state| state.rules == rules)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, digest) = bytes.split_at_checked(bytes.len().checked_sub(DIGEST)?)?;
        if Sha256::digest(content).as_slice() != digest {
            return None;
        }
        let mut state = Self::default();
        let mut rest = content;
        let first = line(&mut rest)?;
        state.rules = line(&mut rest)?.to_owned();
        let count = loop {
            match line(&mut rest)?.split_once(' ')? {
                ("pack", name) => {
                    state.packs.insert(name.to_owned());
                }
                ("hold", id) => {
                    state.holding.insert(ObjectId::from_hex(id.as_bytes())?);
                }
                ("ids", count) => break count.parse::<usize>().ok()?,
                _ => return None,
            }
        };
        let (ids, left) = rest.as_chunks::<SHORT>();
        state.ids = ids.to_vec();
        let is_whole = first == FORM && left.is_empty() && ids.len() == count;
        is_whole.then_some(state)
    }

    /// Writes the file at `path`, whole or not at all.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().filter(|it| !it.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        fs::create_dir_all(directory)?;
        let bytes = self.bytes();
        let mut draft = tempfile::NamedTempFile::new_in(directory)?;
        draft.write_all(&bytes)?;
        draft.persist(path).map_err(|error| error.error)?;
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{FORM}\n{}\n", self.rules);
        for pack in &self.packs {
            text.push_str(&format!("pack {pack}\n"));
        }
        for id in &self.holding {
            text.push_str(&format!("hold {id}\n"));
        }
        text.push_str(&format!("ids {}\n", self.ids.len()));
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(self.ids.as_flattened());
        let digest = Sha256::digest(&bytes);
        bytes.extend_from_slice(&digest);
        bytes
    }

    /// Whether `id` need not be read again.
    pub(super) fn knows(&self, id: &ObjectId) -> bool {
        self.ids.binary_search(&short(id)).is_ok() && !self.holding.contains(id)
    }

    /// Packs of which nothing need be read again.
    pub(super) fn packs(&self) -> HashSet<String> {
        match self.holding.is_empty() {
            true => self.packs.iter().cloned().collect(),
            // Somewhere in them is what has to be read every time.
            false => HashSet::new(),
        }
    }

    /// Remembers in which objects `findings` are, before they are told as paths.
    pub(super) fn note(&mut self, findings: &[Finding], trees: impl IntoIterator<Item = ObjectId>) {
        let occurrences = findings.iter().flat_map(|it| &it.occurrences);
        self.holding = occurrences
            .filter_map(|it| match &it.origin {
                Origin::Object { id, .. } => ObjectId::from_hex(id.as_bytes()),
                _ => None,
            })
            .chain(trees)
            .collect();
    }
}

/// Takes a line off `rest`.
fn line<'r>(rest: &mut &'r [u8]) -> Option<&'r str> {
    let end = memchr::memchr(b'\n', rest)?;
    let line = std::str::from_utf8(&rest[..end]).ok();
    *rest = &rest[end + 1..];
    line
}

fn short(id: &ObjectId) -> ShortId {
    let mut short = [0; SHORT];
    short.copy_from_slice(&id.as_bytes()[..SHORT]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> State {
        let id = |byte: u8| ObjectId::from_bytes(&[byte; 20]).unwrap();
        State {
            rules: "abc".to_owned(),
            packs: BTreeSet::from(["pack-1".to_owned(), "pack-2".to_owned()]),
            holding: BTreeSet::from([id(b'\n')]),
            ids: vec![short(&id(b'\n')), short(&id(11)), short(&id(200))],
        }
    }

    #[test]
    fn it_is_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b");
        assert_eq!(State::read(&path, "abc").unwrap(), None);
        sample().write(&path).unwrap();
        assert_eq!(State::read(&path, "abc").unwrap(), Some(sample()));
        assert_eq!(State::read(&path, "other rules").unwrap(), None);
        let id = |byte: u8| ObjectId::from_bytes(&[byte; 20]).unwrap();
        assert!(sample().knows(&id(200)) && !sample().knows(&id(201)));
        assert!(!sample().knows(&id(b'\n')), "it holds something");
    }

    #[test]
    fn damage_makes_it_worthless() {
        let bytes = sample().bytes();
        assert!(State::parse(&bytes).is_some());
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert_eq!(State::parse(&damaged), None, "{at}");
            assert_eq!(State::parse(&bytes[..at]), None, "{at}");
        }
    }
}
