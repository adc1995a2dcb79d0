//! What the tests of several topics need: temporary trees, git, a sink that remembers, fake keys.

pub(crate) mod keys;
mod recorder;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) use recorder::{Recorder, scan, scan_with_threads};

/// A folder that is deleted with the value.
pub(crate) struct Tree(tempfile::TempDir);

impl Tree {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Others may look in: some tests are run as another user.
        set_mode(folder.path(), 0o755);
        Self(folder)
    }

    /// A folder with these files, each holding its own name.
    pub(crate) fn with(names: &[&str]) -> Self {
        let tree = Self::new();
        for name in names {
            tree.write(name, name);
        }
        tree
    }

    pub(crate) fn root(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.root().join(name)
    }

    /// Writes a file, and makes the folders it is in.
    pub(crate) fn write(&self, name: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(&path, content).expect("a file");
        path
    }

    /// Runs git in the folder `directory` of the tree; it must succeed.
    pub(crate) fn git(&self, directory: &str, arguments: &[&str]) -> Vec<u8> {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GIT_") {
                command.env_remove(name);
            }
        }
        let output = command
            .current_dir(self.path(directory))
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .stdin(Stdio::null())
            .output()
            .expect("git runs");
        assert!(output.status.success(), "git {arguments:?}: {output:?}");
        output.stdout
    }
}

/// The program, run in `directory`, deaf to the surroundings.
pub(crate) fn straykey(directory: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_straykey"));
    command.current_dir(directory).stdin(Stdio::null());
    for name in [
        "CI",
        "PRE_COMMIT",
        "NO_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "GITHUB_STEP_SUMMARY",
    ] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").env("COLUMNS", "100");
    command
}

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `command` to its end.
pub(crate) fn run(command: &mut Command) -> Outcome {
    outcome(command.output().expect("the program runs"))
}

/// What is left of a run that somebody else has waited for.
pub(crate) fn outcome(output: Output) -> Outcome {
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Makes a named pipe.
pub(crate) fn make_fifo(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status();
    assert!(made.expect("mkfifo runs").success());
}

/// Sets the permission bits of `path`.
pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("permissions");
}

/// Holds `actual` against the file `name` of `tests/snapshots`; rewrites it under
/// UPDATE_SNAPSHOTS=1.
pub(crate) fn snapshot(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/snapshots")
        .join(name);
    if std::env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(&path, actual).expect("a snapshot");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{name} differs; UPDATE_SNAPSHOTS=1 rewrites it. It is now:\n{actual}"
    );
}
