//! Finds the keys of every other provider: what rules say by regular expressions.
//!
//! One pass over the bytes finds the keywords of all rules (`prefilter`): most of them only where a
//! word or a long run of token characters begins (`runs`, `fingerprint`, `grams`). A rule is read and compiled when
//! the first of its keywords is met, and its expression sees only the text near the keyword that a
//! match can reach (`shape`). What it matches is then looked at more closely: entropy, checksum,
//! structure, placeholders, allowlists.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod block;
mod compile;
#[cfg(test)]
mod contexts;
mod fingerprint;
mod grams;
mod likeness;
mod manifest;
mod nearby;
mod notice;
#[cfg(test)]
mod place;
mod places;
mod prefilter;
mod report;
mod runs;
mod shape;
mod structure;

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use compile::{Anchor, Compiled, Filter, Matcher, PathOf, Plan, Subject};
use grams::Use;
use prefilter::Prefilter;
use structure::Candidate;

use regex_automata::util::captures::Captures;

use crate::finding::{Finding, Occurrence};
use crate::rules::{RuleHandle, RuleSet, TargetedAllowlist};
use crate::source::Blob;

/// Finds what the pattern rules of a set describe. Cheap to clone; shared by all threads.
#[derive(Clone, Debug)]
pub struct GenericDetector(Arc<Engine>);

#[derive(Debug)]
struct Engine {
    rules: Vec<Compiled>,
    prefilter: Prefilter,
    /// Rules without a keyword that the prefilter can look for.
    ungated: Vec<usize>,
    /// Filters for whatever rule.
    filters: Vec<Filter>,
    /// Filters for rules that are not patterns, with the ids of those rules.
    others: Vec<(Vec<Arc<str>>, Filter)>,
}

/// What a rule matched.
#[derive(Clone, Debug)]
struct Match {
    rule: usize,
    whole: Range<usize>,
    secret: Range<usize>,
    /// How far from the secret the keyword stands, in bytes, where the expression does not say; the
    /// most where it does: a rule that asks for a name knows more than one that goes by the form.
    distance: usize,
}

impl GenericDetector {
    /// A detector for the rules of `rules` that are on.
    #[must_use]
    pub fn new(rules: &RuleSet) -> Self {
        Self(Arc::new(Engine::new(rules)))
    }

    /// Every secret whose match begins in the blob's core, sorted by first place.
    #[must_use]
    pub fn scan(&self, blob: &Blob<'_>) -> Vec<Finding> {
        self.0.scan(blob)
    }

    /// Whether anything in the blob is worth a close look; near `changed`, if that is given.
    pub(crate) fn notices(&self, bytes: &[u8], changed: Option<&[Range<usize>]>) -> bool {
        self.0.notices(bytes, changed)
    }

    /// Whether a file's path or commit says that nothing in it is a finding.
    pub(crate) fn allows_blob(&self, blob: &Blob<'_>) -> bool {
        if self.0.filters.is_empty() {
            return false;
        }
        let shown = blob.origin.path();
        let path = PathOf::new(blob.origin, &shown);
        let mut filters = self.0.filters.iter();
        filters.any(|filter| filter.allows_blob(path, blob.origin.commit()))
    }

    /// Whether a condition on paths or commits may leave out a finding of the rule `id`.
    pub(crate) fn depends_on_place(&self, id: &str) -> bool {
        let engine = &self.0;
        let named = |ids: &[Arc<str>]| ids.iter().any(|it| **it == *id);
        let of_rule = |rule: &&Compiled| *rule.handle.id() == *id;
        let mut others = engine.others.iter();
        engine.filters.iter().any(Filter::is_about_places)
            || others.any(|(ids, filter)| named(ids) && filter.is_about_places())
            || engine.rules.iter().find(of_rule).is_some_and(|rule| {
                rule.pattern().path.is_some() || rule.filters().iter().any(Filter::is_about_places)
            })
    }

    /// Ids of the rules that look at paths alone.
    pub(crate) fn path_rules(&self) -> Vec<Arc<str>> {
        let ungated = self.0.ungated.iter().map(|&rule| &self.0.rules[rule]);
        let without_text = ungated.filter(|rule| rule.pattern().regex.is_none());
        without_text.map(|rule| rule.rule().id.clone()).collect()
    }

    /// Takes out the places of another detector's finding that an allowlist, for all rules or for
    /// its own, says are none. Whether any is left.
    pub(crate) fn keeps(&self, blob: &Blob<'_>, finding: &mut Finding) -> bool {
        let engine = &self.0;
        if engine.filters.is_empty() && engine.others.is_empty() {
            return true;
        }
        let allowed = |subject: &Subject<'_>| {
            let mut others = engine.others.iter();
            engine.filters.iter().any(|filter| filter.allows(subject))
                || others.any(|(ids, filter)| ids.contains(&finding.rule) && filter.allows(subject))
        };
        let places = &finding.occurrences;
        let kept: Vec<Occurrence> = places
            .iter()
            .filter(|place| !report::any_value(blob, &finding.credential, place, allowed))
            .cloned()
            .collect();
        finding.occurrences = kept;
        !finding.occurrences.is_empty()
    }
}

