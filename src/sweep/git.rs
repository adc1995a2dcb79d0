//! The git command line, for what goes over the network: listing refs and fetching a mirror.
//!
//! git knows the protocols, proxies and credential helpers. What a repository could make it run is
//! off: there is no work tree, no hook, no filter, no submodule, and no protocol but the ones named
//! here. A token reaches it through an askpass helper that answers for one host only; it stands
//! in no argument, no URL and no file.

mod complaint;
mod partial;

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use self::complaint::explain;
use super::forge::{ForgeError, Lent, Pool, Use};
use crate::source::git::{ObjectId, Reference};

/// Environment of the askpass helper: the host it answers for (`https://host`), the user name and
/// the token.
pub const ASKPASS: [&str; 3] = [
    "STRAYKEY_ASKPASS_HOST",
    "STRAYKEY_ASKPASS_USER",
    "STRAYKEY_ASKPASS_TOKEN",
];

/// What lets git in at one host.
pub struct Access {
    /// Scheme, host and port: `https://github.com`.
    pub host: String,
    /// User name that goes with a token.
    pub user: String,
    /// Its tokens.
    pub tokens: Arc<Pool>,
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
    /// Whether the host could not be reached at all.
    pub away: bool,
    /// Whether it was not let in; another token may be.
    pub denied: bool,
    /// Whether no token is left for the host: nothing there can be fetched by this process.
    pub no_token: bool,
    /// One line: what git said.
    pub reason: String,
}

impl GitError {
    fn new(passing: bool, reason: String) -> Self {
        Self {
            passing,
            disk_full: false,
            limited: false,
            away: false,
            denied: false,
            no_token: false,
            reason,
        }
    }
}

/// How long a token is left alone by git after a limit: git does not tell for how long.
const LIMITED_FOR: Duration = Duration::from_secs(60);

