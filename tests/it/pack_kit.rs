//! Packs that git would not write: entries as they are given, with an index that fits them.

use std::fs;
use std::path::Path;

use libdeflater::{CompressionLvl, Compressor};
use sha1::{Digest, Sha1};

/// What an entry says of itself.
pub(crate) enum Form {
    Blob,
    Commit,
    Tree,
    /// A difference to the object with this id.
    DeltaOf([u8; 20]),
}

/// An entry: the id under which the index lists it, the size it declares, and its data.
pub(crate) struct Entry {
    pub(crate) id: [u8; 20],
    pub(crate) form: Form,
    pub(crate) size: u64,
    pub(crate) data: Vec<u8>,
}

/// The id of a blob.
pub(crate) fn id_of(kind: &str, content: &[u8]) -> [u8; 20] {
    let head = format!("{kind} {}\0", content.len());
    Sha1::digest([head.as_bytes(), content].concat()).into()
}

/// A blob that is what it says.
pub(crate) fn blob(content: &[u8]) -> Entry {
    Entry {
        id: id_of("blob", content),
        form: Form::Blob,
        size: content.len() as u64,
        data: content.to_vec(),
    }
}

/// A difference that makes `result`, which it holds as new bytes, less than 128 of them, out of a base
/// of `base_size` bytes.
pub(crate) fn delta(id: [u8; 20], base: [u8; 20], base_size: u64, result: &[u8]) -> Entry {
    let mut data = [number(base_size), number(result.len() as u64)].concat();
    data.push(u8::try_from(result.len()).expect("less than 128"));
    data.extend_from_slice(result);
    Entry {
        id,
        form: Form::DeltaOf(base),
        size: data.len() as u64,
        data,
    }
}

/// A size as deltas hold it.
pub(crate) fn number(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 0x7F {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Writes a pack with `entries` and its index into the bare or plain git directory `git`.
pub(crate) fn write(git: &Path, entries: &[Entry]) {
    let mut pack = [
        b"PACK\0\0\0\x02".as_slice(),
        &(entries.len() as u32).to_be_bytes(),
    ]
    .concat();
    let mut places = Vec::new();
    for entry in entries {
        let start = pack.len();
        pack.extend(header(entry));
        pack.extend(compressed(&entry.data));
        places.push((entry.id, libdeflater::crc32(&pack[start..]), start as u32));
    }
    let sum: [u8; 20] = Sha1::digest(&pack).into();
    pack.extend(sum);
    places.sort();
    let folder = git.join("objects/pack");
    fs::create_dir_all(&folder).expect("a folder");
    let name = format!("pack-{}", "0".repeat(40));
    fs::write(folder.join(format!("{name}.pack")), &pack).expect("written");
    fs::write(folder.join(format!("{name}.idx")), index(&places, sum)).expect("written");
}

fn header(entry: &Entry) -> Vec<u8> {
    let (kind, base): (u8, &[u8]) = match &entry.form {
        Form::Commit => (1, b""),
        Form::Tree => (2, b""),
        Form::Blob => (3, b""),
        Form::DeltaOf(base) => (7, base),
    };
    let mut rest = entry.size >> 4;
    let mut bytes = vec![kind << 4 | (entry.size & 15) as u8];
    while rest > 0 {
        *bytes.last_mut().expect("a byte") |= 0x80;
        bytes.push((rest & 0x7F) as u8);
        rest >>= 7;
    }
    [bytes, base.to_vec()].concat()
}

fn compressed(data: &[u8]) -> Vec<u8> {
    let mut compressor = Compressor::new(CompressionLvl::default());
    let mut output = vec![0; compressor.zlib_compress_bound(data.len())];
    let length = compressor.zlib_compress(data, &mut output);
    output.truncate(length.expect("compressed"));
    output
}

fn index(places: &[([u8; 20], u32, u32)], pack_sum: [u8; 20]) -> Vec<u8> {
    let mut bytes = b"\xFFtOc\0\0\0\x02".to_vec();
    for first in 0..=255_u8 {
        let count = places.iter().filter(|(id, ..)| id[0] <= first).count();
        bytes.extend((count as u32).to_be_bytes());
    }
    places.iter().for_each(|(id, ..)| bytes.extend(id));
    places
        .iter()
        .for_each(|(_, sum, _)| bytes.extend(sum.to_be_bytes()));
    places
        .iter()
        .for_each(|(.., at)| bytes.extend(at.to_be_bytes()));
    bytes.extend(pack_sum);
    let sum: [u8; 20] = Sha1::digest(&bytes).into();
    bytes.extend(sum);
    bytes
}
