//! Which repository the scanned paths belong to, so that reports can link to its host.

use std::fs;
use std::path::{Path, PathBuf};

use straykey::report::repository::Repository;
use straykey::source::git::{self, Refs};

/// The repository that holds the first of `paths`, if it has a remote on a host. That it cannot be
/// read takes links away and nothing else, so it is no error here.
pub(crate) fn of(paths: &[PathBuf]) -> Option<Repository> {
    let stored = git::Repository::discover(&directory(paths.first()?)).ok()?;
    let mut repository = Repository::of_remote(stored.remote_url()?)?;
    let top = fs::canonicalize(stored.work_tree()?).ok()?;
    let refs = Refs::read(&stored);
    repository.head = refs.find("HEAD").map(|commit| commit.to_string());
    let inside = paths.iter().filter_map(|path| {
        let place = fs::canonicalize(path).ok()?;
        Some((path.clone(), place.strip_prefix(&top).ok()?.to_owned()))
    });
    repository.directories = inside.collect();
    Some(repository)
}

fn directory(path: &Path) -> PathBuf {
    match (path.is_dir(), path.parent()) {
        (false, Some(parent)) if parent == Path::new("") => PathBuf::from("."),
        (false, Some(parent)) => parent.to_owned(),
        _ => path.to_owned(),
    }
}