/// git, with its surroundings.
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
        let arguments = ["ls-remote", "--refs", "-q", "--", url].map(OsString::from);
        let output = self.talk(url, &arguments, stopped)?;
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
            let mut command = self.command(None);
            command.args(["-c", "init.defaultRefFormat=files"]);
            command.args(["init", "-q", "--bare", "--template="]);
            command.arg(format!("--object-format={format}"));
            command.arg("--").arg(mirror);
            self.run(command, stopped)?;
        }
        let filter = self.blob_limit.map(|limit| format!("blob:limit={limit}"));
        let refs = ["+refs/*:refs/*".to_owned()];
        match self.fetch_filtered(url, mirror, filter, &refs, stopped) {
            Err(error) if error.reason.contains(partial::NOT_WHOLE) => {
                self.fetch_what_is_there(url, mirror, stopped)
            }
            result => result,
        }
    }

    fn fetch_filtered(
        &self,
        url: &str,
        mirror: &Path,
        filter: Option<String>,
        wanted: &[String],
        stopped: &dyn Fn() -> bool,
    ) -> Result<(), GitError> {
        let mut arguments = vec!["--git-dir".into(), mirror.as_os_str().to_owned()];
        let fetch = [
            "fetch",
            "-q",
            "--prune",
            "--no-tags",
            "--force",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--refmap=",
        ];
        arguments.extend(fetch.map(OsString::from));
        // A mirror may be from a time when something was left out: git would go on with that.
        let filter = filter.map_or("--no-filter".to_owned(), |it| format!("--filter={it}"));
        arguments.extend([filter.into(), "--".into(), url.into()]);
        arguments.extend(wanted.iter().map(OsString::from));
        self.talk(url, &arguments, stopped).map(drop)
    }

    /// How many objects that refs lead to are not in `mirror`: left out for their size.
    ///
    /// # Errors
    /// What git said; that it was stopped.
    pub fn missing(&self, mirror: &Path, stopped: &dyn Fn() -> bool) -> Result<u64, GitError> {
        Ok(self.absent(mirror, stopped)?.len() as u64)
    }

    fn absent(&self, mirror: &Path, stopped: &dyn Fn() -> bool) -> Result<Vec<String>, GitError> {
        let mut command = self.command(None);
        command.arg("--git-dir").arg(mirror);
        command.args([
            "rev-list",
            "--objects",
            "--all",
            "--missing=print",
            "--quiet",
        ]);
        let output = self.run(command, stopped)?;
        let lines = output.split(|&byte| byte == b'\n');
        let absent = lines.filter_map(|line| line.strip_prefix(b"?"));
        Ok(absent
            .map(|id| String::from_utf8_lossy(id).into_owned())
            .collect())
    }

    /// Runs git with `arguments` against `url`, with one token after the other where the server
    /// does not let in, until the repository itself is to blame.
    fn talk(
        &self,
        url: &str,
        arguments: &[OsString],
        stopped: &dyn Fn() -> bool,
    ) -> Result<Vec<u8>, GitError> {
        let run = |login: Option<Login<'_>>| {
            let mut command = self.command(login);
            command.args(arguments);
            self.run(command, stopped)
        };
        let known = self.access.iter().find(|access| is_at(url, &access.host));
        let Some(access) = known else {
            return run(None);
        };
        let (mut tried, mut last) = (Vec::new(), None);
        loop {
            let lent = access.tokens.lend(Use::Git, &tried).map_err(no_token)?;
            let (lent, error) = match (lent, last.take()) {
                (Some(lent), _) if lent.ready <= SystemTime::now() => {
                    match run(Some((access, &lent))) {
                        Err(error) if error.denied || error.limited => (lent, error),
                        result => {
                            access.tokens.taken();
                            return result;
                        }
                    }
                }
                (_, Some(error)) => return Err(error),
                (Some(_), None) => return Err(explain("every token has reached its rate limit")),
                (None, None) => return run(None),
            };
            if error.limited {
                let ready = SystemTime::now() + LIMITED_FOR;
                access.tokens.hold(lent.number, Use::Git, ready);
            } else if access.tokens.check(&lent) {
                access.tokens.taken();
            }
            tried.push(lent.number);
            last = Some(error);
        }
    }

    fn command(&self, login: Option<Login<'_>>) -> Command {
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
        if let Some((access, lent)) = login {
            // The user's own helpers are left alone: the token is for this sweep. It is shown
            // unasked: else each command begins with a request that is refused, and git forgets
            // where a repository has moved to when it is asked for a token before.
            command.args(["-c", "credential.helper=", "-c", "http.proactiveAuth=basic"]);
            command.env("GIT_ASKPASS", &self.askpass);
            let token = String::from_utf8_lossy(lent.secret.expose()).into_owned();
            for (name, value) in ASKPASS.iter().zip([&access.host, &access.user, &token]) {
                command.env(name, value);
            }
        } else {
            command.env("GIT_ASKPASS", "true");
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs `command` to its end and returns what it printed.
    fn run(&self, mut command: Command, stopped: &dyn Fn() -> bool) -> Result<Vec<u8>, GitError> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .map_err(|error| GitError::new(false, format!("git could not be started: {error}")))?;
        let stdout = reader(child.stdout.take());
        let stderr = reader(child.stderr.take());
        let ended = self.wait(&mut child, stopped);
        let (stdout, stderr) = (joined(stdout), joined(stderr));
        match ended {
            Ok(true) => Ok(stdout),
            Ok(false) => Err(explain(&String::from_utf8_lossy(&stderr))),
            Err(reason) => Err(GitError::new(true, reason)),
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

/// A host, and the token to show to it.
type Login<'l> = (&'l Access, &'l Lent);

/// That there is no token: none is left, or none could be had just now.
fn no_token(error: ForgeError) -> GitError {
    let passing = matches!(error, ForgeError::GaveUp { .. } | ForgeError::Stopped);
    GitError {
        no_token: !passing,
        ..GitError::new(passing, error.to_string())
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
}
