//! Places of findings, and what was not read, as they may be shown.

use std::borrow::Cow;

use super::View;
use crate::finding::{ExcerptLine, Finding, Occurrence, Part, Segment};
use crate::location::Origin;
use crate::report::redact::HIDDEN;
use crate::report::repository::Repository;
use crate::source::NotScanned;

/// One place where a credential was seen, as it may be shown.
pub(in crate::report) struct Place<'v> {
    pub(super) view: &'v View<'v>,
    pub(super) finding: &'v Finding,
    pub(super) occurrence: &'v Occurrence,
}

impl Place<'_> {
    /// The path, bytes as the system has them. Not yet safe for a terminal.
    pub(in crate::report) fn path(&self) -> Cow<'_, [u8]> {
        match path_bytes(&self.occurrence.origin) {
            Cow::Borrowed(path) => self.view.clean(path),
            Cow::Owned(path) => Cow::Owned(self.view.clean(&path).into_owned()),
        }
    }

    /// What it is that was read, in a word.
    pub(in crate::report) fn kind(&self) -> &'static str {
        match &self.occurrence.origin {
            Origin::File(_) => "file",
            Origin::Stdin => "stdin",
            Origin::Index(_) => "index",
            Origin::Commit { .. } => "commit",
            Origin::Name { .. } => "name",
            Origin::Message { .. } => "message",
            Origin::Object { .. } => "object",
        }
    }

    /// The id of the object of a repository, where it is one.
    pub(in crate::report) fn object(&self) -> Option<&str> {
        match &self.occurrence.origin {
            Origin::Object { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Its page on the repository's host. For a file on disk that is the file as `HEAD` has it.
    pub(in crate::report) fn url(&self) -> Option<String> {
        let repository = linked(self.view, self.finding)?;
        let shown = self.path();
        // A path with something taken out is no path.
        if shown.windows(HIDDEN.len()).any(|part| part == HIDDEN)
            || *shown != *path_bytes(&self.occurrence.origin)
        {
            return None;
        }
        let line = self.line_and_column().0;
        match &self.occurrence.origin {
            Origin::File(path) => {
                let path = repository.path_of(path)?;
                repository.line_url(&path, repository.head.as_deref()?, line)
            }
            Origin::Commit { commit, path } => repository.line_url(path, commit, line),
            Origin::Name { commit, path } => repository.line_url(path, commit.as_deref()?, 1),
            Origin::Message { commit, name }
                if &**name == "commit message" || name.ends_with(" of the commit") =>
            {
                repository.commit_url(commit.as_deref()?)
            }
            Origin::Object { kind: "commit", id } => repository.commit_url(id),
            Origin::Message { .. } | Origin::Object { .. } | Origin::Stdin | Origin::Index(_) => {
                None
            }
        }
    }

    /// The page of the commit `commit`.
    pub(in crate::report) fn commit_url(&self, commit: &str) -> Option<String> {
        linked(self.view, self.finding)?.commit_url(commit)
    }

    /// Whether its lines are counted in something that one can open.
    pub(in crate::report) fn has_lines(&self) -> bool {
        !self.is_name()
    }

    /// Whether it is the name of a file, not its content.
    pub(in crate::report) fn is_name(&self) -> bool {
        matches!(self.occurrence.origin, Origin::Name { .. })
    }

    /// The commit, where there is one.
    pub(in crate::report) fn commit(&self) -> Option<&str> {
        self.occurrence.origin.commit()
    }

    /// The parts and where they stand; the access key ID first.
    pub(in crate::report) fn parts(&self) -> &[Part] {
        &self.occurrence.parts
    }

    /// Line and column of the first part; the start of the text where there is none.
    pub(in crate::report) fn line_and_column(&self) -> (u64, u64) {
        self.occurrence.parts.first().map_or((1, 1), |part| {
            (part.span.start.line, part.span.start.column)
        })
    }

    /// The lines of the parts, redacted. Not yet safe for a terminal.
    pub(in crate::report) fn excerpt(&self) -> impl ExactSizeIterator<Item = ExcerptLine> {
        self.occurrence.excerpt.iter().map(|line| ExcerptLine {
            line: line.line,
            segments: line.segments.iter().map(|it| self.segment(it)).collect(),
        })
    }

    /// Only the finding's own id stays an [`Segment::Id`], so that formats mark nothing else.
    fn segment(&self, segment: &Segment) -> Segment {
        match segment {
            Segment::Id(id) if self.finding.credential.access_key_id.as_ref() == Some(id) => {
                Segment::Id(self.view.key_id(id))
            }
            Segment::Id(id) => Segment::Text(self.view.key_id(id)),
            Segment::Text(text) => Segment::Text(self.view.clean_str(text)),
            other => other.clone(),
        }
    }
}

/// The repository that pages of `finding` are in. A submodule is another one, whose host is not
/// known.
pub(super) fn linked<'v>(view: &'v View<'_>, finding: &Finding) -> Option<&'v Repository> {
    let provenance = finding.provenance.as_ref();
    match provenance.is_some_and(|it| it.submodule.is_some()) {
        true => None,
        false => view.repository(),
    }
}

/// The path, or what stands for one, as the system has it.
fn path_bytes(origin: &Origin) -> Cow<'_, [u8]> {
    match origin {
        Origin::File(path)
        | Origin::Index(path)
        | Origin::Commit { path, .. }
        | Origin::Name { path, .. } => Cow::Borrowed(path.as_os_str().as_encoded_bytes()),
        Origin::Message { .. } | Origin::Object { .. } | Origin::Stdin => {
            Cow::Owned(origin.path().into_owned().into_bytes())
        }
    }
}

/// Something that was not read, as it may be shown.
pub(in crate::report) struct Skipped<'v> {
    pub(super) view: &'v View<'v>,
    pub(super) entry: &'v NotScanned,
}

impl Skipped<'_> {
    /// Its path or other name. Not yet safe for a terminal.
    pub(in crate::report) fn path(&self) -> String {
        self.view.clean_str(&self.entry.path)
    }

    /// Why, in one line. Not yet safe for a terminal.
    pub(in crate::report) fn reason(&self) -> String {
        self.view.clean_str(&self.entry.reason)
    }

    /// Whether the scan is incomplete by it.
    pub(in crate::report) fn incomplete(&self) -> bool {
        self.entry.incomplete
    }
}
