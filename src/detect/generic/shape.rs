//! What a regular expression says of the text that it matches: its length, the words that are in
//! every match, and the bytes it begins with. From this the engine knows how little it needs to
//! look at.

use regex_syntax::hir::{Class, Hir, HirKind, Look};

/// Longest beginning that is compared by hand.
const HEAD_LIMIT: usize = 100;
/// Most ways in which an expression may begin, or strings that it may stand for.
pub(super) const WAYS_LIMIT: usize = 96;
/// Most strings that matches are taken to be made of.
const SKELETONS: usize = 512;

/// A set of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    /// Its members.
    pub(super) fn bytes(self) -> impl Iterator<Item = u8> {
        (0..=255).filter(move |&byte| self.has(byte))
    }

    pub(super) fn one(byte: u8) -> Self {
        let mut set = Self([0; 4]);
        set.add(byte);
        set
    }

    fn add(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(super) fn has(self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    pub(super) fn of(class: &Class) -> Self {
        let mut set = Self([0; 4]);
        // Simplified expressions hold classes of characters, which are ASCII: expressions are
        // parsed for bytes. Where one is not, all bytes is the safe answer.
        let bytes = match class {
            Class::Bytes(class) => Some(class.clone()),
            Class::Unicode(class) => class.to_byte_class(),
        };
        match bytes {
            Some(class) => class
                .ranges()
                .iter()
                .flat_map(|range| range.start()..=range.end())
                .for_each(|byte| set.add(byte)),
            None => set = Self::ALL,
        }
        set
    }

    /// Its members with letters in lower case, each once.
    fn folded(self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.bytes().map(|byte| byte.to_ascii_lowercase()).collect();
        bytes.sort_unstable();
        bytes.dedup();
        bytes
    }
}

/// One way in which a match may begin.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Head {
    /// What each of the first bytes may be.
    pub(super) bytes: Vec<ByteSet>,
    /// Whether a word must begin there.
    pub(super) boundary: bool,
    /// Whether the text or a line must begin there.
    pub(super) edge: bool,
    /// Nothing after this is of fixed length.
    ended: bool,
}

/// All ways in which a match of `hir` may begin, or none if they are too many.
pub(super) fn heads(hir: &Hir) -> Option<Vec<Head>> {
    let mut heads = vec![Head::default()];
    extend(hir, &mut heads)?;
    Some(heads)
}

fn extend(hir: &Hir, heads: &mut Vec<Head>) -> Option<()> {
    if heads.iter().all(|head| head.ended) {
        return Some(());
    }
    match hir.kind() {
        HirKind::Empty => {}
        HirKind::Look(look) => {
            let edge = matches!(look, Look::Start | Look::StartLF | Look::StartCRLF);
            for head in heads.iter_mut().filter(|head| head.bytes.is_empty()) {
                head.boundary |= *look == Look::WordAscii;
                head.edge |= edge;
            }
        }
        HirKind::Literal(literal) => {
            for &byte in &literal.0 {
                push(heads, ByteSet::one(byte));
            }
        }
        HirKind::Class(class) => choices(ByteSet::of(class), heads)?,
        HirKind::Capture(capture) => extend(&capture.sub, heads)?,
        HirKind::Concat(parts) => {
            for part in parts {
                extend(part, heads)?;
            }
        }
        HirKind::Alternation(parts) => {
            let mut all = Vec::new();
            for part in parts {
                let mut ways = heads.clone();
                extend(part, &mut ways)?;
                all.append(&mut ways);
            }
            *heads = all;
        }
        HirKind::Repetition(repetition) => repeat(repetition, heads)?,
    }
    (heads.len() <= WAYS_LIMIT).then_some(())
}

