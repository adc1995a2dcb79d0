//! Mirrors of remote repositories on this machine, up to a quota of bytes.
//!
//! A mirror is a folder named by a digest of its URL, so that two repositories of one name do not
//! meet. Whoever works in it holds a lock on the file beside it. The one that was not used for
//! longest goes first.

use std::cell::Cell;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// The mirrors of this machine.
#[derive(Debug)]
pub struct Cache {
    root: PathBuf,
    quota: u64,
}

/// A mirror that nobody else works in.
#[derive(Debug)]
pub struct Mirror {
    path: PathBuf,
    /// Held until the mirror is let go.
    lock: Option<File>,
    /// A mirror that is not kept.
    aside: Option<TempDir>,
}

impl Mirror {
    /// The bare repository, which may not be there yet.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Deletes what is there: it may be damaged.
    ///
    /// # Errors
    /// Where it cannot be deleted.
    pub fn clear(&self) -> io::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

impl Cache {
    /// Keeps mirrors below `root`, of at most `quota` bytes in all; with 0 none is kept.
    ///
    /// # Errors
    /// Where `root` cannot be made.
    pub fn open(root: PathBuf, quota: u64) -> io::Result<Self> {
        fs::create_dir_all(&root)?;
        Ok(Self { root, quota })
    }

    /// The mirror for `url`. Where another process works in it (it may be stopped, and never go
    /// on), a new one aside, which is not kept.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn mirror(&self, url: &str) -> io::Result<Mirror> {
        let digest = Sha256::digest(url.as_bytes());
        let name = data_encoding::HEXLOWER.encode(&digest[..16]);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.root.join(format!("{name}.lock")))?;
        if self.quota == 0 || lock.try_lock().is_err() {
            let aside = tempfile::Builder::new()
                .prefix("aside-")
                .tempdir_in(&self.root)?;
            return Ok(Mirror {
                path: aside.path().join("mirror"),
                lock: None,
                aside: Some(aside),
            });
        }
        lock.set_modified(SystemTime::now())?;
        let path = self.root.join(name);
        drop_leftovers(&path)?;
        Ok(Mirror {
            path,
            lock: Some(lock),
            aside: None,
        })
    }

    /// Lets `mirror` go, then deletes mirrors until the quota holds.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn give_back(&self, mirror: Mirror) -> io::Result<()> {
        if let Some(aside) = mirror.aside {
            return aside.close();
        }
        let bytes = size(&mirror.path);
        if let Some(lock) = &mirror.lock {
            // The size is noted, so that it is not added up again each time.
            lock.set_len(0)?;
            io::Write::write_all(&mut &*lock, bytes.to_string().as_bytes())?;
        }
        drop(mirror);
        self.trim(self.quota)
    }

    /// Deletes all mirrors in which nobody works: the disk is full.
    ///
    /// # Errors
    /// Where the file system fails.
    pub fn clear(&self) -> io::Result<()> {
        self.trim(0)
    }

    fn trim(&self, quota: u64) -> io::Result<()> {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.root)?.flatten() {
            let lock = entry.path();
            if lock.extension().is_none_or(|end| end != "lock") {
                continue;
            }
            let used = entry.metadata().and_then(|data| data.modified());
            let noted = fs::read_to_string(&lock).unwrap_or_default();
            let mirror = lock.with_extension("");
            let bytes = noted.parse().unwrap_or_else(|_| size(&mirror));
            kept.push((used.unwrap_or(SystemTime::UNIX_EPOCH), bytes, lock, mirror));
        }
        kept.sort();
        let mut total: u64 = kept.iter().map(|(_, bytes, _, _)| bytes).sum();
        for (_, bytes, lock, mirror) in kept {
            if total <= quota {
                break;
            }
            let Ok(held) = OpenOptions::new().write(true).open(&lock) else {
                continue;
            };
            if held.try_lock().is_err() || !mirror.exists() {
                continue;
            }
            // The lock file stays: another process may be about to lock it.
            fs::remove_dir_all(&mirror)?;
            held.set_len(0)?;
            io::Write::write_all(&mut &held, b"0")?;
            total = total.saturating_sub(bytes);
        }
        Ok(())
    }
}

