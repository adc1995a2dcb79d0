//! Real git repositories in temporary folders, for the tests of hooks and of the index.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub(crate) use crate::kit::keys::Random;

/// A repository that is deleted with the value.
pub(crate) struct Repository {
    folder: TempDir,
    path: PathBuf,
}

impl Repository {
    /// `git init` with `arguments`.
    pub(crate) fn new(arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = folder.path().join("repository");
        let mut init = vec!["init", "-q", "-b", "main"];
        init.extend_from_slice(arguments);
        init.push(path.to_str().expect("UTF-8"));
        let made = git_command(folder.path()).args(init).output().expect("git");
        assert!(made.status.success(), "{}", text(&made.stderr));
        Self { folder, path }
    }

    /// The folder around the repository: for remotes and clones.
    pub(crate) fn outside(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, making its folders.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        std::fs::write(path, content).expect("a file");
    }

    /// Runs git there; it must succeed. Gives its standard output.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = self.try_git(arguments);
        assert!(
            output.status.success(),
            "git {arguments:?}: {}{}",
            text(&output.stdout),
            text(&output.stderr)
        );
        text(&output.stdout)
    }

    /// Runs git there.
    pub(crate) fn try_git(&self, arguments: &[&str]) -> Output {
        let mut command = git_command(&self.path);
        command.args(arguments).output().expect("git")
    }

    /// Everything staged and committed, without hooks.
    pub(crate) fn commit_all(&self, message: &str) {
        self.git(&["add", "-A"]);
        self.git(&[
            "commit",
            "-q",
            "--no-verify",
            "--allow-empty",
            "-m",
            message,
        ]);
    }
}

/// Git in `folder`, deaf to the configuration of the machine and of a surrounding hook.
pub(crate) fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    isolate(&mut command, folder);
    command
}

/// Another program that runs git, as [`git_command`].
pub(crate) fn isolate(command: &mut Command, folder: &Path) {
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("GIT_") || name.starts_with("PRE_COMMIT") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder.join("no-configuration"))
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.com")
        .env("GIT_AUTHOR_DATE", "1700000000 +0000")
        .env("GIT_COMMITTER_NAME", "Ada")
        .env("GIT_COMMITTER_EMAIL", "ada@example.com")
        .env("GIT_COMMITTER_DATE", "1700000000 +0000")
        .env("GIT_EDITOR", "true")
        .env("LC_ALL", "C");
}

/// Bytes as text, for messages.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One of `choices`.
pub(crate) fn pick<'c, T: ?Sized>(random: &mut Random, choices: &[&'c T]) -> &'c T {
    choices[random.below(choices.len())]
}

/// The program under test.
pub(crate) const STRAYKEY: &str = env!("CARGO_BIN_EXE_straykey");

/// A synthetic key pair, as two lines of a settings file.
pub(crate) fn key_lines(seed: u64) -> String {
    format!(
        "AWS_ACCESS_KEY_ID={}\nAWS_SECRET_ACCESS_KEY={}\n",
        crate::kit::keys::access_key_id(seed),
        crate::kit::keys::secret(seed)
    )
}

impl Repository {
    /// Writes hooks that call the program the plainest way: it has to find out what it is.
    pub(crate) fn install_hooks(&self, names: &[&str]) {
        install_hooks(&self.path.join(".git"), names);
    }

    /// Runs the program there.
    pub(crate) fn straykey(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(STRAYKEY);
        isolate(&mut command, &self.path);
        command.args(arguments).output().expect("straykey")
    }
}

/// Hooks in the git directory `directory`.
pub(crate) fn install_hooks(directory: &Path, names: &[&str]) {
    use std::os::unix::fs::PermissionsExt as _;
    for name in names {
        let path = directory.join("hooks").join(name);
        std::fs::create_dir_all(directory.join("hooks")).expect("a folder");
        let script = format!("#!/bin/sh\nexec '{STRAYKEY}' hook \"$@\"\n");
        std::fs::write(&path, script).expect("a hook");
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("executable");
    }
}
