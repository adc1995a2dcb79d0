//! `gitlab`: GitLab's secret detection report (`artifacts:reports:secret_detection`).

use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::{Value, json};

use super::advice::Advice;
use super::group::{self, Group};
use super::view::{Entry, View};
use super::{clock, excerpt, json, line, sanitise};
use crate::finding::{Fingerprint, Severity};

/// Version of GitLab's security report schemas that this follows.
const VERSION: &str = "15.2.5";

/// Paths that were not read which are named.
const MOST_MESSAGES: usize = 100;

pub(super) fn write(view: &View<'_>, out: &mut dyn Write) -> io::Result<()> {
    json::write_pretty(&Document(view), out)
}

struct Document<'v>(&'v View<'v>);

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_struct("Report", 3)?;
        document.serialize_field("version", VERSION)?;
        document.serialize_field("scan", &scan(self.0))?;
        document.serialize_field("vulnerabilities", &Vulnerabilities(self.0))?;
        document.end()
    }
}

fn scan(view: &View<'_>) -> Value {
    let tool = json!({
        "id": env!("CARGO_PKG_NAME"),
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "vendor": {"name": env!("CARGO_PKG_NAME")},
    });
    let end = view.scanned_at().unwrap_or_default();
    let start = end.saturating_sub(view.seconds() as u64);
    let status = if view.complete() {
        "success"
    } else {
        "failure"
    };
    let unread = view.not_scanned().filter(|it| it.incomplete());
    let messages: Vec<Value> = unread
        .take(MOST_MESSAGES)
        .map(|entry| {
            let path = sanitise::line(entry.path().as_bytes());
            let reason = sanitise::line(entry.reason().as_bytes());
            json!({"level": "warn", "value": format!("{path} was not scanned: {reason}")})
        })
        .collect();
    json!({
        "analyzer": tool,
        "scanner": tool,
        "type": "secret_detection",
        "start_time": time(start),
        "end_time": time(end),
        "status": status,
        "messages": messages,
    })
}

/// The schema has no room for the time zone; it is UTC.
fn time(seconds: u64) -> String {
    clock::rfc3339(seconds).trim_end_matches('Z').to_owned()
}

struct Vulnerabilities<'v>(&'v View<'v>);

impl Serialize for Vulnerabilities<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entries = self.0.entries();
        serializer.collect_seq(entries.flat_map(|entry| {
            let groups = group::by_path(&entry);
            let found = groups.iter().map(|group| vulnerability(&entry, group));
            found.collect::<Vec<Value>>()
        }))
    }
}

fn vulnerability(entry: &Entry<'_>, group: &Group<'_>) -> Value {
    let place = &group.places[0];
    let rule = sanitise::line(entry.rule().as_bytes());
    let parts = place.parts();
    let lines = parts.iter().map(|part| part.span.start.line);
    let start = lines.clone().min().unwrap_or(1);
    let extract: Vec<String> = excerpt::lines(place).into_iter().map(|it| it.1).collect();
    let advice = Advice::of(&rule, entry.key_type() == Some("temporary"));
    json!({
        "id": identifier(entry, &group.path),
        "category": "secret_detection",
        "name": sanitise::line(entry.title().as_bytes()),
        "description": line::message(entry),
        "severity": severity(entry.severity()),
        "solution": advice.steps.join("\n"),
        "raw_source_code_extract": extract.join("\n"),
        "identifiers": [{
            "type": "straykey_rule_id",
            "name": format!("straykey rule {rule}"),
            "value": rule,
        }, {
            "type": "cwe",
            "name": "CWE-798",
            "value": "798",
            "url": "https://cwe.mitre.org/data/definitions/798.html",
        }],
        "location": {
            "file": String::from_utf8_lossy(&group.path),
            // The schema wants a commit; that of a file on disk is not known.
            "commit": {"sha": place.commit().unwrap_or("0000000")},
            "start_line": start,
            "end_line": lines.max().unwrap_or(start),
        },
    })
}

/// A UUID that is the same for the same credential in the same file.
fn identifier(entry: &Entry<'_>, path: &[u8]) -> String {
    let hash = Fingerprint::of("gitlab", &[entry.fingerprint().as_bytes(), path]).to_string();
    let (a, b, c, d, e) = (
        &hash[..8],
        &hash[8..12],
        &hash[12..16],
        &hash[16..20],
        &hash[20..],
    );
    format!("{a}-{b}-{c}-{d}-{e}")
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "Critical",
        Severity::High => "High",
        Severity::Medium => "Medium",
        Severity::Low => "Low",
    }
}
