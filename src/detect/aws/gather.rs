//! From candidates to credentials: pairs them, attaches tokens, and decides what is reported.

use std::collections::HashMap;
use std::ops::Range;

use super::candidate::{Candidate, Candidates};
use super::excerpt::{Place, Shown};
use super::pair::{self, Edge, NAMED_REACH};
use crate::detect::view::View;
use crate::finding::PartKind;
use crate::rules::AwsWords;

/// A credential found in a view, by its candidates.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) key_id: Option<Vec<u8>>,
    pub(crate) secret: Option<Vec<u8>>,
    pub(crate) token: Option<Vec<u8>>,
    /// Other secrets that the access key ID might belong to, best first.
    pub(crate) alternatives: Vec<Vec<u8>>,
    /// Whether the access key ID stands in a signed URL or a log.
    pub(crate) mention: bool,
    /// Whether the secret bears a secret's name.
    pub(crate) named: bool,
    pub(crate) places: Vec<Place>,
}

/// How far before an unspecific name (`secret_key`) AWS must be mentioned, in bytes.
const AWS_REACH: usize = 300;

/// The credentials of a view. `plain`: the blob holds the view's text as it stands.
pub(crate) fn gather(
    view: &View,
    found: &Candidates,
    words: &AwsWords,
    plain: bool,
) -> Vec<Gathered> {
    let edges = pair::edges(view, &found.key_ids, &found.secrets, words);
    let pairs = without_doubtful(pair::matching(&edges), found);
    let mut gathered = Vec::new();
    let paired_secrets: Vec<usize> = pairs.iter().map(|edge| edge.secret).collect();
    for (index, key_id) in found
        .key_ids
        .iter()
        .enumerate()
        .filter(|(_, key_id)| !key_id.placeholder)
    {
        let pair = pairs.iter().find(|edge| edge.key_id == index);
        let secret = pair
            .map(|edge| &found.secrets[edge.secret])
            .filter(|secret| !secret.placeholder);
        let mut entry = Gathered {
            key_id: Some(key_id.value.clone()),
            mention: key_id.marked,
            places: vec![place(view, key_id, PartKind::AccessKeyId, plain)],
            ..Gathered::default()
        };
        if let Some(secret) = secret {
            entry.secret = Some(secret.value.clone());
            entry.named = secret.marked;
            entry
                .places
                .push(place(view, secret, PartKind::SecretAccessKey, plain));
            entry.alternatives = alternatives(index, secret, &edges, found);
            if let Some(token) = token_of(key_id, secret, found) {
                entry.token = Some(token.value.clone());
                entry
                    .places
                    .push(place(view, token, PartKind::SessionToken, plain));
            }
        }
        gathered.push(entry);
    }
    let with_placeholder = |index| {
        pairs
            .iter()
            .any(|edge| edge.secret == index && found.key_ids[edge.key_id].placeholder)
    };
    for (index, secret) in found.secrets.iter().enumerate() {
        let free = !paired_secrets.contains(&index) || with_placeholder(index);
        if free && !secret.placeholder && is_aws_secret(view, secret, words) {
            gathered.push(Gathered {
                secret: Some(secret.value.clone()),
                named: true,
                places: vec![place(view, secret, PartKind::SecretAccessKey, plain)],
                ..Gathered::default()
            });
        }
    }
    gathered
}

/// Drops pairs that only arise because an access key ID is repeated: where one place of an id has
/// a named secret, an anonymous one near another place of it is chance.
fn without_doubtful(pairs: Vec<Edge>, found: &Candidates) -> Vec<Edge> {
    let mut named: HashMap<&[u8], bool> = HashMap::new();
    for edge in &pairs {
        *named.entry(&found.key_ids[edge.key_id].value).or_default() |=
            found.secrets[edge.secret].marked;
    }
    let doubtful = |edge: &Edge| {
        named[found.key_ids[edge.key_id].value.as_slice()] && !found.secrets[edge.secret].marked
    };
    pairs
        .iter()
        .filter(|edge| !doubtful(edge))
        .copied()
        .collect()
}

/// The next best secrets for an access key ID, at most two.
fn alternatives(
    key_id: usize,
    chosen: &Candidate,
    edges: &[Edge],
    found: &Candidates,
) -> Vec<Vec<u8>> {
    let mut others: Vec<Vec<u8>> = Vec::new();
    for edge in edges.iter().filter(|edge| edge.key_id == key_id) {
        let secret = &found.secrets[edge.secret];
        if secret.value != chosen.value && !secret.placeholder && !others.contains(&secret.value) {
            others.push(secret.value.clone());
        }
    }
    others.truncate(2);
    others
}

/// The session token nearest to the pair. Only temporary keys have one.
fn token_of<'c>(
    key_id: &Candidate,
    secret: &Candidate,
    found: &'c Candidates,
) -> Option<&'c Candidate> {
    if !key_id.value.starts_with(b"ASIA") {
        return None;
    }
    let distance =
        |token: &Candidate| gap(&token.range, &key_id.range).min(gap(&token.range, &secret.range));
    found
        .tokens
        .iter()
        .filter(|token| distance(token) <= NAMED_REACH)
        .min_by_key(|token| distance(token))
}

fn gap(one: &Range<usize>, other: &Range<usize>) -> usize {
    one.start
        .saturating_sub(other.end)
        .max(other.start.saturating_sub(one.end))
}

/// Whether a secret without an access key ID is AWS's: by its name, or by a name of a secret with
/// AWS mentioned just before.
fn is_aws_secret(view: &View, secret: &Candidate, words: &AwsWords) -> bool {
    if !secret.marked || !secret.name.folded().contains("secret") {
        return false;
    }
    secret.name.is_aws_secret(words) || {
        let end = secret.range.start;
        let before = view.text[end.saturating_sub(AWS_REACH)..end].to_ascii_lowercase();
        let is_word = |at: usize| at == 0 || !before[at - 1].is_ascii_alphabetic();
        words
            .aws_names
            .iter()
            .any(|name| memchr::memmem::find_iter(&before, name.as_bytes()).any(is_word))
    }
}

fn place(view: &View, candidate: &Candidate, kind: PartKind, plain: bool) -> Place {
    let shown = match kind {
        PartKind::AccessKeyId => Shown::Id(String::from_utf8_lossy(&candidate.value).into_owned()),
        _ => Shown::Hidden(candidate.value.len()),
    };
    let name = (candidate.name.same_line && !candidate.name.text.is_empty())
        .then(|| view.source(candidate.name.start));
    let range = view.source(candidate.range.start)..view.source(candidate.range.end);
    Place {
        kind,
        range,
        name,
        shown,
        plain,
    }
}
