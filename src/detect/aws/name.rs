//! Reads the words round a value: the name it is given, and what that name says.

use super::account::{KEY_ID_LENGTH, key_type};
use super::shape::{SECRET_LENGTH, is_secret_byte};
use crate::detect::view::View;
use crate::rules::AwsWords;

/// How far before a value its name may begin, in bytes.
const NAME_REACH: usize = 160;

/// Words that stand between a name and its value without being the name: types, keywords, and
/// the "value" of a name/value pair.
const FILLERS: &[&str] = &[
    "value",
    "values",
    "val",
    "default",
    "defaultvalue",
    "text",
    "string",
    "str",
    "static",
    "const",
    "char",
    "nsstring",
    "std",
    "data",
    "content",
    "stringdata",
    "raw",
    "b",
    "r",
    "u",
    "f",
    "l",
    "s",
    "s3",
    "set",
    "to",
    "is",
    "as",
    "cdata",
    "parametervalue",
    "secretstring",
    "plaintext",
    "of",
    "new",
    "some",
    "box",
    "from",
    "into",
    "code",
    "td",
    "stringvalue",
    "literal",
];

/// Words of a name/value pair that announce the name itself.
const NAME_LABELS: &[&str] = &[
    "name",
    "key",
    "variable",
    "parameterkey",
    "property",
    "id",
    "field",
];

/// What the surroundings of a value call it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name {
    /// The name, as written; empty where there is none.
    pub(crate) text: String,
    /// Where it begins in the view; only meaningful where `text` is not empty.
    pub(crate) start: usize,
    /// Whether it stands on the value's own line.
    pub(crate) same_line: bool,
}

impl Name {
    /// Lower case, letters and digits only: `aws.secretKey` becomes `awssecretkey`.
    pub(crate) fn folded(&self) -> String {
        fold(&self.text)
    }

    /// Whether it names a secret of whatever kind.
    pub(crate) fn is_secret(&self, words: &AwsWords) -> bool {
        let folded = self.folded();
        words
            .secret_names
            .iter()
            .any(|word| folded.contains(word.as_str()))
    }

    /// Whether it names an AWS secret access key beyond doubt.
    pub(crate) fn is_aws_secret(&self, words: &AwsWords) -> bool {
        let folded = self.folded();
        let of_aws = || {
            words
                .aws_names
                .iter()
                .any(|name| folded.contains(name.as_str()))
                || humps(&self.text)
                    .iter()
                    .any(|word| words.aws_services.contains(word))
        };
        folded.contains("secretaccesskey") || folded.contains("secret") && of_aws()
    }

    /// Whether it names a hash, a revision or the like: forty characters that are no secret.
    pub(crate) fn is_hash(&self, words: &AwsWords) -> bool {
        humps(&self.text)
            .iter()
            .any(|word| words.hash_names.contains(word))
    }

    /// What distinguishes it from the names of other keys: `AWS_SECRET_ACCESS_KEY_PROD` leaves
    /// `prod`, so that it can be matched with `AWS_ACCESS_KEY_ID_PROD`.
    pub(crate) fn remainder(&self, words: &AwsWords) -> String {
        humps(&self.text)
            .into_iter()
            .filter(|word| !words.common_names.contains(word))
            .collect::<Vec<_>>()
            .join("-")
    }
}

/// Lower case, letters and digits only.
fn fold(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|letter| letter.to_ascii_lowercase())
        .collect()
}

