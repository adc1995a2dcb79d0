//! detect-secrets: `.secrets.baseline`. It keeps SHA-1 hashes of values by file, which are held
//! against the keys found there now.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;

use super::Imported;
use super::keys::{Keys, sha1, values};
use super::output::{Allowlist, Target};

#[derive(Deserialize)]
struct Document {
    results: BTreeMap<String, Vec<Hashed>>,
    #[serde(default)]
    filters_used: Vec<Filter>,
}

#[derive(Deserialize)]
struct Hashed {
    #[serde(rename = "type", default)]
    kind: String,
    hashed_secret: String,
    #[serde(default)]
    line_number: u64,
    #[serde(default)]
    is_secret: Option<bool>,
}

#[derive(Deserialize)]
struct Filter {
    path: String,
    #[serde(default)]
    pattern: Vec<String>,
}

pub(super) fn baseline(
    name: &str,
    text: &str,
    keys: &mut Keys,
    imported: &mut Imported,
) -> Result<()> {
    let document: Document =
        serde_json::from_str(text).context("not a baseline of detect-secrets")?;
    for (file, hashes) in document.results {
        let found = keys.in_file(None, &file);
        for hashed in hashes {
            let is_it = |key: &usize| {
                values(keys.finding(*key)).any(|value| sha1(value) == hashed.hashed_secret)
            };
            let place = format!("{name}: {file}:{} ({})", hashed.line_number, hashed.kind);
            let hits: Vec<usize> = found.iter().copied().filter(is_it).collect();
            if hits.is_empty() {
                let why = "no key that straykey finds in the file has this hash, so there is nothing to ignore";
                imported.lose(&place, why);
            } else if hashed.is_secret == Some(true) {
                imported.lose(&place, "marked there as a real secret: deactivate it");
                continue;
            }
            imported
                .known
                .extend(hits.into_iter().map(|key| (key, name.to_owned())));
        }
    }
    for filter in document.filters_used {
        carry_over(name, filter, imported);
    }
    Ok(())
}

/// The filters by regular expressions have a counterpart; the others are ours already (likely
/// false alarms) or code.
fn carry_over(name: &str, filter: Filter, imported: &mut Imported) {
    let kind = filter.path.rsplit('.').next().unwrap_or_default();
    let target = match kind {
        "should_exclude_file" => Target::Path,
        "should_exclude_line" => Target::Line,
        "should_exclude_secret" => Target::Secret,
        _ => {
            let own = [
                "detect_secrets.filters.heuristic.",
                "detect_secrets.filters.allowlist.",
                "detect_secrets.filters.common.",
            ];
            if !own.iter().any(|own| filter.path.starts_with(own)) {
                imported.lose(
                    &format!("{name}: {}", filter.path),
                    "a filter without a counterpart",
                );
            }
            return;
        }
    };
    for pattern in filter.pattern {
        let place = format!("{name}: {kind} {pattern}");
        match Allowlist::new(target, &pattern, name) {
            Some(allowlist) => imported.allowlists.push(allowlist),
            None => imported.lose(&place, "not an expression that is understood here"),
        }
    }
}
