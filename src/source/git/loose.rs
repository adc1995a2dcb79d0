//! Loose objects: one zlib file each.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::inflate::Inflater;
use super::pack::{check_size, resize};
use super::{HashKind, Kind, ObjectError, ObjectId};

/// The file of `id` below an object directory.
pub(super) fn path(objects: &Path, id: &ObjectId) -> PathBuf {
    let digits = id.to_string();
    objects.join(&digits[..2]).join(&digits[2..])
}

/// Longest header: a word, a space, twenty digits, a zero byte.
const LONGEST_HEADER: usize = 32;

/// Reads the object in `file` into `output`; `None` where there is no such file.
pub(super) fn read(
    file: &Path,
    limit: u64,
    inflater: &mut Inflater,
    output: &mut Vec<u8>,
) -> Result<Option<Kind>, ObjectError> {
    read_if(file, limit, |_| true, inflater, output)
}

/// As [`read`], but gives only the kind, and leaves `output` empty, where `wants` says no to it.
pub(super) fn read_if(
    file: &Path,
    limit: u64,
    wants: impl Fn(Kind) -> bool,
    inflater: &mut Inflater,
    output: &mut Vec<u8>,
) -> Result<Option<Kind>, ObjectError> {
    let failed = |source| ObjectError::Io {
        path: file.display().to_string(),
        source,
    };
    match fs::metadata(file) {
        Ok(data) if !data.is_file() => {
            return Err(failed(io::Error::other("not a regular file")));
        }
        Ok(data) if data.len() > limit => {
            return Err(ObjectError::TooLarge {
                size: data.len(),
                limit,
            });
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    }
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    decode(&bytes, limit, wants, inflater, output).map(Some)
}

/// Ids of the loose objects below an object directory, in the order of the listing. Other files
/// that git leaves there (`tmp_obj_…`) are none.
pub(super) fn list(objects: &Path, hash: HashKind) -> Vec<ObjectId> {
    let mut ids = Vec::new();
    for first in 0..=255_u8 {
        let first = format!("{first:02x}");
        let Ok(entries) = fs::read_dir(objects.join(&first)) else {
            continue;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let digits = format!("{first}{}", name.to_string_lossy());
            let id = ObjectId::from_hex(digits.as_bytes());
            ids.extend(id.filter(|id| id.hash() == hash));
        }
    }
    ids
}

fn decode(
    bytes: &[u8],
    limit: u64,
    wants: impl Fn(Kind) -> bool,
    inflater: &mut Inflater,
    output: &mut Vec<u8>,
) -> Result<Kind, ObjectError> {
    let mut head = [0; LONGEST_HEADER];
    inflater.start();
    let got = inflater.some(bytes, &mut head)?;
    let (kind, size, length) = header(&head[..got])?;
    if !wants(kind) {
        output.clear();
        return Ok(kind);
    }
    check_size(size, bytes.len(), limit)?;
    let size = size as usize;
    let first = &head[length..got];
    if first.len() > size {
        return Err(ObjectError::Corrupt("more data than the header says"));
    }
    resize(output, size);
    output[..first.len()].copy_from_slice(first);
    let more = inflater.some(bytes, &mut output[first.len()..])?;
    inflater.finish(bytes, length + size, got + more)?;
    Ok(kind)
}

/// Kind, size and length of the header that `head` begins with.
fn header(head: &[u8]) -> Result<(Kind, u64, usize), ObjectError> {
    const BAD: ObjectError = ObjectError::Corrupt("header of a loose object");
    let end = memchr::memchr(0, head).ok_or(BAD)?;
    let space = memchr::memchr(b' ', &head[..end]).ok_or(BAD)?;
    let kind = Kind::from_word(&head[..space]).ok_or(BAD)?;
    let digits = std::str::from_utf8(&head[space + 1..end]).map_err(|_| BAD)?;
    let size = digits.parse().map_err(|_| BAD)?;
    Ok((kind, size, end + 1))
}
