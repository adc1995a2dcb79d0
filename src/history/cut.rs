//! Histories that are not here as a whole: shallow and partial clones.

use crate::source::NotScanned;
use crate::source::git::Repository;
use crate::source::git::refs::git;

/// What is known to be missing of the history of `repository`; with `strict` that makes a scan
/// incomplete. Nothing is fetched.
#[must_use]
pub fn missing(repository: &Repository, strict: bool) -> Vec<NotScanned> {
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
    if let Some(reason) = partial(repository) {
        note("objects", reason);
    }
    missing
}

fn partial(repository: &Repository) -> Option<String> {
    if !repository.is_partial() {
        return None;
    }
    let listed = git(
        repository,
        &[
            "rev-list",
            "--objects",
            "--all",
            "--missing=print",
            "--quiet",
        ],
    );
    let absent = listed.map(|text| {
        text.split(|&byte| byte == b'\n')
            .filter(|line| line.starts_with(b"?"))
            .count()
    });
    match absent {
        Ok(0) => None,
        Ok(absent) => Some(format!(
            "partial clone: {} absent and not scanned; nothing is fetched. A clone without \
             --filter has them, as has `git fetch --refetch --no-filter`",
            crate::report::summary::count(absent as u64, "object"),
        )),
        Err(reason) => Some(format!(
            "partial clone; what is absent cannot be counted: {reason}"
        )),
    }
}
