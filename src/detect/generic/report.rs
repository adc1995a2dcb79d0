//! From matches to findings: which of several is meant, who needs whom, what is shown.

use std::collections::BTreeMap;
use std::ops::Range;

use sha2::{Digest, Sha256};

use super::compile::{PathOf, Subject};
use super::likeness::entropy;
use super::{Engine, Match};
use crate::detect::aws::excerpt::{Place, Shown, excerpt};
use crate::finding::{Credential, Finding, Fingerprint, Occurrence, Part, PartKind};
use crate::location::{Position, Span};
use crate::rules::pattern::{Required, Structure};
use crate::secret::Secret;
use crate::source::Blob;
use crate::standing::Standing;
use crate::verdict::Verdict;

/// Bits of randomness from which a secret cannot be guessed from its hash.
const GUESSABLE_BITS: f64 = 64.0;

/// The findings that `matches`, sorted by place, amount to.
pub(super) fn findings(engine: &Engine, blob: &Blob<'_>, matches: Vec<Match>) -> Vec<Finding> {
    let positions = Positions::new(blob, &matches);
    let mut kept: Vec<Match> = matches
        .iter()
        .filter(|found| blob.core.contains(&found.whole.start) || blob.bytes.is_empty())
        .filter(|found| engine.rules[found.rule].handle.is_enabled())
        .filter(|found| !engine.rules[found.rule].pattern().skip_report)
        .filter(|found| has_required(engine, found, &matches, &positions))
        .cloned()
        .collect();
    drop_doubles(engine, &mut kept, &positions);
    let mut found: BTreeMap<Fingerprint, Finding> = BTreeMap::new();
    for one in &kept {
        let occurrence = occurrence(blob, one, &positions);
        let finding = finding(engine, blob, one);
        found
            .entry(finding.fingerprint)
            .or_insert(finding)
            .occurrences
            .push(occurrence);
    }
    let mut findings: Vec<Finding> = found.into_values().collect();
    for finding in &mut findings {
        finding.occurrences.sort();
        finding.occurrences.dedup();
    }
    findings.sort_by(|one, other| {
        (&one.occurrences, one.fingerprint).cmp(&(&other.occurrences, other.fingerprint))
    });
    findings
}

/// Whether every rule that the match's rule requires matched near by.
fn has_required(engine: &Engine, found: &Match, matches: &[Match], positions: &Positions) -> bool {
    let near = |required: &Required, other: &Match| {
        let (here, there) = (
            positions.at(found.whole.start),
            positions.at(other.whole.start),
        );
        *engine.rules[other.rule].rule().id == *required.id
            && required
                .within_lines
                .is_none_or(|lines| here.line.abs_diff(there.line) <= lines)
            && required
                .within_columns
                .is_none_or(|columns| here.column.abs_diff(there.column) <= columns)
    };
    let required = &engine.rules[found.rule].pattern().required;
    required
        .iter()
        .all(|required| matches.iter().any(|other| near(required, other)))
}

/// Where two built-in rules see the same secret, the surer one reports it. Beside a team's own
/// rules, a generic one gives way on the same line, as it does in gitleaks.
fn drop_doubles(engine: &Engine, kept: &mut Vec<Match>, positions: &Positions) {
    let rank = |found: &Match| {
        let rule = engine.rules[found.rule].rule();
        let pattern = engine.rules[found.rule].pattern();
        let chosen = |structure: Structure| structure.chosen_by_people();
        let specific = !rule.id.starts_with("http-") && !pattern.structure.is_some_and(chosen);
        (
            specific,
            rule.confidence,
            std::cmp::Reverse(found.distance),
            found.whole.len(),
            std::cmp::Reverse(found.rule),
        )
    };
    let builtin = |found: &Match| engine.rules[found.rule].pattern().builtin;
    let generic = |found: &Match| engine.rules[found.rule].rule().id.contains("generic");
    let gives_way = |found: &Match, other: &Match| {
        let overlap =
            found.secret.start < other.secret.end && other.secret.start < found.secret.end;
        if builtin(found) && builtin(other) {
            overlap && rank(found) < rank(other)
        } else {
            let line = |found: &Match| positions.at(found.whole.start).line;
            generic(found)
                && !generic(other)
                && line(found) == line(other)
                && other.secret.start <= found.secret.start
                && found.secret.end <= other.secret.end
        }
    };
    let all = kept.clone();
    // Sorted by place: only neighbours can overlap, but a generic match looks along its line.
    kept.retain(|found| {
        let near = all.partition_point(|other| other.secret.start + 16_384 < found.secret.start);
        !all[near..]
            .iter()
            .take_while(|other| other.secret.start <= found.secret.end + 16_384)
            .any(|other| gives_way(found, other))
    });
}

fn finding(engine: &Engine, blob: &Blob<'_>, found: &Match) -> Finding {
    let compiled = &engine.rules[found.rule];
    let secret = &blob.bytes[found.secret.clone()];
    Finding {
        fingerprint: fingerprint(engine, blob, found),
        rule: compiled.rule().id.clone(),
        title: compiled.rule().description.clone(),
        severity: compiled.rule().severity,
        confidence: compiled.rule().confidence,
        credential: Credential {
            secret: (!secret.is_empty()).then(|| Secret::new(secret)),
            ..Credential::default()
        },
        occurrences: Vec::new(),
        verdict: Verdict::default(),
        provenance: None,
        standing: Standing::default(),
    }
}

