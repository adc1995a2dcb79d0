//! The configuration that an import comes to.

use std::path::Path;

use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use super::Imported;

/// What an expression is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Path,
    Line,
    Secret,
}

/// An expression for what is no finding.
#[derive(Debug)]
pub(super) struct Allowlist {
    target: Target,
    pattern: String,
    from: String,
    regex: Regex,
}

impl Allowlist {
    /// `None` if `pattern` is no expression here.
    pub(super) fn new(target: Target, pattern: &str, from: &str) -> Option<Self> {
        Some(Self {
            target,
            pattern: pattern.to_owned(),
            from: from.to_owned(),
            regex: compiled(pattern)?,
        })
    }

    pub(super) fn is_for_lines(&self) -> bool {
        self.target == Target::Line
    }

    /// The file that it comes from.
    pub(super) fn from(&self) -> &str {
        &self.from
    }

    pub(super) fn matches(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }
}

/// Whether `pattern` is an expression here.
pub(super) fn is_expression(pattern: &str) -> bool {
    compiled(pattern).is_some()
}

fn compiled(pattern: &str) -> Option<Regex> {
    let bytes = syntax::Config::new().utf8(false).unicode(false);
    Regex::builder().syntax(bytes).build(pattern).ok()
}

/// The text of a `.straykey.toml`; `None` if there is nothing to say.
pub(super) fn configuration(top: &Path, imported: &Imported) -> Option<String> {
    let nothing =
        imported.exclude.is_empty() && imported.allowlists.is_empty() && imported.rules.is_empty();
    if nothing {
        return None;
    }
    let mut text = String::new();
    if !imported.exclude.is_empty() {
        let patterns: Vec<String> = imported.exclude.iter().map(|it| quoted(it)).collect();
        text.push_str(&format!("exclude = [{}]\n\n", patterns.join(", ")));
    }
    // Beside our own file, gitleaks' is no longer looked for.
    if top.join(".gitleaks.toml").is_file() {
        text.push_str("[extend]\npath = \".gitleaks.toml\"\n\n");
    }
    for (number, rule) in imported.rules.iter().enumerate() {
        text.push_str(&format!(
            "[[rules]]\nid = \"git-secrets-{}\"\ndescription = \"Pattern of git-secrets\"\nregex = {}\n\n",
            number + 1,
            quoted(rule)
        ));
    }
    for allowlist in &imported.allowlists {
        let pattern = quoted(&allowlist.pattern);
        let what = match allowlist.target {
            Target::Path => format!("paths = [{pattern}]"),
            Target::Line => format!("regexTarget = \"line\"\nregexes = [{pattern}]"),
            Target::Secret => format!("regexes = [{pattern}]"),
        };
        let from = quoted(&format!("imported from {}", allowlist.from));
        text.push_str(&format!("[[allowlists]]\ndescription = {from}\n{what}\n\n"));
    }
    Some(format!("{}\n", text.trim_end()))
}

/// `text` as a TOML string.
fn quoted(text: &str) -> String {
    if !text.contains('\'') && !text.chars().any(char::is_control) {
        return format!("'{text}'");
    }
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            _ if character.is_control() => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use straykey::rules::RuleSet;

    #[test]
    fn what_is_written_is_read_as_it_was_meant() {
        let patterns = ["it's", r"a\.b", "\"quoted\"", "tab\there"];
        let imported = Imported {
            exclude: vec!["*.it's".to_owned(), "/docs/".to_owned()],
            rules: vec!["own_[0-9]+".to_owned()],
            allowlists: patterns
                .iter()
                .filter_map(|pattern| Allowlist::new(Target::Line, pattern, ".gitallowed"))
                .collect(),
            ..Imported::default()
        };
        let text = configuration(Path::new("/nowhere"), &imported).unwrap();
        let set = RuleSet::from_text(".straykey.toml", &text).unwrap();
        assert_eq!(set.settings().exclude, imported.exclude);
        let read: Vec<&str> = set
            .allowlists()
            .iter()
            .flat_map(|list| list.allowlist.regexes.iter().map(|it| &**it))
            .collect();
        assert_eq!(read, patterns);
        assert!(set.rule("git-secrets-1").is_some());
        assert!(Allowlist::new(Target::Line, "(", "x").is_none());
    }
}
