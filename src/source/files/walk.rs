//! Walks directory trees in parallel, from one directory descriptor to the next: no path is
//! resolved twice, no link followed, and no depth too deep.

use std::ffi::{CStr, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rayon::Scope;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, openat, statat};
use rustix::io::Errno;

use super::ignored::{Rules, Verdict};
use super::list::Listing;
use super::named::Named;
use super::read::{FROM_WALK, Reader, reason};
use super::repository::Repository;
use crate::location::Origin;
use crate::source::{Coverage, NotScanned};

/// Files that one task reads, so that a large directory is shared by all threads.
const FILES_A_TASK: usize = 64;

/// Ignore files larger than this, in bytes, are not believed.
const MAX_IGNORE_FILE: usize = 4 * 1024 * 1024;

/// One walk over all directories that were named.
pub(super) struct Walk<'w> {
    pub(super) reader: Reader<'w>,
    /// Entries that are named on the command line as well, and scanned under that name.
    pub(super) named: &'w Named,
    /// Whether git's ignore rules count.
    pub(super) ignore: bool,
}

/// An open directory whose files and directories are being worked on.
struct Directory {
    descriptor: OwnedFd,
    place: Place,
    listing: Listing,
}

/// Where a directory is.
#[derive(Clone)]
struct Place {
    /// The path it was reached by; empty for the working directory.
    shown: PathBuf,
    /// Its path relative to the work tree it is in, with a slash at its end.
    inside: Vec<u8>,
    /// The file system it is on.
    device: Option<u64>,
}

/// What is to be scanned in a directory.
#[derive(Default)]
struct Plan {
    files: Vec<usize>,
    directories: Vec<(usize, Rules)>,
    git_ignored: u64,
}

impl<'w> Walk<'w> {
    /// Walks the directory `path`, whose entries are shown as entries of `shown`.
    pub(super) fn root<'s>(&'s self, scope: &Scope<'s>, path: &Path, shown: PathBuf) {
        let (rules, inside) = if self.ignore && Repository::at(path).is_none() {
            Rules::inherited(path)
        } else {
            (Rules::Off, Vec::new())
        };
        let place = Place {
            shown,
            inside,
            device: None,
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match openat(rustix::fs::CWD, path, flags, Mode::empty()) {
            Ok(descriptor) => self.directory(scope, descriptor, place, rules),
            Err(error) => self.not_scanned(&place.shown, &reason(&error.into()), true),
        }
    }

    /// Opens the entry `name` of `parent` and walks it.
    fn below<'s>(&'s self, scope: &Scope<'s>, parent: Arc<Directory>, name: usize, rules: Rules) {
        if self.reader.sink.stopped() {
            return;
        }
        let name = parent.listing.name(name);
        let mut place = parent.place.clone();
        place.shown.push(OsStr::from_bytes(name.to_bytes()));
        place.inside.extend_from_slice(name.to_bytes());
        place.inside.push(b'/');
        let opened = open(&parent.descriptor, name, FROM_WALK | OFlags::DIRECTORY);
        // The last of its children closes the parent: a deep tree needs few descriptors.
        drop(parent);
        match opened {
            Ok(descriptor) => self.directory(scope, descriptor, place, rules),
            Err(error) => self.not_scanned(&place.shown, &reason(&error.into()), true),
        }
    }

    fn directory<'s>(
        &'s self,
        scope: &Scope<'s>,
        descriptor: OwnedFd,
        mut place: Place,
        rules: Rules,
    ) {
        let elsewhere = match fstat(&descriptor) {
            Ok(stat) => {
                let is_other = place
                    .device
                    .replace(stat.st_dev)
                    .is_some_and(|d| d != stat.st_dev);
                if is_other && is_kernel_file_system(&descriptor) {
                    let reason = "a file system of the kernel, left out unless it is named";
                    return self.not_scanned(&place.shown, reason, false);
                }
                self.named.within(stat.st_dev, stat.st_ino)
            }
            Err(error) => return self.not_scanned(&place.shown, &reason(&error.into()), true),
        };
        let (listing, error) = Listing::of(descriptor.as_fd());
        if let Some(error) = error {
            self.not_scanned(&place.shown, &reason(&error.into()), true);
        }
        let mut directory = Directory {
            descriptor,
            place,
            listing,
        };
        let rules = self.rules_in(&mut directory, rules);
        let plan = self.plan(&directory, &rules, elsewhere);
        self.start(scope, directory, plan);
    }

    /// The rules for the entries of `directory`, given those for the directory itself.
    fn rules_in(&self, directory: &mut Directory, mut rules: Rules) -> Rules {
        if !self.ignore {
            return Rules::Off;
        }
        let has = |wanted: &CStr| {
            let listing = &directory.listing;
            let mut entries = listing.entries().iter();
            entries.any(|&(at, _)| listing.name(at) == wanted)
        };
        let (has_git, has_patterns) = (has(c".git"), has(c".gitignore"));
        if has_git && let Some(repository) = Repository::at(or_dot(&directory.place.shown)) {
            rules = Rules::at_top(repository);
            directory.place.inside.clear();
        }
        if has_patterns && let Some(content) = ignore_file(directory) {
            rules = rules.with_file(&content, directory.place.inside.len());
        }
        rules
    }

    fn plan(&self, directory: &Directory, rules: &Rules, elsewhere: &[Vec<u8>]) -> Plan {
        let mut plan = Plan::default();
        let mut path = directory.place.inside.clone();
        for &(at, kind) in directory.listing.entries() {
            let name = directory.listing.name(at);
            if name == c".git" || elsewhere.iter().any(|other| other == name.to_bytes()) {
                continue;
            }
            let kind = match kind {
                FileType::Unknown => self.kind_of(directory, name),
                known => known,
            };
            if !matches!(kind, FileType::Directory | FileType::RegularFile) {
                self.special(directory, name, kind);
                continue;
            }
            path.truncate(directory.place.inside.len());
            path.extend_from_slice(name.to_bytes());
            let is_directory = kind == FileType::Directory;
            match rules.verdict(&path, is_directory) {
                Verdict::LeaveOut => plan.git_ignored += 1,
                Verdict::Scan(rules) if is_directory => plan.directories.push((at, rules)),
                Verdict::Scan(_) => plan.files.push(at),
            }
        }
        plan
    }

    /// The kind of an entry, where the directory does not tell it. What cannot be examined is
    /// taken for a file: reading it then says why not.
    fn kind_of(&self, directory: &Directory, name: &CStr) -> FileType {
        statat(&directory.descriptor, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_or(FileType::RegularFile, |stat| {
                FileType::from_raw_mode(stat.st_mode)
            })
    }

    /// An entry that is neither file nor directory. A link is nothing of its own: what it points
    /// to is scanned where it is.
    fn special(&self, directory: &Directory, name: &CStr, kind: FileType) {
        let reason = match kind {
            FileType::Symlink => return,
            FileType::Fifo => "a named pipe",
            FileType::Socket => "a socket",
            FileType::CharacterDevice | FileType::BlockDevice => "a device",
            _ => "not a regular file",
        };
        self.not_scanned(&directory.child(name), reason, false);
    }

    /// Spawns a task for each directory and for each lot of files, and reads the first lot.
    fn start<'s>(&'s self, scope: &Scope<'s>, directory: Directory, plan: Plan) {
        let directory = Arc::new(directory);
        for (name, rules) in plan.directories {
            let parent = Arc::clone(&directory);
            scope.spawn(move |scope| self.below(scope, parent, name, rules));
        }
        let (first, rest) = plan.files.split_at(plan.files.len().min(FILES_A_TASK));
        for lot in rest.chunks(FILES_A_TASK) {
            let parent = Arc::clone(&directory);
            let lot = lot.to_vec();
            scope.spawn(move |_| self.files(&parent, &lot, 0));
        }
        self.files(&directory, first, plan.git_ignored);
    }

    fn files(&self, directory: &Directory, names: &[usize], git_ignored: u64) {
        let mut tally = Coverage {
            git_ignored,
            ..Coverage::default()
        };
        for &name in names {
            if self.reader.sink.stopped() {
                break;
            }
            let name = directory.listing.name(name);
            let path = directory.child(name);
            match open(&directory.descriptor, name, FROM_WALK) {
                Ok(file) => self.reader.file(file, &Origin::File(path), &mut tally),
                Err(Errno::NXIO) => self.not_scanned(&path, "is no longer a regular file", true),
                Err(error) => self.not_scanned(&path, &reason(&error.into()), true),
            }
        }
        self.reader.sink.covered(tally);
    }

    fn not_scanned(&self, path: &Path, reason: &str, incomplete: bool) {
        self.reader.sink.not_scanned(NotScanned {
            path: or_dot(path).to_string_lossy().into_owned(),
            reason: reason.to_owned(),
            incomplete,
        });
    }
}

