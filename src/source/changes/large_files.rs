//! Git LFS: the blob is a pointer, the content lies beside git.
//!
//! Facts from the project's `docs/spec.md`: a pointer is a text of less than 1024 bytes that
//! begins with `version` and has a line `oid sha256:<hexadecimal>`; the content is kept in
//! `lfs/objects/<2 digits>/<2 digits>/<oid>` of the git directory.

use std::fs::File;

use super::contents::Contents;
use super::hand::{Opened, pump};
use crate::location::Origin;
use crate::source::{NotScanned, Sink};

const LONGEST_POINTER: usize = 1024;
const VERSIONS: [&[u8]; 2] = [
    b"version https://git-lfs.github.com/spec/",
    b"version https://hawser.github.com/spec/",
];

/// If `pointer` is one, hands over the content it points to; if that is not here, says so.
pub(super) fn hand(contents: &Contents, origin: &Origin, pointer: &[u8], sink: &dyn Sink) {
    let Some(oid) = object(pointer) else {
        return;
    };
    let repository = contents.repository();
    let path = repository
        .common_dir()
        .join("lfs/objects")
        .join(&oid[..2])
        .join(&oid[2..4])
        .join(&oid);
    let note = |reason: String, incomplete: bool| NotScanned {
        path: origin.path().into_owned(),
        reason,
        incomplete,
    };
    match File::open(&path) {
        Ok(file) => {
            if let Err(error) = pump(origin, &mut Opened(file), sink) {
                sink.not_scanned(note(format!("its large file: {error}"), true));
            }
        }
        // What is not here is not pushed from here either.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => sink.not_scanned(note(
            "a pointer to a large file (LFS) that is not here: only the pointer was scanned".into(),
            false,
        )),
        Err(error) => sink.not_scanned(note(format!("its large file: {error}"), true)),
    }
}

/// The name of the content, if `pointer` is a pointer.
fn object(pointer: &[u8]) -> Option<String> {
    if pointer.len() >= LONGEST_POINTER || !VERSIONS.iter().any(|v| pointer.starts_with(v)) {
        return None;
    }
    let text = std::str::from_utf8(pointer).ok()?;
    let oid = text
        .lines()
        .find_map(|line| line.strip_prefix("oid sha256:"))?;
    let whole = oid.len() == 64 && oid.bytes().all(|byte| byte.is_ascii_hexdigit());
    whole.then(|| oid.to_owned())
}

#[cfg(test)]
mod tests {
    use super::object;

    #[test]
    fn only_pointers_are_taken_for_pointers() {
        let oid = "0123456789abcdef".repeat(4);
        let pointer =
            format!("version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12\n");
        assert_eq!(object(pointer.as_bytes()), Some(oid));
        for other in [
            "".to_owned(),
            pointer.replace("sha256:", "sha256:../"),
            pointer.replace("version", "vision"),
            format!("{pointer}{}", "x".repeat(1024)),
        ] {
            assert_eq!(object(other.as_bytes()), None, "{other}");
        }
    }
}
