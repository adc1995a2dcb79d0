//! Reads a report that `json` or `jsonl` has written, so that it can be shown in another form
//! later. Findings are read one at a time.
//!
//! Such a file may come from anywhere. What it says is taken as it stands, like the names and lines
//! of a scanned tree, and is as harmless when it is shown; where it cannot be made sense of, it is
//! refused.

mod finding;
mod provenance;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, BufRead};

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use self::finding::{FindingObject, Words};
use super::json::{KnownObject, RepositoryObject, SCHEMA};
use super::repository::Repository;
use super::{Extent, Options, Report, clock};
use crate::finding::{Finding, Severity};
use crate::source::{Coverage, NotScanned};

/// Why a file is no report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It could not be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is no JSON, or not of this form. The message says where.
    #[error("not a report of straykey: {0}")]
    Form(String),
    /// A later version wrote it in a form that this one does not know.
    #[error("written in form {0}; this version reads form {SCHEMA}: a later straykey is needed")]
    Later(u64),
    /// The last line of `jsonl` is missing.
    #[error("cut short: the last line, with the summary, is missing")]
    CutShort,
}

/// Reads a report from `input`, and what of its options says what blocks.
///
/// # Errors
/// If it cannot be read, is cut short, or is no report.
pub fn read(input: &mut dyn BufRead) -> Result<(Report, Options), ReadError> {
    let mut document = match is_lines(input)? {
        true => read_lines(input)?,
        false => read_document(input)?,
    };
    match document.schema {
        None => Err(ReadError::Form("there is no `schema`".to_owned())),
        Some(schema) if schema > u64::from(SCHEMA) => Err(ReadError::Later(schema)),
        Some(_) => {
            let options = document.options();
            Ok((document.report(), options))
        }
    }
}

/// Whether the first object is a finding. Its first key tells, as written, or sorted by others.
fn is_lines(input: &mut dyn BufRead) -> io::Result<bool> {
    let start = input.fill_buf()?;
    let mut pieces = start.split(|&byte| byte == b'"');
    let first = pieces.nth(1).unwrap_or_default();
    Ok(matches!(first, b"fingerprint" | b"access_key_id"))
}

fn read_document(input: &mut dyn BufRead) -> Result<Document, ReadError> {
    let mut json = serde_json::Deserializer::from_reader(input);
    let document = Document::deserialize(&mut json).map_err(refused)?;
    json.end().map_err(refused)?;
    Ok(document)
}

fn refused(error: serde_json::Error) -> ReadError {
    match error.is_io() {
        true => ReadError::Io(error.into()),
        false => ReadError::Form(error.to_string()),
    }
}

fn read_lines(input: &mut dyn BufRead) -> Result<Document, ReadError> {
    let mut words = Words::default();
    let mut findings = Vec::new();
    let mut line = String::new();
    let mut number = 0;
    loop {
        line.clear();
        number += 1;
        if input.read_line(&mut line)? == 0 {
            return Err(ReadError::CutShort);
        }
        let text = line.trim();
        let at_line = |error: serde_json::Error| {
            let text = error.to_string();
            let text = text.split(" at line ").next().unwrap_or_default();
            ReadError::Form(format!("{text} at line {number}"))
        };
        let finding: Option<FindingObject> = match serde_json::from_str(text) {
            Ok(finding) => Some(finding),
            Err(error) if text.contains("\"fingerprint\"") && !text.contains("\"summary\"") => {
                return Err(at_line(error));
            }
            Err(_) => None,
        };
        match finding {
            Some(finding) => findings.push(finding.finding(&mut words).map_err(at_line)?),
            None if text.is_empty() => {}
            None => {
                let document: Document = serde_json::from_str(text).map_err(at_line)?;
                return Ok(Document {
                    findings: Findings(findings),
                    ..document
                });
            }
        }
    }
}

#[derive(Deserialize)]
struct Document {
    schema: Option<u64>,
    repository: Option<RepositoryObject>,
    #[serde(default)]
    findings: Findings,
    #[serde(default)]
    not_scanned: Vec<SkippedObject>,
    summary: SummaryObject,
}

