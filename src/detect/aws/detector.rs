//! The AWS detector: prefilter, closer look, pairing, findings.

use std::collections::BTreeMap;
use std::ops::Range;

use super::account::{account_id, key_type};
use super::candidate;
use super::encoded::{decoded_view, wide_view};
use super::excerpt::{Place, excerpt};
use super::gather::{Gathered, gather};
use super::hits::{Hit, any_hit, hits};
use super::surroundings::{Surroundings, surroundings};
use crate::detect::prefilter::Prefilter;
use crate::detect::view::View;
use crate::finding::{
    Confidence, Credential, Finding, Fingerprint, KeyType, Occurrence, Part, Severity,
};
use crate::location::{Position, Span};
use crate::rules::{AwsRules, RuleHandle};
use crate::secret::Secret;
use crate::source::Blob;
use crate::standing::Standing;
use crate::verdict::Verdict;

/// How far round a hit the text is looked at, in bytes. Twice the reach of a pair, so that the
/// neighbours that compete for a secret are in view too, and less than half a window's margin.
pub(crate) const REACH: usize = 8 * 1024;

/// Finds AWS access keys.
#[derive(Clone, Debug)]
pub(crate) struct AwsDetector {
    prefilter: Prefilter,
    rules: AwsRules,
}

impl AwsDetector {
    pub(crate) fn new(rules: &AwsRules) -> Self {
        Self {
            prefilter: Prefilter::new(),
            rules: rules.clone(),
        }
    }

    /// Every credential that begins in the blob's core.
    pub(crate) fn scan(&self, blob: &Blob<'_>) -> Vec<Finding> {
        let hits = hits(
            &self.prefilter,
            blob.bytes,
            0..blob.bytes.len(),
            &self.rules.words,
        );
        if hits.is_empty() {
            return Vec::new();
        }
        let mut gathered = self.look(blob.bytes, &hits);
        gathered.retain(|entry| self.is_wanted(entry));
        gathered.retain(|entry| {
            entry
                .places
                .iter()
                .map(|place| place.range.start)
                .min()
                .is_some_and(|at| blob.core.contains(&at))
        });
        self.findings(blob, gathered)
    }

    /// Whether anything in `bytes` is worth a close look; near `changed`, if that is given.
    pub(crate) fn notices(&self, bytes: &[u8], changed: Option<&[Range<usize>]>) -> bool {
        let rules = [&self.rules.pair, &self.rules.key_id, &self.rules.secret];
        rules.iter().any(|rule| rule.is_enabled())
            && any_hit(&self.prefilter, bytes, changed, &self.rules.words)
    }

    /// Gathers the credentials round the hits.
    fn look(&self, bytes: &[u8], hits: &[Hit]) -> Vec<Gathered> {
        let mut gathered = Vec::new();
        for region in regions(hits, bytes.len()) {
            let view = View::new(&bytes[region.clone()], region.start);
            gathered.extend(self.read(&view, memchr::memchr(0, &bytes[region]).is_some(), true));
        }
        let mut looked_to = 0;
        for hit in hits {
            let inner = match *hit {
                Hit::Wide(at) if at >= looked_to => Some(wide_view(bytes, at)),
                Hit::Encoded(at) if at >= looked_to => decoded_view(bytes, at),
                _ => None,
            };
            if let Some((range, view)) = inner {
                gathered.extend(self.read(&view, false, false));
                looked_to = range.end.saturating_sub(REACH / 2);
            }
        }
        gathered
    }

    fn read(&self, view: &View, glued_ids: bool, plain: bool) -> Vec<Gathered> {
        let found = candidate::collect(view, &self.rules.words, glued_ids);
        gather(view, &found, &self.rules.words, plain)
    }

    fn rule_of(&self, entry: &Gathered) -> &RuleHandle {
        match (&entry.key_id, &entry.secret) {
            (Some(_), Some(_)) => &self.rules.pair,
            (Some(_), None) => &self.rules.key_id,
            _ => &self.rules.secret,
        }
    }

    fn is_wanted(&self, entry: &Gathered) -> bool {
        self.rule_of(entry).is_enabled()
    }

    /// One finding a credential. A lone access key ID, or a lone secret, that is part of a pair
    /// elsewhere in the blob is another place of that pair.
    fn findings(&self, blob: &Blob<'_>, gathered: Vec<Gathered>) -> Vec<Finding> {
        let mut whole: BTreeMap<Fingerprint, Vec<Gathered>> = BTreeMap::new();
        let (pairs, lone): (Vec<_>, Vec<_>) = gathered
            .into_iter()
            .partition(|entry| entry.key_id.is_some() && entry.secret.is_some());
        let mut owner: BTreeMap<Vec<u8>, Fingerprint> = BTreeMap::new();
        for entry in pairs {
            let fingerprint = fingerprint(&entry);
            for value in entry.key_id.iter().chain(&entry.secret) {
                owner.entry(value.clone()).or_insert(fingerprint);
            }
            whole.entry(fingerprint).or_default().push(entry);
        }
        for entry in lone {
            let value = entry.key_id.as_ref().or(entry.secret.as_ref());
            let fingerprint = value
                .and_then(|value| owner.get(value))
                .copied()
                .unwrap_or_else(|| fingerprint(&entry));
            whole.entry(fingerprint).or_default().push(entry);
        }
        let positions = Positions::new(blob, whole.values().flatten());
        let around = match whole.is_empty() {
            true => Surroundings::default(),
            false => surroundings(blob.bytes),
        };
        let mut findings: Vec<Finding> = whole
            .into_iter()
            .map(|(fingerprint, entries)| {
                self.finding(blob, fingerprint, &entries, (&positions, &around))
            })
            .collect();
        findings.sort_by(|one, other| {
            (&one.occurrences, one.fingerprint).cmp(&(&other.occurrences, other.fingerprint))
        });
        findings
    }

