//! The form of a rule file: the gitleaks format, with `severity`, `confidence`, `checksum`,
//! `structure`, `nearKeyword`, `source` and `[rules.test]` beside it.
//!
//! Every key that is not known, and every value that cannot be used, is an error that names the
//! place: a misspelt allowlist is a hole.

use std::sync::Arc;

use toml::de::DeTable;

use super::pattern::{Allowlist, Checksum, Required, Structure, Target};
use super::regex::{self, Checked};
use super::settings::{self, Settings, Severities};
use super::value::{Text, Value, entries};
use super::{Examples, RuleError};
use crate::finding::{Confidence, Severity};

/// Most rules that one file may hold; gitleaks' own has 222.
const RULES_LIMIT: usize = 10_000;

/// What a file says.
#[derive(Debug, Default)]
pub(super) struct RuleFile {
    pub(super) extend: Extend,
    pub(super) rules: Vec<FileRule>,
    pub(super) allowlists: Vec<FileAllowlist>,
    pub(super) settings: Settings,
    pub(super) severities: Severities,
}

/// `[extend]`.
#[derive(Debug, Default)]
pub(super) struct Extend {
    pub(super) use_default: Option<bool>,
    /// The path, and where it stands.
    pub(super) path: Option<(String, usize)>,
    /// The ids, and where each stands.
    pub(super) disabled_rules: Vec<(String, usize)>,
}

/// `[[rules]]`: what is not given is taken from the rule of the same id that the file extends.
#[derive(Debug, Default)]
pub(super) struct FileRule {
    pub(super) id: Arc<str>,
    /// Where the rule stands.
    pub(super) at: usize,
    /// The keys that are given, and where each stands.
    pub(super) keys: Vec<(String, usize)>,
    pub(super) description: Option<String>,
    pub(super) regex: Option<Checked>,
    pub(super) path: Option<Checked>,
    pub(super) secret_group: Option<(usize, usize)>,
    pub(super) entropy: Option<f64>,
    pub(super) keywords: Vec<String>,
    pub(super) tags: Vec<String>,
    pub(super) allowlists: Vec<Allowlist>,
    /// The requirements, and where each stands.
    pub(super) required: Vec<(Required, usize)>,
    pub(super) skip_report: bool,
    pub(super) severity: Option<Severity>,
    pub(super) confidence: Option<Confidence>,
    pub(super) checksum: Option<Checksum>,
    pub(super) structure: Option<Structure>,
    pub(super) source: Option<String>,
    pub(super) aliases: Vec<String>,
    pub(super) placeholders: Option<bool>,
    /// The answer, and where it stands.
    pub(super) near_keyword: Option<(bool, usize)>,
    pub(super) test: Examples,
}

/// `[[allowlists]]` of the whole file.
#[derive(Debug, Default)]
pub(super) struct FileAllowlist {
    pub(super) allowlist: Allowlist,
    /// The rules it is for, and where each id stands; all rules if there is none.
    pub(super) target_rules: Vec<(String, usize)>,
}

/// Reads the text of a file.
pub(super) fn read(text: Text<'_>) -> Result<RuleFile, RuleError> {
    let document = text.parse()?;
    let mut rules = RuleFile::default();
    for (name, key, at, value) in entries(document.get_ref()) {
        match name.as_str() {
            "title" | "description" | "minversion" => drop(text.string(value, key)?),
            "extend" => rules.extend = extend(text, value, key)?,
            "rules" => rules.rules = rule_list(text, value, key)?,
            "allowlist" => rules.allowlists.push(global_allowlist(
                text,
                text.table(value, key)?,
                value.span().start,
            )?),
            "allowlists" => {
                for (table, at) in text.tables(value, key)? {
                    rules.allowlists.push(global_allowlist(text, table, at)?);
                }
            }
            "severities" => rules.severities = settings::severities(text, value, key)?,
            _ if rules.settings.take(text, &name, key, value)? => {}
            _ => return Err(text.error(at, key, "unknown key")),
        }
    }
    Ok(rules)
}

