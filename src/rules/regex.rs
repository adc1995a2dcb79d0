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
    let hir = parse(expression)?;
    if states(&hir) > STATES_SURE {
        compile(expression)?;
    }
    Ok(Checked {
        text: expression.into(),
        groups: hir.properties().explicit_captures_len(),
    })
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
    fn what_is_sure_to_fit_compiles() {
        assert!(compile("[a-z]{0,9000}x").is_ok());
    }
}
