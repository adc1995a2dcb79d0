//! The baseline's directory, read and written.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{Baseline, Entry};

/// Name of the directory, at the top of a repository.
pub const DIRECTORY: &str = ".straykey-baseline";

/// Longest file, in bytes; what is longer is no entry.
const FILE_LIMIT: u64 = 64 * 1024;

/// A baseline cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// A file is not an entry.
    #[error("{file}:{line}: {message}")]
    Form {
        /// Its path.
        file: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// Something cannot be read or written.
    #[error("{file}: {error}")]
    Io {
        /// Its path.
        file: String,
        /// What the system says.
        error: io::Error,
    },
    /// The system gives no random bytes.
    #[error("the system gives no random bytes for the baseline's salt")]
    NoRandomness,
}

impl Baseline {
    /// The baseline in the directory `path`.
    ///
    /// # Errors
    /// If it cannot be read, or a file in it is not an entry. A baseline that is read in part
    /// would be said to be whole.
    pub fn load(path: &Path) -> Result<Self, BaselineError> {
        let unreadable = |path: &Path| {
            let file = path.display().to_string();
            move |error| BaselineError::Io { file, error }
        };
        let mut files = Vec::new();
        for file in fs::read_dir(path).map_err(unreadable(path))? {
            let file = file.map_err(unreadable(path))?;
            let Some(name) = file.file_name().to_str().map(str::to_owned) else {
                return Err(form(path, "", 1, "a file whose name is not text"));
            };
            let path = file.path();
            let metadata = fs::symlink_metadata(&path).map_err(unreadable(&path))?;
            if !metadata.is_file() || metadata.len() > FILE_LIMIT {
                return Err(form(
                    path.parent().unwrap_or(&path),
                    &name,
                    1,
                    "not an entry of the baseline",
                ));
            }
            files.push((name, fs::read(&path).map_err(unreadable(&path))?));
        }
        Self::from_files(path, files)
    }

    /// The baseline of `files`, each a file's name and its bytes, which belong to the directory
    /// `path` (for errors).
    ///
    /// # Errors
    /// If one of them is not an entry.
    pub fn from_files(
        path: &Path,
        files: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<Self, BaselineError> {
        let mut entries = Vec::new();
        for (name, bytes) in files {
            // Files for git and for people, not for us.
            if name.starts_with('.') || name.eq_ignore_ascii_case("readme.md") {
                continue;
            }
            let text =
                std::str::from_utf8(&bytes).map_err(|_| form(path, &name, 1, "not UTF-8"))?;
            let entry = Entry::parse(&name, text);
            entries.push(entry.map_err(|(line, message)| form(path, &name, line, &message))?);
        }
        Ok(Self::new(entries))
    }

    /// Writes `entries` into the directory `path`, which is made if it is not there. Each file is
    /// written whole or not at all.
    ///
    /// # Errors
    /// What cannot be written.
    pub fn write(path: &Path, entries: &[Entry]) -> Result<(), BaselineError> {
        let failed = |path: PathBuf| {
            let file = path.display().to_string();
            move |error| BaselineError::Io { file, error }
        };
        fs::create_dir_all(path).map_err(failed(path.to_owned()))?;
        for entry in entries {
            let file = path.join(entry.name());
            write_whole(path, &file, &entry.to_text()).map_err(failed(file))?;
        }
        Ok(())
    }

    /// Removes the files of `entries` from the directory `path`.
    ///
    /// # Errors
    /// What cannot be removed.
    pub fn remove(path: &Path, entries: &[Entry]) -> Result<(), BaselineError> {
        for entry in entries {
            let file = path.join(entry.name());
            fs::remove_file(&file).map_err(|error| BaselineError::Io {
                file: file.display().to_string(),
                error,
            })?;
        }
        Ok(())
    }
}

fn write_whole(directory: &Path, file: &Path, text: &str) -> io::Result<()> {
    let mut draft = tempfile::Builder::new();
    draft.prefix(".straykey-");
    // Less the umask, as for any new file.
    #[cfg(unix)]
    draft.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut draft = draft.tempfile_in(directory)?;
    draft.write_all(text.as_bytes())?;
    draft.persist(file).map_err(|error| error.error)?;
    Ok(())
}

fn form(path: &Path, name: &str, line: usize, message: &str) -> BaselineError {
    BaselineError::Form {
        file: path.join(name).display().to_string(),
        line,
        message: message.to_owned(),
    }
}
