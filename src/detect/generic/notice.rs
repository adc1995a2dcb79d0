//! Whether a text holds anything that a rule would look at closely, asked of versions of a text
//! that held nothing of the kind: only what is near a change needs to be looked at.
//!
//! What is asked for is weaker than a finding, and is told from few bytes: a match of a rule's
//! expression, whatever its entropy, structure or surroundings; and of a rule with a long match,
//! a match of how its expression begins. So a text has no finding if nothing is noticed in it, and what is
//! noticed in a version and was not in the text that it was made from stands near a change.

use std::ops::Range;

use regex_automata::meta::Regex;
use regex_automata::{Anchored, Input};
use regex_syntax::hir::{Hir, HirKind};

use super::Engine;
use super::compile::{Compiled, Matcher, Plan};
use super::nearby::FARTHEST;
use crate::rules::pattern::LONGEST_VALUE;
use crate::rules::regex;
use crate::source::widened;

/// How far from a keyword something is noticed, in bytes. Most rules have shorter matches.
const SPAN: usize = 768;
const _: () = assert!(FARTHEST + LONGEST_VALUE <= SPAN);
/// Room for a keyword and the byte on either side of a match that may bound a word.
const EDGE: usize = 128;

impl Engine {
    /// Whether anything is noticed in `text`; near `changed`, if that is given.
    pub(super) fn notices(&self, text: &[u8], changed: Option<&[Range<usize>]>) -> bool {
        if !self.ungated.is_empty() {
            return true;
        }
        let Some(changed) = changed else {
            return self.notices_in(text, 0..text.len());
        };
        let reach = SPAN + EDGE;
        widened(changed, reach, reach, text.len()).any(|range| self.notices_in(text, range))
    }

    fn notices_in(&self, text: &[u8], range: Range<usize>) -> bool {
        let mut noticed = false;
        let start = range.start;
        self.prefilter.search(&text[range], |used, at| {
            noticed = noticed
                || self.rules[used.rule as usize].is_noticed(
                    text,
                    used.keyword as usize,
                    start + at,
                );
        });
        noticed
    }
}

impl Compiled {
    /// Whether its keyword number `keyword`, which stands at `at`, is worth a look.
    fn is_noticed(&self, text: &[u8], keyword: usize, at: usize) -> bool {
        let Some(matcher) = self.matcher() else {
            return false;
        };
        match &matcher.plan {
            Plan::Anchored(anchors, longest) => anchors[keyword].iter().any(|anchor| {
                let Some(start) = at.checked_sub(anchor.offset) else {
                    return false;
                };
                let end = text.len().min(start + longest + 2);
                anchor.head.fits(text, start)
                    && match *longest > SPAN {
                        true => self.begins(matcher, text, start),
                        false => matcher.is_match(text, start..end, true),
                    }
            }),
            Plan::Near(longest, _) if *longest > SPAN => true,
            Plan::Near(longest, rare) => {
                let length = self.pattern().keywords[keyword].len();
                let start = at.saturating_sub(longest.saturating_sub(length));
                let near = start..text.len().min(at + longest + 2);
                let rare_there =
                    rare.is_none_or(|byte| memchr::memchr(byte, &text[near.clone()]).is_some());
                rare_there && matcher.is_match(text, near, false)
            }
            Plan::Nearby => {
                let length = self.pattern().keywords[keyword].len();
                !matcher.values(text, &(at..at + length), 0).is_empty()
            }
            Plan::Anywhere => true,
        }
    }

    /// Whether a match may begin at `start`. Where nothing of the expression is bounded but its
    /// first bytes, which were compared already, it may.
    fn begins(&self, matcher: &Matcher, text: &[u8], start: usize) -> bool {
        let beginning = matcher.beginning.get_or_init(|| {
            let expression = self.pattern().regex.as_ref()?;
            beginning(&regex::parse(expression).ok()?)
        });
        let end = text.len().min(start + SPAN + 2);
        let input = Input::new(text).range(start..end).anchored(Anchored::Yes);
        beginning.as_ref().is_none_or(|regex| regex.is_match(input))
    }
}

impl Matcher {
    fn is_match(&self, text: &[u8], range: Range<usize>, anchored: bool) -> bool {
        self.captures(text, range, anchored).is_some()
    }
}

/// What every match of a concatenation begins with, up to [`SPAN`] bytes of it; `None` where that
/// is no shorter than all, or nothing.
fn beginning(hir: &Hir) -> Option<Regex> {
    let HirKind::Concat(parts) = hir.kind() else {
        return None;
    };
    let mut length = 0;
    let bounded = parts.iter().take_while(|part| {
        let longest = part.properties().maximum_len();
        length = longest.map_or(usize::MAX, |more| more.saturating_add(length));
        length <= SPAN
    });
    let bounded: Vec<Hir> = bounded.cloned().collect();
    if bounded.is_empty() || bounded.len() == parts.len() {
        return None;
    }
    regex::compile(&Hir::concat(bounded).to_string()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::generic::GenericDetector;
    use crate::rules::RuleSet;

    #[test]
    fn few_rules_have_versions_scanned_whole_wherever_their_keyword_stands() {
        let detector = GenericDetector::new(&RuleSet::builtin());
        let is_wide = |rule: &&Compiled| match rule.matcher().map(|it| &it.plan) {
            Some(Plan::Near(longest, _)) => *longest > SPAN,
            Some(Plan::Anywhere) => true,
            _ => false,
        };
        let wide = detector.0.rules.iter().filter(is_wide);
        let mut keywords: Vec<&str> = wide
            .flat_map(|rule| &rule.pattern().keywords)
            .map(|keyword| &**keyword)
            .collect();
        // Each must be rare: whatever holds it is scanned whole, and so is what was made from that.
        let rare = [
            "cleartextpassword",
            "-store-password-in",
            "-storepasswordin",
        ];
        keywords.retain(|keyword| !rare.iter().any(|it| keyword.ends_with(it)));
        assert_eq!(keywords, [""; 0]);
    }
}
