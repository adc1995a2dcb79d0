//! Report files: written whole or not at all.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Writes a report into `path` by `write`.
///
/// A regular file is replaced in one step, when all of it is on disk; if that fails, it stays as
/// it was. It keeps its permissions, and a symbolic link keeps pointing at it. A device or a pipe
/// is written as it comes.
///
/// # Errors
/// What failed, and on which file.
pub(crate) fn write_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let result = if is_stream(path) {
        write_stream(path, write)
    } else {
        replace(&followed(path), write)
    };
    result.with_context(|| format!("cannot write `{}`", path.display()))
}

/// Adds a report to the end of `path`, which others write to as well.
///
/// # Errors
/// What failed, and on which file.
pub(crate) fn append_file(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<()> {
    let file = OpenOptions::new().append(true).create(true).open(path);
    let written = file.and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&mut out).and_then(|()| out.flush())
    });
    written.with_context(|| format!("cannot write `{}`", path.display()))
}

/// Whether `path` is something that cannot be replaced: a device, a pipe, a descriptor.
fn is_stream(path: &Path) -> bool {
    let special = fs::metadata(path).is_ok_and(|it| !it.is_file() && !it.is_dir());
    special
        || path.starts_with("/dev/fd")
        || path.starts_with("/proc")
        || path == Path::new("/dev/stderr")
}

fn write_stream(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    // Appending leaves alone what a redirected descriptor's file already holds.
    let mut out = BufWriter::new(OpenOptions::new().append(true).open(path)?);
    match write(&mut out).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Where `path` leads if it is a symbolic link; what it leads to need not exist yet.
fn followed(path: &Path) -> PathBuf {
    fs::canonicalize(path)
        .or_else(|_| fs::read_link(path).map(|to| directory(path).join(to)))
        .unwrap_or_else(|_| path.to_path_buf())
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

fn replace(path: &Path, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::Error::from(io::ErrorKind::IsADirectory));
    }
    let mut draft = tempfile::Builder::new();
    draft.prefix(".straykey-");
    // Less the umask, as for any new file.
    #[cfg(unix)]
    draft.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let draft = draft.tempfile_in(directory(path)).map_err(without_path)?;
    let mut out = BufWriter::new(draft.as_file());
    write(&mut out)?;
    out.flush()?;
    drop(out);
    if let Some(permissions) = permissions(path)? {
        draft.as_file().set_permissions(permissions)?;
    }
    draft.as_file().sync_all()?;
    draft.persist(path).map_err(|error| error.error)?;
    sync_directory(directory(path));
    Ok(())
}

/// The permissions of the file that is to be replaced. One that may not be written is left alone,
/// though its directory would let us.
fn permissions(path: &Path) -> io::Result<Option<Permissions>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(metadata) => {
            OpenOptions::new().append(true).open(path)?;
            Ok(Some(metadata.permissions()))
        }
    }
}

/// The error without the temporary file's name, which means nothing to the user.
fn without_path(error: io::Error) -> io::Error {
    let text = error.to_string();
    match text.split_once(" at path \"") {
        Some((before, _)) => io::Error::new(error.kind(), before.to_owned()),
        None => error,
    }
}

/// Makes the new name durable. Not every file system can; the content is safe either way.
fn sync_directory(directory: &Path) {
    let _ = File::open(directory).and_then(|directory| directory.sync_all());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(text: &'static str) -> impl FnOnce(&mut dyn Write) -> io::Result<()> {
        move |out| out.write_all(text.as_bytes())
    }

    fn names(directory: &Path) -> usize {
        fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn a_file_is_made_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        write_file(&path, fill("one")).unwrap();
        write_file(&path, fill("two")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "two");
        assert_eq!(names(folder.path()), 1);
    }

    #[test]
    fn a_failure_leaves_the_file_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("report");
        fs::write(&path, "before").unwrap();
        let failing = |out: &mut dyn Write| {
            out.write_all(b"half")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        let error = write_file(&path, failing).unwrap_err();
        assert!(
            format!("{error:#}").starts_with("cannot write `"),
            "{error:#}"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "before");
        assert_eq!(names(folder.path()), 1);
    }

    #[test]
    fn errors_name_the_file_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none/report");
        let error = format!("{:#}", write_file(&missing, fill("")).unwrap_err());
        assert_eq!(
            error,
            format!(
                "cannot write `{}`: No such file or directory (os error 2)",
                missing.display()
            )
        );
        assert!(write_file(folder.path(), fill("")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        write_file(&link, fill("new")).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o640
        );
        fs::remove_file(&file).unwrap();
        write_file(&link, fill("again")).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "again");
    }
}
