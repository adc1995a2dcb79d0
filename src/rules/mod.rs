//! Rules as data: their file form, their validation, and the set that a detector is built from.

mod aws;
pub(crate) mod crc32;
mod digest;
pub mod examples;
mod file;
mod gitleaks;
mod handle;
#[rustfmt::skip]
mod index;
pub(crate) mod library;
mod load;
pub mod pattern;
mod placeholder;
pub(crate) mod regex;
mod settings;
mod value;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;

pub use aws::{AwsRules, AwsWords};
pub use handle::RuleHandle;
pub use load::TargetedAllowlist;
pub use pattern::Pattern;
pub use settings::Settings;

use crate::finding::{Confidence, Severity};

/// The rule files compiled into the program.
const AWS: &str = include_str!("../../patterns/aws.toml");
const AWS_CANARIES: &str = include_str!("../../patterns/aws-canaries.toml");

/// One rule: what it is called and how its findings are reported.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Stable name, kebab-case.
    pub id: Arc<str>,
    /// One line for people.
    pub description: Arc<str>,
    /// The code that finds it.
    pub detector: DetectorKind,
    /// Severity of its findings; lower where what was found is less usable.
    pub severity: Severity,
    /// Confidence of its findings; lower where the context says less.
    pub confidence: Confidence,
    /// Address of the documentation that its format is taken from.
    pub source: String,
    /// Names of the same thing in other tools' configurations.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What it must find and what it must not.
    #[serde(default)]
    pub test: Arc<Examples>,
    /// What the generic detector works with.
    #[serde(skip)]
    pub pattern: Option<Arc<Pattern>>,
}

/// The detectors that a rule can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DetectorKind {
    /// AWS access keys.
    Aws,
    /// A regular expression and what belongs to it.
    Pattern,
}

/// Texts that a rule must find something in, and texts that it must not. They hold placeholders
/// (see [`examples::expand`]) in place of keys.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Examples {
    /// Must each give at least one finding of the rule.
    #[serde(rename = "match")]
    pub matching: Vec<String>,
    /// Must each give none.
    #[serde(rename = "no_match")]
    pub not_matching: Vec<String>,
}

/// A rule file or the rules in it cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// Not TOML, or not the form of a rule file. The text names line and key.
    #[error("{file}: {message}")]
    Form {
        /// Name of the file.
        file: String,
        /// What is wrong, and where.
        message: String,
    },
    /// A key or its value cannot be used.
    #[error("{file}:{line}:{column}: {key}: {message}")]
    Key {
        /// Name of the file.
        file: String,
        /// Line, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// The key; empty where the file is not TOML.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// A rule that the program needs is not there.
    #[error("no rule {0}")]
    Missing(&'static str),
}

/// The form of `patterns/aws.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AwsFile {
    rules: Vec<Rule>,
    aws: AwsWords,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CanaryFile {
    accounts: BTreeSet<String>,
}

/// A validated set of rules.
#[derive(Clone, Debug)]
pub struct RuleSet {
    rules: Vec<RuleHandle>,
    aws: AwsRules,
    allowlists: Vec<TargetedAllowlist>,
    settings: Settings,
}

impl RuleSet {
    /// The rules compiled into the program.
    ///
    /// # Panics
    ///
    /// Where the program was built with a broken rule file, which its tests rule out.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "the files are part of the program, and a test reads them"
    )]
    pub fn builtin() -> Self {
        Self::read().expect("the built-in rules are valid")
    }

    /// No rules; the AWS ones are known, but off.
    fn empty() -> Result<Self, RuleError> {
        let mut set = Self::read_aws()?;
        set.rules.iter_mut().for_each(|rule| rule.switch(false));
        Ok(set)
    }

    fn read() -> Result<Self, RuleError> {
        let mut set = Self::read_aws()?;
        set.rules.extend(RuleHandle::library());
        Ok(set)
    }

    fn read_aws() -> Result<Self, RuleError> {
        let file: AwsFile = parse("patterns/aws.toml", AWS)?;
        let canaries: CanaryFile = parse("patterns/aws-canaries.toml", AWS_CANARIES)?;
        let rule = |id: &'static str| {
            file.rules
                .iter()
                .find(|rule| &*rule.id == id)
                .cloned()
                .map(RuleHandle::own)
                .ok_or(RuleError::Missing(id))
        };
        let aws = AwsRules {
            pair: rule("aws-access-key-pair")?,
            key_id: rule("aws-access-key-id")?,
            secret: rule("aws-secret-access-key")?,
            words: Arc::new(file.aws),
            canary_accounts: canaries.accounts,
        };
        Ok(Self {
            rules: file.rules.into_iter().map(RuleHandle::own).collect(),
            aws,
            allowlists: Vec::new(),
            settings: Settings::default(),
        })
    }

    /// Turns on the built-in rules of at least `confidence`, and off the others. Rules of a
    /// team's own files stay on.
    #[must_use]
    pub fn with_confidence(mut self, confidence: Confidence) -> Self {
        for rule in &mut self.rules {
            if rule.is_pattern() && rule.is_builtin() {
                rule.switch(rule.confidence() >= confidence);
            }
        }
        self
    }

    /// The rules that are looked for.
    pub fn enabled(&self) -> impl Iterator<Item = &RuleHandle> {
        self.rules.iter().filter(|rule| rule.is_enabled())
    }

    /// Whether any built-in rule is on.
    #[must_use]
    pub fn has_builtin(&self) -> bool {
        self.enabled().any(RuleHandle::is_builtin)
    }

    /// What is not a finding, whatever rule found it or for the rules named there.
    #[must_use]
    pub fn allowlists(&self) -> &[TargetedAllowlist] {
        &self.allowlists
    }

    /// What the files say besides rules.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The rules, in the order of their files.
    #[must_use]
    pub fn rules(&self) -> &[RuleHandle] {
        &self.rules
    }

    /// The rule called `id`.
    #[must_use]
    pub fn rule(&self, id: &str) -> Option<&RuleHandle> {
        self.rules.iter().find(|rule| rule.id() == id)
    }

    /// What the AWS detector is built from.
    #[must_use]
    pub fn aws(&self) -> AwsRules {
        let mut aws = self.aws.clone();
        for rule in [&mut aws.pair, &mut aws.key_id, &mut aws.secret] {
            match self.rule(rule.id()) {
                Some(known) => *rule = known.clone(),
                None => rule.switch(false),
            }
        }
        aws
    }
}

fn parse<T: serde::de::DeserializeOwned>(file: &str, text: &str) -> Result<T, RuleError> {
    toml::from_str(text).map_err(|error| RuleError::Form {
        file: file.to_owned(),
        message: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_builtin_rules_are_valid() {
        let rules = RuleSet::builtin();
        assert!(rules.rule("aws-access-key-pair").is_some());
        assert!(
            rules
                .rules()
                .iter()
                .map(RuleHandle::rule)
                .all(|rule| rule.test.matching.len() >= 3 && rule.test.not_matching.len() >= 3)
        );
    }
}
