//! `straykey sweep`, as its users meet it, on both databases. What needs PostgreSQL is run by
//! tests/sweep/run.

mod api;
mod forge;
mod hard;
mod limits;
mod listing;
mod local;
mod outages;
mod poison;
mod render;
mod server;
mod tokens;
mod verify;
mod watch;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;

use crate::git_kit::{git_in, run as run_git};
use crate::kit::keys::Random;
use crate::kit::{Outcome, Tree, keys, run, straykey};

/// A sweep's state and everything else it needs, gone with the value.
pub(super) struct Sweep {
    pub(super) tree: Tree,
    pub(super) state: String,
    arguments: Vec<String>,
}

static NUMBER: AtomicU64 = AtomicU64::new(0);

impl Sweep {
    pub(super) fn sqlite() -> Self {
        let tree = Tree::new();
        let state = format!("sqlite://{}", tree.path("state.db").display());
        Self::with(tree, state)
    }

    /// With a database of its own on the server of tests/sweep/postgres.
    pub(super) fn postgres() -> Self {
        let server = std::env::var("STRAYKEY_TEST_POSTGRES")
            .expect("tests/sweep/run sets STRAYKEY_TEST_POSTGRES");
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("sweep_{}_{number}", std::process::id());
        let mut psql = Command::new("psql");
        psql.arg(format!("{server}/postgres"));
        run_git(psql.args(["-q", "-c", &format!("CREATE DATABASE {name}")]));
        Self::with(Tree::new(), format!("{server}/{name}"))
    }

    fn with(tree: Tree, state: String) -> Self {
        let key = tree.write("key", Random::new(1).text("abcdef", 40));
        crate::kit::set_mode(&key, 0o600);
        let cache = tree.path("cache").display().to_string();
        let arguments = ["--cache", &cache, "--retry-after", "1", "--lease", "3"];
        Self {
            tree,
            state,
            arguments: arguments.map(str::to_owned).to_vec(),
        }
    }

    /// `straykey sweep` with `arguments`, in this state.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = straykey(self.tree.root());
        command.arg("sweep").args(arguments);
        command.env("STRAYKEY_STATE", &self.state);
        for name in ["GITHUB_TOKEN", "GITLAB_TOKEN", "GITEA_TOKEN", "USER"] {
            command.env_remove(name);
        }
        command
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1");
        command
    }

    /// As [`Sweep::command`], with a key, a cache, and short times.
    pub(super) fn work(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command
            .args(&self.arguments)
            .arg("--key-file")
            .arg(self.tree.path("key"));
        command
    }

    /// Sweeps to the end.
    pub(super) fn sweep(&self, arguments: &[&str]) -> Outcome {
        run(&mut self.work(arguments))
    }

    /// A process that goes on while the test does other things.
    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.work(arguments);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().unwrap())
    }

    /// The report.
    pub(super) fn report(&self) -> Value {
        let ran = run(&mut self.command(&["report", "--json"]));
        serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
    }

    /// Whether the tables of the state are there.
    pub(super) fn has_state(&self) -> bool {
        match self.state.strip_prefix("sqlite://") {
            Some(path) => {
                let script = "import sqlite3, sys\n\
                    print(sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True).execute(\
                    'SELECT COUNT(*) FROM sqlite_master WHERE name = \"triage\"').fetchone()[0])";
                Path::new(path).exists() && self.python(script, path, "") == b"1\n"
            }
            None => self.number("SELECT COUNT(*) FROM pg_tables WHERE tablename = 'triage'") == 1,
        }
    }

    fn python(&self, script: &str, path: &str, query: &str) -> Vec<u8> {
        run_git(Command::new("python3").args(["-c", script, path, query]))
    }

    /// Changes the state behind the back of everybody.
    pub(super) fn execute(&self, statement: &str) {
        match self.state.strip_prefix("sqlite://") {
            Some(path) => {
                let script = "import sqlite3, sys\n\
                    connection = sqlite3.connect(sys.argv[1])\n\
                    connection.execute(sys.argv[2])\n\
                    connection.commit()";
                run_git(Command::new("python3").args(["-c", script, path, statement]))
            }
            None => run_git(Command::new("psql").args([&self.state, "-qc", statement])),
        };
    }

    /// One number out of the state.
    pub(super) fn number(&self, query: &str) -> u64 {
        let output = match self.state.strip_prefix("sqlite://") {
            Some(path) => {
                let script = "import sqlite3, sys\n\
                    print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchone()[0])";
                self.python(script, path, query)
            }
            None => run_git(Command::new("psql").args([&self.state, "-qtAc", query])),
        };
        let text = String::from_utf8(output).unwrap();
        text.trim()
            .parse()
            .unwrap_or_else(|_| panic!("{query}: {text}"))
    }
}

