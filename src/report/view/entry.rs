//! Findings as they may be shown.

use super::place::linked;
use super::{Place, View};
use crate::finding::{Finding, KeyType, Severity};
use crate::report::mask;
use crate::report::provenance::ProvenanceObject;
use crate::report::verdict::{LiveWords, VerdictObject};

/// One credential as it may be shown.
pub(in crate::report) struct Entry<'v> {
    pub(super) view: &'v View<'v>,
    pub(super) finding: &'v Finding,
}

impl Entry<'_> {
    /// Identity over runs, 32 hexadecimal digits.
    pub(in crate::report) fn fingerprint(&self) -> String {
        self.finding.fingerprint.to_string()
    }

    /// The first digits of the fingerprint, for people.
    pub(in crate::report) fn short_fingerprint(&self) -> String {
        self.finding.fingerprint.short()
    }

    /// Id of the rule.
    pub(in crate::report) fn rule(&self) -> &str {
        &self.finding.rule
    }

    /// One line for people.
    pub(in crate::report) fn title(&self) -> &str {
        &self.finding.title
    }

    /// How bad.
    pub(in crate::report) fn severity(&self) -> Severity {
        self.finding.severity
    }

    /// How sure, in a word.
    pub(in crate::report) fn confidence(&self) -> &'static str {
        self.finding.confidence.as_str()
    }

    /// Whether it makes the scan fail.
    pub(in crate::report) fn blocks(&self) -> bool {
        self.view.options.blocks(self.finding)
    }

    /// The access key ID.
    pub(in crate::report) fn access_key_id(&self) -> Option<String> {
        let id = self.finding.credential.access_key_id.as_deref()?;
        Some(self.view.key_id(id))
    }

    /// Kind of the access key ID, in a word.
    pub(in crate::report) fn key_type(&self) -> Option<&'static str> {
        self.finding.credential.key_type.map(KeyType::as_str)
    }

    /// The account, as machine-readable formats give it.
    pub(in crate::report) fn account_id(&self) -> Option<String> {
        let id = self.finding.credential.account_id.as_deref()?;
        Some(if self.view.options.mask_ids {
            mask::account_id(id)
        } else {
            id.to_owned()
        })
    }

    /// The account, as formats for people give it: never in full.
    pub(in crate::report) fn account_id_partly(&self) -> Option<String> {
        let id = self.finding.credential.account_id.as_deref()?;
        Some(self.view.account_partly(id))
    }

    /// Whether the account is known for canary tokens.
    pub(in crate::report) fn canary(&self) -> bool {
        self.finding.credential.canary
    }

    /// What verification said, for programs.
    pub(in crate::report) fn verdict(&self) -> VerdictObject {
        self.view.verdict_object(self.finding)
    }

    /// What verification said, in one word.
    pub(in crate::report) fn verdict_state(&self) -> &'static str {
        self.finding.verdict.state()
    }

    /// What verification said, in a few words; `None` where nobody has asked.
    pub(in crate::report) fn verdict_phrase(&self) -> Option<String> {
        self.view.verdict_phrase(self.finding)
    }

    /// What verification said, in a word.
    pub(in crate::report) fn state(&self) -> &'static str {
        self.finding.verdict.state()
    }

    /// When it came into the history, in seconds since 1970, where that is known.
    pub(in crate::report) fn first_seen(&self) -> Option<u64> {
        let first = self.finding.provenance.as_ref()?.first.as_ref()?;
        u64::try_from(first.seconds).ok()
    }

    /// Who brought it in.
    pub(in crate::report) fn first_author(&self) -> Option<String> {
        let first = self.finding.provenance.as_ref()?.first.as_ref()?;
        Some(self.view.clean_str(&first.author))
    }

    /// When it was taken out of all that is checked out or referred to; `None` where it is still
    /// there, or that is not known.
    pub(in crate::report) fn gone_since(&self) -> Option<u64> {
        let known = self.finding.provenance.as_ref()?;
        let removed = known.removed.as_ref().filter(|_| !known.in_head)?;
        u64::try_from(removed.seconds).ok()
    }

    /// The page of a commit of the finding's history.
    pub(in crate::report) fn commit_url(&self, commit: &str) -> Option<String> {
        linked(self.view, self.finding)?.commit_url(commit)
    }

    /// Where in history it is, for programs; `None` where no history was scanned.
    pub(in crate::report) fn provenance(&self) -> Option<ProvenanceObject> {
        self.view.provenance_object(self.finding)
    }

    /// Where in history it is, for people, a few lines. Not yet safe for a terminal.
    pub(in crate::report) fn provenance_lines(&self) -> Vec<String> {
        self.view.provenance_lines(self.finding)
    }

    /// What is to be said of a live key.
    pub(in crate::report) fn live(&self) -> Option<LiveWords> {
        self.view.live_words(self.finding)
    }

    /// Where it was seen; never empty.
    pub(in crate::report) fn places(&self) -> impl ExactSizeIterator<Item = Place<'_>> {
        self.finding.occurrences.iter().map(|occurrence| Place {
            view: self.view,
            finding: self.finding,
            occurrence,
        })
    }
}
