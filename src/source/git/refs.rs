//! Refs: what a repository calls by name.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::bytes::trim_end;
use super::{NotRead, ObjectId, Repository};

/// One ref, followed to an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Full name: `HEAD`, `refs/heads/main`. Bytes that are not UTF-8 are replaced.
    pub name: String,
    /// The object; for an annotated tag the tag object.
    pub target: ObjectId,
}

/// All refs of a repository, sorted by name, `HEAD` of this work tree among them.
#[derive(Clone, Debug, Default)]
pub struct Refs {
    /// The refs.
    pub all: Vec<Reference>,
    /// Where `HEAD` points, e.g. `refs/heads/main`; `None` where it is detached.
    pub head_name: Option<String>,
    /// Files that could not be read or are no refs.
    pub problems: Vec<NotRead>,
}

/// Symbolic refs that point at symbolic refs are followed this far; git stops at five.
const LONGEST_CHAIN: usize = 5;
/// Directories below `refs` are followed this deep.
const DEEPEST: usize = 64;

#[derive(Clone, Debug)]
enum Value {
    Object(ObjectId),
    Symbolic(String),
}

#[derive(Default)]
struct Reader {
    values: BTreeMap<String, Value>,
    problems: Vec<NotRead>,
}

impl Refs {
    /// Reads all refs of `repository`.
    #[must_use]
    pub fn read(repository: &Repository) -> Self {
        if repository.ref_storage() == "files" {
            Self::from_files(repository)
        } else {
            Self::from_git(repository)
        }
    }

    /// The object of the ref called `name` in full.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<ObjectId> {
        let at = self
            .all
            .binary_search_by(|known| known.name.as_str().cmp(name));
        at.ok()
            .and_then(|at| self.all.get(at))
            .map(|known| known.target)
    }

    fn from_files(repository: &Repository) -> Self {
        let mut reader = Reader::default();
        reader.packed(&repository.common_dir().join("packed-refs"));
        reader.directory(&repository.common_dir().join("refs"), "refs", 0);
        if repository.git_dir() != repository.common_dir() {
            reader.directory(&repository.git_dir().join("refs"), "refs", 0);
        }
        reader.file(&repository.git_dir().join("HEAD"), "HEAD".to_owned());
        reader.finish()
    }

    /// Asks git, which knows every form of storage. It runs with hooks, the file-system monitor
    /// and lazy fetching off: the repository's configuration must not start anything.
    fn from_git(repository: &Repository) -> Self {
        let mut refs = Self::default();
        let listed = git(
            repository,
            &["for-each-ref", "--format=%(objectname) %(refname)"],
        );
        match listed {
            Ok(text) => refs
                .all
                .extend(text.split(|&byte| byte == b'\n').filter_map(line)),
            Err(reason) => refs.problems.push(NotRead {
                what: "refs".to_owned(),
                reason,
            }),
        }
        let head = git(repository, &["rev-parse", "-q", "--verify", "HEAD"]).unwrap_or_default();
        if let Some(target) = ObjectId::from_hex(trim_end(&head)) {
            refs.all.push(Reference {
                name: "HEAD".to_owned(),
                target,
            });
        }
        let name = git(repository, &["symbolic-ref", "-q", "HEAD"]).unwrap_or_default();
        let name = String::from_utf8_lossy(trim_end(&name)).into_owned();
        refs.head_name = Some(name).filter(|name| !name.is_empty());
        refs.all.sort();
        refs
    }
}

fn line(line: &[u8]) -> Option<Reference> {
    let space = memchr::memchr(b' ', line)?;
    Some(Reference {
        name: String::from_utf8_lossy(&line[space + 1..]).into_owned(),
        target: ObjectId::from_hex(&line[..space])?,
    })
}

/// Output of a git command that only reads, on exactly this repository.
///
/// # Errors
/// Where git cannot be started or fails; what it said, in one line.
pub(crate) fn git(repository: &Repository, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new("git")
        .args([
            "--no-pager",
            "--no-optional-locks",
            "-c",
            "core.fsmonitor=false",
        ])
        .args(["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0"])
        .args(arguments)
        .env("GIT_DIR", repository.git_dir())
        .env("GIT_COMMON_DIR", repository.common_dir())
        .env("GIT_OBJECT_DIRECTORY", repository.objects())
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("git could not be started: {error}"))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.lines().next().unwrap_or("no message");
    Err(format!("git {}: {said}", arguments.first().unwrap_or(&"")))
}

impl Reader {
    fn problem(&mut self, path: &Path, reason: impl Into<String>) {
        self.problems.push(NotRead {
            what: path.display().to_string(),
            reason: reason.into(),
        });
    }

    fn packed(&mut self, path: &Path) {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.problem(path, error.to_string()),
        };
        let mut bad = 0_u64;
        for text in text.split(|&byte| byte == b'\n') {
            if text.is_empty() || text.starts_with(b"#") || text.starts_with(b"^") {
                continue;
            }
            match line(trim_end(text)) {
                Some(known) => {
                    self.values.insert(known.name, Value::Object(known.target));
                }
                None => bad += 1,
            }
        }
        if bad > 0 {
            self.problem(path, format!("{bad} lines are no refs"));
        }
    }

    /// Reads the files below `directory`; they win over packed refs.
    fn directory(&mut self, directory: &Path, name: &str, depth: usize) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.problem(directory, error.to_string()),
        };
        for entry in entries.flatten() {
            let file_name = entry.file_name();
            let file_name = file_name.to_string_lossy();
            let name = format!("{name}/{file_name}");
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && depth < DEEPEST {
                self.directory(&entry.path(), &name, depth + 1);
            } else if !is_directory && !file_name.ends_with(".lock") {
                self.file(&entry.path(), name);
            }
        }
    }

    fn file(&mut self, path: &Path, name: String) {
        let text = match fs::read(path) {
            Ok(text) => text,
            // Packed or deleted while we were looking.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => return self.problem(path, error.to_string()),
        };
        let text = trim_end(&text);
        if let Some(target) = text.strip_prefix(b"ref:") {
            let target = String::from_utf8_lossy(target).trim().to_owned();
            self.values.insert(name, Value::Symbolic(target));
        } else if let Some(id) = ObjectId::from_hex(text) {
            self.values.insert(name, Value::Object(id));
        } else {
            self.problem(path, "not a ref");
        }
    }

    /// The object that `value` leads to.
    fn follow<'v>(&'v self, mut value: &'v Value) -> Option<ObjectId> {
        for _ in 0..=LONGEST_CHAIN {
            match value {
                Value::Object(id) => return Some(*id).filter(|id| !id.is_null()),
                Value::Symbolic(name) => value = self.values.get(name)?,
            }
        }
        None
    }

    fn finish(self) -> Refs {
        let all = self.values.iter().filter_map(|(name, value)| {
            Some(Reference {
                name: name.clone(),
                target: self.follow(value)?,
            })
        });
        Refs {
            all: all.collect(),
            head_name: match self.values.get("HEAD") {
                Some(Value::Symbolic(name)) => Some(name.clone()),
                _ => None,
            },
            problems: self.problems,
        }
    }
}