fn extend(text: Text<'_>, value: &Value<'_>, key: &str) -> Result<Extend, RuleError> {
    let mut extend = Extend::default();
    for (name, key, at, value) in entries(text.table(value, key)?) {
        match name.as_str() {
            "usedefault" => extend.use_default = Some(text.boolean(value, key)?),
            "path" => extend.path = Some((text.string(value, key)?, value.span().start)),
            "disabledrules" => extend.disabled_rules = text.strings(value, key)?,
            "url" => return Err(text.error(at, key, "rules are not fetched from the network")),
            _ => return Err(text.error(at, key, "unknown key in [extend]")),
        }
        if extend.use_default == Some(true) && extend.path.is_some() {
            return Err(text.error(at, key, "path and useDefault exclude each other"));
        }
    }
    extend.path = extend.path.filter(|(path, _)| !path.is_empty());
    Ok(extend)
}

fn rule_list(text: Text<'_>, value: &Value<'_>, key: &str) -> Result<Vec<FileRule>, RuleError> {
    let tables = text.tables(value, key)?;
    if tables.len() > RULES_LIMIT {
        let message = format!("{} rules; at most {RULES_LIMIT} are read", tables.len());
        return Err(text.error(value.span().start, key, message));
    }
    let mut seen = std::collections::HashSet::new();
    tables
        .into_iter()
        .map(|(table, at)| {
            let rule = rule(text, table, at)?;
            match seen.insert(rule.id.clone()) {
                true => Ok(rule),
                false => Err(text.error(at, "id", format!("a second rule {}", rule.id))),
            }
        })
        .collect()
}

fn rule(text: Text<'_>, table: &DeTable<'_>, at: usize) -> Result<FileRule, RuleError> {
    let mut rule = FileRule {
        at,
        ..FileRule::default()
    };
    let mut singular = false;
    for (name, key, at, value) in entries(table) {
        rule.keys.push((key.to_owned(), at));
        match name.as_str() {
            "id" => rule.id = text.string(value, key)?.into(),
            "description" => rule.description = Some(text.string(value, key)?),
            "regex" => rule.regex = expression(text, value, key)?,
            "path" => rule.path = expression(text, value, key)?,
            "secretgroup" => {
                let group = text.count(value, key)?;
                let group = usize::try_from(group).unwrap_or(usize::MAX);
                rule.secret_group = Some((group, value.span().start));
            }
            "entropy" => rule.entropy = Some(text.number(value, key)?),
            "keywords" => rule.keywords = words(text, value, key)?,
            "tags" => rule.tags = plain(text.strings(value, key)?),
            "allowlist" => {
                singular = true;
                let table = text.table(value, key)?;
                rule.allowlists
                    .push(allowlist(text, table, value.span().start)?);
            }
            "allowlists" => {
                for (table, at) in text.tables(value, key)? {
                    rule.allowlists.push(allowlist(text, table, at)?);
                }
                if singular {
                    return Err(text.error(at, key, "allowlist and allowlists exclude each other"));
                }
            }
            "required" => {
                for (table, at) in text.tables(value, key)? {
                    rule.required.push((required(text, table, at)?, at));
                }
            }
            "skipreport" => rule.skip_report = text.boolean(value, key)?,
            _ => own_key(text, &mut rule, &name, key, at, value)?,
        }
    }
    if rule.id.trim().is_empty() {
        return Err(text.error(at, "id", "a rule needs an id"));
    }
    Ok(rule)
}

/// The keys that gitleaks does not know.
fn own_key(
    text: Text<'_>,
    rule: &mut FileRule,
    name: &str,
    key: &str,
    at: usize,
    value: &Value<'_>,
) -> Result<(), RuleError> {
    let choice = |what: &str| text.error(value.span().start, key, format!("not a {what}"));
    match name {
        "severity" => {
            rule.severity = Some(match text.string(value, key)?.as_str() {
                "low" => Severity::Low,
                "medium" => Severity::Medium,
                "high" => Severity::High,
                "critical" => Severity::Critical,
                _ => return Err(choice("severity (low, medium, high, critical)")),
            });
        }
        "confidence" => {
            rule.confidence = Some(match text.string(value, key)?.as_str() {
                "low" => Confidence::Low,
                "medium" => Confidence::Medium,
                "high" => Confidence::High,
                _ => return Err(choice("confidence (low, medium, high)")),
            });
        }
        "checksum" => {
            let found = Checksum::parse(&text.string(value, key)?);
            rule.checksum = Some(found.ok_or_else(|| choice("checksum that is known"))?);
        }
        "structure" => {
            let found = Structure::parse(&text.string(value, key)?);
            rule.structure = Some(found.ok_or_else(|| choice("structure that is known"))?);
        }
        "source" => rule.source = Some(text.string(value, key)?),
        "aliases" => rule.aliases = plain(text.strings(value, key)?),
        "refuseplaceholders" => rule.placeholders = Some(text.boolean(value, key)?),
        "nearkeyword" => {
            rule.near_keyword = Some((text.boolean(value, key)?, value.span().start));
        }
        "test" => rule.test = examples(text, text.table(value, key)?)?,
        _ => return Err(text.error(at, key, "unknown key in [[rules]]")),
    }
    Ok(())
}

