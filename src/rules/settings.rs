//! What a configuration file says besides rules: paths, severities, what blocks, how it looks.
//!
//! ```toml
//! exclude = ["/docs/samples/"]
//! failOn = "high"
//! format = "pretty"
//! inlineInPushes = false
//!
//! [severities]
//! aws-access-key-id = "low"
//! ```

use ignore::gitignore::GitignoreBuilder;

use super::RuleError;
use super::value::{Text, Value, entries};
use crate::finding::Severity;

/// What a file says besides rules. What it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Paths in which nothing counts: patterns as in a `.gitignore` at the repository's top.
    pub exclude: Vec<String>,
    /// The least severity that blocks.
    pub fail_on: Option<Severity>,
    /// The format for standard output, and where the file names it (`file:line:column`).
    pub format: Option<(String, String)>,
    /// Whether comments in received commits may allow what stands beside them.
    pub inline_in_pushes: bool,
}

/// The severities of a file: rule, severity, and where it stands.
pub(super) type Severities = Vec<(String, Severity, usize)>;

impl Settings {
    /// Lays `other`, which comes later, over this.
    pub(super) fn extend(&mut self, other: Self) {
        self.exclude.extend(other.exclude);
        self.fail_on = other.fail_on.or(self.fail_on);
        self.format = other.format.or(self.format.take());
        self.inline_in_pushes |= other.inline_in_pushes;
    }

    /// Takes the entry `name` of the file, written `key`; whether it is one of these.
    pub(super) fn take(
        &mut self,
        text: Text<'_>,
        name: &str,
        key: &str,
        value: &Value<'_>,
    ) -> Result<bool, RuleError> {
        match name {
            "exclude" => self.exclude = patterns(text, value, key)?,
            "failon" => self.fail_on = Some(fail_on(text, value, key)?),
            "format" => {
                let place = text.place(value.span().start);
                self.format = Some((text.string(value, key)?, place));
            }
            "inlineinpushes" => self.inline_in_pushes = text.boolean(value, key)?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn patterns(text: Text<'_>, value: &Value<'_>, key: &str) -> Result<Vec<String>, RuleError> {
    let mut patterns = Vec::new();
    for (pattern, at) in text.strings(value, key)? {
        let mut builder = GitignoreBuilder::new("");
        let added = builder.add_line(None, &pattern).map(|_| ());
        if let Err(error) = added.and(builder.build().map(|_| ())) {
            return Err(text.error(at, key, error.to_string()));
        }
        if pattern.trim().is_empty() {
            return Err(text.error(at, key, "an empty pattern"));
        }
        patterns.push(pattern);
    }
    Ok(patterns)
}

fn fail_on(text: Text<'_>, value: &Value<'_>, key: &str) -> Result<Severity, RuleError> {
    match text.string(value, key)?.as_str() {
        "any" => Ok(Severity::Low),
        _ => severity(text, value, key),
    }
}

/// A severity by its name.
pub(super) fn severity(
    text: Text<'_>,
    value: &Value<'_>,
    key: &str,
) -> Result<Severity, RuleError> {
    match text.string(value, key)?.as_str() {
        "low" => Ok(Severity::Low),
        "medium" => Ok(Severity::Medium),
        "high" => Ok(Severity::High),
        "critical" => Ok(Severity::Critical),
        _ => {
            let message = "not a severity (low, medium, high, critical)";
            Err(text.error(value.span().start, key, message))
        }
    }
}

/// `[severities]`.
pub(super) fn severities(
    text: Text<'_>,
    value: &Value<'_>,
    key: &str,
) -> Result<Severities, RuleError> {
    let table = text.table(value, key)?;
    entries(table)
        .into_iter()
        .map(|(_, rule, at, value)| Ok((rule.to_owned(), severity(text, value, rule)?, at)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::RuleSet;
    use super::*;

    fn read(text: &str) -> Result<RuleSet, String> {
        RuleSet::from_text(".straykey.toml", text).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_says_what_blocks_and_how_bad_a_rule_is() {
        let set = read(
            "exclude = ['/docs/', '*.sample']\nfailOn = 'high'\nformat = 'json'\n\
             inlineInPushes = true\n[severities]\naws-access-key-id = 'low'\nstripe-secret-key = 'critical'\n",
        )
        .unwrap();
        let settings = set.settings();
        assert_eq!(settings.exclude, ["/docs/", "*.sample"]);
        assert_eq!(settings.fail_on, Some(Severity::High));
        assert!(settings.inline_in_pushes);
        let place = ".straykey.toml:3:10".to_owned();
        assert_eq!(settings.format, Some(("json".to_owned(), place)));
        assert_eq!(set.aws().key_id.rule().severity, Severity::Low);
        assert_eq!(
            set.rule("stripe-secret-key").unwrap().rule().severity,
            Severity::Critical
        );
    }

    #[test]
    fn mistakes_are_errors_with_their_place() {
        for (text, expected) in [
            ("exlude = ['a']", "1:1: exlude: unknown key"),
            (
                "exclude = 'a'",
                "1:11: exclude: expected an array of strings",
            ),
            ("exclude = ['ok', '[z-a]']", "1:18: exclude: "),
            ("exclude = ['']", "1:12: exclude: an empty pattern"),
            ("failOn = 'never'", "1:10: failOn: not a severity"),
            (
                "inlineInPushes = 'yes'",
                "1:18: inlineInPushes: expected true or false",
            ),
            (
                "[severities]\nnope = 'low'",
                "2:1: severities: no rule nope",
            ),
            (
                "[severities]\naws-access-key-id = 'bad'",
                "2:21: aws-access-key-id: not a severity",
            ),
        ] {
            let message = read(text).unwrap_err();
            assert!(
                message.starts_with(&format!(".straykey.toml:{expected}")),
                "{message}"
            );
        }
    }

    #[test]
    fn the_schema_names_keys_that_are_read() {
        let schema = include_str!("../../docs/straykey.schema.json");
        let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
        let keys = |place: &str| -> Vec<String> {
            let properties = schema.pointer(&format!("{place}/properties")).unwrap();
            properties.as_object().unwrap().keys().cloned().collect()
        };
        let rule = "[[rules]]\nid='a'\nregex='a'\n";
        for (place, before, least) in [
            ("", "", 9),
            ("/properties/extend", "[extend]\n", 3),
            ("/$defs/rule", "[[rules]]\n", 16),
            (
                "/$defs/rule/properties/test",
                &format!("{rule}[rules.test]\n"),
                2,
            ),
            (
                "/$defs/allowlist",
                &format!("{rule}[[rules.allowlists]]\n"),
                7,
            ),
            ("/$defs/targeted_allowlist", "[[allowlists]]\n", 8),
        ] {
            let keys = keys(place);
            assert!(keys.len() >= least, "{place}: {keys:?}");
            for key in keys {
                // A date is the value of no key.
                let message = read(&format!("{before}{key} = 2026-01-01\n")).unwrap_err();
                assert!(
                    message.contains(&format!("{key}: expected")),
                    "{place}: {message}"
                );
            }
            let message = read(&format!("{before}nope = 1\n")).unwrap_err();
            assert!(message.contains("unknown key"), "{place}: {message}");
        }
    }

    #[test]
    fn the_example_of_the_documentation_is_read() {
        let words = include_str!("../../docs/config.md");
        let example = words.split("```toml\n").nth(1).unwrap();
        let set = read(example.split("```").next().unwrap()).unwrap();
        assert_eq!(set.settings().fail_on, Some(Severity::High));
        assert_eq!(set.allowlists().len(), 1);
    }
}
