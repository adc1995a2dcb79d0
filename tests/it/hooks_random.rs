//! Random sequences of git operations in which a key is planted: whatever is pushed, the remote
//! never gets it, and nothing harmless is held back.
//!
//! 40 sequences; `STRAYKEY_SEQUENCES=N` runs another number (500 before a release), `STRAYKEY_SEQUENCE=SEED` one alone.

use std::path::PathBuf;
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::hook_kit::{Random, Repository, git_command, pick, text};
use crate::kit::keys;

const SEQUENCES: usize = 40;
const STEPS: usize = 14;

#[derive(Default)]
struct Tally {
    blocked_commits: AtomicUsize,
    keyed_commits: AtomicUsize,
    blocked_pushes: AtomicUsize,
    pushes: AtomicUsize,
}

struct Sequence<'t> {
    seed: u64,
    random: Random,
    repository: Repository,
    remote: PathBuf,
    id: String,
    secret: String,
    tally: &'t Tally,
    log: Vec<String>,
    counter: usize,
}

const FILES: [&str; 8] = [
    "a.txt",
    "b.env",
    "dir/c.txt",
    "dir/deep er/d.json",
    "e.bin",
    "dir/f.txt",
    "g\u{e9}.md",
    "-h.txt",
];
const BRANCHES: [&str; 3] = ["main", "one", "two"];

impl<'t> Sequence<'t> {
    fn new(seed: u64, tally: &'t Tally) -> Self {
        let format = ["sha1", "sha1", "sha1", "sha256"][seed as usize % 4];
        let repository = Repository::new(&["--template=", "--object-format", format]);
        let remote = repository.outside().join("remote.git");
        let path = remote.to_str().expect("UTF-8").to_owned();
        repository.git(&[
            "init",
            "-q",
            "--template=",
            "--bare",
            "-b",
            "main",
            "--object-format",
            format,
            &path,
        ]);
        repository.git(&["remote", "add", "origin", &path]);
        let stages = ["pre-commit", "pre-merge-commit", "commit-msg", "pre-push"];
        repository.install_hooks(&stages);
        if seed % 5 == 1 {
            repository.git(&["config", "index.version", "4"]);
        }
        if seed % 7 == 2 {
            repository.git(&["config", "core.splitIndex", "true"]);
        }
        Self {
            seed,
            random: Random::new(seed.wrapping_mul(0x1234_5678_9ABC_DEF1)),
            repository,
            remote,
            id: keys::access_key_id(seed),
            secret: keys::secret(seed),
            tally,
            log: Vec::new(),
            counter: 0,
        }
    }

    fn git(&mut self, arguments: &[&str]) -> Output {
        let output = self.repository.try_git(arguments);
        let code = output.status.code();
        self.log.push(format!("git {arguments:?} -> {code:?}"));
        if text(&output.stderr).contains("commit blocked") {
            self.tally.blocked_commits.fetch_add(1, Ordering::Relaxed);
        }
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(
            !said.contains(&self.secret) || arguments[0] != "commit",
            "{}",
            self.story("a secret is printed")
        );
        output
    }

    fn number(&mut self) -> usize {
        self.counter += 1;
        self.counter
    }