/// A process that is killed with the value.
pub(super) struct Running(pub(super) Child);

impl Running {
    pub(super) fn signal(&self, signal: &str) {
        let id = self.0.id().to_string();
        run_git(Command::new("kill").args([signal, &id]));
    }

    /// Waits for its end.
    pub(super) fn code(mut self) -> Option<i32> {
        self.0.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until `ready`, for a minute at most.
pub(super) fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    for _ in 0..1200 {
        if ready() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    panic!("in vain: {what}");
}

/// Makes a repository in `folder` with `commits` commits, the one before the last with the pair
/// of `seed` in it.
pub(super) fn make_repository(folder: &Path, commits: usize, seed: Option<u64>) {
    std::fs::create_dir_all(folder).unwrap();
    let git = |arguments: &[&str]| run_git(git_in(folder).args(arguments));
    git(&["init", "-q", "-b", "main"]);
    let mut random = Random::new(seed.unwrap_or(commits as u64));
    for number in 0..commits {
        let name = folder.join(format!("file{number}.txt"));
        let text: Vec<String> = (0..20).map(|_| random.text("abcdefgh ", 60)).collect();
        std::fs::write(name, text.join("\n")).unwrap();
        let secret = folder.join("deploy.sh");
        match seed.filter(|_| number + 2 >= commits) {
            Some(seed) if number + 2 == commits => {
                std::fs::write(&secret, keys::exports(seed)).unwrap();
            }
            Some(_) if secret.exists() => std::fs::remove_file(&secret).unwrap(),
            _ => {}
        }
        git(&["add", "-A"]);
        git(&["commit", "-q", "-m", "change"]);
    }
}

/// Access key IDs of a report, each as often as it is listed.
pub(super) fn ids(report: &Value) -> Vec<String> {
    let credentials = report["credentials"].as_array().unwrap();
    let ids = credentials
        .iter()
        .map(|it| it["access_key_id"].as_str().unwrap().to_owned());
    let mut ids: Vec<String> = ids.collect();
    ids.sort();
    ids
}

/// States of the repositories of a report.
pub(super) fn states(report: &Value) -> Vec<(String, String)> {
    let rows = report["coverage"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut states: Vec<_> = rows
        .map(|it| (text(&it["repository"]), text(&it["state"])))
        .collect();
    states.sort();
    states
}

/// The access key IDs of `seeds`, sorted.
pub(super) fn ids_of(seeds: impl IntoIterator<Item = u64>) -> Vec<String> {
    let mut ids: Vec<String> = seeds.into_iter().map(keys::access_key_id).collect();
    ids.sort();
    ids
}

/// No file below `folder` holds a secret of `seeds`.
pub(super) fn hold_no_secret(folder: &Path, seeds: impl IntoIterator<Item = u64>) {
    let secrets: Vec<String> = seeds.into_iter().map(keys::secret).collect();
    for file in files(folder) {
        let bytes = std::fs::read(&file).unwrap();
        for secret in &secrets {
            let found = memchr::memmem::find(&bytes, secret.as_bytes());
            assert!(found.is_none(), "{}", file.display());
        }
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        match entry.file_type().unwrap().is_dir() {
            true => files.extend(self::files(&entry.path())),
            false => files.push(entry.path()),
        }
    }
    files
}

/// A test on each database.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {$(
        mod $name {
            #[test]
            fn sqlite() {
                super::$name(&crate::sweep::Sweep::sqlite());
            }

            #[test]
            #[ignore = "needs a PostgreSQL server: tests/sweep/run"]
            fn postgres() {
                super::$name(&crate::sweep::Sweep::postgres());
            }
        }
    )*};
}
pub(super) use on_both;
