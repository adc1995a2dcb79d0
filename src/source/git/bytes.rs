//! Integers out of untrusted bytes: every read is checked.

/// A big-endian 32-bit number at `at`.
pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let end = at.checked_add(4)?;
    Some(u32::from_be_bytes(bytes.get(at..end)?.try_into().ok()?))
}

/// A big-endian 64-bit number at `at`.
pub(super) fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    let end = at.checked_add(8)?;
    Some(u64::from_be_bytes(bytes.get(at..end)?.try_into().ok()?))
}

/// Text of a line without the white space at its end.
pub(super) fn trim_end(mut line: &[u8]) -> &[u8] {
    while let [rest @ .., last] = line
        && last.is_ascii_whitespace()
    {
        line = rest;
    }
    line
}

/// A path from bytes.
#[cfg(unix)]
pub(super) fn path(bytes: &[u8]) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStrExt;
    std::path::PathBuf::from(std::ffi::OsStr::from_bytes(bytes))
}

/// A path from bytes.
#[cfg(not(unix))]
pub(super) fn path(bytes: &[u8]) -> std::path::PathBuf {
    std::path::PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}