fn repeat(repetition: &regex_syntax::hir::Repetition, heads: &mut Vec<Head>) -> Option<()> {
    let without = (repetition.min == 0 && repetition.max == Some(1)).then(|| heads.clone());
    let times = if without.is_some() { 1 } else { repetition.min };
    for _ in 0..times.min(HEAD_LIMIT as u32) {
        extend(&repetition.sub, heads)?;
    }
    match without {
        Some(mut without) => heads.append(&mut without),
        None if repetition.max == Some(repetition.min) => {}
        None => heads.iter_mut().for_each(|head| head.ended = true),
    }
    Some(())
}

/// A small class is so many ways to begin; a large one is a set.
fn choices(set: ByteSet, heads: &mut Vec<Head>) -> Option<()> {
    let folded = set.folded();
    if folded.len() > 6 || folded.len() == 1 {
        push(heads, set);
        return Some(());
    }
    let mut all = Vec::new();
    for byte in folded {
        let mut one = ByteSet([0; 4]);
        for member in [byte, byte.to_ascii_uppercase()] {
            if set.has(member) {
                one.add(member);
            }
        }
        let mut ways = heads.clone();
        push(&mut ways, one);
        all.append(&mut ways);
    }
    *heads = all;
    (heads.len() <= WAYS_LIMIT).then_some(())
}

fn push(heads: &mut [Head], set: ByteSet) {
    for head in heads.iter_mut().filter(|head| !head.ended) {
        head.bytes.push(set);
        head.ended = head.bytes.len() >= HEAD_LIMIT;
    }
}

impl Head {
    /// Where in this beginning `keyword` stands in every match that begins so.
    pub(super) fn offset_of(&self, keyword: &[u8]) -> Option<usize> {
        self.bytes.windows(keyword.len()).position(|sets| {
            sets.iter()
                .zip(keyword)
                .all(|(set, &byte)| set.folded() == [byte])
        })
    }

    /// The first of `keywords` in this beginning: its number and where it stands.
    pub(super) fn first_of(&self, keywords: &[Vec<u8>]) -> Option<(usize, usize)> {
        let places = keywords.iter().enumerate();
        places
            .filter_map(|(number, keyword)| Some((number, self.offset_of(keyword)?)))
            .min_by_key(|&(_, offset)| offset)
    }

    /// Whether `text` begins so at `at`.
    pub(super) fn fits(&self, text: &[u8], at: usize) -> bool {
        let Some(beginning) = text.get(at..at + self.bytes.len()) else {
            return false;
        };
        let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let bounded = || {
            let before = at.checked_sub(1).is_some_and(|before| word(text[before]));
            before != text.get(at).is_some_and(|&byte| word(byte))
        };
        self.bytes
            .iter()
            .zip(beginning)
            .all(|(set, &byte)| set.has(byte))
            && (!self.boundary || bounded())
    }
}

/// Stands for anything in the strings of [`skeletons`]: a byte that no word holds.
const GAP: u8 = 0xFF;

/// Whether every match of `hir` contains one of `keywords`, whatever its case.
pub(super) fn always_contains(hir: &Hir, keywords: &[Vec<u8>]) -> bool {
    skeletons(hir).iter().all(|skeleton| {
        keywords
            .iter()
            .any(|keyword| memchr::memmem::find(skeleton, keyword).is_some())
    })
}

/// A byte that no keyword holds and that is in every match, a rare one if there is.
pub(super) fn rare_byte(hir: &Hir, keywords: &[Vec<u8>]) -> Option<u8> {
    let skeletons = skeletons(hir);
    b"@|!~%&".iter().copied().find(|byte| {
        !keywords.iter().any(|keyword| keyword.contains(byte))
            && skeletons.iter().all(|skeleton| skeleton.contains(byte))
    })
}

