//! What leads into a history: refs, reflogs, indexes.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::provenance::Reachability;
use crate::source::git::refs::git;
use crate::source::git::{NotRead, ObjectId, Refs, Repository};
use crate::source::index::IndexFile;

/// What a tip is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// `HEAD` of this work tree.
    Head,
    /// A branch, without `refs/heads/`.
    Branch(String),
    /// A tag, without `refs/tags/`.
    Tag(String),
    /// A remote-tracking ref, without `refs/remotes/`.
    Remote(String),
    /// Another ref, in full.
    Other(String),
    /// What no ref points at any more.
    Past,
}

/// Something that leads to an object.
#[derive(Clone, Debug)]
pub(super) struct Tip {
    /// How what it leads to is held.
    pub(super) class: Reachability,
    /// What it is called.
    pub(super) label: Label,
    /// The object.
    pub(super) id: ObjectId,
}

/// Everything that leads into the history of a repository.
#[derive(Debug, Default)]
pub(super) struct Tips {
    /// Refs, sorted by name, then what reflogs remember.
    pub(super) all: Vec<Tip>,
    /// What is staged: path and blob.
    pub(super) staged: Vec<(Vec<u8>, ObjectId)>,
    /// What could not be read.
    pub(super) problems: Vec<NotRead>,
}

impl Tips {
    /// Those of `repository`, of all its work trees.
    pub(super) fn read(repository: &Repository) -> Self {
        let mut tips = Self::default();
        let refs = Refs::read(repository);
        for reference in &refs.all {
            let (class, label) = classify(&reference.name);
            tips.all.push(Tip {
                class,
                label,
                id: reference.target,
            });
        }
        let work_trees = work_trees(repository);
        for directory in &work_trees {
            tips.head(directory, repository, &refs);
            tips.index(directory, repository);
        }
        tips.problems.extend(refs.problems);
        if repository.ref_storage() == "files" {
            tips.logs(&repository.common_dir().join("logs"), true);
            for directory in &work_trees {
                tips.log(&directory.join("logs/HEAD"), Reachability::Reflog);
            }
        } else {
            tips.logs_by_git(repository);
        }
        tips
    }

    /// `HEAD` of another work tree.
    fn head(&mut self, directory: &Path, repository: &Repository, refs: &Refs) {
        if directory == repository.git_dir() {
            return;
        }
        let text = fs::read(directory.join("HEAD")).unwrap_or_default();
        let text = text.trim_ascii();
        let id = match text.strip_prefix(b"ref:") {
            Some(name) => refs.find(&String::from_utf8_lossy(name.trim_ascii())),
            None => ObjectId::from_hex(text),
        };
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        self.all.extend(id.map(|id| Tip {
            class: Reachability::Reachable,
            label: Label::Other(format!("HEAD of the work tree {name}")),
            id,
        }));
    }

    fn index(&mut self, directory: &Path, repository: &Repository) {
        let path = match directory == repository.git_dir() {
            true => repository.index().to_owned(),
            false => directory.join("index"),
        };
        match IndexFile::read(&path, directory, repository.hash()) {
            Ok(index) => self.staged.extend(
                index
                    .entries()
                    .map(|entry| (entry.path.to_owned(), entry.id)),
            ),
            Err(error) => self.problem(&path, error.to_string()),
        }
    }

    fn problem(&mut self, path: &Path, reason: String) {
        self.problems.push(NotRead {
            what: path.display().to_string(),
            reason,
        });
    }

    /// The reflogs below `directory`.
    fn logs(&mut self, directory: &Path, top: bool) {
        let Ok(entries) = fs::read_dir(directory) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.logs(&path, false);
            } else if !top {
                let is_stash = path.ends_with("logs/refs/stash");
                self.log(
                    &path,
                    match is_stash {
                        true => Reachability::Stash,
                        false => Reachability::Reflog,
                    },
                );
            }
        }
    }

    /// One reflog: what the ref pointed at before and after each change.
    fn log(&mut self, path: &Path, class: Reachability) {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.problem(path, error.to_string()),
        };
        let mut ids = BTreeSet::new();
        for line in text.split(|&byte| byte == b'\n') {
            let words = line.split(|&byte| byte == b' ').take(2);
            ids.extend(words.filter_map(ObjectId::from_hex));
        }
        self.past(ids, class);
    }

    fn past(&mut self, ids: impl IntoIterator<Item = ObjectId>, class: Reachability) {
        let ids = ids.into_iter().filter(|id| !id.is_null());
        self.all.extend(ids.map(|id| Tip {
            class,
            label: Label::Past,
            id,
        }));
    }

    /// The reflogs of a form of storage that only git knows.
    fn logs_by_git(&mut self, repository: &Repository) {
        let ids = |text: Vec<u8>| -> Vec<ObjectId> {
            let lines = text.split(|&byte| byte == b'\n');
            lines.filter_map(ObjectId::from_hex).collect()
        };
        let stash = ["reflog", "show", "--format=%H", "refs/stash"];
        // Without a stash it fails, and there is nothing to be read.
        let stash = git(repository, &stash).map(ids).unwrap_or_default();
        self.past(stash, Reachability::Stash);
        match git(repository, &["rev-list", "--no-walk", "--reflog"]) {
            Ok(text) => self.past(ids(text), Reachability::Reflog),
            Err(reason) => self.problem(Path::new("reflogs"), reason),
        }
    }
}

fn classify(name: &str) -> (Reachability, Label) {
    let below = |prefix| name.strip_prefix(prefix).map(str::to_owned);
    if name == "refs/stash" {
        return (Reachability::Stash, Label::Past);
    }
    let label = if name == "HEAD" {
        Label::Head
    } else if let Some(branch) = below("refs/heads/") {
        Label::Branch(branch)
    } else if let Some(tag) = below("refs/tags/") {
        Label::Tag(tag)
    } else if let Some(remote) = below("refs/remotes/") {
        Label::Remote(remote)
    } else {
        Label::Other(name.to_owned())
    };
    (Reachability::Reachable, label)
}

/// The git directories of all work trees, linked ones last.
fn work_trees(repository: &Repository) -> Vec<PathBuf> {
    let mut directories = vec![repository.common_dir().to_owned()];
    let linked = fs::read_dir(repository.common_dir().join("worktrees"));
    let mut linked: Vec<PathBuf> = linked
        .into_iter()
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .collect();
    linked.sort();
    directories.extend(linked);
    if !directories.contains(&repository.git_dir().to_owned()) {
        directories.push(repository.git_dir().to_owned());
    }
    directories
}
