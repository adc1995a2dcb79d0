//! Where the keywords of a rule are worth looking for: worked out of its expression when the
//! library's index is made.

use regex_syntax::hir::{Hir, HirKind};

use super::grams::SHORTEST;
use super::prefilter::signs;
use super::runs::{BEFORE_VALUE, START, VALUE, is_mark, is_token, is_word};
use super::shape::{ByteSet, Head, WAYS_LIMIT, always_contains, heads, rare_byte};
use crate::rules::pattern::Search;
use crate::rules::regex;

/// Most often that a match may have no digit and no `+` in its run, by its classes of characters.
const WITHOUT_MARK: f64 = 0.001;

/// Where `keywords`, in lower case, are to be looked for.
pub(super) fn search(expression: &str, keywords: &[String]) -> Search {
    let Ok(hir) = regex::parse(expression) else {
        return Search::Everywhere;
    };
    let words: Vec<Vec<u8>> = keywords
        .iter()
        .map(|keyword| keyword.clone().into_bytes())
        .collect();
    let ways = heads(&hir).unwrap_or_default();
    let offset = |head: &Head| head.first_of(&words).map(|(_, offset)| offset);
    let all = |holds: &dyn Fn(&Head, usize) -> bool| {
        !ways.is_empty()
            && ways
                .iter()
                .all(|head| offset(head).is_some_and(|at| holds(head, at)))
    };
    let run = leading_run(&hir);
    let url = |word: &Vec<u8>| word.ends_with(b"://") || word.ends_with(b"+");
    if run >= START && all(&begins_word) {
        Search::Start
    } else if words.iter().all(url) && rare_byte(&hir, &words) == Some(b'@') {
        Search::Url
    } else if all(&|head, _| has_value(&head.bytes))
        || stands_before_value(&hir, &words)
        || is_short_with_value(&hir, &words)
    {
        Search::Near
    } else if !words.iter().all(|word| signs(word) > 0) && !all(&begins_part) {
        Search::Everywhere
    } else {
        let long = |word: &Vec<u8>| word.len() >= signs(word) + SHORTEST;
        assert!(
            words.iter().all(long),
            "{expression}: a keyword is too short"
        );
        Search::Word
    }
}

/// Whether a word begins at `at` of every match that begins so.
fn begins_word(head: &Head, at: usize) -> bool {
    let begins = match at.checked_sub(1) {
        None => head.boundary || head.edge,
        Some(before) => before == 0 && head.bytes[0].bytes().all(|byte| !is_word(byte)),
    };
    let first = head.bytes.get(at);
    begins && first.is_some_and(|set| set.bytes().all(is_word))
}

/// Whether no letter or digit stands before `at` in matches that begin so. What stands before the
/// match is not asked: a keyword must begin a part of a name.
fn begins_part(head: &Head, at: usize) -> bool {
    let sign = |set: &ByteSet| set.bytes().all(|byte| !byte.is_ascii_alphanumeric());
    at == 0 || sign(&head.bytes[at - 1])
}

/// Length of the run of token characters that every match of `hir` begins with; what stands
/// before a word that must begin is not counted.
fn leading_run(hir: &Hir) -> usize {
    let HirKind::Concat(parts) = hir.kind() else {
        return leading(hir).0;
    };
    let before = |part: &Hir| part.properties().maximum_len() <= Some(1);
    let parts = match parts.split_first() {
        Some((first, rest)) if before(first) => rest,
        _ => parts,
    };
    leading_of(parts).0
}

/// How many token characters every match begins with, and whether it is nothing else.
fn leading(hir: &Hir) -> (usize, bool) {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => (0, true),
        HirKind::Literal(literal) => {
            let run = literal.0.iter().take_while(|&&byte| is_token(byte)).count();
            (run, run == literal.0.len())
        }
        HirKind::Class(class) => match ByteSet::of(class).bytes().all(is_token) {
            true => (1, true),
            false => (0, false),
        },
        HirKind::Capture(capture) => leading(&capture.sub),
        HirKind::Concat(parts) => leading_of(parts),
        HirKind::Alternation(parts) => parts
            .iter()
            .map(leading)
            .reduce(|one, other| (one.0.min(other.0), one.1 && other.1))
            .unwrap_or_default(),
        HirKind::Repetition(repetition) => match leading(&repetition.sub) {
            (run, true) => (run * repetition.min as usize, true),
            (run, false) => (run * repetition.min.min(1) as usize, false),
        },
    }
}

