//! Values near a name: keys whose form alone says nothing (32 hexadecimal digits), and that are
//! known by the provider's name close by.
//!
//! People write the name where the language has room for it: in the variable, above a block of
//! YAML, in the address that a request goes to, in the name of a client's type. So the name is
//! asked to be near, before or after; and the value to stand by itself, in quotes or after a sign
//! that a value follows, and not under a name that says it is an identifier or a checksum.

use std::ops::Range;

/// How far before a value its name may stand, in bytes and in lines.
const NAME_BEFORE: (usize, usize) = (384, 12);
/// How far after a value its name may stand, in bytes and in lines.
const NAME_AFTER: (usize, usize) = (300, 5);
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

/// Last words of an argument before a value that say the value is public: others may be what the
/// argument itself is.
const PUBLIC_ARGUMENTS: [&str; 12] = [
    "checksum",
    "commit",
    "digest",
    "fingerprint",
    "hash",
    "id",
    "ids",
    "md5",
    "revision",
    "sha",
    "sha1",
    "sha256",
];

/// What names of providers are written together with.
const COMPOUNDS: [&str; 40] = [
    "access",
    "account",
    "admin",
    "ai",
    "api",
    "app",
    "auth",
    "bot",
    "ci",
    "client",
    "cloud",
    "com",
    "config",
    "cred",
    "db",
    "dev",
    "hq",
    "io",
    "js",
    "key",
    "labs",
    "org",
    "pass",
    "preview",
    "prod",
    "project",
    "py",
    "rest",
    "sdk",
    "search",
    "secret",
    "server",
    "service",
    "smtp",
    "token",
    "url",
    "user",
    "web",
    "hook",
    "integration",
];

/// Length from which a keyword is no beginning of an English word.
const NO_WORD: usize = 7;
/// Letters in one case from which a value may be random: no identifier has so many without a sign.
const NO_IDENTIFIER: usize = 24;

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
    let is_long = name.len() >= NO_WORD && text[name.clone()].iter().all(u8::is_ascii_alphabetic);
    let capital = last.is_ascii_lowercase() && next.is_ascii_uppercase();
    let compound = |end: &str| {
        let rest = text.get(name.end..name.end + end.len());
        rest.is_some_and(|rest| rest.eq_ignore_ascii_case(end.as_bytes()))
    };
    !follows || capital || is_long || COMPOUNDS.iter().any(|end| compound(end))
}

/// Whether a value is made of words: an identifier, as long as a key by chance. Letters alone
/// whose case hardly ever changes, or only where a word begins; of 20 random letters and digits one in
/// a thousand are so. Many letters in one case are words only if enough of them are vowels.
pub(super) fn is_words(value: &[u8]) -> bool {
    let vowels = value.iter().filter(|byte| b"aeiouAEIOU".contains(byte));
    if value.len() >= NO_IDENTIFIER
        && (value.iter().all(u8::is_ascii_lowercase) || value.iter().all(u8::is_ascii_uppercase))
        && vowels.count() * 10 < value.len() * 3
    {
        return false;
    }
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
    let after = &text[range.end..];
    let ends_sentence = matches!(
        after,
        [b'.' | b'!' | b'?'] | [b'.' | b'!' | b'?', b' ' | b'\r' | b'\n', ..]
    );
    (user_of_url || before.is_none_or(opens))
        && (ends_sentence || after.first().copied().is_none_or(closes))
}

/// Whether a value may begin after `byte`.
fn opens(byte: u8) -> bool {
    byte.is_ascii_whitespace() || !byte.is_ascii() || b"\"'`=:(,[{<>|;*~".contains(&byte)
}

/// Whether a value may end before `byte`.
fn closes(byte: u8) -> bool {
    byte.is_ascii_whitespace() || !byte.is_ascii() || b"\"'`,;)]}<>|&:@\\*~".contains(&byte)
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
    let mut words = words(label.name);
    // What is converted stands before the word: `keyToAccount(`.
    if let Some(to) = words.iter().position(|word| word == "to") {
        words.truncate(to);
    }
    let Some((last, before)) = words.split_last() else {
        return false;
    };
    if label.is_argument {
        return PUBLIC_ARGUMENTS.contains(&last.as_str());
    }
    let secret = before
        .last()
        .is_some_and(|word| word == "secret" || word == "token");
    let public = before
        .iter()
        .any(|word| word == "public" || word == "publishable");
    PUBLIC.contains(&last.as_str()) && !secret || public && last == "key"
}

/// What stands before a value.
struct Label<'t> {
    name: &'t [u8],
    /// Whether it is an argument of its own: `set("app_id", "`.
    is_argument: bool,
}

/// The name before a value, on its line: `app_id` of `app_id = "`; without one, the word before.
/// `Secret ID` is one name.
fn label(before: &[u8]) -> Label<'_> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let end_of = |text: &[u8]| {
        let sign = |byte: u8| b" \t\"'`=:(>[{,\\".contains(&byte);
        text.iter()
            .rposition(|&byte| !sign(byte))
            .map_or(0, |at| at + 1)
    };
    let start_of = |text: &[u8]| {
        let found = text.iter().rposition(|&byte| !is_name(byte));
        found.map_or(0, |at| at + 1)
    };
    let end = end_of(before);
    let mut start = start_of(&before[..end]);
    let first = before[..start].strip_suffix(b" ").unwrap_or_default();
    let word = &first[start_of(first)..];
    if word.eq_ignore_ascii_case(b"secret") || word.eq_ignore_ascii_case(b"token") {
        start -= word.len() + 1;
    }
    let signs = &before[end..];
    let is_argument = signs.contains(&b',');
    // A variable that is an argument, too, says nothing of the next one.
    let is_quoted = signs.first().is_some_and(|sign| b"\"'`\\".contains(sign));
    let name = match is_argument && !is_quoted {
        true => &[],
        false => &before[start.max(end.saturating_sub(LONGEST_LABEL))..end],
    };
    Label { name, is_argument }
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
            "set(\"app_id\", \"",
            "Accessor ID = ",
            "{\\\"client_id\\\": \\\"",
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
            "Secret ID    = ",
            "privateKeyToAccount('",
            "new Client(\"acme-project\", \"",
            "new Client(CLIENT_ID, \"",
            "VALUES ('acme_account', '",
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
        assert_eq!(super::window(&long, &(1000..1004)), 700..1388);
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
            "expohq",
        ] {
            assert!(is(text, "expo"), "{text}");
        }
        assert!(is("datadoghqeu", "datadog"));
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
        assert!(!is_words(b"qwzkjhgtrplmnbvcxsdfghaqtzpk"));
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
            "it is 0a1b.",
            "0a1b. Do",
            "**0a1b**",
            "“0a1b”",
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
