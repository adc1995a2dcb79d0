//! All objects of a repository: packs, loose objects and alternates.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use super::bytes::{path as bytes_path, trim_end};
use super::multi_index::MultiIndex;
use super::pack::{Pack, Scratch};
use super::{HashKind, Kind, ObjectError, ObjectId, Repository, loose};

/// Something of a repository that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NotRead {
    /// A file, or an object's id.
    pub what: String,
    /// Why, in one line.
    pub reason: String,
}

/// Largest object that is read whole, in bytes: git itself makes no deltas of files over 512 MiB
/// (`core.bigFileThreshold`), and what is no delta can be read as a stream.
pub const DEFAULT_LIMIT: u64 = 512 << 20;

/// So often packs are listed again because one of them has gone meanwhile.
const MOST_LISTINGS: usize = 5;

/// More object directories than this are a loop that no path comparison has caught.
const MOST_DIRECTORIES: usize = 1000;

/// The objects of a repository and of its alternates. Shared by all threads.
///
/// It reads packs through their indexes, and does not verify that an object's content has its
/// id as hash: the checksum of the compressed data is what notices damage.
#[derive(Debug)]
pub struct ObjectStore {
    hash: HashKind,
    limit: u64,
    directories: Vec<PathBuf>,
    packs: RwLock<Arc<PackSet>>,
    scratch: Mutex<Vec<Scratch>>,
}

/// The packs as they were listed at one time.
#[derive(Debug, Default)]
pub(super) struct PackSet {
    /// Largest first, so that duplicates are dropped from the smaller ones.
    pub(super) packs: Vec<Pack>,
    multi: Vec<MultiPacks>,
    /// Which packs no multi-pack index covers.
    alone: Vec<usize>,
    pub(super) problems: Vec<NotRead>,
    changed: Vec<Option<SystemTime>>,
}

/// A multi-pack index, and for each pack it names the place in the list of packs.
#[derive(Debug)]
struct MultiPacks {
    index: MultiIndex,
    packs: Vec<Option<usize>>,
}

impl ObjectStore {
    /// Opens every pack of `repository` and of its alternates. What cannot be opened is told by
    /// [`ObjectStore::problems`]; the rest can be read.
    ///
    /// # Errors
    /// Where the repository's own object directory cannot be listed.
    pub fn open(repository: &Repository) -> Result<Self, ObjectError> {
        let objects = repository.objects();
        fs::read_dir(objects).map_err(|source| ObjectError::Io {
            path: objects.display().to_string(),
            source,
        })?;
        let mut found = Directories::default();
        found.add(objects);
        for path in repository.environment_alternates() {
            found.add(path);
        }
        let mut set = PackSet::list(&found.paths, repository.hash());
        set.problems.append(&mut found.problems);
        Ok(Self {
            hash: repository.hash(),
            limit: DEFAULT_LIMIT,
            directories: found.paths,
            packs: RwLock::new(Arc::new(set)),
            scratch: Mutex::default(),
        })
    }

    /// The same store, refusing objects of more than `bytes` bytes.
    #[must_use]
    pub fn with_limit(mut self, bytes: u64) -> Self {
        self.limit = bytes;
        self
    }

    /// Largest object that is read, in bytes.
    #[must_use]
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// The hash that names objects.
    #[must_use]
    pub fn hash(&self) -> HashKind {
        self.hash
    }

    /// Object directories: the repository's own, then the alternates.
    #[must_use]
    pub fn directories(&self) -> &[PathBuf] {
        &self.directories
    }

    /// Packs, indexes and alternates that could not be opened.
    #[must_use]
    pub fn problems(&self) -> Vec<NotRead> {
        self.pack_set().problems.clone()
    }