fn leading_of(parts: &[Hir]) -> (usize, bool) {
    let mut all = 0;
    for part in parts {
        let (run, whole) = leading(part);
        all += run;
        if !whole {
            return (all, false);
        }
    }
    (all, true)
}

/// Whether one of `words` is in what comes before the value, and that is short.
fn stands_before_value(hir: &Hir, words: &[Vec<u8>]) -> bool {
    let HirKind::Concat(parts) = hir.kind() else {
        return false;
    };
    let mut before = 0;
    for (number, part) in parts.iter().enumerate() {
        let rest = Hir::concat(parts[number..].to_vec());
        let begins_value = |track: &Vec<ByteSet>| {
            let run = track.iter().take_while(|set| set.bytes().all(is_token));
            is_value(&run.copied().collect::<Vec<_>>())
        };
        if tracks(&rest).iter().all(begins_value) {
            return always_contains(&Hir::concat(parts[..number].to_vec()), words);
        }
        before += part.properties().maximum_len().unwrap_or(BEFORE_VALUE + 1);
        if before > BEFORE_VALUE {
            return false;
        }
    }
    false
}

/// Whether matches are short and hold both one of `words` and a value.
fn is_short_with_value(hir: &Hir, words: &[Vec<u8>]) -> bool {
    let longest = hir.properties().maximum_len();
    longest.is_some_and(|longest| longest <= BEFORE_VALUE)
        && always_contains(hir, words)
        && tracks(hir).iter().all(|track| has_value(track))
}

/// Whether there is a run of token characters with, almost surely, a digit or `+`.
fn has_value(sets: &[ByteSet]) -> bool {
    sets.split(|set| !set.bytes().all(is_token)).any(is_value)
}

fn is_value(run: &[ByteSet]) -> bool {
    let without: f64 = run
        .iter()
        .map(|set| {
            let all = set.bytes().count() as f64;
            1.0 - set.bytes().filter(|&byte| is_mark(byte)).count() as f64 / all
        })
        .product();
    run.len() >= VALUE && without <= WITHOUT_MARK
}

/// The least that matches are made of, with any byte for what may or may not be there: a break of
/// every run.
fn tracks(hir: &Hir) -> Vec<Vec<ByteSet>> {
    let gap = || vec![vec![ByteSet::ALL]];
    let tracks = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![Vec::new()],
        HirKind::Literal(literal) => {
            vec![literal.0.iter().map(|&byte| ByteSet::one(byte)).collect()]
        }
        HirKind::Class(class) => vec![vec![ByteSet::of(class)]],
        HirKind::Capture(capture) => tracks(&capture.sub),
        HirKind::Concat(parts) => parts.iter().map(tracks).fold(vec![Vec::new()], product),
        HirKind::Alternation(parts) => parts.iter().flat_map(tracks).collect(),
        HirKind::Repetition(repetition) => {
            let sub = tracks(&repetition.sub);
            let times = repetition.min.min(100);
            let sure = (0..times).fold(vec![Vec::new()], |all, _| product(all, sub.clone()));
            // More of a run's characters make it longer only.
            let fixed = repetition.max == Some(repetition.min) || leading(&repetition.sub).1;
            match fixed {
                true => sure,
                false => product(sure, gap()),
            }
        }
    };
    if tracks.is_empty() || tracks.len() > WAYS_LIMIT {
        return gap();
    }
    tracks
}

