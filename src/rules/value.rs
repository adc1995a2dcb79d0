//! Reads typed values out of a TOML document, so that every complaint names file, line, column
//! and key.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::RuleError;

/// The file being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Text<'t> {
    pub(super) file: &'t str,
    pub(super) text: &'t str,
    /// Whether it is part of the program: its expressions are checked by a test, not at every start.
    pub(super) builtin: bool,
}

pub(super) type Value<'v> = Spanned<DeValue<'v>>;

impl<'t> Text<'t> {
    /// Parses the document.
    pub(super) fn parse(self) -> Result<Spanned<DeTable<'t>>, RuleError> {
        DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.error(at, "", error.message().to_owned())
        })
    }

    /// Where byte `at` stands: `file:line:column`.
    pub(super) fn place(self, at: usize) -> String {
        let (line, column) = self.line_and_column(at);
        format!("{}:{line}:{column}", self.file)
    }

    fn line_and_column(self, at: usize) -> (usize, usize) {
        let before = self.text.get(..at).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |feed| feed + 1);
        let line = before.matches('\n').count() + 1;
        (line, before[line_start..].chars().count() + 1)
    }

    /// A complaint about `key`, whose value (or which itself) stands at byte `at`.
    pub(super) fn error(self, at: usize, key: &str, message: impl Into<String>) -> RuleError {
        let (line, column) = self.line_and_column(at);
        RuleError::Key {
            file: self.file.to_owned(),
            line,
            column,
            key: key.to_owned(),
            message: message.into(),
        }
    }

    fn expected<T>(self, value: &Value<'_>, key: &str, what: &str) -> Result<T, RuleError> {
        let found = value.get_ref().type_str();
        Err(self.error(
            value.span().start,
            key,
            format!("expected {what}, found {found}"),
        ))
    }

    pub(super) fn string(self, value: &Value<'_>, key: &str) -> Result<String, RuleError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            _ => self.expected(value, key, "a string"),
        }
    }

    pub(super) fn boolean(self, value: &Value<'_>, key: &str) -> Result<bool, RuleError> {
        match value.get_ref() {
            DeValue::Boolean(flag) => Ok(*flag),
            _ => self.expected(value, key, "true or false"),
        }
    }

    pub(super) fn count(self, value: &Value<'_>, key: &str) -> Result<u64, RuleError> {
        let number = match value.get_ref() {
            DeValue::Integer(number) => u64::from_str_radix(number.as_str(), number.radix()).ok(),
            _ => None,
        };
        match number {
            Some(number) => Ok(number),
            None => self.expected(value, key, "a whole number from 0"),
        }
    }

    pub(super) fn number(self, value: &Value<'_>, key: &str) -> Result<f64, RuleError> {
        let number = match value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().ok(),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        };
        match number.filter(|number: &f64| number.is_finite() && *number >= 0.0) {
            Some(number) => Ok(number),
            None => self.expected(value, key, "a number from 0"),
        }
    }

    /// The strings of an array, each with the byte where it stands.
    pub(super) fn strings(
        self,
        value: &Value<'_>,
        key: &str,
    ) -> Result<Vec<(String, usize)>, RuleError> {
        match value.get_ref() {
            DeValue::Array(values) => values
                .iter()
                .map(|value| Ok((self.string(value, key)?, value.span().start)))
                .collect(),
            _ => self.expected(value, key, "an array of strings"),
        }
    }

    pub(super) fn table<'v, 's>(
        self,
        value: &'v Value<'s>,
        key: &str,
    ) -> Result<&'v DeTable<'s>, RuleError> {
        match value.get_ref() {
            DeValue::Table(table) => Ok(table),
            _ => self.expected(value, key, "a table"),
        }
    }

    /// The tables of an array of tables, each with the byte where it stands.
    pub(super) fn tables<'v, 's>(
        self,
        value: &'v Value<'s>,
        key: &str,
    ) -> Result<Vec<(&'v DeTable<'s>, usize)>, RuleError> {
        match value.get_ref() {
            DeValue::Array(values) => values
                .iter()
                .map(|value| Ok((self.table(value, key)?, value.span().start)))
                .collect(),
            _ => self.expected(value, key, "an array of tables"),
        }
    }
}

/// The entries of a table in the order of the file. Keys are compared without their case, as
/// gitleaks does, so they are given in lower case beside the way they are written.
pub(super) fn entries<'v, 's>(
    table: &'v DeTable<'s>,
) -> Vec<(String, &'v str, usize, &'v Value<'s>)> {
    let mut entries: Vec<_> = table
        .iter()
        .map(|(key, value)| {
            let name: &str = key.get_ref();
            (name.to_lowercase(), name, key.span().start, value)
        })
        .collect();
    entries.sort_by_key(|entry| entry.2);
    entries
}