    /// Reads the object `id` into `output`, whose old content is lost. `None` where it is in no
    /// pack, not loose and in no alternate; it is never fetched.
    ///
    /// # Errors
    /// Where it is there and no copy of it can be read.
    pub fn find(&self, id: &ObjectId, output: &mut Vec<u8>) -> Result<Option<Kind>, ObjectError> {
        let set = self.pack_set();
        let first = self.find_in(&set, id, output);
        if !matches!(first, Ok(None) | Err(_)) || !set.is_stale(&self.directories) {
            return first;
        }
        // A repack ran in between: what was loose or in a deleted pack is now in a new one.
        let set = self.reload();
        self.find_in(&set, id, output)
    }

    /// Whether the object is there, readable or not.
    #[must_use]
    pub fn contains(&self, id: &ObjectId) -> bool {
        let set = self.pack_set();
        set.contains(id)
            || self
                .directories
                .iter()
                .any(|directory| loose::path(directory, id).is_file())
    }

    fn find_in(
        &self,
        set: &PackSet,
        id: &ObjectId,
        output: &mut Vec<u8>,
    ) -> Result<Option<Kind>, ObjectError> {
        let mut scratch = lock(&self.scratch).pop().unwrap_or_default();
        let found = self.find_with(set, id, &mut scratch, output);
        lock(&self.scratch).push(scratch);
        found
    }

    fn find_with(
        &self,
        set: &PackSet,
        id: &ObjectId,
        scratch: &mut Scratch,
        output: &mut Vec<u8>,
    ) -> Result<Option<Kind>, ObjectError> {
        let mut failure = None;
        for (pack, offset) in set.places(id) {
            match pack.object(offset, self.limit, scratch, output) {
                Ok(kind) => return Ok(Some(kind)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        for directory in &self.directories {
            let file = loose::path(directory, id);
            match loose::read(&file, self.limit, &mut scratch.inflater, output) {
                Ok(Some(kind)) => return Ok(Some(kind)),
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(None), Err)
    }

    pub(super) fn pack_set(&self) -> Arc<PackSet> {
        let set = self.packs.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&set)
    }

    /// Whether a directory of packs has changed since `set` was listed.
    pub(super) fn is_stale(&self, set: &PackSet) -> bool {
        set.is_stale(&self.directories)
    }

    /// Lists the packs again.
    pub(super) fn reload(&self) -> Arc<PackSet> {
        let set = Arc::new(PackSet::list(&self.directories, self.hash));
        *self.packs.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&set);
        set
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl PackSet {
    fn list(directories: &[PathBuf], hash: HashKind) -> Self {
        for _ in 0..MOST_LISTINGS {
            let (set, vanished) = Self::list_once(directories, hash);
            // A repack has replaced a pack between its listing and its opening.
            if !(vanished && set.is_stale(directories)) {
                return set;
            }
        }
        Self::list_once(directories, hash).0
    }

    /// The packs, and whether one of them was gone before it was opened.
    fn list_once(directories: &[PathBuf], hash: HashKind) -> (Self, bool) {
        let mut vanished = false;
        let mut set = Self {
            // Taken before listing: a pack that arrives meanwhile makes the list stale.
            changed: directories.iter().map(|path| pack_time(path)).collect(),
            ..Self::default()
        };
        for directory in directories {
            for path in index_files(&directory.join("pack")) {
                match Pack::open(&path, hash) {
                    Ok(pack) => {
                        if let Err(error) = pack.fits_index() {
                            set.problem(&path, &error);
                        }
                        set.packs.push(pack);
                    }
                    Err(error) => {
                        vanished |= matches!(&error, ObjectError::Io { source, .. }
                            if source.kind() == std::io::ErrorKind::NotFound);
                        set.problem(&path, &error);
                    }
                }
            }
        }
        let size = |pack: &Pack| std::cmp::Reverse(pack.index.count());
        set.packs
            .sort_by(|a, b| (size(a), &a.path).cmp(&(size(b), &b.path)));
        for directory in directories {
            set.add_multi(&directory.join("pack"), hash);
        }
        let covered: HashSet<usize> = set
            .multi
            .iter()
            .flat_map(|multi| multi.packs.iter().flatten().copied())
            .collect();
        set.alone = (0..set.packs.len())
            .filter(|n| !covered.contains(n))
            .collect();
        (set, vanished)
    }

    fn problem(&mut self, path: &Path, error: &ObjectError) {
        self.problems.push(NotRead {
            what: path.display().to_string(),
            reason: error.to_string(),
        });
    }

    fn add_multi(&mut self, directory: &Path, hash: HashKind) {
        let path = directory.join("multi-pack-index");
        if !path.is_file() {
            return;
        }
        // Every pack has an index of its own, so that nothing is lost with a damaged one.
        let Ok(index) = MultiIndex::open(&path, hash) else {
            return;
        };
        let place = |name: &String| {
            let path = directory.join(name).with_extension("pack");
            self.packs.iter().position(|pack| pack.path == path)
        };
        let packs = index.packs().iter().map(place).collect();
        self.multi.push(MultiPacks { index, packs });
    }

    fn is_stale(&self, directories: &[PathBuf]) -> bool {
        let now = directories.iter().map(|path| pack_time(path));
        !now.eq(self.changed.iter().copied())
    }

    /// Whether `id` stands in one of the packs.
    pub(super) fn contains(&self, id: &ObjectId) -> bool {
        self.places(id).next().is_some()
    }

    /// Whether the pack at `path` is one of them.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.packs.iter().any(|pack| pack.path == path)
    }

    /// Every place in a pack where `id` stands.
    fn places<'s>(&'s self, id: &'s ObjectId) -> impl Iterator<Item = (&'s Pack, u64)> + 's {
        let multi = self.multi.iter().filter_map(|multi| {
            let (number, offset) = multi.index.place(multi.index.position(id)?)?;
            Some((self.packs.get((*multi.packs.get(number)?)?)?, offset))
        });
        let own = |pack: &'s Pack| Some((pack, pack.index.offset(pack.index.position(id)?)?));
        let alone = self
            .alone
            .iter()
            .filter_map(move |&n| own(self.packs.get(n)?));
        // A copy that a multi-pack index knows may be damaged while another pack's is whole.
        let others = (!self.multi.is_empty())
            .then(|| self.packs.iter().filter_map(own))
            .into_iter()
            .flatten();
        multi.chain(alone).chain(others)
    }
}

/// When the directory of packs last changed.
fn pack_time(objects: &Path) -> Option<SystemTime> {
    fs::metadata(objects.join("pack")).ok()?.modified().ok()
}

/// The `.idx` files of a directory of packs, sorted; without those that git is still writing,
/// whose names begin with a dot.
fn index_files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "idx"))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default();
            !name.as_encoded_bytes().starts_with(b".")
        })
        .collect();
    paths.sort();
    paths
}

