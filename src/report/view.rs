//! What formats see of a report: everything that may be shown, and nothing else.
//!
//! A format gets a [`View`], never a [`Report`]: no type in it holds a secret, paths that contain
//! one are already redacted, and identifiers are already masked where that was asked for. So no
//! format can leak by a mistake of its own.

use std::borrow::Cow;

use super::provenance::ProvenanceObject;
use super::redact::{HIDDEN, Redactor};
use super::repository::Repository;
use super::verdict::{LiveWords, VerdictObject};
use super::{Extent, Options, Report, mask};
use crate::finding::{ExcerptLine, Finding, KeyType, Occurrence, Part, Segment, Severity};
use crate::location::Origin;
use crate::source::{Coverage, NotScanned};
use crate::standing::{Known, Marker, Standing};

/// A report as it may be shown.
pub(super) struct View<'r> {
    report: &'r Report,
    open: Vec<&'r Finding>,
    options: &'r Options,
    redactor: Redactor<'r>,
}

impl<'r> View<'r> {
    /// Prepares `report` for output.
    pub(super) fn new(report: &'r Report, options: &'r Options) -> Self {
        Self {
            report,
            open: open(report).collect(),
            options,
            redactor: Redactor::new(&report.findings),
        }
    }

    /// The findings that count, in the report's order, prepared one at a time.
    pub(super) fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.open.iter().map(|finding| Entry {
            view: self,
            finding,
        })
    }

    /// The same with those that do not count: known, allowed or excluded.
    pub(super) fn all_entries(&self) -> impl ExactSizeIterator<Item = Entry<'_>> {
        self.report.findings.iter().map(|finding| Entry {
            view: self,
            finding,
        })
    }

    /// The finding number `index` of [`View::entries`].
    pub(super) fn entry(&self, index: usize) -> Option<Entry<'_>> {
        let finding = self.open.get(index)?;
        Some(Entry {
            view: self,
            finding,
        })
    }

    /// The finding number `index` of [`View::all_entries`].
    pub(super) fn any_entry(&self, index: usize) -> Option<Entry<'_>> {
        let finding = self.report.findings.get(index)?;
        Some(Entry {
            view: self,
            finding,
        })
    }

    /// Entries of the baseline that stand for nothing in the report.
    pub(super) fn unused_entries(&self) -> impl ExactSizeIterator<Item = KnownWords> {
        self.report
            .unused_entries
            .iter()
            .map(|known| self.known(known))
    }

    /// How many findings do not count, by who says so.
    pub(super) fn suppressed(&self) -> Suppressed {
        Suppressed::of(self.report)
    }

    fn known(&self, known: &Known) -> KnownWords {
        let clean = |text: &Option<String>| text.as_deref().map(|it| self.clean_str(it));
        KnownWords {
            entry: known.entry.clone(),
            rule: known.rule.clone(),
            reason: clean(&known.reason),
            owner: clean(&known.owner),
            until: known.until.map(|until| until.to_string()),
        }
    }

    /// What was not read.
    pub(super) fn not_scanned(&self) -> impl ExactSizeIterator<Item = Skipped<'_>> {
        self.report
            .not_scanned
            .iter()
            .map(|entry| Skipped { view: self, entry })
    }

    /// How it is to be shown.
    pub(super) fn options(&self) -> &Options {
        self.options
    }

    /// What was read.
    pub(super) fn coverage(&self) -> Coverage {
        self.report.coverage
    }

    /// What was to be scanned.
    pub(super) fn extent(&self) -> Extent {
        self.report.extent
    }

    /// Wall time, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        self.report.seconds
    }

    /// Whether everything that was asked for has been read.
    pub(super) fn complete(&self) -> bool {
        self.report.complete()
    }

    /// Whether the scan was interrupted.
    pub(super) fn interrupted(&self) -> bool {
        self.report.interrupted
    }

    /// When verification began, in seconds since 1970.
    pub(super) fn verified_at(&self) -> Option<u64> {
        self.report.verified_at
    }

    /// When the scan ended, in seconds since 1970.
    pub(super) fn scanned_at(&self) -> Option<u64> {
        self.report.scanned_at
    }

    /// The repository that was scanned, where it is on a host.
    pub(super) fn repository(&self) -> Option<&Repository> {
        self.report.repository.as_ref()
    }

    /// An account, as formats for people give it: never in full.
    pub(super) fn account_partly(&self, id: &str) -> String {
        match self.options.mask_ids {
            true => mask::account_id(id),
            false => mask::account_id_partly(id),
        }
    }

    /// Text from outside, without secrets and, where asked for, without identifiers.
    fn clean<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let hidden = self.redactor.hide(text);
        if !self.options.mask_ids {
            return hidden;
        }
        match hidden {
            Cow::Borrowed(text) => mask::text(text),
            Cow::Owned(text) => Cow::Owned(mask::text(&text).into_owned()),
        }
    }

    /// The same for text in UTF-8.
    pub(super) fn clean_str(&self, text: &str) -> String {
        // Cutting out whole secrets of a text in UTF-8 leaves UTF-8, unless a secret is not UTF-8
        // itself.
        String::from_utf8_lossy(&self.clean(text.as_bytes())).into_owned()
    }

    /// An access key ID.
    pub(super) fn key_id(&self, id: &str) -> String {
        if self.options.mask_ids {
            mask::key_id(id)
        } else {
            id.to_owned()
        }
    }
}

