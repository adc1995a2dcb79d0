//! Runs the examples of rules: what must be found, and what must not.

use crate::detect::Detector;
use crate::location::Origin;
use crate::rules::examples::expand;
use crate::rules::{Rule, RuleHandle, RuleSet};
use crate::source::Blob;

/// An example that did not come out as its rule says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Id of the rule.
    pub rule: String,
    /// The example as it stands in the file, placeholders and all.
    pub example: String,
    /// Whether it should have matched.
    pub expected_match: bool,
}

/// Runs every example of every rule; returns what failed.
#[must_use]
pub fn check(rules: &RuleSet) -> Vec<Failure> {
    let detector = Detector::new(rules);
    rules
        .enabled()
        .map(RuleHandle::rule)
        .flat_map(|rule| check_rule(&detector, rule))
        .collect()
}

fn check_rule(detector: &Detector, rule: &Rule) -> Vec<Failure> {
    let finds = |example: &String| {
        let text = expand(example);
        let found = detector.scan(&Blob::whole(&Origin::Stdin, text.as_bytes()));
        found.iter().any(|finding| finding.rule == rule.id)
    };
    let failure = |example: &String, expected_match| Failure {
        rule: rule.id.to_string(),
        example: example.clone(),
        expected_match,
    };
    let missed = rule
        .test
        .matching
        .iter()
        .filter(|example| !finds(example))
        .map(|example| failure(example, true));
    let wrong = rule
        .test
        .not_matching
        .iter()
        .filter(|example| finds(example))
        .map(|example| failure(example, false));
    missed.chain(wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Confidence;
    use crate::rules::examples::expand_anew;

    #[test]
    fn every_example_comes_out_as_its_rule_says() {
        assert_eq!(
            check(&RuleSet::builtin().with_confidence(Confidence::Low)),
            []
        );
    }

    /// Texts end anywhere: files are cut off, and versions of a text are looked at in pieces.
    #[test]
    fn an_example_may_end_anywhere() {
        let rules = RuleSet::builtin().with_confidence(Confidence::Low);
        let detector = Detector::new(&rules);
        let examples = |rule: &RuleHandle| rule.rule().test.matching.clone();
        for example in rules.enabled().flat_map(examples) {
            let text = expand(&example).into_bytes();
            for end in (0..text.len()).step_by(1 + text.len() / 60) {
                let _ = detector.scan(&Blob::whole(&Origin::Stdin, &text[..end]));
            }
        }
    }

    /// What share of `count` texts of each example is found, by rule; only those below `least`. Not
    /// of the rule for assignments, which asks for a digit of any value.
    fn lost(count: usize, least: f64) -> Vec<String> {
        let rules = RuleSet::builtin().with_confidence(Confidence::Low);
        let detector = Detector::new(&rules);
        let mut lost = Vec::new();
        let all = rules.enabled().map(RuleHandle::rule);
        for rule in all.filter(|rule| *rule.id != *"generic-api-key") {
            let examples = &rule.test.matching;
            let texts = || {
                examples
                    .iter()
                    .flat_map(|it| (0..count).map(move |salt| (it, salt)))
            };
            let found = texts().filter(|(example, salt)| {
                let text = expand_anew(example, &format!(" {salt}"));
                let blob = Blob::whole(&Origin::Stdin, text.as_bytes());
                // By whatever rule: of two that fit, the surer one reports it.
                !detector.scan(&blob).is_empty()
            });
            let share = found.count() as f64 / texts().count() as f64;
            if share < least {
                lost.push(format!("{}: {share:.4}", rule.id));
            }
        }
        lost
    }

    #[test]
    fn random_keys_of_every_format_are_found() {
        assert_eq!(lost(20, 0.98), [""; 0]);
    }

    /// `cargo test --release --lib nearly_all_random_keys -- --ignored --nocapture`
    #[test]
    #[ignore = "a minute"]
    fn nearly_all_random_keys_of_every_format_are_found() {
        assert_eq!(lost(2000, 0.998), [""; 0]);
    }
}