fn examples(text: Text<'_>, table: &DeTable<'_>) -> Result<Examples, RuleError> {
    let mut examples = Examples::default();
    for (name, key, at, value) in entries(table) {
        match name.as_str() {
            "match" => examples.matching = plain(text.strings(value, key)?),
            "no_match" => examples.not_matching = plain(text.strings(value, key)?),
            _ => return Err(text.error(at, key, "unknown key in [rules.test]")),
        }
    }
    Ok(examples)
}

fn required(text: Text<'_>, table: &DeTable<'_>, at: usize) -> Result<Required, RuleError> {
    let mut id = String::new();
    let (mut within_lines, mut within_columns) = (None, None);
    for (name, key, at, value) in entries(table) {
        match name.as_str() {
            "id" => id = text.string(value, key)?,
            "withinlines" => within_lines = Some(text.count(value, key)?),
            "withincolumns" => within_columns = Some(text.count(value, key)?),
            _ => return Err(text.error(at, key, "unknown key in [[rules.required]]")),
        }
    }
    if id.is_empty() {
        return Err(text.error(at, "id", "a requirement needs the id of a rule"));
    }
    Ok(Required {
        id: id.into(),
        within_lines,
        within_columns,
    })
}

fn global_allowlist(
    text: Text<'_>,
    table: &DeTable<'_>,
    at: usize,
) -> Result<FileAllowlist, RuleError> {
    let mut target_rules = Vec::new();
    for (name, key, _, value) in entries(table) {
        if name == "targetrules" {
            target_rules = text.strings(value, key)?;
        }
    }
    Ok(FileAllowlist {
        allowlist: allowlist_but(text, table, at, "targetrules")?,
        target_rules,
    })
}

fn allowlist(text: Text<'_>, table: &DeTable<'_>, at: usize) -> Result<Allowlist, RuleError> {
    allowlist_but(text, table, at, "")
}

fn allowlist_but(
    text: Text<'_>,
    table: &DeTable<'_>,
    at: usize,
    left_out: &str,
) -> Result<Allowlist, RuleError> {
    let mut allowlist = Allowlist::default();
    for (name, key, at, value) in entries(table) {
        match name.as_str() {
            "description" => drop(text.string(value, key)?),
            "condition" => {
                allowlist.all = match text.string(value, key)?.to_uppercase().as_str() {
                    "AND" | "&&" => true,
                    "" | "OR" | "||" => false,
                    _ => return Err(text.error(value.span().start, key, "not AND or OR")),
                }
            }
            "regextarget" => {
                allowlist.target = match text.string(value, key)?.as_str() {
                    "" | "secret" => Target::Secret,
                    "match" => Target::Match,
                    "line" => Target::Line,
                    _ => {
                        let message = "not secret, match or line";
                        return Err(text.error(value.span().start, key, message));
                    }
                }
            }
            "commits" => allowlist.commits = words(text, value, key)?,
            "paths" => allowlist.paths = expressions(text, value, key)?,
            "regexes" => allowlist.regexes = expressions(text, value, key)?,
            "stopwords" => allowlist.stopwords = words(text, value, key)?,
            other if other == left_out => {}
            _ => return Err(text.error(at, key, "unknown key in an allowlist")),
        }
    }
    let empty = allowlist.commits.is_empty()
        && allowlist.paths.is_empty()
        && allowlist.regexes.is_empty()
        && allowlist.stopwords.is_empty();
    match empty {
        true => Err(text.error(
            at,
            "allowlists",
            "needs commits, paths, regexes or stopwords",
        )),
        false => Ok(allowlist),
    }
}

fn expression(text: Text<'_>, value: &Value<'_>, key: &str) -> Result<Option<Checked>, RuleError> {
    let expression = text.string(value, key)?;
    if expression.is_empty() {
        return Ok(None);
    }
    checked(text, &expression)
        .map(Some)
        .map_err(|message| text.error(value.span().start, key, message))
}

