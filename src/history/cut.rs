//! Histories that are not here as a whole: shallow and partial clones, and lost objects.

use super::partial::count;
use crate::scan::Progress;
use crate::source::NotScanned;
use crate::source::git::{ObjectError, ObjectStore, Repository};

/// What is known to be missing of the history of `repository`; with `strict` that makes a scan
/// incomplete. Nothing is fetched. In a partial clone that takes a walk over commits and trees, which
/// ends without a result once `progress` is stopped.
#[must_use]
pub fn missing(repository: &Repository, strict: bool, progress: &Progress) -> Vec<NotScanned> {
    let mut missing = Vec::new();
    let mut note = |path: &str, reason: String| {
        missing.push(NotScanned {
            path: path.to_owned(),
            reason,
            incomplete: strict,
        });
    };
    let cut = repository.shallow_commits().len();
    if cut > 0 {
        note(
            "history",
            format!(
                "shallow clone, cut at {}: what is older was not scanned. Fetch it with \
                 `git fetch --unshallow`; in GitHub Actions set `fetch-depth: 0` at \
                 actions/checkout, in GitLab CI `GIT_DEPTH: 0`",
                crate::report::summary::count(cut as u64, "commit"),
            ),
        );
    }
    if let Some(reason) = partial(repository, progress) {
        note("objects", reason);
    }
    missing
}

fn partial(repository: &Repository, progress: &Progress) -> Option<String> {
    if !repository.is_partial() {
        return None;
    }
    match absent(repository, progress) {
        Ok(absent) => absent.map(|objects| {
            format!(
                "partial clone: {objects} absent and not scanned; nothing is fetched. A clone \
                 without --filter has them, as has `git fetch --refetch --no-filter`",
            )
        }),
        Err(reason) => Some(format!(
            "partial clone; what is absent cannot be counted: {reason}"
        )),
    }
}

/// Objects that objects of `repository` name and that are not in it, though it is no partial clone:
/// whatever leads to them. That takes a walk over commits and trees, which ends without a result
/// once `progress` is stopped.
#[must_use]
pub fn lacking(repository: &Repository, progress: &Progress) -> Option<NotScanned> {
    if repository.is_partial() {
        return None;
    }
    let reason = match absent(repository, progress) {
        Ok(absent) => {
            let objects = absent?;
            format!("{objects} named by others and not here: `git fsck` tells which")
        }
        Err(reason) => format!("what is absent cannot be counted: {reason}"),
    };
    Some(NotScanned {
        path: "objects".to_owned(),
        reason,
        incomplete: true,
    })
}

/// The number of absent objects, in words; `None` where there is none.
fn absent(repository: &Repository, progress: &Progress) -> Result<Option<String>, ObjectError> {
    let shallow = repository.shallow_commits().into_iter().collect();
    let stopped = || progress.is_stopped();
    let number = count(&ObjectStore::open(repository)?, shallow, &stopped);
    let number = number.filter(|number| *number > 0);
    Ok(number.map(|number| crate::report::summary::count(number, "object")))
}