impl Directory {
    fn child(&self, name: &CStr) -> PathBuf {
        self.place.shown.join(OsStr::from_bytes(name.to_bytes()))
    }
}

fn or_dot(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}

/// The content of the `.gitignore` in `directory`, if it is a file that can be read.
fn ignore_file(directory: &Directory) -> Option<Vec<u8>> {
    use std::io::Read as _;
    let file = open(&directory.descriptor, c".gitignore", FROM_WALK).ok()?;
    let mut content = Vec::new();
    let limit = MAX_IGNORE_FILE as u64 + 1;
    std::fs::File::from(file)
        .take(limit)
        .read_to_end(&mut content)
        .ok()?;
    (content.len() <= MAX_IGNORE_FILE).then_some(content)
}

/// Opens an entry of `directory`. Where the process may have no more descriptors, the limit is
/// raised as far as the system lets it.
fn open(directory: &OwnedFd, name: &CStr, flags: OFlags) -> Result<OwnedFd, Errno> {
    match openat(directory, name, flags, Mode::empty()) {
        Err(Errno::MFILE) => {
            raise_descriptor_limit();
            openat(directory, name, flags, Mode::empty())
        }
        result => result,
    }
}

fn raise_descriptor_limit() {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // If it fails, so does the second attempt to open, and that is reported.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// Whether `directory` shows the kernel's own data, some of which is endless or changes when read.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_kernel_file_system(directory: &OwnedFd) -> bool {
    // From <linux/magic.h>: proc, sysfs, debugfs, tracefs, cgroup, cgroup2, bpf, securityfs, selinuxfs.
    const KINDS: [u64; 9] = [
        0x9FA0,
        0x6265_6572,
        0x6462_6720,
        0x7472_6163,
        0x0027_E0EB,
        0x6367_7270,
        0xCAFE_4A11,
        0x7363_6673,
        0xF97C_FF8C,
    ];
    rustix::fs::fstatfs(directory).is_ok_and(|stat| KINDS.contains(&(stat.f_type as u64)))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn is_kernel_file_system(_directory: &OwnedFd) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_file_systems_are_known() {
        let is_kernel = |path: &str| {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
            is_kernel_file_system(&openat(rustix::fs::CWD, path, flags, Mode::empty()).unwrap())
        };
        assert!(is_kernel("/proc") && is_kernel("/proc/self/fd") && is_kernel("/sys"));
        assert!(!is_kernel("/") && !is_kernel("/dev") && !is_kernel("/tmp"));
    }
}