impl Engine {
    fn new(set: &RuleSet) -> Self {
        let needed: HashSet<&str> = set.enabled().flat_map(RuleHandle::required).collect();
        let mut engine = Self {
            rules: Vec::new(),
            prefilter: Prefilter::default(),
            ungated: Vec::new(),
            filters: Vec::new(),
            others: Vec::new(),
        };
        for rule in set.rules() {
            let wanted = rule.is_enabled() || needed.contains(rule.id());
            if rule.is_pattern() && wanted {
                let names =
                    |list: &&TargetedAllowlist| list.rules.iter().any(|id| **id == *rule.id());
                let named = set.allowlists().iter().filter(names);
                let lists = named.map(|list| list.allowlist.clone()).collect();
                engine.rules.push(Compiled::new(rule, lists));
            }
        }
        for list in set.allowlists() {
            let filter = Filter::new(&list.allowlist);
            match list.rules.is_empty() {
                true => engine.filters.push(filter),
                false => engine.others.push((list.rules.clone(), filter)),
            }
        }
        engine.index_keywords();
        engine
    }

    fn index_keywords(&mut self) {
        for (index, rule) in self.rules.iter().enumerate() {
            let keywords = rule.handle.keywords();
            let short = keywords.iter().any(|word| word.len() < grams::SHORTEST);
            if keywords.is_empty() || short {
                self.ungated.push(index);
                continue;
            }
            for (place, keyword) in keywords.into_iter().enumerate() {
                let used = Use {
                    rule: index as u32,
                    keyword: place as u32,
                };
                let search = rule.handle.search();
                self.prefilter.add(search, keyword.as_bytes(), used);
            }
        }
        self.prefilter.finish();
    }

    fn scan(&self, blob: &Blob<'_>) -> Vec<Finding> {
        let shown = blob.origin.path();
        let mut pass = Pass {
            engine: self,
            text: blob.bytes,
            path: PathOf::new(blob.origin, &shown),
            commit: blob.origin.commit(),
            matches: Vec::new(),
            searched: HashMap::new(),
            whole: HashSet::new(),
        };
        self.prefilter.search(blob.bytes, |used, at| {
            pass.keyword(used.rule as usize, used.keyword as usize, at);
        });
        for &rule in &self.ungated {
            pass.ungated(rule);
        }
        let mut whole: Vec<usize> = pass.whole.iter().copied().collect();
        whole.sort_unstable();
        for rule in whole {
            pass.search_all(rule);
        }
        if pass.matches.is_empty() {
            return Vec::new();
        }
        let mut matches = pass.matches;
        matches.sort_by_key(|found| (found.secret.start, found.secret.end, found.rule));
        report::findings(self, blob, matches)
    }
}

/// One pass over one blob.
struct Pass<'p> {
    engine: &'p Engine,
    text: &'p [u8],
    path: PathOf<'p>,
    commit: Option<&'p str>,
    matches: Vec<Match>,
    /// For each rule: up to where no further match may begin.
    searched: HashMap<usize, usize>,
    /// Rules to be run on the whole text.
    whole: HashSet<usize>,
}

