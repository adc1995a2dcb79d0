//! Forms and checksums: what a format promises beyond its characters.

use std::ops::Range;

use data_encoding::BASE64URL_NOPAD;

use super::likeness::{
    base64, is_local, is_machine_made, is_random_bare_value, is_random_value, is_used_password,
};
use super::manifest::secret_value;
use crate::rules::crc32;
use crate::rules::pattern::{Checksum, Structure};

/// How far after its header a private key is read, in bytes: less than half a window's margin.
const KEY_LIMIT: usize = 12 * 1024;
/// Fewest base64 characters of a private key: an Ed25519 key in PKCS #8 form has 64.
const KEY_LEAST: usize = 60;

/// A match: where it stands, and its secret.
pub(super) struct Candidate<'t> {
    pub(super) text: &'t [u8],
    pub(super) whole: Range<usize>,
    pub(super) secret: Range<usize>,
}

impl Candidate<'_> {
    fn secret(&self) -> &[u8] {
        &self.text[self.secret.clone()]
    }

    fn is_quoted(&self) -> bool {
        let before = self.text[..self.secret.start].last();
        before.is_some_and(|byte| b"\"'`".contains(byte))
    }
}

/// Whether the checksum within `secret` is right.
pub(super) fn checksum_holds(checksum: Checksum, secret: &[u8]) -> bool {
    match checksum {
        Checksum::Crc32Base62 => {
            let body = memchr::memrchr(b'_', secret).map_or(secret, |at| &secret[at + 1..]);
            let Some((body, sum)) = body.split_last_chunk::<6>() else {
                return false;
            };
            crc32::base62(crc32::crc32(body)).as_bytes() == sum
        }
    }
}

/// Where the secret of `candidate` stands, if it has the form that `structure` names.
pub(super) fn check(structure: Structure, candidate: &Candidate<'_>) -> Option<Range<usize>> {
    let secret = candidate.secret();
    let holds = match structure {
        Structure::Pem => return private_key(candidate.text, candidate.whole.clone()),
        Structure::Jwt => is_jwt(secret),
        Structure::JwtKubernetes => is_jwt(secret) && jwt_of_kubernetes(secret),
        Structure::Base64Userinfo => is_userinfo(secret),
        Structure::KubernetesSecret => {
            return secret_value(candidate.text, candidate.whole.start);
        }
        Structure::DiscordToken => is_discord_token(secret),
        Structure::UrlPassword => is_url_password(candidate),
        Structure::GenericValue if candidate.is_quoted() => is_random_value(secret),
        Structure::GenericValue => is_random_bare_value(secret),
    };
    holds.then(|| candidate.secret.clone())
}

/// The body of the private key whose header stands at `header`.
fn private_key(text: &[u8], header: Range<usize>) -> Option<Range<usize>> {
    let limit = text.len().min(header.end + KEY_LIMIT);
    let after = &text[header.end..limit];
    let (body, range, ended) = key_body(after)?;
    let bytes = base64(&body)?;
    let label = &text[header.clone()];
    let holds = |word: &[u8]| memchr::memmem::find(label, word).is_some();
    let encrypted = memchr::memmem::find(&after[..range.start], b"ENCRYPTED").is_some();
    let plausible = if holds(b"OPENSSH") {
        bytes.starts_with(b"openssh-key-v1\0")
    } else if holds(b"PGP") {
        bytes[0] & 0x80 != 0
    } else if holds(b"SSH2") {
        ended
    } else {
        encrypted || is_der(&bytes, ended)
    };
    plausible.then(|| header.end + range.start..header.end + range.end)
}

