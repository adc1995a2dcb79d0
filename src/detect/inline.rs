//! Comments that allow what stands beside them: `straykey:allow [RULE] [reason]`, and those of
//! other scanners.
//!
//! A comment reaches the line that it is on; if it has that line to itself, ours reaches the next
//! one, too. A credential of several lines is allowed at its secret, so that a comment beside an
//! access key ID does not hide the secret that somebody adds below it later. A comment that names
//! the rule may stand at any part: beside the ID alone, the rule is another one.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use aho_corasick::AhoCorasick;

use crate::finding::{Finding, Occurrence, Part, PartKind};
use crate::location::Origin;
use crate::rules::RuleSet;
use crate::source::Blob;
use crate::standing::{Allow, Marker};

/// How comments begin that allow something, and whose they are.
const LITERALS: [(&str, Marker); 7] = [
    ("straykey:allow", Marker::Straykey),
    ("gitleaks:allow", Marker::Gitleaks),
    ("trufflehog:ignore", Marker::Trufflehog),
    ("pragma: allowlist", Marker::DetectSecrets),
    ("pragma:allowlist", Marker::DetectSecrets),
    ("pragma: whitelist", Marker::DetectSecrets),
    ("pragma:whitelist", Marker::DetectSecrets),
];

/// A comment on a longer line counts for nothing: the line is a whole minified file, and what was
/// meant is not to be told.
const LONGEST_LINE: usize = 4096;

/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// Finds the comments.
#[derive(Clone, Debug)]
pub(super) struct Inline {
    /// Built when the first finding is looked at: most runs have none.
    search: OnceLock<Option<AhoCorasick>>,
    /// Ids of all rules.
    rules: Vec<Arc<str>>,
}

/// A comment, read.
#[derive(Clone, Debug)]
struct Comment {
    marker: Marker,
    /// The rule it is for; all rules if there is none.
    rule: Option<Arc<str>>,
    reason: Option<String>,
    own_line: bool,
    next_line: bool,
}

impl Inline {
    pub(super) fn new(rules: &RuleSet) -> Self {
        Self {
            search: OnceLock::new(),
            rules: rules.rules().iter().map(|rule| rule.id().into()).collect(),
        }
    }

    /// Where the comments of `bytes` begin, and whose they are.
    fn hits<'b>(&'b self, bytes: &'b [u8]) -> impl Iterator<Item = (Range<usize>, Marker)> + 'b {
        // Seven short literals always compile.
        let build = || AhoCorasick::new(LITERALS.map(|(literal, _)| literal)).ok();
        let search = self.search.get_or_init(build).iter();
        search
            .flat_map(move |it| it.find_iter(bytes))
            .map(|hit| (hit.range(), LITERALS[hit.pattern().as_usize()].1))
    }

    /// Notes at each place of `findings` in `blob` the comment that allows it.
    pub(super) fn mark(&self, blob: &Blob<'_>, findings: &mut [Finding]) {
        // The name of a file has no room for a comment.
        if matches!(blob.origin, Origin::Name { .. }) {
            return;
        }
        let comments = self.comments(blob);
        if comments.is_empty() {
            return;
        }
        for finding in findings {
            for occurrence in &mut finding.occurrences {
                occurrence.allow = allow(&comments, &finding.rule, occurrence);
            }
        }
    }

    /// The comments of a blob, by their lines.
    fn comments(&self, blob: &Blob<'_>) -> BTreeMap<u64, Vec<Comment>> {
        let mut comments: BTreeMap<u64, Vec<Comment>> = BTreeMap::new();
        let (mut counted, mut number) = (0, blob.start.line);
        for (hit, marker) in self.hits(blob.bytes) {
            number += memchr::memchr_iter(b'\n', &blob.bytes[counted..hit.start]).count() as u64;
            counted = hit.start;
            let before = &blob.bytes[..hit.start];
            let start = memchr::memrchr(b'\n', before).map_or(0, |feed| feed + 1);
            let after = &blob.bytes[hit.end..];
            let end = memchr::memchr(b'\n', after).unwrap_or(after.len());
            if hit.end + end - start > LONGEST_LINE {
                continue;
            }
            if let Some(comment) = self.comment(marker, &before[start..], &after[..end]) {
                comments.entry(number).or_default().push(comment);
            }
        }
        comments
    }

