//! `json`: one document, documented in docs/json.md. Findings are written one at a time, so that a
//! large report takes no memory of its own.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::Path;

use data_encoding::BASE64;
use serde::ser::{SerializeStruct, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::repository::Host;
use super::view::{Entry, KnownWords, Place, View};
use super::{Extent, clock, sanitise};
use crate::finding::{ExcerptLine, Part, Segment};

/// Version of the JSON form. It changes when a name goes or changes its meaning, not when a name
/// comes in.
pub(super) const SCHEMA: u32 = 1;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    write_pretty(&Document { view }, out)
}

/// Writes one document over several lines.
pub(super) fn write_pretty(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let formatter = Escaping(PrettyFormatter::new());
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut *out, formatter,
    ))?;
    writeln!(out)
}

/// Writes one value on a line of its own.
pub(super) fn write_line(value: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let formatter = Escaping(CompactFormatter);
    value.serialize(&mut serde_json::Serializer::with_formatter(
        &mut *out, formatter,
    ))?;
    writeln!(out)
}

struct Document<'v> {
    view: &'v View<'v>,
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("Report", 6)?;
        document.serialize_field("schema", &SCHEMA)?;
        document.serialize_field("tool", &TOOL)?;
        document.serialize_field("repository", &RepositoryObject::of(self.view))?;
        document.serialize_field("findings", &Findings(self.view))?;
        document.serialize_field("not_scanned", &skipped(self.view))?;
        document.serialize_field("summary", &Summary::of(self.view))?;
        document.end()
    }
}

#[derive(Serialize)]
struct Tool {
    name: &'static str,
    version: &'static str,
}

const TOOL: Tool = Tool {
    name: env!("CARGO_PKG_NAME"),
    version: env!("CARGO_PKG_VERSION"),
};

/// The document without its findings: the last line of `jsonl`.
#[derive(Serialize)]
pub(super) struct Trailer {
    schema: u32,
    tool: Tool,
    repository: Option<RepositoryObject>,
    not_scanned: Vec<SkippedObject>,
    summary: Summary,
}

impl Trailer {
    pub(super) fn of(view: &View<'_>) -> Self {
        Self {
            schema: SCHEMA,
            tool: TOOL,
            repository: RepositoryObject::of(view),
            not_scanned: skipped(view),
            summary: Summary::of(view),
        }
    }
}

/// The repository that was scanned.
#[derive(Serialize, Deserialize)]
pub(super) struct RepositoryObject {
    pub(super) url: String,
    pub(super) host: Option<Host>,
    pub(super) head: Option<String>,
    /// Scanned paths, as they were named, with their paths in the repository.
    pub(super) paths: BTreeMap<String, String>,
}

impl RepositoryObject {
    fn of(view: &View<'_>) -> Option<Self> {
        let repository = view.repository()?;
        let text = |path: &Path| view.clean_str(&path.to_string_lossy());
        let paths = repository.directories.iter();
        Some(Self {
            url: view.clean_str(repository.url()),
            host: repository.host(),
            head: repository.head.clone(),
            paths: paths.map(|(from, to)| (text(from), text(to))).collect(),
        })
    }
}

struct Findings<'v>(&'v View<'v>);

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.all_entries().map(FindingObject))
    }
}

/// One finding.
pub(super) struct FindingObject<'v>(pub(super) Entry<'v>);

impl Serialize for FindingObject<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = &self.0;
        let mut object = serializer.serialize_struct("Finding", 14)?;
        object.serialize_field("fingerprint", &entry.fingerprint())?;
        object.serialize_field("rule", entry.rule())?;
        object.serialize_field("title", entry.title())?;
        object.serialize_field("severity", entry.severity().as_str())?;
        object.serialize_field("confidence", entry.confidence())?;
        object.serialize_field("blocks", &entry.blocks())?;
        object.serialize_field("access_key_id", &entry.access_key_id())?;
        object.serialize_field("account_id", &entry.account_id())?;
        object.serialize_field("key_type", &entry.key_type())?;
        object.serialize_field("canary", &entry.canary())?;
        object.serialize_field("verdict", &entry.verdict())?;
        object.serialize_field("provenance", &entry.provenance())?;
        object.serialize_field("suppression", &suppression(entry))?;
        object.serialize_field("occurrences", &Occurrences(entry))?;
        object.end()
    }
}

/// Who has said that the finding does not count, and whether it does all the same.
#[derive(Serialize)]
struct Suppression {
    by: &'static str,
    /// Whether it takes the finding out of what blocks: false where the entry's time is over, or
    /// the key is live.
    in_force: bool,
    /// Whether the entry's time is over.
    expired: bool,
    #[serde(flatten)]
    known: KnownObject,
}

fn suppression(entry: &Entry<'_>) -> Option<Suppression> {
    let words = entry.standing()?;
    Some(Suppression {
        by: words.by,
        in_force: entry.suppressed(),
        expired: words.expired,
        known: KnownObject::of(words.known),
    })
}

/// An entry of the baseline.
#[derive(Serialize, Deserialize)]
pub(super) struct KnownObject {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) entry: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) entry_rule: String,
    pub(super) reason: Option<String>,
    pub(super) owner: Option<String>,
    pub(super) until: Option<String>,
}

