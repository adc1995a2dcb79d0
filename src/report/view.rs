//! What formats see of a report: everything that may be shown, and nothing else.
//!
//! A format gets a [`View`], never a [`Report`]: no type in it holds a secret, paths that contain
//! one are already redacted, and identifiers are already masked where that was asked for. So no
//! format can leak by a mistake of its own.

mod entry;
mod place;
mod standing;

use std::borrow::Cow;

pub(super) use entry::Entry;
pub(super) use place::{Place, Skipped};
pub(super) use standing::{KnownWords, Suppressed};

use super::redact::Redactor;
use super::repository::Repository;
use super::{Extent, Options, Report, mask};
use crate::finding::Finding;
use crate::source::Coverage;

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