/// Identity of a secret.
///
/// A random token's is its hash: nobody can guess the token from it, and it is the same wherever
/// the token stands. A password's hash would let anybody who reads a report or a baseline try a
/// dictionary on it. So a password's identity is made of its rule, of the text that the rule
/// matched round it (the name, the user, the host) and of only twelve bits of its hash: enough to
/// tell a changed password in all but one of 4,096 cases, too few to confirm a guess. The price
/// is that the same password in two different connection strings counts as two findings.
fn fingerprint(engine: &Engine, blob: &Blob<'_>, found: &Match) -> Fingerprint {
    let compiled = &engine.rules[found.rule];
    let secret = &blob.bytes[found.secret.clone()];
    let chosen = compiled
        .pattern()
        .structure
        .is_some_and(Structure::chosen_by_people);
    let bits = entropy(secret) * secret.len() as f64;
    if !chosen && bits >= GUESSABLE_BITS {
        return Fingerprint::of("secret", &[secret]);
    }
    let id = compiled.rule().id.as_bytes();
    if secret.is_empty() {
        let path = blob.origin.path();
        return Fingerprint::of("file", &[id, path.as_bytes()]);
    }
    let digest = Sha256::digest([b"straykey password".as_slice(), secret].concat());
    let twelve_bits = [digest[0], digest[1] & 0xF0];
    // A secret beside what the rule matched is known by its own line: others may stand between.
    let beside = found.secret.start < found.whole.start || found.secret.end > found.whole.end;
    let start = match beside {
        true => memchr::memrchr(b'\n', &blob.bytes[..found.secret.start]).map_or(0, |at| at + 1),
        false => found.whole.start,
    };
    let before = start..found.secret.start;
    let end = if beside {
        found.secret.end
    } else {
        found.whole.end
    };
    let after = found.secret.end..end;
    let context = [&blob.bytes[before], &blob.bytes[after]];
    Fingerprint::of("password", &[id, context[0], context[1], &twelve_bits])
}

fn occurrence(blob: &Blob<'_>, found: &Match, positions: &Positions) -> Occurrence {
    let span = Span {
        start: positions.at(found.secret.start),
        end: positions.at(found.secret.end),
    };
    let part = Part {
        span,
        kind: PartKind::Secret,
    };
    let secret = &blob.bytes[found.secret.clone()];
    let place = Place {
        kind: PartKind::Secret,
        range: found.secret.clone(),
        name: name_start(blob.bytes, found.secret.start),
        shown: Shown::Hidden(String::from_utf8_lossy(secret).chars().count()),
        plain: true,
    };
    let excerpt = match secret.is_empty() {
        true => Vec::new(),
        false => excerpt(blob.bytes, &[place], &[span.start.line]),
    };
    Occurrence {
        origin: blob.origin.clone(),
        parts: vec![part],
        excerpt,
        allow: None,
    }
}

/// Where the name begins that the value at `at` is assigned to, on the same line.
fn name_start(text: &[u8], at: usize) -> Option<usize> {
    let line = memchr::memrchr(b'\n', &text[..at]).map_or(0, |feed| feed + 1);
    let before = &text[line..at];
    let name_end = before
        .iter()
        .rposition(|byte| !b" \t\"'`=:>,([{".contains(byte))?
        + 1;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let length = before[..name_end]
        .iter()
        .rev()
        .take_while(|byte| is_name(byte))
        .count();
    (length > 0 && name_end < before.len()).then_some(line + name_end - length)
}

/// The lines that `range` touches, without the last line feed.
pub(super) fn lines<'t>(text: &'t [u8], range: &Range<usize>) -> &'t [u8] {
    let start = memchr::memrchr(b'\n', &text[..range.start]).map_or(0, |feed| feed + 1);
    let end = memchr::memchr(b'\n', &text[range.end..]).map_or(text.len(), |feed| range.end + feed);
    &text[start..end]
}

/// Whether `allowed` says so of the access key ID or the secret of `credential`, with the line on
/// which it stands at `place`.
pub(super) fn any_value(
    blob: &Blob<'_>,
    credential: &Credential,
    place: &Occurrence,
    allowed: impl Fn(&Subject<'_>) -> bool,
) -> bool {
    let shown = blob.origin.path();
    let id = credential.access_key_id.as_deref().map(str::as_bytes);
    let secret = credential.secret.as_ref().map(Secret::expose);
    let values = [
        (id, PartKind::AccessKeyId),
        (secret, PartKind::SecretAccessKey),
    ];
    values.into_iter().any(|(value, kind)| {
        let mut parts = place.parts.iter();
        let part = parts.find(|part| part.kind == kind).or(place.parts.first());
        value.zip(part).is_some_and(|(value, part)| {
            allowed(&Subject {
                path: PathOf::new(blob.origin, &shown),
                commit: blob.origin.commit(),
                secret: value,
                whole: value,
                line: line_of(blob, part.span.start.line),
            })
        })
    })
}

fn line_of<'b>(blob: &Blob<'b>, line: u64) -> &'b [u8] {
    let number = usize::try_from(line.saturating_sub(blob.start.line)).unwrap_or(usize::MAX);
    let mut lines = blob.bytes.split(|&byte| byte == b'\n');
    lines.nth(number).unwrap_or_default()
}

/// Lines and columns of all places of matches, computed in one pass.
struct Positions(BTreeMap<usize, Position>);

impl Positions {
    fn new(blob: &Blob<'_>, matches: &[Match]) -> Self {
        let mut positions: BTreeMap<usize, Position> = matches
            .iter()
            .flat_map(|found| [found.whole.start, found.secret.start, found.secret.end])
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

    fn at(&self, offset: usize) -> Position {
        self.0.get(&offset).copied().unwrap_or(Position::START)
    }
}