    fn file(&mut self) -> &'static str {
        FILES[self.random.below(FILES.len())]
    }

    fn branch(&mut self) -> &'static str {
        BRANCHES[self.random.below(BRANCHES.len())]
    }

    /// The key in one of the forms in which it is found; at times one of its halves.
    fn key(&mut self) -> Vec<u8> {
        let (id, secret) = (&self.id, &self.secret);
        let both = format!("aws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
        match self.random.below(6) {
            0 => format!("{{\"AccessKeyId\": \"{id}\", \"SecretAccessKey\": \"{secret}\"}}\n")
                .into_bytes(),
            1 => both.encode_utf16().flat_map(u16::to_le_bytes).fold(
                vec![0xFF, 0xFE],
                |mut bytes, byte| {
                    bytes.push(byte);
                    bytes
                },
            ),
            2 => format!("aws_access_key_id = {id}\n").into_bytes(),
            3 => format!("aws_secret_access_key = {secret}\n").into_bytes(),
            4 => [b"\0\x01\x02binary\0".as_slice(), both.as_bytes(), b"\0\0"].concat(),
            _ => both.into_bytes(),
        }
    }

    fn write(&mut self, content: impl AsRef<[u8]>) -> &'static str {
        let file = self.file();
        let path = self.repository.path().join(file);
        let mut old = std::fs::read(&path).unwrap_or_default();
        if self.random.below(2) == 0 {
            old.clear();
        }
        old.extend_from_slice(content.as_ref());
        drop(std::fs::remove_file(&path));
        self.repository.write(file, old);
        self.log
            .push(format!("write {file} ({} bytes)", content.as_ref().len()));
        file
    }

    fn harmless(&mut self) -> &'static str {
        let number = self.number();
        self.write(format!("line {number}\n"))
    }

    fn plant(&mut self) -> &'static str {
        let key = self.key();
        self.log.push("the next one is the key".into());
        self.write(key)
    }

    fn step(&mut self) {
        let message = format!("step {}", self.number());
        match self.random.below(34) {
            0..=3 => {
                self.harmless();
                self.git(&["add", "-A"]);
                self.git(&["commit", "-q", "-m", &message]);
            }
            4 | 5 => {
                self.plant();
                self.git(&["add", "-A"]);
                self.git(&["commit", "-q", "-m", &message]);
            }
            6 => {
                self.plant();
                self.git(&["add", "-A"]);
                self.git(&["commit", "-q", "--no-verify", "-m", &message]);
            }
            7 => {
                let file = self.plant();
                self.git(&["commit", "-q", "-m", &message, "--", file]);
            }
            8 => {
                self.plant();
                self.git(&["commit", "-q", "-a", "-m", &message]);
            }
            9 => {
                // Staged with the key, then harmless in the work tree.
                let file = self.plant();
                self.git(&["add", "--", file]);
                self.repository.write(file, "harmless\n");
                self.git(&["commit", "-q", "-m", &message]);
            }
            10 => {
                self.git(&["commit", "-q", "--amend", "--allow-empty", "-m", &message]);
            }
            11 => {
                let (id, secret) = (self.id.clone(), self.secret.clone());
                let message =
                    format!("{message}\n\naws_access_key_id={id}\naws_secret_access_key={secret}");
                let verify = pick(&mut self.random, &["--verify", "--no-verify"]);
                self.git(&["commit", "-q", "--allow-empty", verify, "-m", &message]);
            }
            12 | 13 => {
                let branch = self.branch();
                self.git(&["checkout", "-q", "-B", branch]);
            }
            14 | 15 => {
                let branch = self.branch();
                self.git(&["checkout", "-q", branch]);
            }
            16 => {
                let branch = self.branch();
                let how = pick(&mut self.random, &["--no-ff", "--ff", "--squash"]);
                self.git(&["merge", "-q", how, "-m", &message, branch]);
            }
            17 => {
                self.git(&[
                    "merge", "-q", "--no-ff", "-X", "ours", "-m", &message, "one", "two",
                ]);
            }
            18 => {
                let branch = self.branch();
                self.git(&["merge", "-q", "--no-ff", "--no-commit", branch]);
                self.plant();
                self.git(&["add", "-A"]);
                let verify = pick(&mut self.random, &["--verify", "--no-verify"]);
                self.git(&["commit", "-q", verify, "-m", &message]);
            }
            19 => {
                let branch = self.branch();
                self.git(&["cherry-pick", "--allow-empty", branch]);
            }
            20 => {
                self.git(&["revert", "--no-edit", "HEAD"]);
            }
            21 => {
                let branch = self.branch();
                self.git(&["rebase", "-q", branch]);
            }
            22 => {
                self.git(&["stash", "-q", "-u"]);
                self.git(&["stash", "pop", "-q"]);
            }
            23 => {
                let how = pick(&mut self.random, &["--soft", "--mixed", "--hard"]);
                self.git(&["reset", "-q", how, "HEAD~1"]);
            }
            24 => self.tag(&message),
            25 => self.plumbing(&message),
            26 => {
                let (from, to) = (self.file(), self.file());
                self.git(&["mv", "-f", "--", from, to]);
                self.git(&["commit", "-q", "-m", &message]);
            }
            27 => {
                let file = self.file();
                self.git(&["rm", "-q", "-f", "--", file]);
                self.git(&["commit", "-q", "-m", &message]);
            }
            28 => {
                let key = String::from_utf8_lossy(&self.key()).replace(['\n', '\0'], " ");
                let link = self.repository.path().join("link");
                drop(std::fs::remove_file(&link));
                std::os::unix::fs::symlink(key, link).expect("a link");
                self.git(&["add", "-A"]);
                self.git(&["commit", "-q", "-m", &message]);
            }
            29 => {
                self.git(&["gc", "-q", "--prune=now"]);
            }
            30 => {
                // The patch of one branch, applied to another.
                let patch = self.git(&["format-patch", "-1", "--stdout", "--binary"]);
                let file = self.repository.outside().join("patch");
                std::fs::write(&file, patch.stdout).expect("written");
                let branch = self.branch();
                self.git(&["checkout", "-q", "-f", branch]);
                self.git(&["am", "-q", "-3", file.to_str().expect("UTF-8")]);
            }
            31 => {
                let name = if self.random.below(2) == 0 {
                    self.id.clone()
                } else {
                    "name".into()
                };
                self.repository.write(&format!("new/{name}.txt"), "x\n");
                self.git(&["add", "-A"]);
                self.git(&["commit", "-q", "-m", &message]);
            }
            _ => self.push_some(),
        }
        self.finish_what_is_under_way();
    }

    fn finish_what_is_under_way(&mut self) {
        let under_way = |name: &str| self.repository.path().join(".git").join(name).exists();
        let found = [
            ("MERGE_HEAD", "merge"),
            ("CHERRY_PICK_HEAD", "cherry-pick"),
            ("REVERT_HEAD", "revert"),
            ("rebase-apply/applying", "am"),
            ("rebase-merge", "rebase"),
            ("rebase-apply", "rebase"),
        ]
        .into_iter()
        .find(|(name, _)| under_way(name));
        let Some((_, operation)) = found else {
            return;
        };
        // Sometimes it is resolved and goes on, sometimes not.
        if self.random.below(2) == 0 && operation != "am" {
            self.git(&["add", "-A"]);
            self.git(&[operation, "--continue"]);
        }
        self.git(&[operation, "--abort"]);
        self.git(&["reset", "-q", "--merge"]);
    }

    fn tag(&mut self, message: &str) {
        let name = format!("v{}", self.counter);
        if self.random.below(2) == 0 {
            self.git(&["tag", &name]);
            return;
        }
        let key = if self.random.below(2) == 0 {
            self.id.clone()
        } else {
            String::new()
        };
        self.git(&["tag", "-a", &name, "-m", &format!("{message}\n\n{key}")]);
    }

    /// A commit that no porcelain has made.
    fn plumbing(&mut self, message: &str) {
        let file = self.plant();
        self.git(&["add", "--", file]);
        let tree = text(&self.git(&["write-tree"]).stdout).trim().to_owned();
        let parent = text(&self.git(&["rev-parse", "-q", "--verify", "HEAD"]).stdout)
            .trim()
            .to_owned();
        let mut arguments = vec!["commit-tree", "-m", message, &tree];
        if !parent.is_empty() {
            arguments.extend(["-p", &parent]);
        }
        let commit = text(&self.git(&arguments).stdout).trim().to_owned();
        if !commit.is_empty() {
            self.git(&["update-ref", "HEAD", &commit]);
        }
    }

    fn push_some(&mut self) {
        let branch = self.branch();
        let arguments: &[&str] = match self.random.below(6) {
            0 => &["push", "-q", "--all", "origin"],
            1 => &["push", "-q", "--tags", "origin"],
            2 => &["push", "-q", "--force", "origin", branch],
            3 => &["push", "-q", "origin", "main", "one", "two"],
            4 => &["push", "-q", "origin", "--delete", branch],
            _ => &["push", "-q", "origin", branch],
        };
        self.push(arguments);
    }

    fn push(&mut self, arguments: &[&str]) {
        self.tally.pushes.fetch_add(1, Ordering::Relaxed);
        let output = self.git(arguments);
        let said = text(&output.stderr);
        if said.contains("push blocked") {
            self.tally.blocked_pushes.fetch_add(1, Ordering::Relaxed);
            assert!(
                self.holds_key(self.repository.path()),
                "{}",
                self.story("blocked for nothing")
            );
        }
        let failed =
            said.contains("straykey: the scan is not complete") || said.contains("error: a defect");
        assert!(!failed, "{}", self.story(&said));
        let through = output.status.success() && self.holds_key(&self.remote);
        assert!(!through, "{}", self.story("THE KEY GOT THROUGH"));
    }

    /// Whether any object holds the key, in any of the forms in which it is planted.
    fn holds_key(&self, repository: &std::path::Path) -> bool {
        let mut command = git_command(repository);
        let batch = ["cat-file", "--batch-all-objects", "--batch", "--unordered"];
        let output = command.args(batch).output().expect("git");
        let wide = |text: &str| {
            text.encode_utf16()
                .flat_map(u16::to_le_bytes)
                .collect::<Vec<u8>>()
        };
        [
            self.id.as_bytes().to_vec(),
            self.secret.as_bytes().to_vec(),
            wide(&self.id),
            wide(&self.secret),
        ]
        .iter()
        .any(|needle| memchr::memmem::find(&output.stdout, needle).is_some())
    }

    fn story(&self, what: &str) -> String {
        format!("seed {}: {what}\n{}", self.seed, self.log.join("\n"))
    }

    fn run(mut self) {
        self.harmless();
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "-m", "start"]);
        for _ in 0..STEPS {
            self.step();
        }
        let reachable = self.git(&["log", "--all", "--format=%H"]);
        let keyed = !reachable.stdout.is_empty() && self.holds_key(self.repository.path());
        self.tally
            .keyed_commits
            .fetch_add(usize::from(keyed), Ordering::Relaxed);
        for arguments in [
            &["push", "-q", "origin", "main"][..],
            &["push", "-q", "origin", "one"],
            &["push", "-q", "--tags", "origin"],
            &["push", "-q", "--force", "--all", "origin"],
            &["push", "-q", "origin", "HEAD:refs/heads/last"],
            &["push", "-q", "origin", "stash@{0}:refs/heads/stash"],
        ] {
            self.push(arguments);
        }
    }
}

#[test]
fn nothing_gets_through() {
    let variable = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|value| value.parse().ok())
    };
    let tally = Tally::default();
    if let Some(seed) = variable("STRAYKEY_SEQUENCE") {
        return Sequence::new(seed as u64, &tally).run();
    }
    let sequences = variable("STRAYKEY_SEQUENCES").unwrap_or(SEQUENCES);
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, Into::into);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= sequences {
                        break;
                    }
                    Sequence::new(seed as u64, &tally).run();
                }
            });
        }
    });
    let read = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    println!(
        "{sequences} sequences: {} commits blocked, {} repositories with the key in them, {} of {} pushes blocked",
        read(&tally.blocked_commits),
        read(&tally.keyed_commits),
        read(&tally.blocked_pushes),
        read(&tally.pushes),
    );
    // The planting must not have been in vain.
    assert!(read(&tally.blocked_commits) * 2 > sequences);
    assert!(read(&tally.keyed_commits) * 2 > sequences);
    assert!(read(&tally.blocked_pushes) * 2 > sequences);
    assert!(read(&tally.blocked_pushes) * 10 < read(&tally.pushes) * 9);
}