fn expressions(text: Text<'_>, value: &Value<'_>, key: &str) -> Result<Vec<Arc<str>>, RuleError> {
    text.strings(value, key)?
        .into_iter()
        .map(|(expression, at)| match checked(text, &expression) {
            Ok(checked) => Ok(checked.text),
            Err(message) => Err(text.error(at, key, message)),
        })
        .collect()
}

fn checked(text: Text<'_>, expression: &str) -> Result<Checked, String> {
    match text.builtin {
        true => Ok(Checked::unseen(expression)),
        false => regex::check(expression),
    }
}

/// Words to be compared without their case.
fn words(text: Text<'_>, value: &Value<'_>, key: &str) -> Result<Vec<String>, RuleError> {
    let words = text.strings(value, key)?;
    if let Some((_, at)) = words.iter().find(|(word, _)| word.trim().is_empty()) {
        return Err(text.error(*at, key, "an empty word matches everything"));
    }
    Ok(words
        .into_iter()
        .map(|(word, _)| word.trim_matches('\n').to_lowercase())
        .collect())
}

fn plain(strings: Vec<(String, usize)>) -> Vec<String> {
    strings.into_iter().map(|(string, _)| string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn team(text: &str) -> Text<'_> {
        Text {
            file: "team.toml",
            text,
            builtin: false,
        }
    }

    fn error(text: &str) -> String {
        read(team(text)).unwrap_err().to_string()
    }

    #[test]
    fn reads_the_keys_of_gitleaks_and_ours() {
        let text = "
            title = 'team'
            [extend]
            useDefault = true
            disabledRules = ['jwt']
            [[rules]]
            id = 'team-key'
            description = 'Team key'
            regex = '''\\b(tk_[0-9a-f]{32})\\b'''
            secretGroup = 1
            entropy = 3
            keywords = ['TK_']
            severity = 'critical'
            confidence = 'high'
            [[rules.allowlists]]
            condition = 'AND'
            regexTarget = 'line'
            regexes = ['example']
            paths = ['docs/']
            [[rules.required]]
            id = 'other'
            withinLines = 3
            [rules.test]
            match = ['a']
            no_match = ['b']
            [[allowlists]]
            targetRules = ['team-key']
            stopwords = ['Sample']
        ";
        let file = read(team(text)).unwrap();
        let rule = &file.rules[0];
        assert!(file.extend.use_default == Some(true) && rule.keywords == ["tk_"]);
        assert_eq!(rule.entropy, Some(3.0));
        assert_eq!(rule.allowlists[0].target, Target::Line);
        assert!(rule.allowlists[0].all);
        assert_eq!(rule.required[0].0.within_lines, Some(3));
        assert_eq!(file.allowlists[0].allowlist.stopwords, ["sample"]);
    }

    #[test]
    fn names_file_line_column_and_key() {
        for (text, expected) in [
            (
                "[[rules]]\nid='a'\nkeyword=['x']",
                "team.toml:3:1: keyword: unknown key in [[rules]]",
            ),
            (
                "[[rules]]\nid='a'\nentropy='x'",
                "team.toml:3:9: entropy: expected a number from 0, found string",
            ),
            ("[[rules]]\nid='a'\nregex='('", "team.toml:3:7: regex: "),
            (
                "[[rules]]\nid='a'\n[[rules.allowlists]]\nregexs=['a']",
                "team.toml:4:1: regexs: unknown key",
            ),
            (
                "[[rules]]\nid='a'\n[[rules.allowlists]]\n",
                "team.toml:3:1: allowlists: needs",
            ),
            (
                "[extend]\nurl='https://x'",
                "team.toml:2:1: url: rules are not fetched",
            ),
            (
                "[[rules]]\nregex='a'",
                "team.toml:1:1: id: a rule needs an id",
            ),
            (
                "rules = 3",
                "team.toml:1:9: rules: expected an array of tables, found integer",
            ),
            ("x = = 3", "team.toml:1:5"),
        ] {
            let message = error(text);
            assert!(message.starts_with(expected), "{text:?}: {message}");
        }
    }

    #[test]
    fn refuses_what_would_take_too_much() {
        let many = "[[rules]]\n".repeat(RULES_LIMIT + 1);
        assert!(error(&many).contains("at most"));
        let long = format!("[[rules]]\nid='a'\nregex='{}'", "a".repeat(10 << 20));
        assert!(error(&long).contains("regex: longer than"));
        let large = "[[rules]]\nid='a'\nregex='((((a{0,99}){0,99}){0,99}){0,99}){0,99}'";
        assert!(error(large).starts_with("team.toml:3:7: regex: "));
    }
}
