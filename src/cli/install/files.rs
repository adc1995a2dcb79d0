//! Hooks as files.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::super::hook_args::Stage;
use super::block::{BEGIN, CHAINED, block, chaining, without};

/// What was done to a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Done {
    /// There was nothing to do.
    Nothing,
    /// There was none.
    Written(PathBuf),
    /// A shell script has got our block at its beginning.
    Extended(PathBuf),
    /// Another program stands there; it is called after ours.
    Chained(PathBuf),
    /// Our block is gone, the rest is as it was.
    Reduced(PathBuf),
    /// The file held nothing but our block.
    Deleted(PathBuf),
}

impl Done {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Nothing => "nothing to do".to_owned(),
            Self::Written(path) => format!("written: {}", path.display()),
            Self::Extended(path) => {
                format!(
                    "added at the beginning of {}; the rest still runs",
                    path.display()
                )
            }
            Self::Chained(path) => {
                format!(
                    "in place of {}, which still runs afterwards",
                    path.display()
                )
            }
            Self::Reduced(path) => format!("taken out of {}", path.display()),
            Self::Deleted(path) => format!("deleted: {}", path.display()),
        }
    }
}

/// Puts our block into the hook at `path`, whatever stands there.
///
/// # Errors
/// A hook that is switched off, and whatever writing fails with.
pub(super) fn add(path: &Path, stage: Stage, program: &str) -> Result<Done> {
    let Ok(found) = fs::symlink_metadata(path) else {
        write(path, &format!("#!/bin/sh\n{}", block(stage, program)))?;
        return Ok(Done::Written(path.to_path_buf()));
    };
    if found.is_dir() {
        bail!("it is a directory");
    }
    let is_link = found.is_symlink();
    if !is_executable(path) {
        bail!("a hook is there that is switched off (not executable): delete it or switch it on");
    }
    match script(path).filter(|_| !is_link) {
        Some(script) => {
            let ours = block(stage, program);
            let known = script.contains(BEGIN);
            let plain = without(&script).unwrap_or(script);
            // After the first line, before anything that could end the script.
            let (first, rest) = plain.split_once('\n').unwrap_or((&plain, ""));
            write(path, &format!("{first}\n{ours}{rest}"))?;
            let path = path.to_path_buf();
            Ok(if known && rest.is_empty() {
                Done::Written(path)
            } else {
                Done::Extended(path)
            })
        }
        None => {
            let aside = aside(path);
            if fs::symlink_metadata(&aside).is_ok() {
                bail!("{} is in the way", aside.display());
            }
            fs::rename(path, &aside)?;
            write(path, &chaining(stage, program))?;
            Ok(Done::Chained(aside))
        }
    }
}

/// Takes our block away again, and puts back what it had replaced.
///
/// # Errors
/// Whatever writing fails with.
pub(super) fn remove(path: &Path) -> Result<Done> {
    let Some(script) = script(path) else {
        return Ok(Done::Nothing);
    };
    let Some(rest) = without(&script) else {
        return Ok(Done::Nothing);
    };
    let aside = aside(path);
    if fs::symlink_metadata(&aside).is_ok() && rest.contains(CHAINED) {
        fs::rename(&aside, path)?;
        return Ok(Done::Reduced(path.to_path_buf()));
    }
    if rest.trim() == "#!/bin/sh" {
        fs::remove_file(path)?;
        return Ok(Done::Deleted(path.to_path_buf()));
    }
    write(path, &rest)?;
    Ok(Done::Reduced(path.to_path_buf()))
}

/// Whether the hook at `path` runs, and calls us.
pub(super) fn has_block(path: &Path) -> bool {
    is_executable(path) && script(path).is_some_and(|script| script.contains(BEGIN))
}

/// The text of a shell script; `None` for anything else.
fn script(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let first = text.lines().next()?;
    let interpreter = first.strip_prefix("#!")?.trim();
    let shells = ["sh", "bash", "dash", "zsh", "ksh", "ash"];
    let named = interpreter
        .split_whitespace()
        .any(|word| shells.contains(&word.rsplit('/').next().unwrap_or(word)));
    named.then_some(text)
}

fn aside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{CHAINED}"));
    PathBuf::from(name)
}

/// Writes a hook in one step, so that no half of one can ever run.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory)?;
    let mode = fs::metadata(path).ok().map(|found| found.permissions());
    let draft = tempfile::Builder::new()
        .prefix(".straykey-")
        .tempfile_in(directory)?;
    fs::write(draft.path(), text)?;
    let mode = mode.unwrap_or_else(|| std::os::unix::fs::PermissionsExt::from_mode(0o755));
    fs::set_permissions(draft.path(), mode)?;
    draft.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
