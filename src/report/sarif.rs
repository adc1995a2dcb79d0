//! `sarif`: SARIF 2.1.0 (OASIS), as GitHub code scanning takes it.
//!
//! One result a credential and file, since that is what code scanning opens and closes alerts by.
//! GitHub's limits (docs.github.com, "SARIF results exceed one or more limits") are kept: what is
//! over them is left out from the least severe on, and a notification says so.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::{Value, json};

use super::advice::Advice;
use super::group::{self, Group};
use super::view::{Entry, Place, View};
use super::{excerpt, json, line, sanitise, uri};
use crate::finding::{Part, PartKind, Severity};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// Results a run may hold.
const MOST_RESULTS: usize = 25_000;
/// Locations a result may hold.
const MOST_LOCATIONS: usize = 1_000;
/// Notifications that are written before they are only counted.
const MOST_NOTIFICATIONS: usize = 1_000;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    let run = Run {
        view,
        rules: rules(view),
        left_out: Cell::new(0),
        places_left_out: Cell::new(0),
    };
    let log = Log { run: [run] };
    json::write_pretty(&log, out)
}

struct Log<'v> {
    run: [Run<'v>; 1],
}

impl Serialize for Log<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut log = serializer.serialize_struct("Log", 3)?;
        log.serialize_field("$schema", SCHEMA)?;
        log.serialize_field("version", "2.1.0")?;
        log.serialize_field("runs", &self.run)?;
        log.end()
    }
}

struct Run<'v> {
    view: &'v View<'v>,
    /// Rules by id: title, worst severity, index.
    rules: BTreeMap<String, Rule>,
    /// Results left out for the limit; known when the results have been written.
    left_out: Cell<usize>,
    /// The same of places.
    places_left_out: Cell<usize>,
}

impl Serialize for Run<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|(id, rule)| rule.object(id))
            .collect();
        let tool = json!({"driver": {
            "name": env!("CARGO_PKG_NAME"),
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "rules": rules,
        }});
        let mut run = serializer.serialize_struct("Run", 5)?;
        run.serialize_field("tool", &tool)?;
        if let Some(version) = self.version() {
            run.serialize_field("versionControlProvenance", &[version])?;
        }
        run.serialize_field("columnKind", "unicodeCodePoints")?;
        run.serialize_field("results", &Results(self))?;
        run.serialize_field("invocations", &[self.invocation()])?;
        run.end()
    }
}

#[derive(Clone)]
struct Rule {
    title: String,
    severity: Severity,
    confidence: &'static str,
    index: usize,
}

/// The rules of the findings, as the findings tell them.
fn rules(view: &View<'_>) -> BTreeMap<String, Rule> {
    let mut rules: BTreeMap<String, Rule> = BTreeMap::new();
    for entry in view.entries() {
        let rule = rules
            .entry(sanitise::line(entry.rule().as_bytes()))
            .or_insert_with(|| Rule {
                title: sanitise::line(entry.title().as_bytes()),
                severity: entry.severity(),
                confidence: entry.confidence(),
                index: 0,
            });
        rule.severity = rule.severity.max(entry.severity());
    }
    for (index, rule) in rules.values_mut().enumerate() {
        rule.index = index;
    }
    rules
}

impl Rule {
    fn object(&self, id: &str) -> Value {
        let advice = Advice::of(id, false);
        let steps: Vec<String> = advice
            .steps
            .iter()
            .enumerate()
            .map(|(index, step)| format!("{}. {step}", index + 1))
            .collect();
        let help = format!("{}\n\n{}\n\n{}", advice.what, advice.why, steps.join("\n"));
        json!({
            "id": id,
            "name": pascal_case(id),
            "shortDescription": {"text": sentence(&self.title)},
            "fullDescription": {"text": format!("{} {}", advice.what, advice.why)},
            "help": {"text": help, "markdown": help},
            "defaultConfiguration": {"level": level(self.severity)},
            "properties": {
                "precision": precision(self.confidence),
                "security-severity": security_severity(self.severity),
                "tags": ["security", "external/cwe/cwe-798"],
            },
        })
    }
}

/// `aws-access-key-id` as `AwsAccessKeyId`.
fn pascal_case(id: &str) -> String {
    let word = |word: &str| {
        let mut characters = word.chars();
        let first = characters.next().map(|it| it.to_ascii_uppercase());
        first.into_iter().chain(characters).collect::<String>()
    };
    id.split('-').map(word).collect()
}

fn sentence(text: &str) -> String {
    match text.ends_with('.') {
        true => text.to_owned(),
        false => format!("{text}."),
    }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// A CVSS-like number: over 9.0 is critical, 7.0 high, 4.0 medium (GitHub, "SARIF support").
fn security_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "3.0",
    }
}

fn precision(confidence: &str) -> &'static str {
    match confidence {
        "high" => "very-high",
        "medium" => "high",
        _ => "medium",
    }
}

struct Results<'v>(&'v Run<'v>);

impl Serialize for Results<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut results = serializer.serialize_seq(None)?;
        let mut written = 0;
        let mut left_out = 0;
        for entry in group::worst_first(self.0.view) {
            for found in group::by_path(&entry) {
                if written == MOST_RESULTS {
                    left_out += 1;
                    continue;
                }
                results.serialize_element(&self.0.result(&entry, &found))?;
                written += 1;
            }
        }
        self.0.left_out.set(left_out);
        results.end()
    }
}

