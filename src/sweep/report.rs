//! What a sweep has to say: credentials by account, key, owner and place, and what is covered.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::store::{CoverageRow, CredentialRow, Exposure, Store, StoreError, Totals, VerdictRow};
use crate::report::{mask, sanitise, summary};
use crate::verdict::Verdict;

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The output failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default)]
pub struct View {
    /// As one JSON document instead of text.
    pub json: bool,
    /// Whether access key IDs and account IDs are masked.
    pub mask_ids: bool,
    /// Whether repositories without anything to say are listed, too.
    pub all: bool,
}

/// A verdict as it goes into the store; none where nobody has asked.
#[must_use]
pub fn verdict_row(verdict: &Verdict) -> Option<VerdictRow> {
    let (partition, account_id, detail) = match verdict {
        Verdict::Unchecked => return None,
        Verdict::Live(live) => (
            Some(live.partition.to_string()),
            live.identity
                .as_ref()
                .map(|identity| identity.account.clone()),
            live.identity
                .as_ref()
                .map(|identity| identity.principal.kind().to_owned()),
        ),
        Verdict::SecretMismatch { partition } | Verdict::Expired { partition } => {
            (Some(partition.to_string()), None, None)
        }
        Verdict::Inactive { .. } => (None, None, None),
        Verdict::Unknown(cause) => (None, None, Some(cause.detail.clone())),
        Verdict::Skipped(reason) => (None, None, Some(reason.as_str().to_owned())),
    };
    Some(VerdictRow {
        status: verdict.state().to_owned(),
        partition,
        account_id,
        detail,
    })
}

/// Writes the report of `store`.
///
/// # Errors
/// Where the store or `out` fails.
pub fn write(store: &Store, view: View, out: &mut dyn Write) -> Result<(), ReportError> {
    match view.json {
        true => write_json(store, view, out),
        false => write_text(store, view, out),
    }
}

fn write_text(store: &Store, view: View, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut account = None;
    for credential in store.credentials()? {
        let shown = account_of(&credential, view);
        if account.as_ref() != Some(&shown) {
            writeln!(out, "account {shown}")?;
            account = Some(shown);
        }
        let key = key_of(&credential, view);
        let short = &credential.identity[..12.min(credential.identity.len())];
        let CredentialRow {
            severity,
            verdict,
            triage,
            ..
        } = &credential;
        writeln!(out, "  {key}  {severity}, {verdict}, {triage}  [{short}]")?;
        for place in store.places(credential.secret_id)? {
            writeln!(out, "    {}", place_line(&place))?;
        }
    }
    if account.is_some() {
        writeln!(out)?;
    }
    writeln!(out, "coverage")?;
    store.coverage(|row| -> Result<(), ReportError> {
        let telling = row.state != "complete";
        if view.all || telling {
            writeln!(out, "  {}", coverage_line(&row))?;
        }
        if let Some(scan) = row.scan_id.filter(|_| row.state == "incomplete") {
            for entry in store
                .not_scanned(scan)?
                .iter()
                .filter(|entry| entry.incomplete)
            {
                writeln!(
                    out,
                    "    not read: {}: {}",
                    safe(&entry.what),
                    safe(&entry.reason)
                )?;
            }
        }
        Ok(())
    })?;
    writeln!(out, "  {}", totals_line(&store.totals()?))?;
    Ok(())
}

fn account_of(credential: &CredentialRow, view: View) -> String {
    match &credential.account_id {
        Some(id) if view.mask_ids => mask::account_id(id),
        Some(id) => id.clone(),
        None => "unknown".to_owned(),
    }
}

fn key_of(credential: &CredentialRow, view: View) -> String {
    match &credential.access_key_id {
        Some(id) if view.mask_ids => mask::key_id(id),
        Some(id) => id.clone(),
        None => credential.title.clone(),
    }
}

fn place_line(place: &Exposure) -> String {
    let commit = place
        .commit
        .as_deref()
        .map_or("", |commit| &commit[..12.min(commit.len())]);
    let author = place.author.as_deref().unwrap_or("");
    let mut line = format!("{}:{}:{}", place.repository, place.path, place.line);
    for part in [&*place.visibility, &*place.reachability, commit, author] {
        if !part.is_empty() && part != "unknown" {
            line.push_str("  ");
            line.push_str(part);
        }
    }
    safe(&line)
}

