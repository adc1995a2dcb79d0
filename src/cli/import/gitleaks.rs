//! gitleaks: `.gitleaksignore`, and a report that is used as a baseline.

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Imported;
use super::keys::{Keys, values};

/// Nothing is found at a place that was ignored.
const NOTHING: &str = "straykey finds nothing there, so there is nothing to ignore";

/// Lines `file:rule:line` and `commit:file:rule:line`.
pub(super) fn ignore_file(name: &str, text: &str, keys: &mut Keys, imported: &mut Imported) {
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let place = format!("{name}:{}: {line}", number + 1);
        let words: Vec<&str> = line.split(':').collect();
        let (commit, file, at) = match words.as_slice() {
            [file, _, at] => (None, *file, *at),
            [commit, file, _, at] => (Some(*commit), *file, *at),
            _ => {
                imported.lose(&place, "neither file:rule:line nor commit:file:rule:line");
                continue;
            }
        };
        let found = at.parse().map(|at| keys.at(commit, file, at));
        match found.unwrap_or_default().as_slice() {
            [] => imported.lose(&place, NOTHING),
            found => imported
                .known
                .extend(found.iter().map(|&key| (key, name.to_owned()))),
        }
    }
}

/// One finding of a report.
#[derive(Deserialize)]
struct Reported {
    #[serde(rename = "File")]
    file: String,
    #[serde(rename = "RuleID", default)]
    rule: String,
    #[serde(rename = "StartLine", default)]
    line: u64,
    #[serde(rename = "Commit", default)]
    commit: String,
    /// May be redacted. Never shown.
    #[serde(rename = "Secret", default)]
    secret: String,
}

/// A report in JSON. Where it holds the values, they tell; where it is redacted, the places do.
pub(super) fn baseline(
    name: &str,
    text: &str,
    keys: &mut Keys,
    imported: &mut Imported,
) -> Result<()> {
    let reported: Vec<Reported> = serde_json::from_str(text)
        .map_err(without_values)
        .context("not a report of gitleaks")?;
    for finding in reported {
        let commit = Some(finding.commit.as_str()).filter(|commit| !commit.is_empty());
        let mut found = keys.in_file(commit, &finding.file);
        found.retain(|&key| values(keys.finding(key)).any(|it| it == finding.secret.as_bytes()));
        if found.is_empty() {
            found = keys.at(commit, &finding.file, finding.line);
        }
        if found.is_empty() {
            let place = format!("{name}: {}:{}:{}", finding.file, finding.rule, finding.line);
            imported.lose(&place, NOTHING);
        }
        imported
            .known
            .extend(found.into_iter().map(|key| (key, name.to_owned())));
    }
    Ok(())
}

/// The place of a mistake without the value that is wrong, which may be a secret.
fn without_values(error: serde_json::Error) -> anyhow::Error {
    anyhow::anyhow!("line {}, column {}", error.line(), error.column())
}