impl KnownObject {
    fn of(words: KnownWords) -> Self {
        Self {
            entry: words.entry,
            entry_rule: words.rule,
            reason: words.reason,
            owner: words.owner,
            until: words.until,
        }
    }
}

struct Occurrences<'v>(&'v Entry<'v>);

impl Serialize for Occurrences<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.places().map(|place| OccurrenceObject::of(&place)))
    }
}

#[derive(Serialize)]
struct OccurrenceObject {
    path: String,
    /// The path's bytes in base64, where it is not UTF-8 and `path` is only near it.
    #[serde(skip_serializing_if = "Option::is_none")]
    path_base64: Option<String>,
    kind: &'static str,
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    parts: Vec<PartObject>,
    excerpt: Vec<ExcerptObject>,
}

impl OccurrenceObject {
    fn of(place: &Place<'_>) -> Self {
        let path = place.path();
        Self {
            path: String::from_utf8_lossy(&path).into_owned(),
            path_base64: std::str::from_utf8(&path)
                .is_err()
                .then(|| BASE64.encode(&path)),
            kind: place.kind(),
            commit: place.commit().map(str::to_owned),
            object: place.object().map(str::to_owned),
            url: place.url(),
            parts: place.parts().iter().map(PartObject::of).collect(),
            excerpt: place.excerpt().map(ExcerptObject::of).collect(),
        }
    }
}

#[derive(Serialize)]
struct PartObject {
    part: &'static str,
    line: u64,
    column: u64,
    end_line: u64,
    end_column: u64,
}

impl PartObject {
    fn of(part: &Part) -> Self {
        Self {
            part: part.kind.as_str(),
            line: part.span.start.line,
            column: part.span.start.column,
            end_line: part.span.end.line,
            end_column: part.span.end.column,
        }
    }
}

/// A source line as it may be shown.
#[derive(Serialize, Deserialize)]
pub(super) struct ExcerptObject {
    pub(super) line: NonZeroU64,
    pub(super) segments: Vec<SegmentObject>,
}

/// A stretch of a source line: text as it stands there, or what is said in its place.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum SegmentObject {
    Text(String),
    Id { id: String },
    Hidden { hidden: String, length: usize },
    Elided { elided: bool },
}

impl ExcerptObject {
    fn of(line: ExcerptLine) -> Self {
        let segment = |segment: Segment| match segment {
            Segment::Text(text) => SegmentObject::Text(text),
            Segment::Id(id) => SegmentObject::Id { id },
            Segment::Hidden(kind, length) => SegmentObject::Hidden {
                hidden: kind.as_str().to_owned(),
                length,
            },
            Segment::Elided => SegmentObject::Elided { elided: true },
        };
        Self {
            line: NonZeroU64::new(line.line).unwrap_or(NonZeroU64::MIN),
            segments: line.segments.into_iter().map(segment).collect(),
        }
    }
}

#[derive(Serialize)]
struct SkippedObject {
    path: String,
    reason: String,
    incomplete: bool,
}

fn skipped(view: &View<'_>) -> Vec<SkippedObject> {
    view.not_scanned()
        .map(|entry| SkippedObject {
            path: entry.path(),
            reason: entry.reason(),
            incomplete: entry.incomplete(),
        })
        .collect()
}

#[derive(Serialize)]
struct Summary {
    files: u64,
    unit: &'static str,
    commits: Option<u64>,
    bytes: u64,
    findings: usize,
    seconds: f64,
    blocking: usize,
    fail_on: &'static str,
    git_ignored: u64,
    complete: bool,
    interrupted: bool,
    scanned_at: Option<String>,
    verified_at: Option<String>,
    baselined: usize,
    allowed: usize,
    allowed_by_others: usize,
    excluded: usize,
    unused_baseline_entries: Vec<KnownObject>,
}

impl Summary {
    fn of(view: &View<'_>) -> Self {
        let coverage = view.coverage();
        let suppressed = view.suppressed();
        Self {
            files: coverage.files,
            unit: view.extent().thing(),
            commits: match view.extent() {
                Extent::Commits(commits) => Some(commits),
                Extent::Files | Extent::Objects | Extent::NewObjects => None,
            },
            bytes: coverage.bytes,
            findings: view.all_entries().len(),
            seconds: view.seconds(),
            blocking: view.entries().filter(Entry::blocks).count(),
            fail_on: match view.options().live_only {
                true => "live",
                false => view.options().fail_on.as_str(),
            },
            git_ignored: coverage.git_ignored,
            complete: view.complete(),
            interrupted: view.interrupted(),
            scanned_at: view.scanned_at().map(clock::rfc3339),
            verified_at: view.verified_at().map(clock::rfc3339),
            baselined: suppressed.baselined,
            allowed: suppressed.allowed,
            allowed_by_others: suppressed.foreign,
            excluded: suppressed.excluded,
            unused_baseline_entries: view.unused_entries().map(KnownObject::of).collect(),
        }
    }
}

/// A JSON formatter that writes characters which act on a terminal as `\uXXXX`. A reader gets the
/// same strings; whoever looks at the file with `cat` is not fooled.
struct Escaping<F>(F);

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, character)) = next_unsafe(rest) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + character.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

fn next_unsafe(text: &str) -> Option<(usize, char)> {
    text.char_indices()
        .find(|&(_, character)| sanitise::is_unsafe(character))
}