/// The findings of `report` that count.
pub(super) fn open(report: &Report) -> impl Iterator<Item = &Finding> {
    report
        .findings
        .iter()
        .filter(|finding| !finding.suppressed())
}

/// How many findings of a report do not count, by who says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Suppressed {
    /// In the baseline.
    pub(super) baselined: usize,
    /// By our comments.
    pub(super) allowed: usize,
    /// By comments for other scanners.
    pub(super) foreign: usize,
    /// In excluded paths.
    pub(super) excluded: usize,
}

impl Suppressed {
    pub(super) fn of(report: &Report) -> Self {
        let mut counts = Self::default();
        for finding in report.findings.iter().filter(|it| it.suppressed()) {
            match &finding.standing {
                Standing::Allowed(allow) if allow.marker == Marker::Straykey => counts.allowed += 1,
                Standing::Allowed(_) => counts.foreign += 1,
                Standing::Excluded => counts.excluded += 1,
                Standing::Baselined(_) => counts.baselined += 1,
                Standing::New | Standing::Expired(_) => {}
            }
        }
        counts
    }
}

/// An entry of the baseline as it may be shown. Not yet safe for a terminal.
#[derive(Clone, Debug, Default)]
pub(super) struct KnownWords {
    /// Id of the entry.
    pub(super) entry: String,
    /// The rule that found it when the entry was made.
    pub(super) rule: String,
    /// Why it is known.
    pub(super) reason: Option<String>,
    /// Who answers for it.
    pub(super) owner: Option<String>,
    /// Its last day.
    pub(super) until: Option<String>,
}

/// Who says that a finding does not count, and why. Not yet safe for a terminal.
#[derive(Clone, Debug)]
pub(super) struct StandingWords {
    /// `baseline`, `path`, or the comment as it is written.
    pub(super) by: &'static str,
    /// Whether the entry's time is over, so that the finding counts.
    pub(super) expired: bool,
    /// The entry; for a comment only its reason.
    pub(super) known: KnownWords,
}

/// One credential as it may be shown.
pub(super) struct Entry<'v> {
    view: &'v View<'v>,
    finding: &'v Finding,
}