    /// The comment with `before` it on its line and `after` its first words.
    fn comment(&self, marker: Marker, before: &[u8], after: &[u8]) -> Option<Comment> {
        let alone = is_alone(before);
        let mut comment = Comment {
            marker,
            rule: None,
            reason: None,
            own_line: true,
            next_line: false,
        };
        match marker {
            Marker::Straykey => {
                if after
                    .first()
                    .is_some_and(|it| it.is_ascii_alphanumeric() || b"_-".contains(it))
                {
                    return None;
                }
                comment.next_line = alone;
                let text = String::from_utf8_lossy(after);
                let text = trimmed(&text);
                let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
                let name = first.trim_end_matches([':', ',']);
                comment.rule = self.rules.iter().find(|rule| ***rule == *name).cloned();
                let reason = if comment.rule.is_some() {
                    trimmed(rest)
                } else {
                    text
                };
                comment.reason =
                    (!reason.is_empty()).then(|| reason.chars().take(LONGEST_REASON).collect());
            }
            Marker::DetectSecrets => {
                let after = after.strip_prefix(b" ").or(after.strip_prefix(b"-"))?;
                comment.next_line = after.starts_with(b"nextline secret") && alone;
                comment.own_line = after.starts_with(b"secret");
                if !comment.own_line && !comment.next_line {
                    return None;
                }
            }
            Marker::Gitleaks | Marker::Trufflehog => {}
        }
        Some(comment)
    }
}

/// Whether what stands before a comment on its line is nothing but the comment's opening.
fn is_alone(before: &[u8]) -> bool {
    let words = String::from_utf8_lossy(before);
    let words = words.trim().trim_start_matches('@').to_ascii_lowercase();
    matches!(words.as_str(), "rem" | "dnl") || !words.chars().any(char::is_alphanumeric)
}

/// The text of a comment without the punctuation that leads to it and the closing of the comment.
fn trimmed(text: &str) -> &str {
    let text = text.trim().trim_start_matches([':', ',', '-', '=']);
    let text = text.trim_end_matches(['"', '\'', ',', ';']).trim_end();
    let closings = ["*/", "-->", "*)", "-}", "#}", "--}}", "%>", "|#", "?>"];
    let closing = closings
        .iter()
        .find_map(|closing| text.strip_suffix(closing));
    closing.unwrap_or(text).trim()
}

/// The comment that allows a credential of `rule` at `place`; ours before others'.
fn allow(
    comments: &BTreeMap<u64, Vec<Comment>>,
    rule: &Arc<str>,
    place: &Occurrence,
) -> Option<Allow> {
    let is_secret =
        |part: &&Part| matches!(part.kind, PartKind::SecretAccessKey | PartKind::Secret);
    let has_secret = place.parts.iter().any(|part| is_secret(&part));
    let mut found: Vec<&Comment> = Vec::new();
    for part in &place.parts {
        let decides = !has_secret || is_secret(&part);
        let mut reaching: Vec<&Comment> = reaching(comments, part);
        reaching.retain(|comment| match &comment.rule {
            None => decides,
            Some(named) => named == rule,
        });
        found.extend(reaching);
    }
    let comment = found.into_iter().min_by_key(|comment| comment.marker)?;
    Some(Allow {
        marker: comment.marker,
        reason: comment.reason.clone(),
    })
}

