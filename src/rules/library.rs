//! The rules that are part of the program: everything in `patterns/`.
//!
//! What must be known of every rule at every start (its id, its confidence, its keywords) stands in
//! `index.rs`, which is made from the files. The rest is read from the files' text, which is part
//! of the program too, when a rule is first needed.

use std::sync::OnceLock;

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
    pub(super) keywords: &'static [&'static str],
    pub(super) aliases: &'static [&'static str],
}

/// A line of the index.
pub(super) const fn entry(
    (file, start, end): (usize, usize, usize),
    id: &'static str,
    confidence: Confidence,
    keywords: &'static [&'static str],
    aliases: &'static [&'static str],
) -> Entry {
    Entry {
        id,
        file,
        start,
        end,
        confidence,
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
        Some(rule) if rules.is_empty() => load::new_rule(text, rule, true),
        _ => Err(RuleError::Missing(entry.id)),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::path::Path;

    use super::*;

    /// The index that the files in `patterns/` give.
    fn written() -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("patterns");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "aws.toml" && name != "aws-canaries.toml")
            .collect();
        names.sort();
        let mut index = String::from(
            "//! What is known of the library's rules before they are read. Made from `patterns/` by\n\
             //! `UPDATE_INDEX=1 cargo test --lib rules::library`; a test holds it against the files.\n\n\
             use super::library::{Entry, entry};\n\
             use crate::finding::Confidence::{High, Low, Medium};\n\n\
             /// Name and text of each file, but for the two of the AWS detector.\n\
             pub(super) const FILES: &[(&str, &str)] = &[\n",
        );
        for name in &names {
            writeln!(
                index,
                "    (\"patterns/{name}\", include_str!(\"../../patterns/{name}\")),"
            )
            .unwrap();
        }
        let entries: Vec<String> = (0..)
            .zip(&names)
            .flat_map(|(number, name)| entries_of(number, name))
            .collect();
        let count = entries.len();
        write!(
            index,
            "];\n\npub(super) static ENTRIES: [Entry; {count}] = [\n{}];\n",
            entries.concat()
        )
        .unwrap();
        index
    }

    /// A text whose expressions are looked at: at run time they are taken as they are.
    fn checked<'t>(file: &'t str, text: &'t str) -> Text<'t> {
        Text {
            file,
            text,
            builtin: false,
        }
    }

    fn entries_of(number: usize, name: &str) -> Vec<String> {
        let path = format!("{}/patterns/{name}", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).unwrap();
        let rules = file::read(checked(name, &text)).unwrap().rules;
        let ends = rules.iter().skip(1).map(|rule| rule.at);
        let ends: Vec<usize> = ends.chain([text.len()]).collect();
        let line = |(rule, &end): (&file::FileRule, &usize)| {
            assert!(text[rule.at..].starts_with("[[rules]]"), "{name}");
            assert!(rule.required.is_empty(), "{name}: the index does not say");
            load::check_groups(checked(name, &text), rule).unwrap();
            let confidence = rule.confidence.unwrap_or(Confidence::Medium);
            format!(
                "    entry(({number}, {}, {end}), {:?}, {confidence:?}, &{:?}, &{:?}),\n",
                rule.at, rule.id, rule.keywords, rule.aliases
            )
        };
        rules.iter().zip(&ends).map(line).collect()
    }

    #[test]
    fn the_index_says_what_the_files_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/rules/index.rs");
        let expected = written();
        if std::env::var_os("UPDATE_INDEX").is_some() {
            std::fs::write(path, expected).unwrap();
            return;
        }
        let there = std::fs::read_to_string(path).unwrap();
        assert!(
            there == expected,
            "patterns/ has changed: UPDATE_INDEX=1 cargo test --lib rules::library"
        );
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