/// The words of an identifier in lower case, split at separators and at camel humps.
fn humps(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    for letter in text.chars() {
        // `s3` and `ec2` are words, `prod2` is two.
        let length = words.last().map_or(0, String::len);
        let hump = before.is_ascii_lowercase() && letter.is_ascii_uppercase()
            || before.is_ascii_digit() && letter.is_ascii_alphabetic()
            || length > 2 && before.is_ascii_alphabetic() && letter.is_ascii_digit();
        if !letter.is_ascii_alphanumeric() || hump {
            words.push(String::new());
        }
        if let (true, Some(word)) = (letter.is_ascii_alphanumeric(), words.last_mut()) {
            word.push(letter.to_ascii_lowercase());
        }
        before = letter;
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The name of the value that begins at `value` of the view.
pub(crate) fn name_before(view: &View, value: usize) -> Name {
    let line = view.line(value);
    let start = view.line_start(line).max(value.saturating_sub(NAME_REACH));
    let before = &view.text[start..value];
    match name_in(before) {
        Found::Name(at, text) => Name {
            text,
            start: start + at,
            same_line: true,
        },
        Found::Nothing => (line.saturating_sub(2)..line)
            .rev()
            .find_map(|line| name_on_line(view, line))
            .unwrap_or_default(),
        Found::OtherValue => Name::default(),
    }
}

enum Found {
    /// Offset and text of an identifier.
    Name(usize, String),
    /// Only fillers and punctuation.
    Nothing,
    /// Another value or statement stands in between.
    OtherValue,
}

/// The name that a line above gives: `- name: X`, `<name>X</name>`, `"Key": "X",`, `X:`.
fn name_on_line(view: &View, line: usize) -> Option<Name> {
    let end = view.line_end(line);
    let start = view.line_start(line).max(end.saturating_sub(NAME_REACH));
    let text = view.text[start..end].trim_ascii_end();
    let text = match memchr::memmem::rfind(text, b"</") {
        Some(closing) => &text[..closing],
        None => text,
    };
    let text = trim_end(text, b"\",'`;:{[(>|=\\ ");
    match last_identifier(text) {
        Some((at, name)) if at + name.len() == text.len() && name.len() > 2 && !is_value(text) => {
            Some(Name {
                text: name.to_owned(),
                start: start + at,
                same_line: false,
            })
        }
        _ => None,
    }
}

/// The last identifier of `before` that is not a filler, if only operators, quotes, fillers and
/// blanks stand between it and the end.
fn name_in(before: &[u8]) -> Found {
    let mut rest = before;
    let mut label_seen = false;
    loop {
        let trimmed = trim_end(rest, b" \t\r\"'`=:>,|()[]{}@<&*#-!?\\$+~");
        if trimmed.iter().all(|byte| byte.is_ascii_whitespace()) {
            return Found::Nothing;
        }
        let Some((at, identifier)) = last_identifier(trimmed) else {
            return Found::OtherValue;
        };
        if at + identifier.len() != trimmed.len() {
            return Found::OtherValue;
        }
        if is_value(trimmed) {
            return Found::OtherValue;
        }
        let folded = fold(identifier);
        let label = NAME_LABELS.contains(&folded.as_str()) && label_seen;
        if !FILLERS.contains(&folded.as_str()) && !label {
            return Found::Name(at, identifier.to_owned());
        }
        label_seen = true;
        rest = &trimmed[..at];
    }
}

/// Whether `text` ends with what is rather a value than a name: an access key ID, forty
/// characters of a secret's alphabet, or letters joined by `+` and `/`.
fn is_value(text: &[u8]) -> bool {
    let start = text
        .iter()
        .rposition(|&byte| !is_secret_byte(byte))
        .map_or(0, |at| at + 1);
    let run = &text[start..];
    run.len() == KEY_ID_LENGTH && key_type(run).is_some()
        || run.len() == SECRET_LENGTH
        || run.iter().any(|byte| matches!(byte, b'+' | b'/'))
}

fn trim_end<'t>(text: &'t [u8], characters: &[u8]) -> &'t [u8] {
    let kept = text
        .iter()
        .rposition(|byte| !characters.contains(byte))
        .map_or(0, |last| last + 1);
    &text[..kept]
}

/// The last run of identifier characters, and where it begins.
fn last_identifier(text: &[u8]) -> Option<(usize, &str)> {
    let is_identifier =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'$');
    let end = text.iter().rposition(is_identifier)? + 1;
    let start = text[..end]
        .iter()
        .rposition(|byte| !is_identifier(byte))
        .map_or(0, |at| at + 1);
    // A run that is cut off by the reach is no identifier to rely on, but better than none.
    std::str::from_utf8(&text[start..end])
        .ok()
        .map(|identifier| (start, identifier))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> String {
        let at = text.find('@').unwrap();
        name_before(&View::new(text.as_bytes(), 0), at).text
    }

    #[test]
    fn finds_the_name_of_a_value() {
        for (text, expected) in [
            ("AWS_KEY=@", "AWS_KEY"),
            ("export AWS_KEY='@'", "AWS_KEY"),
            ("ENV AWS_KEY @", "AWS_KEY"),
            ("{\"accessKey\": \"@\"}", "accessKey"),
            ("{\\\"accessKey\\\": \\\"@\\\"}", "accessKey"),
            ("let secret_key: &str = \"@\";", "secret_key"),
            ("const secretKey string = \"@\"", "secretKey"),
            ("define('AWS_KEY', '@');", "AWS_KEY"),
            ("<secretKey>@</secretKey>", "secretKey"),
            ("<add key=\"AWSSecretKey\" value=\"@\"/>", "AWSSecretKey"),
            (":aws_secret_access_key => '@'", "aws_secret_access_key"),
            ("os.environ[\"AWS_KEY\"] = \"@\"", "AWS_KEY"),
            ("- name: AWS_KEY\n  value: @", "AWS_KEY"),
            ("<key>AWS_KEY</key>\n<string>@</string>", "AWS_KEY"),
            ("{\"name\": \"AWS_KEY\", \"value\": \"@\"}", "AWS_KEY"),
            ("\"Name\": \"AWS_KEY\",\n  \"Value\": \"@\"", "AWS_KEY"),
            ("| AWS_KEY | `@` |", "AWS_KEY"),
            (
                "aws configure set aws_secret_access_key @",
                "aws_secret_access_key",
            ),
            ("fs.s3a.secret.key=@", "fs.s3a.secret.key"),
            ("a=1;aws_secret_access_key=@", "aws_secret_access_key"),
            ("variable \"aws_key\" {\n  default = \"@\"", "aws_key"),
            ("\"@\"", ""),
        ] {
            assert_eq!(name(text), expected, "{text}");
        }
    }

    #[test]
    fn splits_names_into_words() {
        assert_eq!(
            humps("AWS_SecretKeyProd2"),
            ["aws", "secret", "key", "prod", "2"]
        );
        assert_eq!(humps("S3_KEY.ec2Key"), ["s3", "key", "ec2", "key"]);
    }
}
