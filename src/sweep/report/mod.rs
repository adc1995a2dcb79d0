//! What a sweep has to say: credentials by account, key, owner and place, and what is covered.

mod json;
mod next;
mod text;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, Write};

use super::store::{CredentialRow, Store, StoreError, Totals, VerdictRow};
use crate::finding::Severity;
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
    /// Whether text has colours.
    pub colour: bool,
    /// Which open credentials block.
    pub blocking: Blocking,
}

/// Which open credentials block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocking {
    /// Those of at least this severity.
    From(Severity),
    /// Those that work, and those that AWS gave no answer for.
    Live,
}

impl Default for Blocking {
    fn default() -> Self {
        Self::From(Severity::Medium)
    }
}

impl View {
    /// Whether `credential` blocks.
    #[must_use]
    pub fn blocks(&self, credential: &CredentialRow) -> bool {
        let counts = match self.blocking {
            Blocking::From(least) => severity(credential) >= least,
            Blocking::Live => matches!(credential.verdict.as_str(), "live" | "unknown"),
        };
        is_open(credential) && counts
    }

    pub(super) fn account(&self, credential: &CredentialRow) -> String {
        match &credential.account_id {
            Some(id) if self.mask_ids => mask::account_id(id),
            Some(id) => id.clone(),
            None => "unknown".to_owned(),
        }
    }

    pub(super) fn key(&self, credential: &CredentialRow) -> Option<String> {
        let id = credential.access_key_id.as_deref()?;
        Some(match self.mask_ids {
            true => mask::key_id(id),
            false => id.to_owned(),
        })
    }
}

fn is_open(credential: &CredentialRow) -> bool {
    credential.triage == "open"
}

/// A word that is none of ours counts as the worst.
fn severity(credential: &CredentialRow) -> Severity {
    use Severity::{Critical, High, Low, Medium};
    let known = [Low, Medium, High, Critical]
        .into_iter()
        .find(|it| it.as_str() == credential.severity);
    known.unwrap_or(Critical)
}

/// The credentials in the order in which somebody should look at them: accounts with what works
/// first, and in each the open ones first, what works before what may, the worst before the rest.
fn in_order(store: &Store) -> Result<Vec<CredentialRow>, StoreError> {
    let mut credentials = store.credentials()?;
    let urgency = |it: &CredentialRow| (is_open(it), it.verdict == "live", severity(it));
    let mut most: HashMap<Option<String>, (bool, bool)> = HashMap::new();
    for credential in &credentials {
        let (open, live, _) = urgency(credential);
        let account = most.entry(credential.account_id.clone()).or_default();
        *account = (*account).max((open && live, open));
    }
    credentials.sort_by_cached_key(|it| {
        (
            Reverse(most.get(&it.account_id).copied()),
            it.account_id.is_none(),
            it.account_id.clone(),
            Reverse(urgency(it)),
            it.access_key_id.clone(),
            it.secret_id,
        )
    });
    Ok(credentials)
}

/// The first digits of an identity, enough to name a credential.
fn short(credential: &CredentialRow) -> &str {
    let identity = credential.identity.as_str();
    identity.get(..12).unwrap_or(identity)
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
        true => json::write(store, view, out),
        false => text::write(store, view, out),
    }
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
