//! Real git repositories in temporary folders, cut off from the user's configuration.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A git repository that is deleted with the value.
pub(crate) struct GitKit {
    folder: tempfile::TempDir,
    path: PathBuf,
}

impl GitKit {
    /// `git init` with further arguments.
    pub(crate) fn init(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("repository");
        std::fs::create_dir(&path).expect("a folder");
        let kit = Self { folder, path };
        let mut all = vec!["init", "-q", "-b", "main"];
        all.extend(arguments);
        kit.git(&all);
        kit
    }

    /// The repository's folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A place next to the repository.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A git command in the repository.
    pub(crate) fn command(&self) -> Command {
        git_in(&self.path)
    }

    /// Runs git there and returns what it prints; it must succeed.
    pub(crate) fn git(&self, arguments: &[&str]) -> Vec<u8> {
        run(self.command().args(arguments))
    }

    /// As [`GitKit::git`], one trimmed line of text.
    pub(crate) fn line(&self, arguments: &[&str]) -> String {
        String::from_utf8_lossy(&self.git(arguments))
            .trim()
            .to_owned()
    }

    /// Writes a file of the work tree.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, content).expect("written");
    }

    /// Commits everything in the work tree.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.line(&["rev-parse", "HEAD"])
    }
}

/// A git command in `folder`.
pub(crate) fn git_in(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GIT_") {
            command.env_remove(name);
        }
    }
    for (name, value) in [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.com"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.com"),
        ("GIT_ALLOW_PROTOCOL", "file"),
    ] {
        command.env(name, value);
    }
    command
}

/// Runs `command`, which must succeed.
pub(crate) fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().expect("git runs");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