#[derive(Deserialize)]
struct SkippedObject {
    path: String,
    reason: String,
    incomplete: bool,
}

#[derive(Deserialize)]
struct SummaryObject {
    files: u64,
    unit: Option<String>,
    commits: Option<u64>,
    bytes: u64,
    seconds: f64,
    #[serde(default)]
    git_ignored: u64,
    complete: bool,
    #[serde(default)]
    interrupted: bool,
    fail_on: Option<String>,
    scanned_at: Option<Time>,
    verified_at: Option<Time>,
    #[serde(default)]
    unused_baseline_entries: Vec<KnownObject>,
}

impl Document {
    fn options(&self) -> Options {
        let word = self.summary.fail_on.as_deref().unwrap_or_default();
        let known = [
            Severity::Low,
            Severity::Medium,
            Severity::High,
            Severity::Critical,
        ];
        let severity = known.into_iter().find(|it| it.as_str() == word);
        Options {
            live_only: word == "live",
            fail_on: match word {
                "live" => Severity::Critical,
                _ => severity.unwrap_or(Options::default().fail_on),
            },
            ..Options::default()
        }
    }

    fn report(&mut self) -> Report {
        let unused = std::mem::take(&mut self.summary.unused_baseline_entries);
        let summary = &self.summary;
        let mut report = Report {
            findings: std::mem::take(&mut self.findings.0),
            not_scanned: std::mem::take(&mut self.not_scanned)
                .into_iter()
                .map(|it| NotScanned {
                    path: it.path,
                    reason: it.reason,
                    incomplete: it.incomplete,
                })
                .collect(),
            coverage: Coverage {
                files: summary.files,
                bytes: summary.bytes,
                git_ignored: summary.git_ignored,
            },
            extent: match (summary.unit.as_deref(), summary.commits) {
                (_, Some(commits)) => Extent::Commits(commits),
                (Some("object"), None) => Extent::Objects,
                _ => Extent::Files,
            },
            seconds: summary.seconds,
            interrupted: summary.interrupted,
            verified_at: summary.verified_at.as_ref().map(|time| time.0),
            scanned_at: summary.scanned_at.as_ref().map(|time| time.0),
            repository: self.repository.take().and_then(repository),
            unused_entries: unused.into_iter().map(finding::known).collect(),
        };
        // What was incomplete stays so, even if the reason has been taken out.
        report.interrupted |= report.complete() && !summary.complete;
        report
    }
}

fn repository(object: RepositoryObject) -> Option<Repository> {
    let mut repository = Repository::of_page(&object.url, object.host)?;
    repository.head = object.head;
    let paths = object.paths.into_iter();
    repository.directories = paths.map(|(from, to)| (from.into(), to.into())).collect();
    Some(repository)
}

/// Seconds since 1970.
#[derive(Clone, Copy)]
struct Time(u64);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time = clock::parse(&text).map(Self);
        time.ok_or_else(|| D::Error::custom(format!("`{text}` is no time in UTC")))
    }
}

/// Findings, made from their objects one at a time.
#[derive(Default)]
struct Findings(Vec<Finding>);

impl<'de> Deserialize<'de> for Findings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(FindingsVisitor)
    }
}

struct FindingsVisitor;

impl<'de> Visitor<'de> for FindingsVisitor {
    type Value = Findings;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an array of findings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Findings, A::Error> {
        let mut words = Words::default();
        let mut findings = Vec::new();
        while let Some(finding) = sequence.next_element_seed(OneFinding(&mut words))? {
            findings.push(finding);
        }
        Ok(Findings(findings))
    }
}

struct OneFinding<'w>(&'w mut Words);

impl<'de> DeserializeSeed<'de> for OneFinding<'_> {
    type Value = Finding;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Finding, D::Error> {
        FindingObject::deserialize(deserializer)?.finding(self.0)
    }
}
