//! Changes as a [`Source`]: what is about to be committed ([`staged`]) or pushed ([`pushed`]), or what a
//! range of commits brought ([`range`]).
//!
//! Whole new contents are handed over, not added lines: the two halves of a credential may be
//! committed one after the other. What was at the same path before can be asked for
//! ([`Changes::hand_before`]), so that the caller can tell what a change brings from what it found.

mod contents;
mod hand;
mod large_files;
mod parents;
pub mod pushed;
pub mod range;
mod seen;
pub mod settings;
pub mod staged;
mod texts;

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;

pub use contents::{ChangeError, Contents, empty_trees, is_empty_tree};

use settings::Settings;

use super::git::ObjectId;
use super::index::difference::{MODE_DIRECTORY, MODE_GITLINK, flatten};
use super::index::{Removed, Version};
use super::{Blob, NotScanned, Sink, Source};
use crate::location::Origin;

/// One path with new content.
#[derive(Debug)]
pub struct Entry {
    /// [`Origin::Index`] or [`Origin::Commit`].
    pub origin: Origin,
    /// What is there now.
    pub new: Version,
    /// What the parents have there; none for a new path.
    pub before: Vec<Version>,
}

/// A text that is not a file: the message of a commit, its author.
#[derive(Debug)]
pub struct Text {
    /// [`Origin::Message`].
    pub origin: Origin,
    /// The text.
    pub bytes: Vec<u8>,
    /// Whether it is a field of an object whose message is a text of its own, with which it is
    /// counted.
    pub is_field: bool,
}

/// New contents, and what they replace.
#[derive(Debug)]
pub struct Changes {
    contents: Arc<Contents>,
    entries: Vec<Entry>,
    /// Places in `entries` by origin, made when the first is looked up.
    by_origin: OnceLock<Vec<usize>>,
    texts: Vec<Text>,
    /// What is gone, by the commit in which it goes; by none for the index.
    removed: HashMap<Option<Box<str>>, Vec<Removed>>,
    /// What could not be looked at, or need not be.
    notes: Vec<NotScanned>,
    /// Configuration and baseline as the index has them.
    settings: Vec<(Box<[u8]>, Version)>,
}

/// From so many entries on, threads are worth their start.
const MANY: usize = 64;

impl Changes {
    fn new(contents: Arc<Contents>) -> Self {
        Self {
            contents,
            entries: Vec::new(),
            by_origin: OnceLock::new(),
            texts: Vec::new(),
            removed: HashMap::new(),
            notes: Vec::new(),
            settings: Vec::new(),
        }
    }

    /// The paths with new content.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entry of `origin`.
    #[must_use]
    pub fn entry(&self, origin: &Origin) -> Option<&Entry> {
        let by_origin = self.by_origin.get_or_init(|| {
            let mut places: Vec<usize> = (0..self.entries.len()).collect();
            places.sort_by_key(|&place| &self.entries[place].origin);
            places
        });
        let at = by_origin.partition_point(|&place| self.entries[place].origin < *origin);
        let entry = self.entries.get(*by_origin.get(at)?)?;
        (entry.origin == *origin).then_some(entry)
    }

    /// Whether nothing at all was changed or removed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.texts.is_empty() && self.removed.is_empty()
    }

    /// The repository's objects.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The configuration and the baseline that would be committed; none for what is pushed.
    ///
    /// # Errors
    /// Where one of them cannot be read.
    pub fn settings(&self) -> Result<Settings, ChangeError> {
        let plain = |found: &&(Box<[u8]>, Version)| settings::is_plain(found.1.mode);
        let files: Vec<_> = self.settings.iter().filter(plain).cloned().collect();
        Settings::read(&self.contents, &files)
    }

    /// Names among those of configuration and baseline whose content the change replaces, brings or
    /// takes away; each once, sorted.
    #[must_use]
    pub fn changed_settings(&self) -> Vec<&'static str> {
        let removed = self.removed.values().flatten().map(|(path, _)| &**path);
        let paths = self.entries.iter().map(|entry| match &entry.origin {
            Origin::Index(path) | Origin::Commit { path, .. } => path.as_os_str().as_bytes(),
            _ => b"",
        });
        let mut names: Vec<_> = paths.chain(removed).filter_map(settings::name_of).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Hands over what stood at `origin`, an origin of one of the entries, before the change. For
    /// a new path that is what the same change removes elsewhere: it may have been renamed.
    ///
    /// What cannot be read goes to [`Sink::not_scanned`].
    pub fn hand_before(&self, origin: &Origin, sink: &dyn Sink) {
        let Some(entry) = self.entry(origin) else {
            return;
        };
        if !entry.before.is_empty() {
            for version in &entry.before {
                self.hand_version(origin, *version, sink);
            }
            return;
        }
        let commit = origin.commit().map(Box::from);
        for removed in self.removed.get(&commit).into_iter().flatten() {
            self.hand_removed(origin, removed, sink);
        }
    }

    /// Under its own path: where conditions of rules left it out, it was not known.
    fn hand_removed(&self, origin: &Origin, removed: &Removed, sink: &dyn Sink) {
        let (path, version) = removed;
        if version.mode != MODE_DIRECTORY {
            return self.hand_version(&beside(origin, path), *version, sink);
        }
        match flatten(self.contents(), version.id, path) {
            Ok(below) => below.iter().for_each(|(path, version)| {
                self.hand_version(&beside(origin, path), *version, sink)
            }),
            Err(error) => sink.not_scanned(unreadable(origin, &error)),
        }
    }

    fn hand_version(&self, origin: &Origin, version: Version, sink: &dyn Sink) {
        if version.mode != MODE_GITLINK
            && let Err(error) = hand::blob(&self.contents, origin, version.id, sink)
        {
            sink.not_scanned(unreadable(origin, &error));
        }
    }

    fn hand_entry(&self, entry: &Entry, sink: &dyn Sink) {
        if sink.stopped() {
            return;
        }
        if entry.before.is_empty() {
            hand::name(&entry.origin, sink);
        }
        if entry.new.mode == MODE_GITLINK {
            return sink.not_scanned(NotScanned {
                path: entry.origin.path().into_owned(),
                reason: "a submodule: only the name of its commit is part of the change".into(),
                incomplete: false,
            });
        }
        self.hand_version(&entry.origin, entry.new, sink);
    }
}

impl Source for Changes {
    /// Reads on the threads of the current rayon pool if there is much to read.
    fn read(&self, sink: &dyn Sink) {
        for note in &self.notes {
            sink.not_scanned(note.clone());
        }
        for text in &self.texts {
            match text.is_field {
                true => sink.blob(&Blob::whole(&text.origin, &text.bytes)),
                false => hand::counted(&text.origin, &text.bytes, sink),
            }
        }
        if self.entries.len() < MANY {
            self.entries
                .iter()
                .for_each(|entry| self.hand_entry(entry, sink));
        } else {
            self.entries
                .par_iter()
                .for_each(|entry| self.hand_entry(entry, sink));
        }
    }
}

fn unreadable(origin: &Origin, error: &ChangeError) -> NotScanned {
    NotScanned {
        path: origin.path().into_owned(),
        reason: error.to_string(),
        incomplete: true,
    }
}

/// Another path of the same commit, or of the index.
fn beside(origin: &Origin, path: &[u8]) -> Origin {
    match origin {
        Origin::Index(_) => Origin::Index(path_of(path)),
        Origin::Commit { commit, .. } => Origin::Commit {
            commit: commit.clone(),
            path: path_of(path),
        },
        other => other.clone(),
    }
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

fn hexadecimal(id: ObjectId) -> Box<str> {
    id.to_string().into()
}
