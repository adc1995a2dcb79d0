//! Manifests of Kubernetes: the values of a Secret.

use std::ops::Range;

use super::likeness::{base64, is_used_password};

/// How far before and after `kind: Secret` its manifest is read, in bytes.
const REACH: usize = 4 * 1024;
const KIND: &str = "kind";
/// Fewest base64 characters of a value.
const LEAST: usize = 12;
/// Names of what a Secret holds beside secrets.
const OPEN_NAMES: [&[u8]; 5] = [b"user", b"host", b"name", b"mail", b".crt"];

/// The first secret value of the manifest whose `kind: Secret` begins at `kind`. The data stand
/// after the kind where people wrote them, and before it where `kubectl get -o yaml` did.
pub(super) fn secret_value(text: &[u8], kind: usize) -> Option<Range<usize>> {
    if text[kind..].get(KIND.len()) == Some(&b'"') {
        return value_in_json(text, kind);
    }
    let start = line_start(text, kind);
    let indent = indentation(&text[start..kind])?;
    let after = lines(text, start..text.len().min(kind + REACH));
    let before = lines(text, line_start(text, start.saturating_sub(REACH))..start);
    let inner = |line: &&Range<usize>| belongs(&text[(*line).clone()], indent);
    let item = |line: &Range<usize>| is_item(&text[line.clone()], indent);
    let mut above = before.iter().rev().take_while(inner).count();
    if item(&after[0]) {
        above = 0;
    } else if before.iter().rev().nth(above).is_some_and(item) {
        above += 1;
    }
    let below = 1 + after[1..].iter().take_while(inner).count();
    let manifest = [&before[before.len() - above..], &after[..below]].concat();
    let data = manifest.iter().position(|line| {
        let line = &text[line.clone()];
        line.get(indent..).map(<[u8]>::trim_ascii_end) == Some(b"data:")
            && indentation(&line[..indent]).is_some()
    })?;
    let values = manifest[data + 1..]
        .iter()
        .take_while(|line| width(&text[(*line).clone()]) > indent);
    values.filter_map(|line| value(text, line)).next()
}

/// Where the secret value of the line `name: value` stands.
fn value(text: &[u8], line: &Range<usize>) -> Option<Range<usize>> {
    let content = &text[line.clone()];
    let colon = memchr::memchr(b':', content)?;
    if is_open_name(&content[..colon]) {
        return None;
    }
    let rest = &content[colon + 1..];
    let skipped = rest
        .iter()
        .take_while(|byte| b" \t\"'".contains(byte))
        .count();
    let length = rest[skipped..]
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(byte))
        .count();
    let start = line.start + colon + 1 + skipped;
    let ended = !matches!(text.get(start + length), Some(byte) if !b" \t\r\n\"'#".contains(byte));
    let secret = skipped > 0 && ended && is_encoded_secret(&text[start..start + length]);
    secret.then_some(start..start + length)
}

/// The first secret value of the manifest in JSON whose `"kind": "Secret"` stands at `kind`.
fn value_in_json(text: &[u8], kind: usize) -> Option<Range<usize>> {
    let start = object_start(text, kind)?;
    let object = &text[start..text.len().min(kind + REACH)];
    let mut objects = serde_json::Deserializer::from_slice(object).into_iter();
    let manifest: serde_json::Map<String, serde_json::Value> = objects.next()?.ok()?;
    let data = manifest.get("data")?.as_object()?;
    let names = data
        .iter()
        .filter(|(name, _)| !is_open_name(name.as_bytes()));
    let places = names.filter_map(|(_, value)| {
        let value = value.as_str()?.as_bytes();
        let at = memchr::memmem::find(object, value)?;
        is_encoded_secret(value).then_some(start + at..start + at + value.len())
    });
    places.min_by_key(|place| place.start)
}

/// Where the object begins that `at` stands in.
fn object_start(text: &[u8], at: usize) -> Option<usize> {
    let from = at.saturating_sub(REACH);
    let mut closed = 0_usize;
    for (offset, &byte) in text[from..at].iter().enumerate().rev() {
        match byte {
            b'}' => closed += 1,
            b'{' if closed == 0 => return Some(from + offset),
            b'{' => closed -= 1,
            _ => {}
        }
    }
    None
}

/// Whether `name` is one of what a Secret holds beside secrets.
fn is_open_name(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    let holds = |open: &&[u8]| memchr::memmem::find(&name, open).is_some();
    OPEN_NAMES.iter().any(holds)
}

/// Whether `encoded` is base64, long enough, of a secret.
fn is_encoded_secret(encoded: &[u8]) -> bool {
    encoded.len() >= LEAST
        && encoded.len().is_multiple_of(4)
        && base64(encoded).is_some_and(|bytes| is_secret(&bytes))
}

