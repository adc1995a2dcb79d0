//! Paths as URIs (RFC 3986).

use std::fmt::Write;

/// `path` as a URI, and whether it is a relative one. Every byte but letters, digits and what is
/// safe in any path is percent-encoded, so bytes that are not UTF-8 survive.
pub(super) fn of_path(path: &[u8]) -> (String, bool) {
    let absolute = path.starts_with(b"/");
    let mut rest = path;
    while let Some(inner) = rest.strip_prefix(b"./") {
        rest = inner;
    }
    let mut uri = String::with_capacity(rest.len() + 8);
    if absolute {
        uri.push_str("file://");
    }
    for &byte in rest {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            _ => drop(write!(uri, "%{byte:02X}")),
        }
    }
    (uri, !absolute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(of_path(b"src/a.rs"), ("src/a.rs".to_owned(), true));
        assert_eq!(of_path(b"././a b"), ("a%20b".to_owned(), true));
        assert_eq!(of_path(b"/x/y"), ("file:///x/y".to_owned(), false));
        assert_eq!(of_path(b"a:b?#%\xff\n").0, "a%3Ab%3F%23%25%FF%0A");
        assert_eq!(of_path("é".as_bytes()).0, "%C3%A9");
    }
}