    fn finding(
        &self,
        blob: &Blob<'_>,
        fingerprint: Fingerprint,
        entries: &[Gathered],
        (positions, around): (&Positions, &Surroundings),
    ) -> Finding {
        // The pair comes first where a lone part was added to it.
        let first = &entries[0];
        let rule = self.rule_of(first).rule();
        let credential = self.credential(entries, around);
        let mention = entries.iter().all(|entry| entry.mention);
        let mut occurrences: Vec<Occurrence> = entries
            .iter()
            .map(|entry| occurrence(blob, entry, positions))
            .collect();
        occurrences.sort();
        occurrences.dedup();
        Finding {
            fingerprint,
            rule: rule.id.clone(),
            title: rule.description.clone(),
            severity: severity(rule.severity, &credential, mention),
            confidence: if first.key_id.is_some() && first.secret.is_some() && !first.named {
                rule.confidence.min(Confidence::Medium)
            } else {
                rule.confidence
            },
            credential,
            occurrences,
            verdict: Verdict::default(),
            provenance: None,
            standing: Standing::default(),
        }
    }

    fn credential(&self, entries: &[Gathered], around: &Surroundings) -> Credential {
        let first = &entries[0];
        let account_id = first.key_id.as_deref().and_then(account_id);
        Credential {
            key_type: first.key_id.as_deref().and_then(key_type),
            canary: account_id
                .as_ref()
                .is_some_and(|account| self.rules.canary_accounts.contains(account)),
            account_id,
            partition_hints: around.partitions.clone(),
            other_store: around.other_store,
            access_key_id: first
                .key_id
                .as_ref()
                .map(|id| String::from_utf8_lossy(id).into_owned()),
            secret: first.secret.as_deref().map(Secret::new),
            session_token: entries
                .iter()
                .find_map(|entry| entry.token.as_deref())
                .map(Secret::new),
            alternatives: first
                .alternatives
                .iter()
                .map(|secret| Secret::new(secret))
                .collect(),
        }
    }
}

/// The stretches of the blob round the hits, merged where they overlap.
fn regions(hits: &[Hit], length: usize) -> Vec<Range<usize>> {
    let mut regions: Vec<Range<usize>> = Vec::new();
    for hit in hits {
        let (Hit::Plain(at) | Hit::Encoded(at)) = *hit else {
            continue;
        };
        let (start, end) = (at.saturating_sub(REACH), length.min(at + REACH));
        match regions.last_mut() {
            Some(last) if last.end >= start => last.end = end,
            _ => regions.push(start..end),
        }
    }
    regions
}

/// Identity of a credential: of its access key ID and secret, not of its token, which changes.
fn fingerprint(entry: &Gathered) -> Fingerprint {
    Fingerprint::of_aws(
        entry.key_id.as_deref().unwrap_or_default(),
        entry.secret.as_deref().unwrap_or_default(),
    )
}

/// The rule's severity, unless what was found is less usable than the rule's typical case.
fn severity(typical: Severity, credential: &Credential, mention: bool) -> Severity {
    let temporary = credential.key_type == Some(KeyType::Temporary);
    let limit = match (
        credential.access_key_id.is_some(),
        credential.secret.is_some(),
    ) {
        _ if credential.canary => Severity::Low,
        (true, true) if temporary && credential.session_token.is_none() => Severity::Medium,
        (true, true) if credential.key_type != Some(KeyType::LongTerm) => Severity::High,
        (true, false) if mention || temporary => Severity::Low,
        _ => Severity::Critical,
    };
    typical.min(limit)
}

fn occurrence(blob: &Blob<'_>, entry: &Gathered, positions: &Positions) -> Occurrence {
    let part = |place: &Place| Part {
        kind: place.kind,
        span: positions.span(&place.range),
    };
    let mut places: Vec<&Place> = entry.places.iter().collect();
    places.sort_by_key(|place| place.range.start);
    let lines: Vec<u64> = places
        .iter()
        .map(|place| positions.span(&place.range).start.line)
        .collect();
    let places: Vec<Place> = places.into_iter().cloned().collect();
    Occurrence {
        origin: blob.origin.clone(),
        parts: entry.places.iter().map(part).collect(),
        excerpt: excerpt(blob.bytes, &places, &lines),
        allow: None,
    }
}

/// Lines and columns of every place that is reported, computed in one pass.
struct Positions(BTreeMap<usize, Position>);

impl Positions {
    fn new<'g>(blob: &Blob<'_>, entries: impl Iterator<Item = &'g Gathered>) -> Self {
        let mut positions: BTreeMap<usize, Position> = entries
            .flat_map(|entry| &entry.places)
            .flat_map(|place| [place.range.start, place.range.end])
            .map(|at| (at, Position::START))
            .collect();
        let (mut read, mut position) = (0, blob.start);
        for (&at, slot) in &mut positions {
            position = position.after(&blob.bytes[read..at]);
            read = at;
            *slot = position;
        }
        Self(positions)
    }

    fn span(&self, range: &Range<usize>) -> Span {
        Span {
            start: self.0[&range.start],
            end: self.0[&range.end],
        }
    }
}
