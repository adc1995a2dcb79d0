//! Values near a name: keys whose form alone says nothing (32 hexadecimal digits), and that are
//! known by the provider's name close by.
//!
//! People write the name where the language has room for it: in the variable, above a block of
//! YAML, in the address that a request goes to, in the name of a client's type. So the name is
//! asked to be near, before or after; and the value to stand by itself, in quotes or after a sign
//! that a value follows, and not under a name that says it is an identifier or a checksum.

use std::ops::Range;

/// How far before a value its name may stand, in bytes and in lines.
const NAME_BEFORE: (usize, usize) = (384, 8);
/// How far after a value its name may stand, in bytes and in lines.
const NAME_AFTER: (usize, usize) = (200, 3);
/// How far from its name a value begins or ends, in bytes.
pub(super) const FARTHEST: usize = NAME_BEFORE.0;
/// Longest name before a value that is read, in bytes.
const LONGEST_LABEL: usize = 64;

/// Last words of names whose values are no secrets.
const PUBLIC: [&str; 37] = [
    "account",
    "address",
    "checksum",
    "cid",
    "commit",
    "contract",
    "digest",
    "email",
    "etag",
    "fingerprint",
    "guid",
    "hash",
    "host",
    "hostname",
    "id",
    "ids",
    "identifier",
    "integrity",
    "md5",
    "md5sum",
    "name",
    "org",
    "organization",
    "project",
    "ref",
    "revision",
    "sha",
    "sha1",
    "sha256",
    "sha256sum",
    "sha512",
    "sid",
    "status",
    "sum",
    "thumbprint",
    "uid",
    "username",
];

/// What names of providers are written together with.
const COMPOUNDS: [&str; 11] = [
    "api", "auth", "client", "cloud", "key", "pass", "rest", "sdk", "search", "secret", "token",
];

/// Where values of the name at `name` in `text` may stand.
pub(super) fn window(text: &[u8], name: &Range<usize>) -> Range<usize> {
    let (before, lines) = NAME_AFTER;
    let start = name.start.saturating_sub(before);
    let feeds = memchr::memrchr_iter(b'\n', &text[start..name.start]);
    let start = feeds
        .take(lines + 1)
        .nth(lines)
        .map_or(start, |at| start + at);
    let (after, lines) = NAME_BEFORE;
    let end = text.len().min(name.end + after);
    let mut feeds = memchr::memchr_iter(b'\n', &text[name.end..end]);
    let end = feeds.nth(lines).map_or(end, |at| name.end + at);
    start..end
}

/// How far the name at `name` is from `value`, in bytes.
pub(super) fn distance(name: &Range<usize>, value: &Range<usize>) -> usize {
    match value.start >= name.end {
        true => value.start - name.end,
        false => name.start.saturating_sub(value.end),
    }
}

/// Whether the keyword at `name` is a name, and not the beginning of another word.
pub(super) fn is_name(text: &[u8], name: &Range<usize>) -> bool {
    let (Some(&last), Some(&next)) = (text[name.clone()].last(), text.get(name.end)) else {
        return true;
    };
    let follows = last.is_ascii_alphabetic() && next.is_ascii_alphabetic();
    let capital = last.is_ascii_lowercase() && next.is_ascii_uppercase();
    let compound = |end: &str| {
        let rest = text.get(name.end..name.end + end.len());
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(end.as_bytes()))
    };
    !follows || capital || COMPOUNDS.iter().any(|end| compound(end))
}

/// Whether a value is made of words: an identifier, as long as a key by chance. Letters alone
/// whose case hardly ever changes, or only where a word begins; of 20 random letters and digits one in
/// a thousand are so.
pub(super) fn is_words(value: &[u8]) -> bool {
    let changes = value
        .windows(2)
        .filter(|pair| pair[0].is_ascii_uppercase() != pair[1].is_ascii_uppercase())
        .count();
    let few = changes * 4 <= value.len() || value.len() >= 22 && is_camel_case(value);
    !value.iter().any(u8::is_ascii_digit) && few
}

/// Whether each capital, or a few of them, begins a word: two small letters follow, or the end.
pub(super) fn is_camel_case(value: &[u8]) -> bool {
    let mut words =
        value.chunk_by(|one, other| one.is_ascii_uppercase() || other.is_ascii_lowercase());
    words.all(|word| {
        let capitals = word.iter().take_while(|byte| byte.is_ascii_uppercase());
        let capitals = capitals.count();
        let small = &word[capitals..];
        capitals <= 4 && small.len() != 1 && small.iter().all(u8::is_ascii_lowercase)
    })
}

/// Whether what stands at `range` of `text` stands by itself, as values do.
pub(super) fn stands_alone(text: &[u8], range: &Range<usize>) -> bool {
    let before = range.start.checked_sub(1).map(|at| text[at]);
    let user_of_url = text[..range.start].ends_with(b"://");
    (user_of_url || before.is_none_or(opens)) && text.get(range.end).copied().is_none_or(closes)
}

/// Whether a value may begin after `byte`.
fn opens(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`=:(,[{<>|;".contains(&byte)
}

/// Whether a value may end before `byte`.
fn closes(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b"\"'`,;)]}<>|&:@\\".contains(&byte)
}

