//! The proof: a synthetic key, staged in a temporary index, must be stopped by the hook.
//!
//! Nothing of the repository is touched: the index, and the objects, lie in a temporary directory.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use super::super::hook_args::Stage;
use super::git::{Here, config_hook};
use super::{files, managers};

/// The name of the file that is staged for the proof.
const FILE: &str = "straykey-proof.env";

/// What became of the key.
#[derive(Debug)]
pub(super) struct Proof {
    stage: Stage,
    end: End,
}

#[derive(Debug)]
enum End {
    /// The hook has stopped it.
    Blocked,
    /// It went through.
    Passed,
    /// There is no hook.
    Absent,
    /// A hook manager runs here: it would move files of the work tree.
    Managed(&'static str, bool),
    /// It stopped at something else.
    Failed(String),
}

impl Proof {
    /// Whether a key is stopped, as far as it can be said.
    pub(super) fn blocks(&self) -> bool {
        matches!(self.end, End::Blocked | End::Managed(_, true))
    }

    pub(super) fn words(&self) -> String {
        let stage = self.stage.name();
        match &self.end {
            End::Blocked => format!("{stage}: proved, a planted key was blocked"),
            End::Passed => format!("{stage}: NOT GUARDED, a planted key went through"),
            End::Absent => format!("{stage}: NOT GUARDED, there is no hook"),
            End::Managed(name, true) => {
                format!("{stage}: left to {name}, whose configuration names straykey; not proved")
            }
            End::Managed(name, false) => {
                format!("{stage}: NOT GUARDED, {name} does not know straykey yet")
            }
            End::Failed(why) => format!("{stage}: NOT PROVED: {why}"),
        }
    }
}

/// Tries each of `stages` that can be tried from outside.
pub(super) fn all(here: &Here, stages: &[Stage]) -> Vec<Proof> {
    let manager = managers::find(here);
    let tried = |&stage: &Stage| {
        let end = match &manager {
            Some(manager) => End::Managed(manager.name(), manager.mentions_us),
            None => one(here, stage).unwrap_or_else(|error| End::Failed(format!("{error:#}"))),
        };
        Proof { stage, end }
    };
    stages.iter().map(tried).collect()
}

fn one(here: &Here, stage: Stage) -> Result<End> {
    let path = here.hooks.join(stage.name());
    if !files::has_block(&path) && config_hook(stage).is_none() && !path.exists() {
        return Ok(End::Absent);
    }
    // Other people's hooks may do anything; we only run what begins with our own block.
    if !files::has_block(&path) && config_hook(stage).is_none() {
        return Ok(match fs::read_to_string(&path) {
            Ok(text) if text.contains("straykey") => {
                End::Failed(format!("{} calls straykey in its own way", path.display()))
            }
            _ => End::Absent,
        });
    }
    let trial = Trial::new(here)?;
    let output = match stage {
        Stage::PreCommit | Stage::PreMergeCommit | Stage::PreApplypatch => trial.staged(stage)?,
        Stage::PrepareCommitMsg => trial.run(stage, &[FILE], "")?,
        Stage::CommitMsg | Stage::ApplypatchMsg => trial.message(stage)?,
        Stage::PrePush => trial.push()?,
        Stage::PreReceive | Stage::Update => bail!("the server's hooks are tried by a push"),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    let said = format!("{said}{}", String::from_utf8_lossy(&output.stdout));
    Ok(
        match (output.status.success(), said.contains("blocked: ")) {
            (true, _) => End::Passed,
            (false, true) if said.contains("1 leaked key") => End::Blocked,
            (false, _) => {
                let line = said.lines().next().unwrap_or("the hook says nothing");
                End::Failed(format!("the hook failed: {line}"))
            }
        },
    )
}

/// A temporary index and a place for objects, which git takes for the repository's own.
struct Trial<'h> {
    here: &'h Here,
    folder: tempfile::TempDir,
}

impl<'h> Trial<'h> {
    fn new(here: &'h Here) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
        fs::create_dir(folder.path().join("objects"))?;
        let trial = Self { here, folder };
        // Everything else as it is in the last commit, so that only the key is new.
        if trial
            .git(&["rev-parse", "-q", "--verify", "HEAD"], "")
            .is_ok()
        {
            trial.git(&["read-tree", "HEAD"], "")?;
        }
        let blob = trial.git(&["hash-object", "-w", "--stdin"], &key_pair())?;
        let entry = format!("100644,{},{FILE}", blob.trim());
        trial.git(&["update-index", "--add", "--cacheinfo", &entry], "")?;
        Ok(trial)
    }

