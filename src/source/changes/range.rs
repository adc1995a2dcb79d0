//! What a range of commits brings: the new content of each, its message and who made it, the names of
//! new files, and the tags that point at them.

use std::collections::HashSet;
use std::slice::Chunks;
use std::sync::Arc;

use super::contents::{ChangeError, Contents};
use super::pushed::{Found, of_commits};
use super::seen::Seen;
use super::{Changes, Text, hexadecimal, texts};
use crate::source::NotScanned;
use crate::source::git::{Kind, ObjectId, Tag};

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

/// So many commits are compared before what they bring is read: enough work for all threads, and
/// few enough to be held in memory, however many there are in the range.
const BATCH: usize = 1024;

/// What commits bring, merges included, some commits at a time; first, what annotated tags say
/// that point at one of them.
#[derive(Debug)]
pub struct Brought<'c> {
    contents: Arc<Contents>,
    tags: Option<Found>,
    commits: Chunks<'c, ObjectId>,
    first_parent: bool,
    seen: Seen,
}

impl<'c> Brought<'c> {
    /// What `commits` bring. With `first_parent`, a merge is compared with its first parent only.
    ///
    /// # Errors
    /// Where git cannot tell the tags.
    pub fn new(
        contents: Contents,
        commits: &'c [ObjectId],
        first_parent: bool,
    ) -> Result<Self, ChangeError> {
        let tags = tags(&contents, &commits.iter().copied().collect())?;
        Ok(Self {
            contents: Arc::new(contents),
            tags: Some(tags),
            commits: commits.chunks(BATCH),
            first_parent,
            seen: Seen::default(),
        })
    }

    /// The repository's objects.
    #[must_use]
    pub fn contents(&self) -> &Contents {
        &self.contents
    }
}

impl Iterator for Brought<'_> {
    /// Whatever cannot be read is an error: the range was not scanned.
    type Item = Result<Changes, ChangeError>;

    /// There is a first batch even without commits.
    fn next(&mut self) -> Option<Self::Item> {
        let (tags, commits) = match (self.tags.take(), self.commits.next()) {
            (None, None) => return None,
            (tags, commits) => (tags.unwrap_or_default(), commits.unwrap_or_default()),
        };
        let (contents, seen) = (&self.contents, &mut self.seen);
        Some(of_commits(contents, commits, tags, self.first_parent, seen))
    }
}

/// What the tags that lead to `commits` say. A tag that cannot be read is noted: it may lead there.
fn tags(contents: &Contents, commits: &HashSet<ObjectId>) -> Result<Found, ChangeError> {
    let mut found = Found::default();
    if commits.is_empty() {
        return Ok(found);
    }
    let listed = contents.git(&["for-each-ref", "--format=%(objecttype) %(objectname)"])?;
    let lines = listed.split(|&byte| byte == b'\n');
    let mut tags: Vec<ObjectId> = lines
        .filter_map(|line| ObjectId::from_hex(line.strip_prefix(b"tag ")?))
        .collect();
    tags.sort();
    tags.dedup();
    for tag in tags {
        match follow(contents, tag, commits) {
            Ok(texts) => found.texts.extend(texts),
            Err(error) => found.notes.push(NotScanned {
                path: format!("tag {tag}"),
                reason: error.to_string(),
                incomplete: true,
            }),
        }
    }
    Ok(found)
}

/// The texts of `tag`, and of the tags that it leads to, if they end at one of `commits`.
fn follow(
    contents: &Contents,
    tag: ObjectId,
    commits: &HashSet<ObjectId>,
) -> Result<Vec<Text>, ChangeError> {
    let (mut found, mut content) = (Vec::new(), Vec::new());
    let mut id = tag;
    // Nobody has tags of tags of tags, and nothing may go on for ever.
    for _ in 0..16 {
        contents.read(id, Kind::Tag, &mut content)?;
        let kind = Kind::Tag.as_str();
        let tag = Tag::parse(&content).ok_or(ChangeError::Kind { kind, id })?;
        let name = String::from_utf8_lossy(tag.name);
        let texts = texts::of(&hexadecimal(id), Some(&*name), &content, tag.message);
        found.extend(texts);
        match tag.kind {
            Some(Kind::Tag) => id = tag.target,
            Some(Kind::Commit) if commits.contains(&tag.target) => return Ok(found),
            _ => break,
        }
    }
    Ok(Vec::new())
}
