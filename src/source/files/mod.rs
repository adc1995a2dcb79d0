//! Files and directory trees as a [`Source`].
//!
//! A directory is scanned with everything in it, hidden files and binaries too, except:
//!
//! - `.git`, the directory as well as the file;
//! - what git ignores and does not track, unless [`Files::no_ignore`] is set. Only files of the
//!   repository itself say what that is (`.gitignore`, `.git/info/exclude`), never the user's own
//!   settings, and only inside a git work tree. Each entry left out counts in
//!   [`Coverage::git_ignored`]: a directory that is left out as a whole counts as one;
//! - symbolic links: what they point to is scanned where it is, if it is in the tree;
//! - named pipes, sockets, devices and the kernel's own file systems, which are listed as
//!   [`NotScanned`] without making the scan incomplete.
//!
//! What is named itself is scanned whether git ignores it or not, and a named link is followed.

mod ignored;
mod list;
mod named;
mod read;
mod repository;
mod tracked;
mod walk;

use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags, openat};

use self::named::{Kind, Root};
use self::read::{Descriptor, Reader, reason};
use self::walk::Walk;
use super::{Coverage, NotScanned, Sink, Source, stdin};
use crate::location::Origin;

/// Files and directories, named by path.
#[derive(Clone, Debug)]
pub struct Files {
    paths: Vec<PathBuf>,
    no_ignore: bool,
    max_file_size: Option<u64>,
}

impl Files {
    /// Will read `paths` and everything below them, each file once, however often it is named.
    #[must_use]
    pub fn new(paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Self {
        Self {
            paths: paths.into_iter().map(Into::into).collect(),
            no_ignore: false,
            max_file_size: None,
        }
    }

    /// Whether what git ignores is read as well. It is not by default.
    #[must_use]
    pub fn no_ignore(mut self, no_ignore: bool) -> Self {
        self.no_ignore = no_ignore;
        self
    }

    /// Leaves out files of more than so many bytes. By default there is no limit; a large file
    /// costs time, not memory.
    #[must_use]
    pub fn max_file_size(mut self, bytes: Option<u64>) -> Self {
        self.max_file_size = bytes;
        self
    }

    fn reader<'s>(&self, sink: &'s dyn Sink) -> Reader<'s> {
        Reader {
            sink,
            max_file_size: self.max_file_size,
        }
    }
}

impl Source for Files {
    /// Reads on the threads of the current rayon pool.
    fn read(&self, sink: &dyn Sink) {
        let (roots, named) = named::roots(&self.paths);
        let (directories, others): (Vec<Root>, Vec<Root>) = roots
            .into_iter()
            .partition(|root| root.kind == Kind::Directory);
        let reader = self.reader(sink);
        for root in others {
            if sink.stopped() {
                return;
            }
            single(&reader, root);
        }
        if directories.is_empty() {
            return;
        }
        let walk = Walk {
            reader,
            named: &named,
            ignore: !self.no_ignore,
        };
        rayon::scope(|scope| {
            for root in directories {
                walk.root(scope, &root.path, root.shown);
            }
        });
    }
}

/// Reads a named path that is no directory.
fn single(reader: &Reader<'_>, root: Root) {
    let error = match root.kind {
        Kind::Unusable(reason) => reason,
        Kind::Stream => match File::open(&root.path) {
            Ok(file) => {
                let origin = Origin::File(root.shown);
                return stdin::pump(&mut Descriptor(file.as_fd()), &origin, reader.sink);
            }
            Err(error) => reason(&error),
        },
        Kind::File | Kind::Directory => {
            // It was a file a moment ago; if it is a pipe now, opening must not wait.
            let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
            match openat(rustix::fs::CWD, &root.path, flags, Mode::empty()) {
                Ok(file) => {
                    let mut tally = Coverage::default();
                    reader.file(file, &Origin::File(root.shown), &mut tally);
                    return reader.sink.covered(tally);
                }
                Err(error) => reason(&error.into()),
            }
        }
    };
    reader.sink.not_scanned(NotScanned {
        path: root.path.to_string_lossy().into_owned(),
        reason: error,
        incomplete: true,
    });
}