    fn staged(&self, stage: Stage) -> Result<Output> {
        self.run(stage, &[], "")
    }

    fn message(&self, stage: Stage) -> Result<Output> {
        let file = self.folder.path().join("COMMIT_EDITMSG");
        fs::write(&file, format!("A proof\n\n{}", key_pair()))?;
        let name = file
            .to_str()
            .context("the temporary directory is not UTF-8")?;
        self.run(stage, &[name], "")
    }

    /// A commit without parents, so that nothing but the key's own file is read.
    fn push(&self) -> Result<Output> {
        let blob = self.git(&["hash-object", "-w", "--stdin"], &key_pair())?;
        let tree = self.git(
            &["mktree"],
            &format!("100644 blob {}\t{FILE}\n", blob.trim()),
        )?;
        let commit = self.git(&["commit-tree", "-m", "A proof", tree.trim()], "")?;
        let commit = commit.trim();
        let name = "refs/heads/straykey-proof";
        let null = "0".repeat(commit.len());
        let line = format!("{name} {commit} {name} {null}\n");
        self.run(Stage::PrePush, &["straykey-proof", "straykey-proof"], &line)
    }

    /// Has git run the hook, as it would.
    fn run(&self, stage: Stage, arguments: &[&str], input: &str) -> Result<Output> {
        let file = self.folder.path().join("input");
        fs::write(&file, input)?;
        let file = file
            .to_str()
            .context("the temporary directory is not UTF-8")?;
        let to_stdin = format!("--to-stdin={file}");
        let mut words = vec!["hook", "run"];
        if stage == Stage::PrePush {
            words.push(&to_stdin);
        }
        words.extend([stage.name(), "--"]);
        words.extend(arguments);
        let output = self.command(&words).stdin(Stdio::null()).output();
        output.context("cannot run git")
    }

    fn git(&self, arguments: &[&str], input: &str) -> Result<String> {
        let mut child = self
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run git")?;
        if let Some(mut pipe) = child.stdin.take() {
            pipe.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("git {}: {}", arguments[0], said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let top = self.here.top.as_deref().unwrap_or(Path::new("."));
        let mut command = Command::new("git");
        command
            .current_dir(top)
            .args(arguments)
            .env("GIT_INDEX_FILE", self.folder.path().join("index"))
            .env("GIT_OBJECT_DIRECTORY", self.folder.path().join("objects"))
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", &self.here.objects)
            .env("GIT_AUTHOR_NAME", "straykey")
            .env("GIT_AUTHOR_EMAIL", "straykey@localhost")
            .env("GIT_COMMITTER_NAME", "straykey")
            .env("GIT_COMMITTER_EMAIL", "straykey@localhost")
            .env("LC_ALL", "C");
        command
    }
}

/// A key pair that is nobody's, put together here so that it stands in no file.
fn key_pair() -> String {
    let base32 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let base64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state: u64 = 0x5712_A7CE;
    let mut next = |alphabet: &[u8]| {
        // SplitMix64: the same every time, and looks like chance.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        char::from(alphabet[((mixed ^ (mixed >> 31)) % alphabet.len() as u64) as usize])
    };
    let first = next(&base32[16..]);
    let id: String = (0..15).map(|_| next(base32)).collect();
    let secret: String = (0..40).map(|_| next(base64)).collect();
    format!("aws_access_key_id = AKIA{first}{id}\naws_secret_access_key = {secret}\n")
}