/// The base64 characters after a header, without what separates them; where they stand; and
/// whether an end line follows.
fn key_body(after: &[u8]) -> Option<(Vec<u8>, Range<usize>, bool)> {
    let mut body: Vec<u8> = Vec::new();
    let (mut start, mut end) = (0, 0);
    let mut at = 0;
    while at < after.len() {
        if body.is_empty() && is_header_line(&after[at..]) {
            at = next_line(after, at);
            continue;
        }
        let byte = after[at];
        match byte {
            b'\\' if matches!(after.get(at + 1), Some(b'n' | b'r' | b't' | b'\\' | b'/')) => {
                at += 1
            }
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'+' | b'/' | b'=' => {
                if body.is_empty() {
                    start = at;
                }
                body.push(byte);
                end = at + 1;
            }
            b' ' | b'\t' | b'\r' | b'\n' | b'"' | b'\'' | b',' | b'|' | b'>' | b'#' | b'*'
            | b'\\' => {}
            _ => break,
        }
        at += 1;
    }
    let ended = after[at..].starts_with(b"----");
    // The checksum of a PGP block follows the padding.
    let padding = memchr::memchr(b'=', &body).unwrap_or(body.len());
    body.truncate(padding);
    (body.len() >= KEY_LEAST).then_some((body, start..end, ended))
}

/// Whether `text` begins with a header line (`Proc-Type: 4,ENCRYPTED`, `Comment: …`, `Version: …`),
/// which is not the key.
fn is_header_line(text: &[u8]) -> bool {
    let name = text
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'-')
        .count();
    (1..=30).contains(&name) && text[name..].starts_with(b": ")
}

/// Where the line after the one at `at` begins; its end may be written as `\n`.
fn next_line(text: &[u8], at: usize) -> usize {
    let feed = memchr::memchr(b'\n', &text[at..]).map(|feed| at + feed + 1);
    let escaped = memchr::memmem::find(&text[at..], b"\\n").map(|feed| at + feed + 2);
    let ends = feed.into_iter().chain(escaped);
    ends.min().unwrap_or(text.len())
}

/// Whether `bytes` are a DER sequence, whole if it is said to have `ended`.
fn is_der(bytes: &[u8], ended: bool) -> bool {
    let (head, length) = match bytes {
        [0x30, length @ ..=0x7F, ..] => (2, usize::from(*length)),
        [0x30, 0x81, length, ..] => (3, usize::from(*length)),
        [0x30, 0x82, high, low, ..] => (4, usize::from(*high) << 8 | usize::from(*low)),
        _ => return false,
    };
    if ended {
        bytes.len() >= head + length && bytes.len() <= head + length + 8
    } else {
        bytes.len() <= head + length + 8
    }
}

/// A signed token whose header and claims are JSON objects.
fn is_jwt(token: &[u8]) -> bool {
    let mut parts = token.split(|&byte| byte == b'.');
    let mut object = || {
        let bytes = url_base64(parts.next()?)?;
        serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&bytes).ok()
    };
    let (Some(header), Some(_)) = (object(), object()) else {
        return false;
    };
    header
        .get("alg")
        .and_then(|algorithm| algorithm.as_str())
        .is_some_and(|algorithm| !algorithm.eq_ignore_ascii_case("none"))
}

fn jwt_of_kubernetes(token: &[u8]) -> bool {
    let claims = token.split(|&byte| byte == b'.').nth(1);
    claims.and_then(url_base64).is_some_and(|claims| {
        [
            b"kubernetes.io".as_slice(),
            b"kubernetes/serviceaccount",
            b"system:serviceaccount",
        ]
        .iter()
        .any(|word| memchr::memmem::find(&claims, word).is_some())
    })
}

fn url_base64(text: &[u8]) -> Option<Vec<u8>> {
    let mut encoding = BASE64URL_NOPAD.specification();
    encoding.check_trailing_bits = false;
    encoding.encoding().ok()?.decode(text).ok()
}

/// Base64 of `user:password`.
fn is_userinfo(text: &[u8]) -> bool {
    let Some(bytes) = base64(text) else {
        return false;
    };
    let Some(colon) = memchr::memchr(b':', &bytes) else {
        return false;
    };
    let (user, password) = (&bytes[..colon], &bytes[colon + 1..]);
    bytes.iter().all(|byte| (b' '..=b'~').contains(byte)) && is_used_password(user, password)
}

/// The first part is base64 of a user's number.
fn is_discord_token(token: &[u8]) -> bool {
    let first = token.split(|&byte| byte == b'.').next();
    first.and_then(url_base64).is_some_and(|number| {
        (17..=20).contains(&number.len()) && number.iter().all(u8::is_ascii_digit)
    })
}