/// Whether what a value stands for is no placeholder: text that somebody uses as a password, or
/// anything else.
fn is_secret(bytes: &[u8]) -> bool {
    let text = bytes.trim_ascii();
    let one_line = text.iter().all(|byte| (b' '..=b'~').contains(byte));
    !one_line || is_used_password(b"", text)
}

/// The column at which a line's content begins, if nothing but space and the dash of a list
/// stands before it.
fn indentation(before: &[u8]) -> Option<usize> {
    let blank = before.iter().all(|byte| b" -\"'".contains(byte));
    blank.then_some(before.len())
}

/// Whether a line is part of a manifest whose names begin at column `indent`.
fn belongs(line: &[u8], indent: usize) -> bool {
    line.trim_ascii().is_empty() || (width(line) >= indent && !line.starts_with(b"---"))
}

/// Whether a line begins the list's item whose names begin at column `indent`.
fn is_item(line: &[u8], indent: usize) -> bool {
    indent >= 2 && line.get(indent - 2..indent) == Some(b"- ")
}

/// How far a line is indented; an empty one as far as any.
fn width(line: &[u8]) -> usize {
    line.iter()
        .position(|byte| !b" \r".contains(byte))
        .unwrap_or(usize::MAX)
}

fn line_start(text: &[u8], at: usize) -> usize {
    memchr::memrchr(b'\n', &text[..at]).map_or(0, |feed| feed + 1)
}

/// The lines in `range`, without their ends.
fn lines(text: &[u8], range: Range<usize>) -> Vec<Range<usize>> {
    let mut start = range.start;
    text[range]
        .split(|&byte| byte == b'\n')
        .map(|line| {
            let this = start..start + line.len();
            start = this.end + 1;
            this
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let kind = text.find("kind: Secret")?;
        secret_value(text.as_bytes(), kind).map(|range| &text[range])
    }

    #[test]
    fn a_manifest_may_be_json() {
        let one = "a1Q5eFEydkxtOFpy";
        let found = |text: &str| {
            let range = secret_value(text.as_bytes(), text.find("kind\"")?);
            range.map(|range| text[range].to_owned())
        };
        let before = format!(r#"[{{"data": {{"user": "x", "a": "{one}"}}, "kind": "Secret"}}]"#);
        assert_eq!(found(&before), Some(one.to_owned()));
        let after = format!(r#"{{"kind":"Secret","data":{{"a":"{one}"}}}}, {{}}"#);
        assert_eq!(found(&after), Some(one.to_owned()));
        for other in [
            format!(r#"{{"data":{{"a":"{one}"}},"owners":[{{"kind":"Secret"}}]}}"#),
            format!(r#"{{"kind":"Secret"}},{{"data":{{"a":"{one}"}}}}"#),
            format!(r#"{{"kind":"Secret","data":{{"a":"{one}""#),
            r#"kind":"Secret"#.to_owned(),
        ] {
            assert_eq!(found(&other), None, "{other}");
        }
    }

    #[test]
    fn a_value_belongs_to_its_own_manifest() {
        // "kT9xQ2vLm8Zr" and "correct-7-horse".
        let (one, two) = ("a1Q5eFEydkxtOFpy", "Y29ycmVjdC03LWhvcnNl");
        let after = format!("kind: Secret\nmetadata:\n  name: x\ndata:\n  a.b: {one}\n");
        assert_eq!(found(&after), Some(one));
        let before = format!("data:\n  a: \"{one}\"\nkind: Secret\nmetadata: {{}}\n");
        assert_eq!(found(&before), Some(one));
        let list = format!("items:\n- data:\n    a: {one}\n  kind: Secret\n");
        assert_eq!(found(&list), Some(one));
        let user_first = format!("kind: Secret\ndata:\n  username: {one}\n  pw: {two}\n");
        assert_eq!(found(&user_first), Some(two));
        for other in [
            format!("kind: Secret\n---\nkind: ConfigMap\ndata:\n  a: {one}\n"),
            format!("kind: Secret\ndata: {{}}\nother:\n  a: {one}\n"),
            format!("- kind: Secret\n- kind: ConfigMap\n  data:\n    a: {one}\n"),
            format!("// kind: Secret\n// data:\n//   a: {one}\n"),
            format!("kind: Secret\ndata:\n  a: {}\n", &one[..14]),
            // "changeme-now", "password\n"
            "kind: Secret\ndata:\n  a: Y2hhbmdlbWUtbm93\n  b: cGFzc3dvcmQK\n".to_owned(),
        ] {
            assert_eq!(found(&other), None, "{other}");
        }
    }
}