fn coverage_line(row: &CoverageRow) -> String {
    let reason = row
        .reason
        .as_deref()
        .map_or(String::new(), |reason| format!(": {reason}"));
    let refs = row.refs_digest.as_deref().unwrap_or("-");
    let refs = &refs[..12.min(refs.len())];
    let read = match row.scan_id {
        Some(_) => format!("  refs {refs}, {} objects", row.objects),
        None => String::new(),
    };
    safe(&format!(
        "{:10} {}{reason}{read}",
        row.state, row.repository
    ))
}

/// The totals in one line.
#[must_use]
pub fn totals_line(totals: &Totals) -> String {
    let repositories = match totals.repositories {
        1 => "1 repository".to_owned(),
        more => format!("{more} repositories"),
    };
    let mut line = format!("{repositories}: {} complete", totals.complete);
    for (number, word) in [
        (totals.incomplete, "incomplete"),
        (totals.failed, "failed"),
        (totals.pending, "pending"),
        (totals.gone, "gone besides"),
        (totals.cut_short, "listings cut short"),
    ] {
        if number > 0 {
            line.push_str(&format!(", {number} {word}"));
        }
    }
    let found = summary::count(totals.credentials, "credential");
    format!("{line}; {found}, {} open", totals.open)
}

fn safe(text: &str) -> String {
    sanitise::line(text.as_bytes())
}

/// Writes entries one by one, so that a hundred thousand of them need no memory.
fn write_json(store: &Store, view: View, out: &mut dyn Write) -> Result<(), ReportError> {
    write!(out, "{{\"schema\":\"straykey/sweep/1\",\"credentials\":[")?;
    let mut comma = "";
    for credential in store.credentials()? {
        let places = store.places(credential.secret_id)?;
        let places: Vec<Value> = places.iter().map(place_json).collect();
        let entry = credential_json(&credential, view, places);
        write!(out, "{comma}\n{entry}")?;
        comma = ",";
    }
    write!(out, "],\"coverage\":[")?;
    let mut comma = "";
    store.coverage(|row| -> Result<(), ReportError> {
        write!(out, "{comma}\n{}", coverage_json(store, &row)?)?;
        comma = ",";
        Ok(())
    })?;
    let totals = store.totals()?;
    let totals = json!({
        "repositories": totals.repositories, "complete": totals.complete,
        "incomplete": totals.incomplete, "failed": totals.failed, "pending": totals.pending,
        "gone": totals.gone, "credentials": totals.credentials, "open": totals.open,
        "listings_cut_short": totals.cut_short,
    });
    writeln!(out, "],\"totals\":{totals}}}")?;
    Ok(())
}

fn credential_json(credential: &CredentialRow, view: View, places: Vec<Value>) -> Value {
    let masked = |id: &Option<String>, mask: fn(&str) -> String| match view.mask_ids {
        true => id.as_deref().map(mask),
        false => id.clone(),
    };
    json!({
        "identity": credential.identity, "rule": credential.rule, "title": credential.title,
        "severity": credential.severity, "confidence": credential.confidence,
        "account_id": masked(&credential.account_id, mask::account_id),
        "access_key_id": masked(&credential.access_key_id, mask::key_id),
        "has_secret": credential.has_secret, "verdict": credential.verdict,
        "triage": credential.triage, "places": places,
    })
}

fn place_json(place: &Exposure) -> Value {
    json!({
        "owner": place.owner, "repository": place.repository, "visibility": place.visibility,
        "path": place.path, "line": place.line, "column": place.column, "object": place.object,
        "commit": place.commit, "author": place.author, "reachability": place.reachability,
    })
}

fn coverage_json(store: &Store, row: &CoverageRow) -> Result<Value, StoreError> {
    let not_scanned = match row.scan_id {
        Some(scan) => store.not_scanned(scan)?,
        None => Vec::new(),
    };
    let not_scanned = not_scanned.iter().map(
        |entry| json!({"what": entry.what, "reason": entry.reason, "incomplete": entry.incomplete}),
    );
    let not_scanned: Vec<Value> = not_scanned.collect();
    Ok(json!({
        "repository": row.repository, "url": row.url, "target": row.target, "state": row.state,
        "reason": row.reason, "refs_digest": row.refs_digest, "scanned": row.scanned,
        "confirmed": row.confirmed, "objects": row.objects, "bytes": row.bytes,
        "not_scanned": not_scanned,
    }))
}
