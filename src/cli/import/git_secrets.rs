//! git-secrets: `.gitallowed` and the repository's git configuration. Its expressions are held
//! against `file:line:content`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::Imported;
use super::keys::Keys;
use super::output::{Allowlist, Target, is_expression};

/// One expression a line; `#` begins a comment.
pub(super) fn allowed_file(name: &str, text: &str, imported: &mut Imported) {
    for (number, line) in text.lines().enumerate() {
        if !line.trim().is_empty() && !line.starts_with('#') {
            allow(&format!("{name}:{}", number + 1), name, line, imported);
        }
    }
}

/// `secrets.allowed` and `secrets.patterns` of the repository itself. What stands in the user's
/// own configuration weakens nothing here, and is listed.
pub(super) fn configuration(top: &Path, keys: &Keys, imported: &mut Imported) -> Result<()> {
    let name = "git config secrets.allowed";
    for allowed in values(top, "--local", "secrets.allowed")? {
        // `register-aws` sets the two keys of AWS's documentation, which are no findings here.
        if !allowed.contains("EXAMPLE") {
            allow(&format!("{name} {allowed}"), name, &allowed, imported);
        }
    }
    note(keys, imported);
    for pattern in values(top, "--local", "secrets.patterns")? {
        let aws = ["AKIA", "AWS|aws|Aws", "ABSK"];
        if aws.iter().any(|word| pattern.contains(word)) {
            continue;
        }
        match is_expression(&pattern) {
            true => imported.rules.push(pattern),
            false => imported.lose(
                &format!("git config secrets.patterns {pattern}"),
                "not an expression that is understood here",
            ),
        }
    }
    for provider in values(top, "--local", "secrets.providers")? {
        let place = format!("git config secrets.providers {provider}");
        imported.lose(&place, "a command that makes patterns; nothing is run here");
    }
    for allowed in values(top, "--global", "secrets.allowed")? {
        if !allowed.contains("EXAMPLE") {
            let place = format!("git config --global secrets.allowed {allowed}");
            imported.lose(
                &place,
                "nothing of a user's own configuration weakens a scan",
            );
        }
    }
    Ok(())
}

/// All values of `key` in one of git's configuration files.
fn values(top: &Path, scope: &str, key: &str) -> Result<Vec<String>> {
    let output = Command::new("git")
        .arg("-C")
        .arg(top)
        .args(["config", scope, "--null", "--get-all", key])
        .output()
        .context("cannot run git")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    // Without the key, outside of a repository, git fails and says nothing here.
    Ok(text
        .split('\0')
        .filter(|it| !it.is_empty())
        .map(str::to_owned)
        .collect())
}

/// Carries an expression over as an allowlist for lines.
fn allow(place: &str, name: &str, pattern: &str, imported: &mut Imported) {
    match Allowlist::new(Target::Line, pattern, name) {
        Some(allowlist) => imported.allowlists.push(allowlist),
        None => imported.lose(place, "not an expression that is understood here"),
    }
}

/// Notes as known the keys each of whose parts one of the expressions allows together with its
/// `file:line:`, which the allowlist for the line alone may not.
fn note(keys: &Keys, imported: &mut Imported) {
    let mut known = Vec::new();
    for (key, finding) in keys.all() {
        let parts = finding.occurrences.iter().flat_map(|occurrence| {
            let path = keys.path_of(occurrence).unwrap_or_default();
            let lines = occurrence.parts.iter().map(|part| part.span.start.line);
            lines.map(move |line| (path.clone(), line))
        });
        let allowed = |(path, line): (String, u64)| {
            let content = keys.line(&path, line);
            let full = [format!("{path}:{line}:").as_bytes(), &content].concat();
            let mut lists = imported.allowlists.iter();
            lists.find(|list| list.is_for_lines() && list.matches(&full))
        };
        let lists: Option<Vec<&Allowlist>> = parts.map(allowed).collect();
        if let Some(first) = lists.and_then(|lists| lists.first().copied()) {
            known.push((key, first.from().to_owned()));
        }
    }
    imported.known.extend(known);
}
