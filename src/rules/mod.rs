//! Rules as data: their file form, their validation, and the set that a detector is built from.

use std::sync::Arc;

use crate::finding::{Confidence, Severity};

/// One rule: what it is called and how its findings are reported.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Stable name, kebab-case.
    pub id: Arc<str>,
    /// One line for people.
    pub description: Arc<str>,
    /// Severity of its findings where the detector has no better reason.
    pub severity: Severity,
    /// Confidence of its findings where the detector has no better reason.
    pub confidence: Confidence,
}

/// A validated set of rules.
#[derive(Clone, Debug)]
pub struct RuleSet {
    rules: Vec<Rule>,
}

impl RuleSet {
    /// The rules compiled into the program.
    #[must_use]
    pub fn builtin() -> Self {
        Self { rules: Vec::new() }
    }

    /// The rules, in the order of their files.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }
}
