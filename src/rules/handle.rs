//! A rule of a set, which is read when somebody first looks into it: a scan of a few files needs a
//! handful of the library's hundreds of rules, and reading them all would take longer than the scan.

use std::sync::Arc;

use super::Rule;
use super::library;
use super::pattern::{Pattern, Search};
use crate::finding::{Confidence, Severity};

/// A rule of a [`RuleSet`](super::RuleSet), on or off. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RuleHandle {
    origin: Origin,
    enabled: bool,
}

#[derive(Clone, Debug)]
enum Origin {
    /// Number of a rule of the library.
    Library(usize),
    /// A rule of a team's own file, or one of the AWS detector.
    Own(Arc<Rule>),
}

impl RuleHandle {
    /// All rules of the library; on from medium confidence.
    pub(super) fn library() -> impl Iterator<Item = Self> {
        library::entries()
            .iter()
            .enumerate()
            .map(|(number, entry)| Self {
                origin: Origin::Library(number),
                enabled: entry.confidence > Confidence::Low,
            })
    }

    /// A rule of its own, on.
    pub(super) fn own(rule: Rule) -> Self {
        Self {
            origin: Origin::Own(Arc::new(rule)),
            enabled: true,
        }
    }

    /// Makes its findings so severe.
    pub(super) fn set_severity(&mut self, severity: Severity) {
        self.replace(Rule {
            severity,
            ..self.rule().clone()
        });
    }

    /// Puts `rule` in its place, on or off as it is.
    pub(super) fn replace(&mut self, rule: Rule) {
        self.origin = Origin::Own(Arc::new(rule));
    }

    pub(super) fn switch(&mut self, on: bool) {
        self.enabled = on;
    }

    /// Whether it is looked for.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.enabled
    }

    /// Stable name, kebab-case.
    #[must_use]
    pub fn id(&self) -> &str {
        match &self.origin {
            Origin::Library(number) => library::entries()[*number].id,
            Origin::Own(rule) => &rule.id,
        }
    }

    /// Whether the rule is known as `name`, in other tools' configurations too.
    #[must_use]
    pub fn has_alias(&self, name: &str) -> bool {
        match &self.origin {
            Origin::Library(number) => library::entries()[*number].aliases.contains(&name),
            Origin::Own(rule) => rule.aliases.iter().any(|alias| alias == name),
        }
    }

    /// Confidence of its findings.
    #[must_use]
    pub fn confidence(&self) -> Confidence {
        match &self.origin {
            Origin::Library(number) => library::entries()[*number].confidence,
            Origin::Own(rule) => rule.confidence,
        }
    }

    /// Whether it comes from the program's own library and is as it stands there.
    #[must_use]
    pub fn is_builtin(&self) -> bool {
        match &self.origin {
            Origin::Library(_) => true,
            Origin::Own(rule) => rule.pattern.as_ref().is_none_or(|pattern| pattern.builtin),
        }
    }

    /// Whether a regular expression or a path finds it, and not the AWS detector.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        match &self.origin {
            Origin::Library(_) => true,
            Origin::Own(rule) => rule.pattern.is_some(),
        }
    }

    /// Where its keywords are worth looking for.
    pub(crate) fn search(&self) -> Search {
        match &self.origin {
            Origin::Library(number) => library::entries()[*number].search,
            Origin::Own(rule) => rule
                .pattern
                .as_ref()
                .map_or(Search::Everywhere, |pattern| pattern.search),
        }
    }

    /// Words, whatever their case, one of which must occur in a text for the rule to be tried.
    pub(crate) fn keywords(&self) -> Vec<&str> {
        match &self.origin {
            Origin::Library(number) => library::entries()[*number].keywords.to_vec(),
            Origin::Own(rule) => {
                let patterns = rule.pattern.iter();
                let words = patterns.flat_map(|pattern| &pattern.keywords);
                words.map(String::as_str).collect()
            }
        }
    }

    /// Ids of the rules that must have found something near by. Rules of the library need none.
    pub(crate) fn required(&self) -> impl Iterator<Item = &str> {
        let own = match &self.origin {
            Origin::Library(_) => None,
            Origin::Own(rule) => rule.pattern.as_ref(),
        };
        own.into_iter()
            .flat_map(|pattern| &pattern.required)
            .map(|required| &*required.id)
    }

    /// The rule.
    ///
    /// # Panics
    ///
    /// Where the program was built with a broken rule file, which its tests rule out.
    #[must_use]
    pub fn rule(&self) -> &Rule {
        match &self.origin {
            Origin::Library(number) => library::rule(*number),
            Origin::Own(rule) => rule,
        }
    }

    /// What the generic detector works with.
    #[must_use]
    pub fn pattern(&self) -> Option<&Arc<Pattern>> {
        self.rule().pattern.as_ref()
    }
}
