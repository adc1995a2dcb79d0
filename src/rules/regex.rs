//! Regular expressions of rules: checked when a file is read, compiled when they are first needed.

use std::sync::Arc;

use regex_automata::meta;
use regex_automata::util::syntax;
use regex_syntax::hir::{Hir, HirKind};

/// Longest regular expression, in bytes. The longest in public rule files have some 2,000.
const LENGTH_LIMIT: usize = 64 * 1024;
/// Largest automaton, in bytes.
const SIZE_LIMIT: usize = 8 << 20;
/// Estimated states up to which an automaton is surely within [`SIZE_LIMIT`].
const STATES_SURE: u64 = 20_000;

/// A regular expression that compiles.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checked {
    pub(super) text: Arc<str>,
    pub(super) groups: usize,
}

impl Checked {
    /// An expression of the program's own library, which a test has checked.
    pub(super) fn unseen(expression: &str) -> Self {
        Self {
            text: expression.into(),
            groups: usize::MAX,
        }
    }
}

/// Checks that `expression` compiles within bounds of time and memory. The error is one line.
pub(super) fn check(expression: &str) -> Result<Checked, String> {
    if expression.len() > LENGTH_LIMIT {
        return Err(format!("longer than {LENGTH_LIMIT} bytes"));
    }
    let expression = with_literal_braces(expression);
    let hir = parse(&expression)?;
    if states(&hir) > STATES_SURE {
        compile(&expression)?;
    }
    Ok(Checked {
        text: expression.into(),
        groups: hir.properties().explicit_captures_len(),
    })
}

/// Escapes each `{` that begins no repetition: in Go's expressions, and so in gitleaks' rules, it
/// stands for itself.
fn with_literal_braces(expression: &str) -> String {
    let mut written = String::with_capacity(expression.len());
    let (mut in_class, mut rest) = (false, expression);
    while let Some(character) = rest.chars().next() {
        let mut length = character.len_utf8();
        match character {
            // `\p{…}` and `\x{…}` have braces of their own.
            '\\' => {
                let after = &rest[1..];
                length += after.chars().next().map_or(0, char::len_utf8);
                if ["p{", "P{", "x{"].iter().any(|it| after.starts_with(it)) {
                    length += 1;
                }
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '{' if !in_class && !begins_repetition(rest) => written.push('\\'),
            _ => {}
        }
        written.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    written
}

/// Whether `text` begins with `{n}`, `{n,}` or `{n,m}`.
fn begins_repetition(text: &str) -> bool {
    let Some((inside, _)) = text[1..].split_once('}') else {
        return false;
    };
    let number = |part: &str| !part.is_empty() && part.bytes().all(|it| it.is_ascii_digit());
    match inside.split_once(',') {
        None => number(inside),
        Some((least, most)) => number(least) && (most.is_empty() || number(most)),
    }
}

/// Parses an expression for bytes: no Unicode classes, `.` and negations match any byte.
pub(crate) fn parse(expression: &str) -> Result<Hir, String> {
    regex_syntax::ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .nest_limit(100)
        .build()
        .parse(expression)
        .map_err(|error| one_line(&error))
}

/// Compiles an expression. Full automata are not built: they take milliseconds each, which a
/// scan of a few files never earns back.
pub(crate) fn compile(expression: &str) -> Result<meta::Regex, String> {
    meta::Builder::new()
        .syntax(
            syntax::Config::new()
                .unicode(false)
                .utf8(false)
                .nest_limit(100),
        )
        .configure(
            meta::Config::new()
                .utf8_empty(false)
                .nfa_size_limit(Some(SIZE_LIMIT))
                .onepass_size_limit(Some(64 << 10))
                .hybrid_cache_capacity(1 << 20)
                .dfa(false),
        )
        .build(expression)
        .map_err(|error| match error.size_limit() {
            Some(limit) => format!("needs an automaton of more than {limit} bytes"),
            None => one_line(&error),
        })
}

/// The last lines of a syntax error say what is wrong; the others draw the expression.
fn one_line(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.trim_start_matches("error: ").to_owned()
}

/// An upper bound of the states that an automaton for `hir` needs.
fn states(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64 + 1,
        HirKind::Class(_) => 2,
        HirKind::Capture(capture) => states(&capture.sub).saturating_add(2),
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts
            .iter()
            .fold(1, |sum: u64, part| sum.saturating_add(states(part))),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            states(&repetition.sub)
                .saturating_add(1)
                .saturating_mul(u64::from(times))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_expression_is_named_in_one_line() {
        assert_eq!(check("(a"), Err("unclosed group".to_owned()));
        assert_eq!(check(r"(a)(?:b)(c)").unwrap().groups, 2);
    }

    #[test]
    fn a_brace_that_repeats_nothing_stands_for_itself() {
        for (written, read) in [
            (r"^\$(?:\d+|{\d+})$", r"^\$(?:\d+|\{\d+})$"),
            (r"a{2}b{3,}c{4,5}", r"a{2}b{3,}c{4,5}"),
            (r"\{{x}[{]\x{41}\pL{2}\p{L}", r"\{\{x}[{]\x{41}\pL{2}\p{L}"),
        ] {
            assert_eq!(with_literal_braces(written), read);
        }
        assert!(check(r"^\$(?:\d+|{\d+})$").is_ok());
    }

    #[test]
    fn what_is_sure_to_fit_compiles() {
        assert!(compile("[a-z]{0,9000}x").is_ok());
    }
}
