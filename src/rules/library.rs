//! The rules that are part of the program: everything in `patterns/`.
//!
//! What must be known of every rule at every start (its id, its confidence, its keywords) stands in
//! `index.rs`, which is made from the files. The rest is read from the files' text, which is part
//! of the program too, when a rule is first needed.

use std::sync::OnceLock;

use super::pattern::Search;
use super::value::Text;
use super::{Rule, RuleError, file, index, load};
use crate::finding::Confidence;

/// What the index says of a rule.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: &'static str,
    /// Number of its file in `index::FILES`.
    file: usize,
    /// Where in the file the rule stands, in bytes.
    start: usize,
    end: usize,
    pub(super) confidence: Confidence,
    pub(super) search: Search,
    /// In lower case.
    pub(super) keywords: &'static [&'static str],
    pub(super) aliases: &'static [&'static str],
}

/// A line of the index.
pub(super) const fn entry(
    (file, start, end): (usize, usize, usize),
    id: &'static str,
    confidence: Confidence,
    search: Search,
    keywords: &'static [&'static str],
    aliases: &'static [&'static str],
) -> Entry {
    Entry {
        id,
        file,
        start,
        end,
        confidence,
        search,
        keywords,
        aliases,
    }
}

const COUNT: usize = index::ENTRIES.len();

/// The rules' entries, in the order of the files.
pub(super) fn entries() -> &'static [Entry] {
    &index::ENTRIES
}

/// Rule `number`; read once a process.
#[expect(
    clippy::expect_used,
    reason = "the files are part of the program, and a test reads them"
)]
pub(super) fn rule(number: usize) -> &'static Rule {
    static RULES: [OnceLock<Rule>; COUNT] = [const { OnceLock::new() }; COUNT];
    RULES[number].get_or_init(|| read(number).expect("the built-in rules are valid"))
}

pub(super) fn read(number: usize) -> Result<Rule, RuleError> {
    let entry = &index::ENTRIES[number];
    let (file, text) = index::FILES[entry.file];
    let text = Text {
        file,
        text: &text[entry.start..entry.end],
        builtin: true,
    };
    let mut rules = file::read(text)?.rules;
    match rules.pop() {
        Some(rule) if rules.is_empty() => load::new_rule(text, rule, Some(entry.search)),
        _ => Err(RuleError::Missing(entry.id)),
    }
}

/// The text of `index.rs` that the files in `patterns/` give; `search` says where the keywords of an
/// expression are worth looking for.
#[cfg(test)]
pub(crate) fn index(search: impl Fn(&str, &[String]) -> Search) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/patterns");
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "aws.toml" && name != "aws-canaries.toml")
        .collect();
    names.sort();
    let mut lines = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let text = std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
        lines.extend(index_lines(number, name, &text, &search));
    }
    let files: String = names
        .iter()
        .map(|name| {
            format!("    (\"patterns/{name}\", include_str!(\"../../patterns/{name}\")),\n")
        })
        .collect();
    format!(
        "//! What is known of the library's rules before they are read. Made from `patterns/` by\n\
         //! `UPDATE_INDEX=1 cargo test --lib the_index`; a test holds it against the files.\n\n\
         use super::library::{{Entry, entry}};\n\
         use super::pattern::Search::{{Everywhere, Near, Start, Url, Word}};\n\
         use crate::finding::Confidence::{{High, Low, Medium}};\n\n\
         /// Name and text of each file, but for the two of the AWS detector.\n\
         pub(super) const FILES: &[(&str, &str)] = &[\n{files}];\n\n\
         pub(super) static ENTRIES: [Entry; {}] = [\n{}];\n",
        lines.len(),
        lines.concat()
    )
}

#[cfg(test)]
fn index_lines(
    number: usize,
    name: &str,
    text: &str,
    search: &impl Fn(&str, &[String]) -> Search,
) -> Vec<String> {
    // Its expressions are looked at here: at run time they are taken as they are.
    let checked = Text {
        file: name,
        text,
        builtin: false,
    };
    let rules = file::read(checked).unwrap().rules;
    let ends = rules.iter().skip(1).map(|rule| rule.at);
    let ends: Vec<usize> = ends.chain([text.len()]).collect();
    let line = |(rule, &end): (&file::FileRule, &usize)| {
        assert!(text[rule.at..].starts_with("[[rules]]"), "{name}");
        assert!(rule.required.is_empty(), "{name}: the index does not say");
        load::check_groups(checked, rule).unwrap();
        load::check_near_keyword(checked, rule).unwrap();
        let expression = &rule.regex.as_ref().unwrap().text;
        let keywords = &rule.keywords;
        let search = match rule.near_keyword {
            Some((true, _)) => Search::Word,
            _ => search(expression, keywords),
        };
        let confidence = rule.confidence.unwrap_or(Confidence::Medium);
        format!(
            "    entry(({number}, {}, {end}), {:?}, {confidence:?}, {search:?}, &{keywords:?}, &{:?}),\n",
            rule.at, rule.id, rule.aliases
        )
    };
    rules.iter().zip(&ends).map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One file a provider; those whose keys people leak most are there.
    #[test]
    fn the_library_covers_what_people_leak() {
        let has = |name: &str| {
            let path = format!("patterns/{name}.toml");
            index::FILES.iter().any(|(file, _)| *file == path)
        };
        let wanted = "github gitlab google azure slack stripe twilio sendgrid mailgun npm pypi crates-io docker openai \
            anthropic huggingface databricks snowflake datadog new-relic sentry grafana pagerduty okta auth0 cloudflare \
            digitalocean heroku fastly vercel netlify supabase firebase shopify square paypal plaid telegram discord \
            atlassian linear notion figma postman hashicorp pulumi doppler kubernetes private-keys jwt urls aws-extras";
        for name in wanted.split_whitespace() {
            assert!(has(name), "{name}");
        }
        assert!(COUNT >= 220 && index::FILES.len() >= 120);
        for number in 0..COUNT {
            let rule = rule(number);
            assert!(rule.source.starts_with("https://"), "{}", rule.id);
        }
    }

    #[test]
    fn each_entry_leads_to_its_rule() {
        for (number, entry) in entries().iter().enumerate() {
            let rule = read(number).unwrap();
            assert_eq!(&*rule.id, entry.id);
            assert_eq!(rule.confidence, entry.confidence);
        }
    }
}
