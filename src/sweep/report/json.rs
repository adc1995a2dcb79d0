//! The report for programs: one JSON document.

use std::io::Write;

use serde_json::{Value, json};

use super::{ReportError, View, next};
use crate::sweep::store::{CoverageRow, CredentialRow, Exposure, Store, StoreError};

/// Writes entries one by one, so that a hundred thousand of them need no memory.
pub(super) fn write(store: &Store, view: View, out: &mut dyn Write) -> Result<(), ReportError> {
    write!(out, "{{\"schema\":\"straykey/sweep/1\",\"credentials\":[")?;
    let mut comma = "";
    for credential in super::in_order(store)? {
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
    let account = credential
        .account_id
        .is_some()
        .then(|| view.account(credential));
    json!({
        "identity": credential.identity, "rule": credential.rule, "title": credential.title,
        "severity": credential.severity, "confidence": credential.confidence,
        "account_id": account,
        "access_key_id": view.key(credential),
        "has_secret": credential.has_secret, "verdict": credential.verdict,
        "triage": credential.triage, "blocks": view.blocks(credential),
        "next": next::steps(credential, view), "places": places,
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