/// The room that one mirror may take.
#[derive(Debug)]
pub struct Room<'m> {
    mirror: &'m Path,
    limit: Option<u64>,
    looked: Cell<Option<Instant>>,
    over: Cell<bool>,
}

/// Time between two looks at the size of a mirror.
const LOOK: Duration = Duration::from_millis(500);

impl<'m> Room<'m> {
    /// Of `limit` bytes, if there is one, for `mirror`.
    #[must_use]
    pub fn new(mirror: &'m Path, limit: Option<u64>) -> Self {
        Self {
            mirror,
            limit,
            looked: Cell::new(None),
            over: Cell::new(false),
        }
    }

    /// Whether the mirror has been seen to be larger. Looks from time to time.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let looked = self.looked.get();
        if self.limit.is_some() && looked.is_none_or(|at| at.elapsed() > LOOK) {
            self.look();
            self.looked.set(Some(Instant::now()));
        }
        self.over.get()
    }

    /// The limit, if the mirror is larger, now or when it was last looked at.
    #[must_use]
    pub fn passed(&self) -> Option<u64> {
        self.look();
        self.limit.filter(|_| self.over.get())
    }

    fn look(&self) {
        if self.limit.is_some_and(|limit| size(self.mirror) > limit) {
            self.over.set(true);
        }
    }
}

/// Deletes what a killed git leaves behind: half packs, and locks that would stop the next one.
fn drop_leftovers(mirror: &Path) -> io::Result<()> {
    let mut folders = vec![mirror.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = entry.path();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            // Loose objects stand in folders of two digits: nothing is left over there.
            if is_folder && name.len() > 2 {
                folders.push(path);
            } else if !is_folder && (name.ends_with(".lock") || name.starts_with("tmp_")) {
                fs::remove_file(path)?;
            }
        }
    }
    Ok(())
}

/// Bytes in the files below `folder`. What vanishes meanwhile has none.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(data) if data.is_dir() => size(&entry.path()),
        Ok(data) => data.len(),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(mirror: &Mirror, bytes: usize) {
        fs::create_dir_all(mirror.path().join("objects/pack")).unwrap();
        fs::write(mirror.path().join("objects/pack/x.pack"), vec![0; bytes]).unwrap();
    }

    #[test]
    fn the_mirror_not_used_for_longest_goes_first() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("cache"), 250).unwrap();
        let mut paths = Vec::new();
        for url in ["a", "b", "c"] {
            let mirror = cache.mirror(url).unwrap();
            fill(&mirror, 100);
            paths.push(mirror.path().to_owned());
            cache.give_back(mirror).unwrap();
            std::thread::sleep(Duration::from_millis(20));
        }
        let there: Vec<bool> = paths.iter().map(|path| path.exists()).collect();
        assert_eq!(there, [false, true, true]);
        let held = cache.mirror("b").unwrap();
        cache.clear().unwrap();
        let there: Vec<bool> = paths.iter().map(|path| path.exists()).collect();
        assert_eq!(there, [false, true, false]);
        drop(held);
    }

    #[test]
    fn a_mirror_in_use_is_not_shared() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned(), 1000).unwrap();
        let one = cache.mirror("a").unwrap();
        let other = cache.mirror("a").unwrap();
        assert_ne!(one.path(), other.path());
        let aside = other.path().to_owned();
        fill(&other, 1);
        cache.give_back(other).unwrap();
        assert!(!aside.exists());
        drop(one);
        let none = Cache::open(folder.path().to_owned(), 0).unwrap();
        let mirror = none.mirror("a").unwrap();
        fill(&mirror, 1);
        none.give_back(mirror).unwrap();
        let left = fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(left, 1, "the lock file alone");
    }

    #[test]
    fn what_a_killed_git_leaves_is_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().to_owned(), 1000).unwrap();
        let mirror = cache.mirror("a").unwrap();
        fill(&mirror, 1);
        let path = mirror.path().to_owned();
        drop(mirror);
        for left in ["packed-refs.lock", "objects/pack/tmp_pack_1"] {
            fs::write(path.join(left), "").unwrap();
        }
        let mirror = cache.mirror("a").unwrap();
        assert!(!path.join("packed-refs.lock").exists());
        assert!(!path.join("objects/pack/tmp_pack_1").exists());
        assert!(mirror.path().join("objects/pack/x.pack").exists());
    }
}
