//! What a range of commits brings: the new content of each, its message, and the names of new
//! files.

use super::Changes;
use super::contents::{ChangeError, Contents};
use super::pushed::{Found, of_commits};
use crate::source::git::ObjectId;

/// Which commits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// Revisions, as `git rev-list` takes them: `main..feature`, `^v1`, `HEAD~20..`.
    pub revisions: Vec<String>,
    /// Everything that refs lead to, besides.
    pub all_refs: bool,
    /// Only commits since this date, as git understands dates.
    pub since: Option<String>,
    /// Follow the first parents only, and compare merges with them only.
    pub first_parent: bool,
}

/// The commits of `range`, oldest first.
///
/// # Errors
/// Where git does not understand the range, or cannot read it.
pub fn commits(contents: &Contents, range: &Range) -> Result<Vec<ObjectId>, ChangeError> {
    let since = range.since.as_ref().map(|date| format!("--since={date}"));
    let mut arguments = vec!["rev-list", "--topo-order", "--reverse"];
    arguments.extend(since.as_deref());
    arguments.extend(range.first_parent.then_some("--first-parent"));
    arguments.extend(range.all_refs.then_some("--all"));
    arguments.push("--end-of-options");
    arguments.extend(range.revisions.iter().map(String::as_str));
    arguments.push("--");
    let listed = contents.git(&arguments)?;
    let odd = || ChangeError::git("rev-list", "its answer is not understood");
    listed
        .split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| ObjectId::from_hex(line).ok_or_else(odd))
        .collect()
}

/// What `commits` bring, merges included.
///
/// # Errors
/// Whatever cannot be read: the range was not scanned.
pub fn brought(
    contents: Contents,
    commits: &[ObjectId],
    first_parent: bool,
) -> Result<Changes, ChangeError> {
    of_commits(contents, commits, Found::default(), first_parent)
}
