//! The report for people: account, key, owner, places, and what to do next; then what is covered.

use std::io::Write;

use super::{ReportError, View, next, safe, short, totals_line};
use crate::report::styles::{Styles, styled};
use crate::sweep::store::{CoverageRow, CredentialRow, Exposure, Store};

/// Places of one owner that are listed before the rest is only counted.
const PLACES_LISTED: usize = 10;

pub(super) fn write(store: &Store, view: View, out: &mut dyn Write) -> Result<(), ReportError> {
    let styles = Styles::new(view.colour);
    let mut account = None;
    for credential in super::in_order(store)? {
        let shown = view.account(&credential);
        if account.as_ref() != Some(&shown) {
            writeln!(out, "{}\n", styles.strong(&format!("account {shown}")))?;
            account = Some(shown);
        }
        write_credential(store, view, &styles, &credential, out)?;
    }
    write_coverage(store, view, &styles, out)
}

fn write_credential(
    store: &Store,
    view: View,
    styles: &Styles,
    credential: &CredentialRow,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let (level, style) = match view.blocks(credential) {
        true => ("error", styles.error),
        false => ("warning", styles.warning),
    };
    let head = styled(style, &format!("{level}[{}]", safe(&credential.rule)));
    let title = styles.strong(&format!(": {}", safe(&credential.title)));
    writeln!(out, "{head}{title}")?;
    let margin = format!("  {}", styled(styles.gutter, "="));
    let named = view
        .key(credential)
        .map_or(String::new(), |id| format!("key {}   ", safe(&id)));
    let CredentialRow {
        severity, triage, ..
    } = credential;
    let verdict = match credential.verdict.as_str() {
        "unchecked" => "not verified",
        verdict => verdict,
    };
    writeln!(
        out,
        "{margin} {named}finding {}   severity {severity}   {verdict}   {triage}",
        short(credential)
    )?;
    let arrow = styled(styles.gutter, "-->");
    let places = store.places(credential.secret_id)?;
    for owned in places.chunk_by(|one, other| one.owner == other.owner) {
        writeln!(out, "{margin} {}", owner_line(owned, styles))?;
        for place in owned.iter().take(PLACES_LISTED) {
            writeln!(out, "    {arrow} {}", place_line(place))?;
        }
        if let Some(more) = owned
            .len()
            .checked_sub(PLACES_LISTED)
            .filter(|more| *more > 0)
        {
            writeln!(out, "    {arrow} {more} more (--json lists them all)")?;
        }
    }
    for step in next::steps(credential, view) {
        writeln!(out, "{margin} {}: {}", styles.strong("next"), safe(&step))?;
    }
    writeln!(out)?;
    Ok(())
}

/// Who has the repositories, and how far it has spread there.
fn owner_line(places: &[Exposure], styles: &Styles) -> String {
    let Some(first) = places.first() else {
        return String::new();
    };
    let repositories = places.chunk_by(|one, other| one.repository == other.repository);
    let repositories = match repositories.count() {
        1 => "1 repository".to_owned(),
        more => format!("{more} repositories"),
    };
    let shown = match places.len() {
        1 => "1 place".to_owned(),
        more => format!("{more} places"),
    };
    let owner = safe(&first.owner);
    format!(
        "{}: {owner}, {shown} in {repositories}",
        styles.strong("owner")
    )
}

fn place_line(place: &Exposure) -> String {
    let mut line = format!(
        "{}:{}:{}:{}",
        place.repository, place.path, place.line, place.column
    );
    for word in [&place.visibility, &place.reachability] {
        if word != "unknown" {
            line.push_str("  ");
            line.push_str(word);
        }
    }
    if let Some(commit) = &place.commit {
        line.push_str("  since ");
        line.push_str(commit.get(..12).unwrap_or(commit));
    }
    if let Some(author) = &place.author {
        line.push_str(" by ");
        line.push_str(author);
    }
    safe(&line)
}

fn write_coverage(
    store: &Store,
    view: View,
    styles: &Styles,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    writeln!(out, "{}", styles.strong("coverage"))?;
    store.coverage(|row| -> Result<(), ReportError> {
        let telling = row.state != "complete";
        if view.all || telling {
            writeln!(out, "  {}", coverage_line(&row))?;
        }
        let Some(scan) = row
            .scan_id
            .filter(|_| view.all || row.state == "incomplete")
        else {
            return Ok(());
        };
        for entry in store.not_scanned(scan)? {
            let word = match entry.incomplete {
                true => "not read",
                false if view.all => "left out",
                false => continue,
            };
            let (what, reason) = (safe(&entry.what), safe(&entry.reason));
            writeln!(out, "    {word}: {what}: {reason}")?;
        }
        Ok(())
    })?;
    writeln!(out, "  {}", totals_line(&store.totals()?))?;
    Ok(())
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
