//! The git command line, for what goes over the network: listing refs and fetching a mirror.
//!
//! git knows the protocols, proxies and credential helpers. What a repository could make it run is
//! off: there is no work tree, no hook, no filter, no submodule, and no protocol but the ones named
//! here. A token reaches it through an askpass helper that answers for one host only; it stands
//! in no argument, no URL and no file.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::report::sanitise;
use crate::secret::Secret;
use crate::source::git::{ObjectId, Reference};

/// Environment of the askpass helper: the host it answers for (`https://host`), the user name and
/// the token.
pub const ASKPASS: [&str; 3] = [
    "STRAYKEY_ASKPASS_HOST",
    "STRAYKEY_ASKPASS_USER",
    "STRAYKEY_ASKPASS_TOKEN",
];

/// What lets git in at one host.
#[derive(Clone, Debug)]
pub struct Access {
    /// Scheme, host and port: `https://github.com`.
    pub host: String,
    /// User name that goes with the token.
    pub user: String,
    /// The token.
    pub token: Secret,
}

/// Why git did not do what it was asked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitError {
    /// Whether trying again later may help.
    pub passing: bool,
    /// Whether the disk is full.
    pub disk_full: bool,
    /// Whether the server asks for fewer requests.
    pub limited: bool,
    /// One line: what git said.
    pub reason: String,
}

/// git, with its surroundings.
#[derive(Debug)]
pub struct Git {
    /// The program that answers askpass prompts.
    pub askpass: PathBuf,
    /// Longest run of one command.
    pub time_limit: Duration,
    /// Tokens, by host.
    pub access: Vec<Access>,
    /// Leaves out blobs larger than this many bytes.
    pub blob_limit: Option<u64>,
}

/// Settings of every command, against those of the user and of the system. Objects are not checked
/// by git: much of what is out there would fail (old tools wrote odd trees), and unread means
/// uncovered.
const SETTINGS: [&str; 14] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false",
    "protocol.allow=never",
    "protocol.https.allow=always",
    "protocol.http.allow=always",
    "protocol.ssh.allow=always",
    "protocol.git.allow=always",
    "protocol.file.allow=always",
    // A server that sends less than 1 KB/s for a minute has gone.
    "http.lowSpeedLimit=1000",
    "http.lowSpeedTime=60",
];

impl Git {
    /// The refs of `url`, without `HEAD`.
    ///
    /// # Errors
    /// What git said; that it was stopped.
    pub fn list_refs(
        &self,
        url: &str,
        stopped: &dyn Fn() -> bool,
    ) -> Result<Vec<Reference>, GitError> {
        let mut command = self.command(url);
        command.args(["ls-remote", "--refs", "-q", "--", url]);
        let output = self.run(command, stopped)?;
        let line = |line: &[u8]| {
            let tab = memchr::memchr(b'\t', line)?;
            Some(Reference {
                name: String::from_utf8_lossy(&line[tab + 1..]).into_owned(),
                target: ObjectId::from_hex(&line[..tab])?,
            })
        };
        let lines = output.split(|&byte| byte == b'\n');
        let mut refs: Vec<Reference> = lines.filter_map(line).collect();
        refs.sort();
        Ok(refs)
    }

    /// Makes `mirror` a bare repository with every ref of `url` and no other one.
    ///
    /// # Errors
    /// What git said; that it was stopped.
    pub fn fetch(
        &self,
        url: &str,
        mirror: &Path,
        format: &str,
        stopped: &dyn Fn() -> bool,
    ) -> Result<(), GitError> {
        if !mirror.join("HEAD").exists() {
            let mut command = self.command(url);
            command.args(["-c", "init.defaultRefFormat=files"]);
            command.args(["init", "-q", "--bare", "--template="]);
            command.arg(format!("--object-format={format}"));
            self.run_in(command.arg("--").arg(mirror), stopped)?;
        }
        let mut command = self.command(url);
        command.arg("--git-dir").arg(mirror);
        command.args([
            "fetch",
            "-q",
            "--prune",
            "--no-tags",
            "--force",
            "--no-write-fetch-head",
        ]);
        command.args(["--no-auto-maintenance", "--refmap="]);
        if let Some(limit) = self.blob_limit {
            command.arg(format!("--filter=blob:limit={limit}"));
        }
        command.args(["--", url, "+refs/*:refs/*"]);
        self.run(command, stopped).map(drop)
    }

