//! Manifests of Kubernetes: the values of a Secret.

use std::ops::Range;

use super::likeness::{base64, is_used_password};

/// How far before and after `kind: Secret` its manifest is read, in bytes.
const REACH: usize = 4 * 1024;
/// Fewest base64 characters of a value.
const LEAST: usize = 12;
/// Names of what a Secret holds beside secrets.
const OPEN_NAMES: [&[u8]; 5] = [b"user", b"host", b"name", b"mail", b".crt"];

/// The first secret value of the manifest whose `kind: Secret` begins at `kind`. The data stand
/// after the kind where people wrote them, and before it where `kubectl get -o yaml` did.
pub(super) fn secret_value(text: &[u8], kind: usize) -> Option<Range<usize>> {
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
    let name = content[..colon].to_ascii_lowercase();
    if OPEN_NAMES
        .iter()
        .any(|open| memchr::memmem::find(&name, open).is_some())
    {
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
    let encoded = &text[start..start + length];
    let bytes = base64(encoded)?;
    let secret = skipped > 0 && ended && length >= LEAST && length % 4 == 0 && is_secret(&bytes);
    secret.then_some(start..start + length)
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
