//! Submodules: repositories of their own, of which a history holds only the names of commits.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::path_of;
use crate::source::NotScanned;
use crate::source::git::Repository;
use crate::source::index::IndexFile;
use crate::source::index::difference::MODE_GITLINK;

/// Directories below `modules` are followed this deep.
const DEEPEST: usize = 16;

/// The submodules of a repository, those of submodules among them.
#[derive(Debug, Default)]
pub struct Submodules {
    /// Name and repository.
    pub found: Vec<(String, Repository)>,
    /// Those that are not here, and those that cannot be opened.
    pub not_scanned: Vec<NotScanned>,
    known: HashSet<PathBuf>,
}

impl Submodules {
    /// Those whose repositories are below `modules` of the git directory, where git keeps them,
    /// or in the work tree, where old versions left them.
    #[must_use]
    pub fn of(repository: &Repository) -> Self {
        let mut submodules = Self::default();
        submodules.add(&repository.common_dir().join("modules"), "", 0);
        submodules.in_work_tree(repository);
        submodules
    }

    /// Adds what is at or below `directory`, a submodule's git directory or a part of its name.
    fn add(&mut self, directory: &Path, name: &str, depth: usize) {
        let is_repository = directory.join("HEAD").is_file() && directory.join("objects").is_dir();
        if is_repository {
            self.open(directory, name);
            return self.add(&directory.join("modules"), name, depth + 1);
        }
        let entries = fs::read_dir(directory);
        let mut below: Vec<PathBuf> = entries
            .into_iter()
            .flat_map(|entries| entries.flatten())
            .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
            .map(|entry| entry.path())
            .collect();
        below.sort();
        for path in below.iter().filter(|_| depth < DEEPEST) {
            let last = path.file_name().unwrap_or_default().to_string_lossy();
            let name = match name {
                "" => last.into_owned(),
                name => format!("{name}/{last}"),
            };
            self.add(path, &name, depth + 1);
        }
    }

    fn open(&mut self, directory: &Path, name: &str) {
        match Repository::discover(directory) {
            Ok(repository) => {
                if self.known.insert(repository.common_dir().to_owned()) {
                    self.found.push((name.to_owned(), repository));
                }
            }
            Err(error) => self.note(name, &format!("a submodule: {error}"), true),
        }
    }

    fn in_work_tree(&mut self, repository: &Repository) {
        let Some(top) = repository.work_tree() else {
            return;
        };
        let index = IndexFile::read(repository.index(), repository.git_dir(), repository.hash());
        // An index that cannot be read is told of where what is staged is looked up.
        let Ok(index) = index else {
            return;
        };
        for entry in index.entries().filter(|it| it.mode == MODE_GITLINK) {
            let path = path_of(entry.path);
            let name = String::from_utf8_lossy(entry.path).into_owned();
            let is_here = top.join(&path).join(".git").exists();
            let is_known = || repository.common_dir().join("modules").join(&path).is_dir();
            match is_here {
                true => self.open(&top.join(&path), &name),
                false if is_known() => {}
                false => self.note(
                    &name,
                    "a submodule that is not here: its history was not scanned \
                     (git submodule update --init)",
                    false,
                ),
            }
        }
    }

    fn note(&mut self, name: &str, reason: &str, incomplete: bool) {
        self.not_scanned.push(NotScanned {
            path: name.to_owned(),
            reason: reason.to_owned(),
            incomplete,
        });
    }
}