    /// How many objects that refs lead to are not in `mirror`: left out for their size.
    ///
    /// # Errors
    /// What git said; that it was stopped.
    pub fn missing(&self, mirror: &Path, stopped: &dyn Fn() -> bool) -> Result<u64, GitError> {
        let mut command = self.command("");
        command.arg("--git-dir").arg(mirror);
        command.args(["rev-list", "--objects", "--all", "--missing=print"]);
        let output = self.run(command, stopped)?;
        let lines = output.split(|&byte| byte == b'\n');
        Ok(lines.filter(|line| line.starts_with(b"?")).count() as u64)
    }

    fn command(&self, url: &str) -> Command {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let kept = [
                "GIT_CONFIG_GLOBAL",
                "GIT_CONFIG_NOSYSTEM",
                "GIT_CONFIG_SYSTEM",
            ];
            let kept = kept.contains(&&*text) || text.starts_with("GIT_SSL");
            if (text.starts_with("GIT_") && !kept) || ASKPASS.contains(&&*text) {
                command.env_remove(name);
            }
        }
        command.arg("--no-pager");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        for (name, value) in [
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_SSH_COMMAND", "ssh -oBatchMode=yes"),
            ("GCM_INTERACTIVE", "never"),
            ("LC_ALL", "C"),
        ] {
            command.env(name, value);
        }
        let known = self.access.iter().find(|access| is_at(url, &access.host));
        if let Some(access) = known {
            // The user's own helpers are left alone: the token is for this sweep.
            command.args(["-c", "credential.helper="]);
            command.env("GIT_ASKPASS", &self.askpass);
            let token = String::from_utf8_lossy(access.token.expose()).into_owned();
            for (name, value) in ASKPASS.iter().zip([&access.host, &access.user, &token]) {
                command.env(name, value);
            }
        } else {
            command.env("GIT_ASKPASS", "true");
        }
        command.stdin(Stdio::null());
        command
    }

    fn run_in(&self, command: &mut Command, stopped: &dyn Fn() -> bool) -> Result<(), GitError> {
        let command = std::mem::replace(command, Command::new("git"));
        self.run(command, stopped).map(drop)
    }

    /// Runs `command` to its end and returns what it printed.
    fn run(&self, mut command: Command, stopped: &dyn Fn() -> bool) -> Result<Vec<u8>, GitError> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().map_err(|error| GitError {
            passing: false,
            disk_full: false,
            limited: false,
            reason: format!("git could not be started: {error}"),
        })?;
        let stdout = reader(child.stdout.take());
        let stderr = reader(child.stderr.take());
        let ended = self.wait(&mut child, stopped);
        let (stdout, stderr) = (joined(stdout), joined(stderr));
        match ended {
            Ok(true) => Ok(stdout),
            Ok(false) => Err(explain(&String::from_utf8_lossy(&stderr))),
            Err(reason) => Err(GitError {
                passing: true,
                disk_full: false,
                limited: false,
                reason,
            }),
        }
    }

    /// Waits for `child`; ends it, and what it has started, when its time is over.
    fn wait(&self, child: &mut Child, stopped: &dyn Fn() -> bool) -> Result<bool, String> {
        let start = Instant::now();
        let mut pause = Duration::from_millis(2);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status.success()),
                Ok(None) => {}
                Err(error) => return Err(format!("git: {error}")),
            }
            let over = start.elapsed() > self.time_limit;
            if over || stopped() {
                end(child);
                let limit = self.time_limit.as_secs();
                return Err(match over {
                    true => format!("git took longer than {limit} s"),
                    false => "stopped".to_owned(),
                });
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(100));
        }
    }
}

/// Whether `url` is at `host` (scheme, host and port).
fn is_at(url: &str, host: &str) -> bool {
    url.strip_prefix(host)
        .is_some_and(|rest| rest.starts_with('/'))
}

