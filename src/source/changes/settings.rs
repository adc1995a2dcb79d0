//! What has a say over findings besides the program: the configuration file and the baseline, as a
//! commit or the index has them.
//!
//! The receiving side of a push reads them from its own default branch, so that nothing that is
//! pushed decides over itself.

use super::contents::{ChangeError, Contents};
use crate::source::git::{Kind, ObjectId, Tree};
use crate::source::index::difference::{MODE_DIRECTORY, flatten};
use crate::source::index::{IndexFile, MalformedTree, Removed, Trees as _, Version};

/// Names of configuration files at the top of a repository, in the order in which they are looked
/// for.
pub const CONFIGURATIONS: [&str; 2] = [".straykey.toml", ".gitleaks.toml"];
/// Name of the directory that holds the baseline.
pub const BASELINE: &str = ".straykey-baseline";

/// A file: its name and its content.
pub type File = (String, Vec<u8>);

/// Configuration and baseline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The first of [`CONFIGURATIONS`] that is there.
    pub configuration: Option<File>,
    /// The files of the baseline, by their names below [`BASELINE`].
    pub baseline: Vec<File>,
}

impl Settings {
    /// What the commit `id` has.
    ///
    /// # Errors
    /// Where something cannot be read, or the configuration is no plain file.
    pub fn of_commit(contents: &Contents, id: ObjectId) -> Result<Self, ChangeError> {
        let tree = contents.tree_of(id)?;
        Self::read(contents, &in_tree(contents, tree)?)
    }

    pub(super) fn read(contents: &Contents, files: &[Removed]) -> Result<Self, ChangeError> {
        let mut settings = Self::default();
        let first = CONFIGURATIONS.iter().find_map(|name| {
            Some((
                *name,
                files.iter().find(|(path, _)| **path == *name.as_bytes())?,
            ))
        });
        if let Some((name, (_, version))) = first {
            settings.configuration = Some((name.to_owned(), content(contents, name, *version)?));
        }
        for (path, version) in files {
            if let Some(name) = below_baseline(path) {
                let name = String::from_utf8_lossy(name).into_owned();
                let content = content(contents, &format!("{BASELINE}/{name}"), *version)?;
                settings.baseline.push((name, content));
            }
        }
        Ok(settings)
    }
}

fn content(contents: &Contents, name: &str, version: Version) -> Result<Vec<u8>, ChangeError> {
    if !is_plain(version.mode) {
        return Err(ChangeError::File {
            path: name.to_owned(),
            error: std::io::Error::other("it is no plain file, and links are not followed here"),
        });
    }
    let mut content = Vec::new();
    contents.read(version.id, Kind::Blob, &mut content)?;
    Ok(content)
}

/// Whether this is the mode of a file, and not of a link or a submodule.
pub(super) fn is_plain(mode: u32) -> bool {
    mode & 0o170_000 == 0o100_000
}

/// The name that `path` has among those of configuration and baseline.
pub(super) fn name_of(path: &[u8]) -> Option<&'static str> {
    let configurations = CONFIGURATIONS.iter().copied();
    let named = configurations
        .into_iter()
        .find(|name| path == name.as_bytes());
    named.or_else(|| {
        let whole = path == BASELINE.as_bytes() || below_baseline(path).is_some();
        whole.then_some(BASELINE)
    })
}

fn below_baseline(path: &[u8]) -> Option<&[u8]> {
    path.strip_prefix(BASELINE.as_bytes())?.strip_prefix(b"/")
}

fn in_tree(contents: &Contents, id: ObjectId) -> Result<Vec<Removed>, ChangeError> {
    let bytes = contents.tree(id)?;
    let mut tree = Tree::new(&bytes, id.hash());
    let mut found = Vec::new();
    for entry in tree.by_ref() {
        if entry.name == BASELINE.as_bytes() && entry.mode == MODE_DIRECTORY {
            found.extend(flatten(contents, entry.id, BASELINE.as_bytes())?);
        } else if name_of(entry.name).is_some() {
            let version = Version {
                mode: entry.mode,
                id: entry.id,
            };
            found.push((entry.name.into(), version));
        }
    }
    match tree.is_damaged() {
        true => Err(MalformedTree(id).into()),
        false => Ok(found),
    }
}

/// What `index` has.
pub(super) fn in_index(
    contents: &Contents,
    index: &IndexFile,
) -> Result<Vec<Removed>, ChangeError> {
    let mut found = Vec::new();
    for name in CONFIGURATIONS {
        add(
            contents,
            index,
            index.position(name.as_bytes()),
            name,
            &mut found,
        )?;
    }
    let below = format!("{BASELINE}/");
    add(
        contents,
        index,
        index.position(below.as_bytes()),
        BASELINE,
        &mut found,
    )?;
    Ok(found)
}

/// Adds the entries of `index` from `start` on that [`name_of`] calls `name`.
fn add(
    contents: &Contents,
    index: &IndexFile,
    start: usize,
    name: &str,
    found: &mut Vec<Removed>,
) -> Result<(), ChangeError> {
    let entries = (start..index.len()).map(|at| index.entry(at));
    for entry in entries.take_while(|entry| name_of(entry.path) == Some(name)) {
        if entry.mode == MODE_DIRECTORY {
            found.extend(flatten(contents, entry.id, BASELINE.as_bytes())?);
        } else if entry.stage == 0 && !entry.intent_to_add {
            let version = Version {
                mode: entry.mode,
                id: entry.id,
            };
            found.push((entry.path.into(), version));
        }
    }
    Ok(())
}

/// What the index has, as git lists it.
pub(super) fn listed(contents: &Contents) -> Result<Vec<Removed>, ChangeError> {
    let mut arguments = vec!["ls-files", "--stage", "-z", "--"];
    arguments.extend(CONFIGURATIONS.iter().copied().chain([BASELINE]));
    let output = contents.git(&arguments)?;
    let lines = output.split(|&byte| byte == 0);
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            parse_listed(line)
                .ok_or_else(|| ChangeError::git("ls-files", "its answer is not understood"))
        })
        .collect()
}

/// Parses `<mode> <id> <stage> TAB <path>`.
fn parse_listed(line: &[u8]) -> Option<Removed> {
    let (about, path) = line.split_at(memchr::memchr(b'\t', line)?);
    let words: Vec<&[u8]> = about.split(|&byte| byte == b' ').collect();
    let [mode, id, _] = words[..] else {
        return None;
    };
    let mode = u32::from_str_radix(std::str::from_utf8(mode).ok()?, 8).ok()?;
    let id = ObjectId::from_hex(id)?;
    Some((path[1..].into(), Version { mode, id }))
}