impl Entry<'_> {
    /// Identity over runs, 32 hexadecimal digits.
    pub(super) fn fingerprint(&self) -> String {
        self.finding.fingerprint.to_string()
    }

    /// The first digits of the fingerprint, for people.
    pub(super) fn short_fingerprint(&self) -> String {
        self.finding.fingerprint.short()
    }

    /// Id of the rule.
    pub(super) fn rule(&self) -> &str {
        &self.finding.rule
    }

    /// One line for people.
    pub(super) fn title(&self) -> &str {
        &self.finding.title
    }

    /// How bad.
    pub(super) fn severity(&self) -> Severity {
        self.finding.severity
    }

    /// How sure, in a word.
    pub(super) fn confidence(&self) -> &'static str {
        self.finding.confidence.as_str()
    }

    /// Whether it makes the scan fail.
    pub(super) fn blocks(&self) -> bool {
        self.view.options.blocks(self.finding)
    }

    /// The access key ID.
    pub(super) fn access_key_id(&self) -> Option<String> {
        let id = self.finding.credential.access_key_id.as_deref()?;
        Some(self.view.key_id(id))
    }

    /// Kind of the access key ID, in a word.
    pub(super) fn key_type(&self) -> Option<&'static str> {
        self.finding.credential.key_type.map(KeyType::as_str)
    }

    /// The account, as machine-readable formats give it.
    pub(super) fn account_id(&self) -> Option<String> {
        let id = self.finding.credential.account_id.as_deref()?;
        Some(if self.view.options.mask_ids {
            mask::account_id(id)
        } else {
            id.to_owned()
        })
    }

    /// The account, as formats for people give it: never in full.
    pub(super) fn account_id_partly(&self) -> Option<String> {
        let id = self.finding.credential.account_id.as_deref()?;
        Some(self.view.account_partly(id))
    }

    /// Whether the account is known for canary tokens.
    pub(super) fn canary(&self) -> bool {
        self.finding.credential.canary
    }

    /// Why it does not count, or no longer does not; `None` where nobody has said anything.
    pub(super) fn standing(&self) -> Option<StandingWords> {
        let expired = matches!(self.finding.standing, Standing::Expired(_));
        let words = |by, known: KnownWords| StandingWords { by, expired, known };
        Some(match &self.finding.standing {
            Standing::New => return None,
            Standing::Baselined(known) | Standing::Expired(known) => {
                words("baseline", self.view.known(known))
            }
            Standing::Allowed(allow) => {
                let reason = allow.reason.as_deref().map(|it| self.view.clean_str(it));
                let known = KnownWords {
                    reason,
                    ..KnownWords::default()
                };
                words(allow.marker.as_str(), known)
            }
            Standing::Excluded => words("path", KnownWords::default()),
        })
    }

    /// Who has said that it does not count, and why, in a line; also where it does all the same.
    pub(super) fn standing_line(&self) -> Option<String> {
        let words = self.standing()?;
        let known = words.known;
        let mut line = match words.by {
            "baseline" => format!("baseline entry {}", known.entry),
            "path" => "in an excluded path".to_owned(),
            comment => format!("allowed by {comment}"),
        };
        for (name, value) in [("until", known.until), ("owner", known.owner)] {
            if let Some(value) = value {
                line.push_str(&format!(", {name} {value}"));
            }
        }
        if let Some(reason) = known.reason {
            line.push_str(&format!(": {reason}"));
        }
        if words.expired {
            line.push_str(" (its time is over)");
        }
        Some(line)
    }

    /// What people must know of a finding that counts though somebody has said that it does not.
    pub(super) fn standing_note(&self) -> Option<String> {
        let words = self.standing().filter(|_| !self.suppressed())?;
        Some(match (words.expired, words.by) {
            (true, _) => format!(
                "its time in the baseline ended on {}",
                words.known.until.unwrap_or_default()
            ),
            (false, "baseline") => "in the baseline, but live".to_owned(),
            (false, "path") => "in an excluded path, but live".to_owned(),
            (false, comment) => format!("allowed by {comment}, but live"),
        })
    }

    /// Whether it does not count.
    pub(super) fn suppressed(&self) -> bool {
        self.finding.suppressed()
    }

    /// What verification said, for programs.
    pub(super) fn verdict(&self) -> VerdictObject {
        self.view.verdict_object(self.finding)
    }

    /// What verification said, in one word.
    pub(super) fn verdict_state(&self) -> &'static str {
        self.finding.verdict.state()
    }

    /// What verification said, in a few words; `None` where nobody has asked.
    pub(super) fn verdict_phrase(&self) -> Option<String> {
        self.view.verdict_phrase(self.finding)
    }

    /// What verification said, in a word.
    pub(super) fn state(&self) -> &'static str {
        self.finding.verdict.state()
    }

    /// When it came into the history, in seconds since 1970, where that is known.
    pub(super) fn first_seen(&self) -> Option<u64> {
        let first = self.finding.provenance.as_ref()?.first.as_ref()?;
        u64::try_from(first.seconds).ok()
    }

    /// Who brought it in.
    pub(super) fn first_author(&self) -> Option<String> {
        let first = self.finding.provenance.as_ref()?.first.as_ref()?;
        Some(self.view.clean_str(&first.author))
    }

    /// When it was taken out of all that is checked out or referred to; `None` where it is still
    /// there, or that is not known.
    pub(super) fn gone_since(&self) -> Option<u64> {
        let known = self.finding.provenance.as_ref()?;
        let removed = known.removed.as_ref().filter(|_| !known.in_head)?;
        u64::try_from(removed.seconds).ok()
    }

    /// The page of a commit of the finding's history.
    pub(super) fn commit_url(&self, commit: &str) -> Option<String> {
        linked(self.view, self.finding)?.commit_url(commit)
    }

    /// Where in history it is, for programs; `None` where no history was scanned.
    pub(super) fn provenance(&self) -> Option<ProvenanceObject> {
        self.view.provenance_object(self.finding)
    }

    /// Where in history it is, for people, a few lines. Not yet safe for a terminal.
    pub(super) fn provenance_lines(&self) -> Vec<String> {
        self.view.provenance_lines(self.finding)
    }

    /// What is to be said of a live key.
    pub(super) fn live(&self) -> Option<LiveWords> {
        self.view.live_words(self.finding)
    }

    /// Where it was seen; never empty.
    pub(super) fn places(&self) -> impl ExactSizeIterator<Item = Place<'_>> {
        self.finding.occurrences.iter().map(|occurrence| Place {
            view: self.view,
            finding: self.finding,
            occurrence,
        })
    }
}

