//! What a scan has to say ([`Report`]), and how it is written: one file a format.
//!
//! A new format is a new file with a `write` function over the prepared view of the report, a
//! variant of [`Format`] and its row in the table below it.

use std::fmt;
use std::io;
use std::str::FromStr;

use crate::finding::{Finding, Severity};
use crate::source::{Coverage, NotScanned};
use crate::standing::Known;
use crate::verify::effect;

pub mod advice;
pub mod blocked;
mod clock;
mod csv;
mod excerpt;
mod github;
mod gitlab;
mod group;
mod html;
mod json;
mod jsonl;
mod junit;
mod line;
mod markdown;
mod markup;
pub mod mask;
mod provenance;
pub mod read;
mod redact;
pub mod repository;
pub mod sanitise;
mod sarif;
pub(crate) mod styles;
pub mod summary;
mod terminal;
mod uri;
mod verdict;
mod view;

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;

use view::View;

/// The outcome of one scan.
#[derive(Debug, Default)]
pub struct Report {
    /// One entry a credential. Live keys first, a root user's before all; otherwise sorted by
    /// first occurrence.
    pub findings: Vec<Finding>,
    /// What was not read, sorted.
    pub not_scanned: Vec<NotScanned>,
    /// What was read.
    pub coverage: Coverage,
    /// What of it was asked for: what `coverage` counts.
    pub extent: Extent,
    /// Wall time, in seconds.
    pub seconds: f64,
    /// Whether the scan was interrupted before its end.
    pub interrupted: bool,
    /// When verification began, in seconds since 1970 (UTC); `None` where nobody asked AWS.
    pub verified_at: Option<u64>,
    /// When the scan ended, in seconds since 1970 (UTC), where that is known.
    pub scanned_at: Option<u64>,
    /// The repository that was scanned, where it is on a host.
    pub repository: Option<repository::Repository>,
    /// Entries of the baseline that stand for nothing in the report; none where the report is about
    /// a part of what they are for.
    pub unused_entries: Vec<Known>,
}

/// What was to be scanned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Files and streams.
    #[default]
    Files,
    /// The objects of repositories: contents of files, commits, tags.
    Objects,
    /// Of these, what has come since an earlier run.
    NewObjects,
    /// What so many commits bring: contents of files, and messages.
    Commits(u64),
}

impl Extent {
    /// The word for one of the things that are counted.
    #[must_use]
    pub fn thing(self) -> &'static str {
        match self {
            Self::Files => "file",
            Self::Objects | Self::NewObjects => "object",
            Self::Commits(_) => "change",
        }
    }
}

impl Report {
    /// Whether something was read, or there was nothing to read: a range without commits, nothing
    /// new since an earlier run.
    #[must_use]
    pub fn scanned(&self) -> bool {
        let may_be_empty = matches!(self.extent, Extent::Commits(0) | Extent::NewObjects);
        self.coverage.files > 0 || may_be_empty
    }

    /// Whether everything that was asked for has been read.
    #[must_use]
    pub fn complete(&self) -> bool {
        !self.interrupted && !self.not_scanned.iter().any(|entry| entry.incomplete)
    }

    /// Whether a finding makes the scan fail under `options`.
    #[must_use]
    pub fn blocked(&self, options: &Options) -> bool {
        self.findings.iter().any(|finding| options.blocks(finding))
    }
}

/// How a report is shown, whatever the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The least severity that makes a scan fail.
    pub fail_on: Severity,
    /// Whether, instead, only keys that are live make it fail, and those about which AWS gave no
    /// answer.
    pub live_only: bool,
    /// Whether access key IDs and account IDs are masked.
    pub mask_ids: bool,
    /// Whether the output may hold ANSI colours.
    pub colour: bool,
}

impl Options {
    /// Whether `finding` makes the scan fail.
    #[must_use]
    pub fn blocks(&self, finding: &Finding) -> bool {
        match self.live_only {
            _ if finding.suppressed() => false,
            true => effect::blocks_as_live(finding),
            false => finding.severity >= self.fail_on,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fail_on: Severity::Medium,
            live_only: false,
            mask_ids: false,
            colour: false,
        }
    }
}

/// An output format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// For people: a source excerpt with the parts marked.
    Pretty,
    /// For people and `grep`: one line an occurrence.
    Line,
    /// For programs: one document.
    Json,
    /// For programs: one finding a line.
    Jsonl,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// For GitLab: a secret detection report.
    Gitlab,
    /// For CI: JUnit XML.
    Junit,
    /// For spreadsheets.
    Csv,
    /// For GitHub Actions: annotations.
    Github,
    /// For job summaries and tickets: a table.
    Markdown,
    /// For the security team: one page, by credential.
    Html,
}

type Writer = fn(&View<'_>, &mut dyn io::Write) -> io::Result<()>;

/// Name, one line of help, writer.
const FORMATS: [(Format, &str, &str, Writer); 11] = [
    (
        Format::Pretty,
        "pretty",
        "source excerpts, for people (default on a terminal)",
        terminal::write,
    ),
    (
        Format::Line,
        "line",
        "path:line:col: severity rule: message (default elsewhere)",
        line::write,
    ),
    (
        Format::Json,
        "json",
        "one JSON document (docs/json.md)",
        json::write,
    ),
    (
        Format::Jsonl,
        "jsonl",
        "one JSON object a finding, then the summary",
        jsonl::write,
    ),
    (
        Format::Sarif,
        "sarif",
        "SARIF 2.1.0, for code scanning",
        sarif::write,
    ),
    (
        Format::Gitlab,
        "gitlab",
        "GitLab secret detection report",
        gitlab::write,
    ),
    (Format::Junit, "junit", "JUnit XML, for CI", junit::write),
    (
        Format::Csv,
        "csv",
        "one row an occurrence, for spreadsheets",
        csv::write,
    ),
    (
        Format::Github,
        "github",
        "annotations in GitHub Actions (masks identifiers)",
        github::write,
    ),
    (
        Format::Markdown,
        "markdown",
        "a table for job summaries (masks identifiers)",
        markdown::write,
    ),
    (
        Format::Html,
        "html",
        "one page for the security team, by credential",
        html::write,
    ),
];

impl Format {
    /// Every format, in the order of the help.
    pub fn all() -> impl Iterator<Item = Self> {
        FORMATS.iter().map(|(format, ..)| *format)
    }

    /// The name by which it is asked for.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// What it is, in one line.
    #[must_use]
    pub fn description(self) -> &'static str {
        self.row().2
    }

    /// Whether it lands on pages that others read: identifiers are masked without being asked.
    fn is_shared(self) -> bool {
        matches!(self, Self::Github | Self::Markdown)
    }

    fn row(self) -> &'static (Self, &'static str, &'static str, Writer) {
        FORMATS
            .iter()
            .find(|(format, ..)| *format == self)
            .unwrap_or(&FORMATS[0])
    }
}

/// There is no format of this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no output format `{name}`; formats: {known}")]
#[non_exhaustive]
pub struct UnknownFormat {
    /// What was asked for.
    pub name: String,
    /// What there is.
    known: String,
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::all()
            .find(|format| format.name() == name)
            .ok_or_else(|| UnknownFormat {
                name: name.to_owned(),
                known: Self::all().map(Self::name).collect::<Vec<_>>().join(", "),
            })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Writes `report` to `out` in `format`. The bytes depend on the report and the options alone.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write(
    report: &Report,
    format: Format,
    options: &Options,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let options = Options {
        mask_ids: options.mask_ids || format.is_shared(),
        ..*options
    };
    format.row().3(&View::new(report, &options), out)
}