fn product(before: Vec<Vec<ByteSet>>, after: Vec<Vec<ByteSet>>) -> Vec<Vec<ByteSet>> {
    if before.len() * after.len() > WAYS_LIMIT {
        return vec![vec![ByteSet::ALL]];
    }
    before
        .iter()
        .flat_map(|start| {
            after
                .iter()
                .map(move |end| [start.as_slice(), end].concat())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::detect::generic::Engine;
    use crate::finding::Confidence;
    use crate::rules::{RuleSet, library};

    #[test]
    fn the_index_says_what_the_files_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rules/index.rs");
        let expected = library::index(search);
        if std::env::var_os("UPDATE_INDEX").is_some() {
            std::fs::write(path, expected).unwrap();
            return;
        }
        let there = std::fs::read_to_string(path).unwrap();
        assert!(
            there == expected,
            "patterns/ has changed: UPDATE_INDEX=1 cargo test --lib the_index"
        );
    }

    #[test]
    fn only_one_rule_is_looked_for_everywhere() {
        let index = library::index(search);
        let everywhere: Vec<&str> = index
            .lines()
            .filter(|it| it.contains(" Everywhere, "))
            .collect();
        // It is off by default; another one would make every scan half as fast.
        assert!(matches!(&everywhere[..], [one] if one.contains("\"generic-api-key\", Low")));
    }

    #[test]
    fn knows_where_to_look() {
        for (expression, keyword, expected) in [
            (r"\b(ghp_[0-9A-Za-z]{36})\b", "ghp_", Search::Start),
            (r"(?:^|[^\w-])(sk-[\w-]{40})", "sk-", Search::Start),
            (r"(ghp_[0-9A-Za-z]{46})\b", "ghp_", Search::Near),
            (r"\b(sk-[0-9A-Za-z]{9})\b", "sk-", Search::Word),
            (r"\b(SG\.[\w-]{22}\.[\w-]{43})", "sg.", Search::Start),
            (r"\b(xoxb-(?:\d{10,13}-){2}\w+)", "xoxb-", Search::Start),
            (r"\b([0-9a-f]{32}-us\d)", "-us", Search::Near),
            (r"(?i:team)[ =]{1,9}([0-9a-f]{32})", "team", Search::Near),
            (r"(?i:team)[ =]{1,999}([0-9a-f]{32})", "team", Search::Word),
            (r"(?i:team)[ =]{1,9}([0-9A-Za-z]{20})", "team", Search::Word),
            (r"\b(?:ftp)://\w{1,9}:(\w+)@", "ftp://", Search::Url),
        ] {
            assert_eq!(
                search(expression, &[keyword.into()]),
                expected,
                "{expression}"
            );
        }
    }

    /// Random bytes from a seed.
    struct Random(u64);

    impl Random {
        fn below(&mut self, limit: usize) -> usize {
            self.0 = self
                .0
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (self.0 >> 33) as usize % limit
        }
    }

    /// Adds a text that `hir` matches, but for what it says of the neighbours.
    fn sample(hir: &Hir, random: &mut Random, text: &mut Vec<u8>) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => text.extend_from_slice(&literal.0),
            HirKind::Class(class) => {
                let bytes: Vec<u8> = ByteSet::of(class).bytes().filter(u8::is_ascii).collect();
                text.push(bytes[random.below(bytes.len())]);
            }
            HirKind::Capture(capture) => sample(&capture.sub, random, text),
            HirKind::Concat(parts) => {
                for part in parts {
                    sample(part, random, text);
                }
            }
            HirKind::Alternation(parts) => sample(&parts[random.below(parts.len())], random, text),
            HirKind::Repetition(repetition) => {
                let most = repetition.max.unwrap_or(repetition.min + 20) as usize;
                let least = repetition.min as usize;
                let times = match random.below(3) {
                    0 => least,
                    1 => most,
                    _ => least + random.below(most + 1 - least),
                };
                for _ in 0..times {
                    sample(&repetition.sub, random, text);
                }
            }
        }
    }

    /// What the search for runs and fragments leaves out, measured against texts made from the
    /// expressions themselves.
    #[test]
    fn no_match_is_overlooked() {
        let engine = Engine::new(&RuleSet::builtin().with_confidence(Confidence::Low));
        let mut random = Random(1);
        let mut missed: BTreeMap<&str, usize> = BTreeMap::new();
        let mut tried = 0;
        for (number, rule) in engine.rules.iter().enumerate() {
            let expression = rule.pattern().regex.clone().unwrap();
            let hir = regex::parse(&expression).unwrap();
            let compiled = rule.matcher().unwrap();
            let mut matching = 0;
            for turn in 0..400 {
                let before: [&[u8]; 2] = [b"\n", b"\nx = 1; "];
                let mut text = before[turn % 2].to_vec();
                if rule.pattern().near_keyword {
                    let keywords = &rule.pattern().keywords;
                    text.extend_from_slice(keywords[turn % keywords.len()].as_bytes());
                    text.extend_from_slice(b": ");
                }
                sample(&hir, &mut random, &mut text);
                text.extend_from_slice(b" \n");
                if !compiled.regex.is_match(&text) {
                    continue;
                }
                matching += 1;
                let mut hit = false;
                engine
                    .prefilter
                    .search(&text, |used, _| hit |= used.rule as usize == number);
                if !hit {
                    *missed.entry(rule.handle.id()).or_default() += 1;
                }
            }
            assert!(matching > 0, "{}: no text was made", rule.handle.id());
            tried += matching;
        }
        let all: usize = missed.values().sum();
        assert!(all * 2_000 <= tried, "{all} of {tried}: {missed:?}");
        assert!(missed.values().all(|&count| count <= 4), "{missed:?}");
    }
}