/// One place where a credential was seen, as it may be shown.
pub(super) struct Place<'v> {
    view: &'v View<'v>,
    finding: &'v Finding,
    occurrence: &'v Occurrence,
}

impl Place<'_> {
    /// The path, bytes as the system has them. Not yet safe for a terminal.
    pub(super) fn path(&self) -> Cow<'_, [u8]> {
        match path_bytes(&self.occurrence.origin) {
            Cow::Borrowed(path) => self.view.clean(path),
            Cow::Owned(path) => Cow::Owned(self.view.clean(&path).into_owned()),
        }
    }

    /// What it is that was read, in a word.
    pub(super) fn kind(&self) -> &'static str {
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
    pub(super) fn object(&self) -> Option<&str> {
        match &self.occurrence.origin {
            Origin::Object { id, .. } => Some(id),
            _ => None,
        }
    }

    /// Its page on the repository's host. For a file on disk that is the file as `HEAD` has it.
    pub(super) fn url(&self) -> Option<String> {
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
    pub(super) fn commit_url(&self, commit: &str) -> Option<String> {
        linked(self.view, self.finding)?.commit_url(commit)
    }

    /// Whether its lines are counted in something that one can open.
    pub(super) fn has_lines(&self) -> bool {
        !self.is_name()
    }

    /// Whether it is the name of a file, not its content.
    pub(super) fn is_name(&self) -> bool {
        matches!(self.occurrence.origin, Origin::Name { .. })
    }

    /// The commit, where there is one.
    pub(super) fn commit(&self) -> Option<&str> {
        self.occurrence.origin.commit()
    }

    /// The parts and where they stand; the access key ID first.
    pub(super) fn parts(&self) -> &[Part] {
        &self.occurrence.parts
    }

    /// Line and column of the first part; the start of the text where there is none.
    pub(super) fn line_and_column(&self) -> (u64, u64) {
        self.occurrence.parts.first().map_or((1, 1), |part| {
            (part.span.start.line, part.span.start.column)
        })
    }

    /// The lines of the parts, redacted. Not yet safe for a terminal.
    pub(super) fn excerpt(&self) -> impl ExactSizeIterator<Item = ExcerptLine> {
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
fn linked<'v>(view: &'v View<'_>, finding: &Finding) -> Option<&'v Repository> {
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
pub(super) struct Skipped<'v> {
    view: &'v View<'v>,
    entry: &'v NotScanned,
}

impl Skipped<'_> {
    /// Its path or other name. Not yet safe for a terminal.
    pub(super) fn path(&self) -> String {
        self.view.clean_str(&self.entry.path)
    }

    /// Why, in one line. Not yet safe for a terminal.
    pub(super) fn reason(&self) -> String {
        self.view.clean_str(&self.entry.reason)
    }

    /// Whether the scan is incomplete by it.
    pub(super) fn incomplete(&self) -> bool {
        self.entry.incomplete
    }
}