/// The comments on the line of `part`, on its last line if it has several, and above it.
fn reaching<'c>(comments: &'c BTreeMap<u64, Vec<Comment>>, part: &Part) -> Vec<&'c Comment> {
    let (first, last) = (part.span.start.line, part.span.end.line);
    let on = |line: u64| comments.get(&line).into_iter().flatten();
    let above = on(first.saturating_sub(1)).filter(|comment| comment.next_line);
    let beside = on(first).chain(on(last)).filter(|comment| comment.own_line);
    above.chain(beside).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Detector;
    use super::*;
    use crate::rules::examples::expand;

    /// The comment that allows the only finding of `text`, and what it gives as the reason.
    fn allowed(text: &str) -> Option<(Marker, String)> {
        let text = expand(text);
        let detector = Detector::new(&RuleSet::builtin());
        let findings = detector.scan(&Blob::whole(&Origin::Stdin, text.as_bytes()));
        let [finding] = findings.as_slice() else {
            panic!("{} findings in {text}", findings.len());
        };
        let all: Option<Vec<&Allow>> = finding
            .occurrences
            .iter()
            .map(|it| it.allow.as_ref())
            .collect();
        all?.first()
            .map(|it| (it.marker, it.reason.clone().unwrap_or_default()))
    }

    fn ours(reason: &str) -> Option<(Marker, String)> {
        Some((Marker::Straykey, reason.to_owned()))
    }

    const ID: &str = "AWS_ACCESS_KEY_ID=${AKID}";
    const SECRET: &str = "AWS_SECRET_ACCESS_KEY=${SECRET}";

    #[test]
    fn any_style_of_comment_will_do() {
        for (before, after) in [
            ("#", ""),
            ("//", ""),
            ("/*", "*/"),
            ("<!--", "-->"),
            ("--", ""),
            (";", ""),
            ("%", ""),
            ("'", ""),
            ("(*", "*)"),
            ("{-", "-}"),
            ("{#", "#}"),
            ("REM", ""),
        ] {
            let comment = format!("{before} straykey:allow a sample, not a key {after}");
            let beside = format!("{ID} {comment}\n");
            let above = format!("  {comment}\n{ID}\n");
            assert_eq!(allowed(&beside), ours("a sample, not a key"), "{beside}");
            assert_eq!(allowed(&above), ours("a sample, not a key"), "{above}");
            let far = format!("{comment}\n\n{ID}\n");
            assert_eq!(allowed(&far), None, "{far}");
        }
        assert_eq!(
            allowed(&format!("\"//\": \"straykey:allow sample\",\n{ID}")),
            ours("sample")
        );
    }

    #[test]
    fn a_comment_beside_something_does_not_reach_the_next_line() {
        let text = format!("name = 1 # straykey:allow\n{ID}\n");
        assert_eq!(allowed(&text), None);
    }

    #[test]
    fn a_pair_is_allowed_at_its_secret_or_by_the_name_of_its_rule() {
        assert_eq!(allowed(&format!("{ID} # straykey:allow\n{SECRET}\n")), None);
        assert_eq!(
            allowed(&format!("# straykey:allow\n{ID}\n{SECRET}\n")),
            None
        );
        assert_eq!(allowed(&format!("{ID} # gitleaks:allow\n{SECRET}\n")), None);
        assert_eq!(
            allowed(&format!("{ID}\n{SECRET} # straykey:allow\n")),
            ours("")
        );
        assert_eq!(
            allowed(&format!("{ID}\n# straykey:allow x\n{SECRET}\n")),
            ours("x")
        );
        let named = "straykey:allow aws-access-key-pair: demo";
        assert_eq!(
            allowed(&format!("{ID} # {named}\n{SECRET}\n")),
            ours("demo")
        );
        assert_eq!(
            allowed(&format!("# {named}\n{ID}\n{SECRET}\n")),
            ours("demo")
        );
        let other = "straykey:allow aws-access-key-id";
        assert_eq!(
            allowed(&format!("{ID} # {other}\n{SECRET} # {other}\n")),
            None
        );
        assert_eq!(allowed(&format!("{ID} # {other}\n")), ours(""));
    }

    #[test]
    fn comments_of_other_scanners_reach_as_far_as_there() {
        let marker = |text: String| allowed(&text).map(|(marker, _)| marker);
        let secrets = Some(Marker::DetectSecrets);
        assert_eq!(
            marker(format!("{ID} # gitleaks:allow")),
            Some(Marker::Gitleaks)
        );
        assert_eq!(marker(format!("# gitleaks:allow\n{ID}")), None);
        assert_eq!(
            marker(format!("{ID} // trufflehog:ignore")),
            Some(Marker::Trufflehog)
        );
        assert_eq!(marker(format!("# trufflehog:ignore\n{ID}")), None);
        assert_eq!(marker(format!("{ID} # pragma: allowlist secret")), secrets);
        assert_eq!(marker(format!("{ID} # pragma: whitelist secret")), secrets);
        assert_eq!(marker(format!("# pragma: allowlist secret\n{ID}")), None);
        assert_eq!(
            marker(format!("# pragma: allowlist nextline secret\n{ID}")),
            secrets
        );
        assert_eq!(
            marker(format!("{ID} # pragma: allowlist nextline secret")),
            None
        );
        assert_eq!(
            marker(format!("x=1 # pragma: allowlist nextline secret\n{ID}")),
            None
        );
        assert_eq!(marker(format!("{ID} # pragma: allowlist anything")), None);
        let both = format!("{ID} # gitleaks:allow straykey:allow");
        assert_eq!(marker(both), Some(Marker::Straykey));
    }

    #[test]
    fn every_place_needs_its_own_comment() {
        assert_eq!(allowed(&format!("{ID} # straykey:allow\n\n{ID}\n")), None);
        let both = format!("{ID} # straykey:allow\n\n{ID} # straykey:allow\n");
        assert_eq!(allowed(&both), ours(""));
    }

    #[test]
    fn what_only_looks_like_a_comment_allows_nothing() {
        assert_eq!(allowed(&format!("{ID} # straykey:allowed")), None);
        assert_eq!(allowed(&format!("{ID} # straykey:allow-list")), None);
        let long = format!("{ID} {} # straykey:allow", "x ".repeat(LONGEST_LINE / 2));
        assert_eq!(allowed(&long), None);
    }
}