/// The strings that matches are made of, in lower case, with a [`GAP`] for what varies.
fn skeletons(hir: &Hir) -> Vec<Vec<u8>> {
    let gap = || vec![vec![GAP]];
    let strings = match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => vec![Vec::new()],
        HirKind::Literal(literal) => vec![literal.0.to_ascii_lowercase()],
        HirKind::Class(class) => {
            let folded = ByteSet::of(class).folded();
            match folded.len() {
                1..=6 => folded.into_iter().map(|byte| vec![byte]).collect(),
                _ => gap(),
            }
        }
        HirKind::Capture(capture) => skeletons(&capture.sub),
        HirKind::Concat(parts) => parts
            .iter()
            .map(skeletons)
            .reduce(|before, after| product(&before, &after))
            .unwrap_or_default(),
        HirKind::Alternation(parts) => parts.iter().flat_map(skeletons).collect(),
        HirKind::Repetition(repetition) => {
            let sub = skeletons(&repetition.sub);
            match (repetition.min, repetition.max) {
                (0, Some(1)) => [vec![Vec::new()], sub].concat(),
                (0, _) => gap(),
                (1, Some(1)) => sub,
                _ => product(&sub, &gap()),
            }
        }
    };
    if strings.len() > SKELETONS {
        return gap();
    }
    strings
}

/// Bytes of the strings, on average.
fn words(strings: &[Vec<u8>]) -> usize {
    let known = strings.iter().flatten().filter(|&&byte| byte != GAP);
    known.count() / strings.len().max(1)
}

fn product(before: &[Vec<u8>], after: &[Vec<u8>]) -> Vec<Vec<u8>> {
    if before.len() * after.len() > SKELETONS {
        // Keeps what is said in more words: what it forgets only makes the engine look further.
        let gap = vec![GAP];
        let joined = |strings: &[Vec<u8>], front: bool| {
            strings
                .iter()
                .map(|string| match front {
                    true => [string.as_slice(), &gap].concat(),
                    false => [gap.as_slice(), string].concat(),
                })
                .collect()
        };
        return match words(before) > words(after) {
            true => joined(before, true),
            false => joined(after, false),
        };
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
    use super::*;
    use crate::rules::regex::parse;

    fn contains(expression: &str, keywords: &[&str]) -> bool {
        let keywords: Vec<Vec<u8>> = keywords
            .iter()
            .map(|word| word.as_bytes().to_vec())
            .collect();
        always_contains(&parse(expression).unwrap(), &keywords)
    }

    #[test]
    fn knows_which_words_are_in_every_match() {
        assert!(contains(r"\b(ghp_[0-9A-Za-z]{36})\b", &["ghp_"]));
        assert!(contains(r"(?i)vercel[\w-]{0,9}=(\d+)", &["vercel"]));
        assert!(contains(r"\b(cf[ua]t_[0-9a-z]{40})", &["cfat_", "cfut_"]));
        assert!(contains(
            r"(?:postgres|mysql)(?:ql)?://",
            &["postgres", "mysql"]
        ));
        let words = [
            "datadog", "dd_api", "dd_app", "dd-api", "dd-app", "ddapi", "ddapp",
        ];
        let name = r"(?i)\b(?:datadog|dd[_-]?(?:api|app))";
        assert!(contains(
            &format!(r#"{name}[\w.-]{{0,40}}["'`]?=(a|b)"#),
            &words
        ));
        assert!(!contains(r"(?:postgres)?://", &["postgres"]));
        assert!(!contains(r"a|b", &["a"]));
        assert!(!contains(r"(?:key|token)\d+", &["secret"]));
    }

    #[test]
    fn knows_how_a_match_begins() {
        let heads = heads(&parse(r"\b([0-9a-f]{2}-us\d{1,2})\b").unwrap()).unwrap();
        assert_eq!(heads.len(), 1);
        assert_eq!(heads[0].offset_of(b"-us"), Some(2));
        assert!(heads[0].fits(b"ab-us1", 0) && !heads[0].fits(b"xab-us1", 1));
        assert!(heads[0].fits(b" 0f-us19", 1) && !heads[0].fits(b"0g-us19", 0));
        assert!(!heads[0].fits(b"ab-us", 0));
    }
}