#[cfg(unix)]
fn end(child: &mut Child) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // That it has just ended by itself is no matter.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

#[cfg(not(unix))]
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

type Reader = Option<thread::JoinHandle<Vec<u8>>>;

fn reader(stream: Option<impl Read + Send + 'static>) -> Reader {
    let mut stream = stream?;
    Some(thread::spawn(move || {
        let mut all = Vec::new();
        // What was read before a failure is all there is.
        let _ = stream.read_to_end(&mut all);
        all
    }))
}

fn joined(reader: Reader) -> Vec<u8> {
    reader
        .and_then(|reader| reader.join().ok())
        .unwrap_or_default()
}

/// What no repetition will change.
const FINAL: [&str; 9] = [
    "not found",
    "does not exist",
    "Authentication failed",
    "Permission denied",
    "could not read Username",
    "could not read Password",
    "does not appear to be a git repository",
    "requested URL returned error: 403",
    "requested URL returned error: 401",
];
const LIMITED: [&str; 5] = [
    "error: 429",
    "HTTP 429",
    "Too Many Requests",
    "rate limit",
    "abuse detection",
];
const DISK_FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// What git's complaint means.
fn explain(said: &str) -> GitError {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let limited = has(&LIMITED);
    let telling = |line: &&str| {
        ["fatal:", "error:", "ERROR:", "ssh:"]
            .iter()
            .any(|start| line.starts_with(start))
    };
    let line = said.lines().find(telling).or(said.lines().last());
    let line: String = line
        .unwrap_or("git failed without a message")
        .chars()
        .take(300)
        .collect();
    GitError {
        passing: limited || has(&DISK_FULL) || !has(&FINAL),
        disk_full: has(&DISK_FULL),
        limited,
        reason: sanitise::line(line.as_bytes()),
    }
}

/// The answer to a prompt of git's ("Username for 'https://host': "), where it is for the host
/// that [`ASKPASS`] names; none elsewhere, so that no other server is shown the token.
#[must_use]
pub fn answer(prompt: &str, [host, user, token]: [&str; 3]) -> Option<String> {
    let asked = prompt.split('\'').nth(1)?;
    let (scheme, rest) = asked.split_once("://")?;
    let rest = rest.rsplit_once('@').map_or(rest, |(_, rest)| rest);
    let asked = format!("{scheme}://{}", rest.split('/').next().unwrap_or(rest));
    if asked != host {
        return None;
    }
    if prompt.starts_with("Username") {
        Some(user.to_owned())
    } else {
        prompt.starts_with("Password").then(|| token.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_for_its_host() {
        let with = |prompt: &str| answer(prompt, ["https://git.example.com", "u", "t"]);
        let user = with("Username for 'https://git.example.com': ");
        assert_eq!(user.as_deref(), Some("u"));
        let token = with("Password for 'https://u@git.example.com': ");
        assert_eq!(token.as_deref(), Some("t"));
        for other in [
            "Password for 'https://u@git.example.com.evil.example': ",
            "Password for 'http://u@git.example.com': ",
            "Password for 'https://git.example.com@evil.example': ",
            "Enter passphrase for key '/home/u/.ssh/id': ",
            "",
        ] {
            assert_eq!(with(other), None, "{other}");
        }
        assert!(is_at(
            "https://git.example.com/a",
            "https://git.example.com"
        ));
        assert!(!is_at(
            "https://git.example.com.evil/a",
            "https://git.example.com"
        ));
    }

    #[test]
    fn what_git_says_is_understood() {
        let passing = |said: &str| explain(said).passing;
        assert!(!passing("fatal: repository 'https://x/y/' not found"));
        assert!(!passing("fatal: Authentication failed for 'https://x/y/'"));
        assert!(passing(
            "fatal: unable to access 'x': Could not resolve host: x"
        ));
        assert!(passing(
            "fatal: unable to access 'x': The requested URL returned error: 503"
        ));
        assert!(explain("error: RPC failed; HTTP 429 curl 22").limited && passing(""));
        let full = explain("x\nfatal: write error: No space left on device\n");
        assert!(full.disk_full && full.passing);
        assert_eq!(full.reason, "fatal: write error: No space left on device");
    }
}