fn is_url_password(candidate: &Candidate<'_>) -> bool {
    let before = &candidate.text[candidate.whole.start..candidate.secret.start];
    let user = before
        .strip_suffix(b":")
        .and_then(|before| before.rsplit(|byte| b"/ \"'".contains(byte)).next())
        .unwrap_or_default();
    let after = &candidate.text[candidate.secret.end..candidate.whole.end];
    let address = |text: &[u8]| memchr::memmem::find(text, b"://").map(|at| at + 3);
    let host = match after.strip_prefix(b"@") {
        // Oracle's connection strings: `@//host:port/service`.
        Some(host) => host.strip_prefix(b"//").unwrap_or(host),
        None => address(before).map_or(&b""[..], |at| &before[at..]),
    };
    let end = host
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && !b".-_".contains(byte))
        .unwrap_or(host.len());
    let known = after.starts_with(b"@") || end > 1;
    let secret = candidate.secret();
    // What a machine has made is a secret wherever it is used: a service behind a tunnel, a host
    // whose name was replaced.
    let local = known && is_local(&host[..end]) && !is_machine_made(secret);
    !local && is_used_password(user, secret)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::examples::expand;

    fn key(text: &str) -> Option<String> {
        let end = text.find("KEY").unwrap() + 3;
        let end = end + text[end..].find("-----").unwrap() + 5;
        let range = private_key(text.as_bytes(), text.find("-----").unwrap()..end)?;
        Some(text[range].to_owned())
    }

    #[test]
    fn a_key_is_told_from_its_header() {
        let body = expand("${PEMBODY:private-key-rsa}");
        let whole =
            format!("-----BEGIN RSA PRIVATE KEY-----\n{body}\n-----END RSA PRIVATE KEY-----\n");
        assert_eq!(key(&whole), Some(body.clone()));
        let escaped = whole.replace('\n', "\\n");
        assert_eq!(key(&escaped), Some(body.replace('\n', "\\n")));
        let quoted = whole.replace('\n', "\\n\" +\n    \"");
        assert!(key(&quoted.replace(" +", "")).is_some());
        let with_header = whole.replacen('\n', "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES,00\n\n", 1);
        assert_eq!(key(&with_header), Some(body.clone()));
        let joined = body.replace('\n', "\\n");
        let end = "-----END PRIVATE KEY-----\\n\", \"mail\": \"x\"}";
        let json = format!("{{\"key\": \"-----BEGIN PRIVATE KEY-----\\n{joined}\\n{end}");
        assert_eq!(key(&json), Some(joined));
        let one_line = body.replace('\n', "");
        let json = format!("{{\"key\": \"-----BEGIN PRIVATE KEY-----{one_line}{end}");
        assert_eq!(key(&json), Some(one_line));
        assert_eq!(key("-----BEGIN PRIVATE KEY-----\\n(.*)"), None);
        assert_eq!(key(&whole.replacen("MII", "AII", 1)), None);
        let cut = format!("-----BEGIN PRIVATE KEY-----\n{}", &body[..130]);
        assert!(key(&cut).is_some());
        // A text may end within a header line.
        assert_eq!(key("-----BEGIN PRIVATE KEY-----\nProc-Type: 4"), None);
    }

    #[test]
    fn checksums_are_verified() {
        let token = expand("ghp_${CRC62}");
        assert!(checksum_holds(Checksum::Crc32Base62, token.as_bytes()));
        let wrong = token.replace("ghp_", "ghp_A").as_bytes()[..40].to_vec();
        assert!(!checksum_holds(Checksum::Crc32Base62, &wrong));
    }

    #[test]
    fn tokens_must_decode() {
        assert!(is_jwt(expand("${JWT}").as_bytes()));
        assert!(!is_jwt(expand("${JWT:none}").as_bytes()));
        assert!(jwt_of_kubernetes(expand("${JWT:kubernetes}").as_bytes()));
        assert!(!is_jwt(b"eyJhbGciOi.eyJ.x"));
        assert!(is_userinfo(expand("${B64USER}").as_bytes()));
        assert!(!is_userinfo(b"cmVhbG0="));
        assert!(is_discord_token(b"MTIzNDU2Nzg5MDEyMzQ1Njc4.Gabcde.xyz"));
    }
}