/// Where after `at` the next value may begin, at least one byte on.
pub(super) fn next_beginning(text: &[u8], at: usize) -> usize {
    let rest = &text[at..];
    let found = rest.iter().position(|&byte| opens(byte) || byte == b'/');
    found.map_or(text.len(), |offset| at + offset + 1)
}

/// Whether the name under which a value stands says that it is no secret: `app_id`, `sha256`.
pub(super) fn is_public(text: &[u8], value: &Range<usize>) -> bool {
    let label = label(&text[..value.start]);
    let words = words(label);
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    let secret = before
        .last()
        .is_some_and(|word| word == "secret" || word == "token");
    let public = before
        .iter()
        .any(|word| word == "public" || word == "publishable");
    PUBLIC.contains(&last.as_str()) && !secret || public && last == "key"
}

/// The name before a value, on its line: `app_id` of `app_id = "`; without one, the word before.
fn label(before: &[u8]) -> &[u8] {
    let sign = |byte: u8| b" \t\"'`=:(>[{,".contains(&byte);
    let end = before
        .iter()
        .rposition(|&byte| !sign(byte))
        .map_or(0, |at| at + 1);
    let start = before[..end]
        .iter()
        .rposition(|&byte| !(byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)))
        .map_or(0, |at| at + 1);
    &before[start.max(end.saturating_sub(LONGEST_LABEL))..end]
}

/// The words of a name, in lower case: two of `appId`, `app_id`, `APP-ID`.
fn words(name: &[u8]) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut lower = false;
    for &byte in name {
        let begins = byte.is_ascii_uppercase() && lower;
        if (begins || !byte.is_ascii_alphanumeric()) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if byte.is_ascii_alphanumeric() {
            word.push(char::from(byte.to_ascii_lowercase()));
        }
        lower = byte.is_ascii_lowercase() || byte.is_ascii_digit();
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_is_public() {
        let public = |before: &str| {
            let text = format!("{before}0a1b2c");
            is_public(text.as_bytes(), &(before.len()..text.len()))
        };
        for before in [
            "app_id = \"",
            "appId: '",
            "SNYK_ORG_ID=",
            "\"sha256\": \"",
            "commit ",
            "PUBLIC_KEY=",
            "md5(",
            "client-id: ",
            "x.clientID = ",
        ] {
            assert!(public(before), "{before}");
        }
        for before in [
            "",
            "app_key = '",
            "secret_id = \"",
            "Bearer ",
            "Client(\"",
            "?appid=",
            "-u user:",
            "token:\n  ",
            "paid = ",
            "\n",
        ] {
            assert!(!public(before), "{before}");
        }
    }

    #[test]
    fn a_window_ends_after_some_lines_or_bytes() {
        let text = format!("{}NAME{}", "line\n".repeat(20), "\nline".repeat(20));
        let at = text.find("NAME").unwrap();
        let window = window(text.as_bytes(), &(at..at + 4));
        assert_eq!(
            text[window.start..at].matches('\n').count(),
            NAME_AFTER.1 + 1
        );
        assert_eq!(text[at..window.end].matches('\n').count(), NAME_BEFORE.1);
        let long = [b"x".repeat(1000), b"NAME".to_vec(), b"x".repeat(1000)].concat();
        assert_eq!(super::window(&long, &(1000..1004)), 800..1388);
    }

    #[test]
    fn a_name_is_no_beginning_of_a_word() {
        let is = |text: &str, name: &str| {
            let start = text.to_lowercase().find(name).unwrap();
            is_name(text.as_bytes(), &(start..start + name.len()))
        };
        for text in [
            "expo",
            "EXPO_TOKEN",
            "ExpoClient",
            "expo.dev",
            "expotoken",
            "EXPOKEY",
            "expo2",
        ] {
            assert!(is(text, "expo"), "{text}");
        }
        assert!(!is("export", "expo") && !is("EXPORT", "expo") && !is("heroku_appx", "heroku_app"));
    }

    #[test]
    fn identifiers_are_no_values() {
        for text in [
            "ResponsiveDesignMode",
            "pagerduty_service_key",
            "INTERNATIONALIZATION",
            "helper-functions-of",
            "ListDataSourceRunsForEnv",
        ] {
            assert!(is_words(text.as_bytes()), "{text}");
        }
        assert!(!is_words(b"hGtRkWqzPmLsXcVbNdFjTzWq") && !is_words(b"responsivedesignmod3"));
    }

    #[test]
    fn a_value_stands_by_itself() {
        let alone = |text: &str| {
            let start = text.find("0a1b").unwrap();
            stands_alone(text.as_bytes(), &(start..start + 4))
        };
        for text in [
            "0a1b",
            "x=0a1b&y",
            "https://0a1b:@x",
            "'0a1b'",
            "user:0a1b@host",
            "Bearer 0a1b\n",
            "\\\"0a1b\\\"",
        ] {
            assert!(alone(text), "{text}");
        }
        for text in [
            "#0a1b", "/0a1b", "0a1bc", "x0a1b", "0a1b-1", "-0a1b", "0a1b.tgz", "0a1b=",
        ] {
            assert!(!alone(text), "{text}");
        }
    }
}