impl Pass<'_> {
    /// Keyword number `keyword` of `rule` stands at `at`.
    fn keyword(&mut self, rule: usize, keyword: usize, at: usize) {
        let compiled = &self.engine.rules[rule];
        let Some(matcher) = compiled.matcher() else {
            return;
        };
        match &matcher.plan {
            Plan::Anchored(anchors, longest) => {
                for anchor in &anchors[keyword] {
                    self.anchored(rule, matcher, anchor, *longest, at);
                }
            }
            Plan::Near(longest, rare) => {
                let length = compiled.pattern().keywords[keyword].len();
                let start = at.saturating_sub(longest.saturating_sub(length));
                let end = self.text.len().min(at + longest + 2);
                let rare_there =
                    rare.is_none_or(|byte| memchr::memchr(byte, &self.text[start..end]).is_some());
                if rare_there {
                    self.search(rule, matcher, start..end, at);
                }
            }
            Plan::Nearby => {
                let length = compiled.pattern().keywords[keyword].len();
                self.nearby(rule, matcher, at..at + length);
            }
            Plan::Anywhere => drop(self.whole.insert(rule)),
        }
    }

    /// The values near the keyword at `name`.
    fn nearby(&mut self, rule: usize, matcher: &Matcher, name: Range<usize>) {
        let searched = self.searched.get(&rule).copied().unwrap_or(0);
        for captures in matcher.values(self.text, &name, searched) {
            let known = self.matches.len();
            self.take(rule, matcher, &captures);
            for found in &mut self.matches[known..] {
                found.distance = nearby::distance(&name, &found.secret);
            }
        }
    }

    fn anchored(
        &mut self,
        rule: usize,
        matcher: &Matcher,
        anchor: &Anchor,
        longest: usize,
        at: usize,
    ) {
        let Some(start) = at.checked_sub(anchor.offset) else {
            return;
        };
        if !anchor.head.fits(self.text, start)
            || self.searched.get(&rule).is_some_and(|&end| start < end)
        {
            return;
        }
        let end = self.text.len().min(start + longest + 2);
        if let Some(captures) = matcher.captures(self.text, start..end, true) {
            self.take(rule, matcher, &captures);
        }
    }

    /// All matches in `range` that are not known yet.
    fn search(&mut self, rule: usize, matcher: &Matcher, range: Range<usize>, keyword: usize) {
        let mut start = range.start;
        loop {
            start = start.max(self.searched.get(&rule).copied().unwrap_or(0));
            if start > keyword || start >= range.end {
                return;
            }
            let Some(captures) = matcher.captures(self.text, start..range.end, false) else {
                return;
            };
            self.take(rule, matcher, &captures);
        }
    }

    fn search_all(&mut self, rule: usize) {
        let Some(matcher) = self.engine.rules[rule].matcher() else {
            return;
        };
        let mut start = 0;
        while start <= self.text.len() {
            let Some(captures) = matcher.captures(self.text, start..self.text.len(), false) else {
                return;
            };
            self.take(rule, matcher, &captures);
            start = self.searched.get(&rule).copied().unwrap_or(usize::MAX);
        }
    }

    /// A rule whose keywords, if it has any, are too short for the prefilter.
    fn ungated(&mut self, rule: usize) {
        let compiled = &self.engine.rules[rule];
        if compiled.pattern().regex.is_none() {
            let is_file = matches!(self.path, PathOf::File(_));
            let wanted = is_file && compiled.pattern().path.is_some() && compiled.is_for(self.path);
            if wanted && self.allowed(rule, &(0..0), &(0..0)) {
                return;
            }
            if wanted {
                self.matches.push(Match {
                    rule,
                    whole: 0..0,
                    secret: 0..0,
                    distance: usize::MAX,
                });
            }
            return;
        }
        let keywords = &compiled.pattern().keywords;
        let there = |word: &String| {
            let word = word.as_bytes();
            let mut windows = self.text.windows(word.len());
            windows.any(|window| window.eq_ignore_ascii_case(word))
        };
        if keywords.is_empty() || keywords.iter().any(there) {
            self.whole.insert(rule);
        }
    }

    /// Looks closely at what `rule` matched.
    fn take(&mut self, rule: usize, matcher: &Matcher, captures: &Captures) {
        let Some(found) = captures.get_match() else {
            return;
        };
        // An empty match must not be found for ever.
        let end = found.end().max(found.start() + 1);
        self.searched.insert(rule, end);
        let compiled = &self.engine.rules[rule];
        let whole = trim_line_feeds(self.text, found.range());
        let secret = matcher.secret(captures, &whole);
        let Some(secret) = self.looks_real(compiled, &whole, secret) else {
            return;
        };
        if compiled.is_for(self.path) && !self.allowed(rule, &whole, &secret) {
            self.matches.push(Match {
                rule,
                whole,
                secret,
                distance: usize::MAX,
            });
        }
    }

    /// Where the secret stands, if entropy, checksum and structure speak for it.
    fn looks_real(
        &self,
        compiled: &Compiled,
        whole: &Range<usize>,
        secret: Range<usize>,
    ) -> Option<Range<usize>> {
        let pattern = compiled.pattern();
        let bytes = &self.text[secret.clone()];
        let random = pattern
            .entropy
            .is_none_or(|least| likeness::entropy(bytes) > least);
        let sums = pattern
            .checksum
            .is_none_or(|checksum| structure::checksum_holds(checksum, bytes));
        if !random || !sums || (pattern.refuse_placeholders && likeness::is_placeholder(bytes)) {
            return None;
        }
        let near = pattern.near_keyword;
        if near && (nearby::is_public(self.text, &secret) || nearby::is_words(bytes)) {
            return None;
        }
        let candidate = Candidate {
            text: self.text,
            whole: whole.clone(),
            secret,
        };
        match pattern.structure {
            Some(structure) => structure::check(structure, &candidate),
            None if pattern.builtin && block::is_line_of_block(self.text, &candidate.secret) => {
                None
            }
            None => Some(candidate.secret),
        }
    }

    fn allowed(&self, rule: usize, whole: &Range<usize>, secret: &Range<usize>) -> bool {
        let subject = Subject {
            path: self.path,
            commit: self.commit,
            secret: &self.text[secret.clone()],
            whole: &self.text[whole.clone()],
            line: report::lines(self.text, whole),
        };
        let own = self.engine.rules[rule].filters().iter();
        let all = self.engine.filters.iter();
        own.chain(all).any(|filter| filter.allows(&subject))
    }
}

/// gitleaks does not count line feeds at the ends as part of a match.
fn trim_line_feeds(text: &[u8], range: Range<usize>) -> Range<usize> {
    let bytes = &text[range.clone()];
    let start = bytes.iter().take_while(|&&byte| byte == b'\n').count();
    let end = bytes[start..]
        .iter()
        .rev()
        .take_while(|&&byte| byte == b'\n')
        .count();
    range.start + start..range.end - end
}

#[cfg(test)]
mod tests;