/// Object directories found so far: each once, however it is spelt.
#[derive(Default)]
struct Directories {
    paths: Vec<PathBuf>,
    known: HashSet<PathBuf>,
    problems: Vec<NotRead>,
}

impl Directories {
    /// Adds `first` and what its `info/alternates` names, and so on.
    fn add(&mut self, first: &Path) {
        let mut waiting = vec![first.to_owned()];
        while let Some(path) = waiting.pop() {
            let real = match fs::canonicalize(&path) {
                Ok(real) => real,
                Err(error) => {
                    self.problems.push(NotRead {
                        what: path.display().to_string(),
                        reason: format!("alternate objects: {error}"),
                    });
                    continue;
                }
            };
            if self.paths.len() == MOST_DIRECTORIES || !self.known.insert(real) {
                continue;
            }
            waiting.extend(alternates(&path));
            self.paths.push(path);
        }
    }
}

/// Paths in `info/alternates`, one a line, relative ones to the object directory.
fn alternates(objects: &Path) -> Vec<PathBuf> {
    let text = fs::read(objects.join("info/alternates")).unwrap_or_default();
    text.split(|&byte| byte == b'\n')
        .map(trim_end)
        .filter(|line| !line.is_empty() && !line.starts_with(b"#"))
        .map(|line| objects.join(bytes_path(line)))
        .collect()
}