impl Run<'_> {
    fn result(&self, entry: &Entry<'_>, group: &Group<'_>) -> Value {
        let rule = sanitise::line(entry.rule().as_bytes());
        let over = group.places.len().saturating_sub(MOST_LOCATIONS);
        self.places_left_out.set(self.places_left_out.get() + over);
        let locations: Vec<Value> = group
            .places
            .iter()
            .take(MOST_LOCATIONS)
            .map(|place| location(entry, &group.path, place))
            .collect();
        let related: Vec<Value> = group.places[0]
            .parts()
            .iter()
            .skip(1)
            .map(|part| related_location(&group.path, part))
            .collect();
        json!({
            "ruleIndex": self.rules.get(&rule).map_or(0, |rule| rule.index),
            "ruleId": rule,
            "level": level(entry.severity()),
            "message": {"text": sentence(&line::message(entry))},
            "locations": locations,
            "relatedLocations": related,
            // Neither moves when lines do. GitHub takes the first, others the second.
            "partialFingerprints": {
                "primaryLocationLineHash": format!("{}:1", entry.fingerprint()),
                "straykey/v1": entry.fingerprint(),
            },
            "properties": {
                "severity": entry.severity().as_str(),
                "confidence": entry.confidence(),
                "security-severity": security_severity(entry.severity()),
                "accessKeyId": entry.access_key_id(),
                "accountId": entry.account_id(),
                "keyType": entry.key_type(),
                "canary": entry.canary(),
                "verdict": entry.verdict(),
                "places": group.places.len(),
            },
        })
    }

    /// Which version of which repository was scanned.
    fn version(&self) -> Option<Value> {
        let repository = self.view.repository()?;
        let mut version = json!({"repositoryUri": self.view.clean_str(repository.url())});
        if let Some(head) = &repository.head {
            version["revisionId"] = json!(sanitise::line(head.as_bytes()));
        }
        if repository.path_of(Path::new("x")).as_deref() == Some(Path::new("x")) {
            version["mappedTo"] = json!({"uriBaseId": "%SRCROOT%"});
        }
        Some(version)
    }

    /// How the run went: what was not read, and what was left out of the results.
    fn invocation(&self) -> Value {
        let unread = self.view.not_scanned().filter(|it| it.incomplete());
        let mut notifications: Vec<Value> = unread
            .take(MOST_NOTIFICATIONS)
            .map(|entry| {
                let path = sanitise::line(entry.path().as_bytes());
                let reason = sanitise::line(entry.reason().as_bytes());
                notification("error", &format!("{path} was not scanned: {reason}."))
            })
            .collect();
        let left_out = self.left_out.get();
        if left_out > 0 {
            let text = format!(
                "{left_out} results were left out, the least severe: a SARIF file may hold {MOST_RESULTS}. \
                 The json format has them all."
            );
            notifications.push(notification("warning", &text));
        }
        let places = self.places_left_out.get();
        if places > 0 {
            let text = format!(
                "{places} places were left out: a result of a SARIF file may hold {MOST_LOCATIONS}. The json \
                 format has them all."
            );
            notifications.push(notification("warning", &text));
        }
        json!({
            "executionSuccessful": self.view.complete(),
            "toolExecutionNotifications": notifications,
        })
    }
}

fn notification(level: &str, text: &str) -> Value {
    json!({"level": level, "message": {"text": text}})
}

fn location(entry: &Entry<'_>, path: &[u8], place: &Place<'_>) -> Value {
    let mut physical = json!({"artifactLocation": artifact(path)});
    if let Some(part) = place.parts().first() {
        physical["region"] = region(part);
        physical["region"]["snippet"] = json!({"text": shown(entry, part)});
    }
    let lines = excerpt::lines(place);
    let adjoining = lines.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0);
    if let (Some(first), Some(last), true) = (lines.first(), lines.last(), adjoining) {
        let text: Vec<&str> = lines.iter().map(|(_, text)| text.as_str()).collect();
        physical["contextRegion"] = json!({
            "startLine": first.0,
            "endLine": last.0,
            "snippet": {"text": text.join("\n")},
        });
    }
    let mut location = json!({"physicalLocation": physical});
    if let Some(commit) = place.commit() {
        location["properties"] = json!({"commit": commit});
    }
    location
}

/// A part as it may be shown.
fn shown(entry: &Entry<'_>, part: &Part) -> String {
    match (part.kind, entry.access_key_id()) {
        (PartKind::AccessKeyId, Some(id)) => sanitise::line(id.as_bytes()),
        _ => excerpt::hidden(part.length()),
    }
}

fn related_location(path: &[u8], part: &Part) -> Value {
    json!({
        "physicalLocation": {"artifactLocation": artifact(path), "region": region(part)},
        "message": {"text": part.kind.as_str()},
    })
}

fn artifact(path: &[u8]) -> Value {
    match uri::of_path(path) {
        (uri, true) => json!({"uri": uri, "uriBaseId": "%SRCROOT%"}),
        (uri, false) => json!({"uri": uri}),
    }
}

fn region(part: &Part) -> Value {
    json!({
        "startLine": part.span.start.line,
        "startColumn": part.span.start.column,
        "endLine": part.span.end.line,
        "endColumn": part.span.end.column,
    })
}
