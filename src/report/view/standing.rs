//! Who says of findings that they do not count, and why.

use super::{Entry, View};
use crate::report::Report;
use crate::standing::{Known, Marker, Standing};

/// How many findings of a report do not count, by who says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::report) struct Suppressed {
    /// In the baseline.
    pub(in crate::report) baselined: usize,
    /// By our comments.
    pub(in crate::report) allowed: usize,
    /// By comments for other scanners.
    pub(in crate::report) foreign: usize,
    /// In excluded paths.
    pub(in crate::report) excluded: usize,
}

impl Suppressed {
    pub(in crate::report) fn of(report: &Report) -> Self {
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
pub(in crate::report) struct KnownWords {
    /// Id of the entry.
    pub(in crate::report) entry: String,
    /// The rule that found it when the entry was made.
    pub(in crate::report) rule: String,
    /// Why it is known.
    pub(in crate::report) reason: Option<String>,
    /// Who answers for it.
    pub(in crate::report) owner: Option<String>,
    /// Its last day.
    pub(in crate::report) until: Option<String>,
}

/// Who says that a finding does not count, and why. Not yet safe for a terminal.
#[derive(Clone, Debug)]
pub(in crate::report) struct StandingWords {
    /// `baseline`, `path`, or the comment as it is written.
    pub(in crate::report) by: &'static str,
    /// Whether the entry's time is over, so that the finding counts.
    pub(in crate::report) expired: bool,
    /// The entry; for a comment only its reason.
    pub(in crate::report) known: KnownWords,
}

impl View<'_> {
    pub(super) fn known(&self, known: &Known) -> KnownWords {
        let clean = |text: &Option<String>| text.as_deref().map(|it| self.clean_str(it));
        KnownWords {
            entry: known.entry.clone(),
            rule: known.rule.clone(),
            reason: clean(&known.reason),
            owner: clean(&known.owner),
            until: known.until.map(|until| until.to_string()),
        }
    }
}

impl Entry<'_> {
    /// Why it does not count, or no longer does not; `None` where nobody has said anything.
    pub(in crate::report) fn standing(&self) -> Option<StandingWords> {
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
    pub(in crate::report) fn standing_line(&self) -> Option<String> {
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
    pub(in crate::report) fn standing_note(&self) -> Option<String> {
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
    pub(in crate::report) fn suppressed(&self) -> bool {
        self.finding.suppressed()
    }
}
