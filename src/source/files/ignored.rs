//! What git ignores: the rules that hold in a directory, and their answer for an entry of it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::repository::Repository;

/// The rules for the entries of one directory.
///
/// Only what belongs to a repository counts: the `.gitignore` files from the top of the work tree
/// down and `.git/info/exclude`. The user's own excludes do not: nothing outside the scanned
/// repository may weaken a scan of it.
#[derive(Clone, Debug)]
pub(super) enum Rules {
    /// Nothing is ignored: no git work tree, or the user wants it so.
    Off,
    /// Patterns decide.
    Patterns(Arc<Layer>),
    /// The directory is ignored; only what git tracks in it is scanned.
    OnlyTracked(Arc<Repository>),
}

/// What is to be done with an entry.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Scan it; the entries of a directory are held against these rules.
    Scan(Rules),
    /// Leave it out: git ignores it, and tracks nothing of it.
    LeaveOut,
}

/// The patterns of one file, over those of the directories above.
#[derive(Debug)]
pub(super) struct Layer {
    patterns: Gitignore,
    /// Length of the path, relative to the work tree, of the directory the patterns stand in,
    /// with its slash.
    depth: usize,
    above: Option<Arc<Layer>>,
    repository: Arc<Repository>,
}

impl Rules {
    /// The rules at the top of a work tree, without its `.gitignore`.
    pub(super) fn at_top(repository: Repository) -> Self {
        let exclude = fs::read(repository.exclude_file()).unwrap_or_default();
        Self::Patterns(Arc::new(Layer {
            patterns: patterns(&exclude),
            depth: 0,
            above: None,
            repository: Arc::new(repository),
        }))
    }

    /// The rules that a directory named on the command line inherits, and its path relative to the
    /// work tree with a slash at its end. Off if it is in no work tree, or ignored there: who names
    /// it wants it scanned.
    pub(super) fn inherited(directory: &Path) -> (Self, Vec<u8>) {
        let none = (Self::Off, Vec::new());
        let Ok(directory) = fs::canonicalize(directory) else {
            return none;
        };
        let mut above = directory.ancestors().skip(1);
        let Some(repository) = above.find_map(Repository::at) else {
            return none;
        };
        let Ok(relative) = directory.strip_prefix(repository.work_tree()) else {
            return none;
        };
        if is_home(repository.work_tree()) {
            return none;
        }
        let top = repository.work_tree().to_owned();
        let mut rules = Self::at_top(repository).with_file_in(&top, 0);
        let mut path = Vec::new();
        for component in relative.components() {
            let name = component.as_os_str();
            path.extend_from_slice(name.as_bytes());
            if name == ".git" || rules.ignores(&path, true) {
                return none;
            }
            path.push(b'/');
            let here = top.join(OsStr::from_bytes(&path));
            if here.components().ne(directory.components()) {
                rules = rules.with_file_in(&here, path.len());
            }
        }
        (rules, path)
    }

    /// These rules and those of the `.gitignore` in `directory`.
    fn with_file_in(self, directory: &Path, depth: usize) -> Self {
        let file = directory.join(".gitignore");
        // Git does not follow a link here either.
        let is_file = fs::symlink_metadata(&file).is_ok_and(|kind| kind.is_file());
        match fs::read(file) {
            Ok(content) if is_file => self.with_file(&content, depth),
            _ => self,
        }
    }

    /// These rules and those of a `.gitignore` with `content`, in a directory whose path relative
    /// to the work tree has `depth` bytes with its slash.
    pub(super) fn with_file(self, content: &[u8], depth: usize) -> Self {
        let Self::Patterns(above) = self else {
            return self;
        };
        let patterns = patterns(content);
        if patterns.is_empty() {
            return Self::Patterns(above);
        }
        Self::Patterns(Arc::new(Layer {
            patterns,
            depth,
            repository: Arc::clone(&above.repository),
            above: Some(above),
        }))
    }

    /// What to do with the entry `path`, relative to the work tree, of a directory under these
    /// rules.
    pub(super) fn verdict(&self, path: &[u8], is_directory: bool) -> Verdict {
        match self {
            Self::Off => Verdict::Scan(Self::Off),
            Self::OnlyTracked(repository) => of_tracked(repository, path, is_directory, self),
            Self::Patterns(layer) if self.ignores(path, is_directory) => {
                of_tracked(&layer.repository, path, is_directory, self)
            }
            Self::Patterns(_) => Verdict::Scan(self.clone()),
        }
    }

    fn ignores(&self, path: &[u8], is_directory: bool) -> bool {
        let mut next = match self {
            Self::Patterns(layer) => Some(layer),
            _ => None,
        };
        while let Some(layer) = next {
            let below = Path::new(OsStr::from_bytes(&path[layer.depth..]));
            match layer.patterns.matched(below, is_directory) {
                Match::Ignore(_) => return true,
                Match::Whitelist(_) => return false,
                Match::None => next = layer.above.as_ref(),
            }
        }
        false
    }
}

/// The verdict on an ignored entry: what git tracks is scanned all the same, and so is everything
/// where that cannot be known.
fn of_tracked(
    repository: &Arc<Repository>,
    path: &[u8],
    is_directory: bool,
    rules: &Rules,
) -> Verdict {
    match repository.tracked() {
        None => Verdict::Scan(rules.clone()),
        // A directory that is itself an entry is a submodule.
        Some(tracked) if tracked.holds(path) => Verdict::Scan(rules.clone()),
        Some(tracked) if is_directory && tracked.holds_below(path) => {
            Verdict::Scan(Rules::OnlyTracked(Arc::clone(repository)))
        }
        Some(_) => Verdict::LeaveOut,
    }
}

/// Compiles the patterns of an ignore file, relative to the directory that the paths to match are
/// relative to. Where a line cannot be understood, less is ignored, never more.
fn patterns(content: &[u8]) -> Gitignore {
    let mut builder = GitignoreBuilder::new("");
    let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content);
    for line in content.split(|&byte| byte == b'\n') {
        let understood = std::str::from_utf8(line)
            .is_ok_and(|line| builder.add_line(None, &literal_braces(line)).is_ok());
        if !understood && line.starts_with(b"!") {
            // An exception that is lost would hide files: except everything.
            let _ = builder.add_line(None, "!*");
        }
    }
    builder.build().unwrap_or_else(|_| Gitignore::empty())
}

/// `{a,b}` is an alternation to the `ignore` crate, and nothing special to git.
fn literal_braces(line: &str) -> String {
    let mut escaped = String::with_capacity(line.len());
    let mut after_backslash = false;
    for character in line.chars() {
        if matches!(character, '{' | '}') && !after_backslash {
            escaped.push('\\');
        }
        after_backslash = character == '\\' && !after_backslash;
        escaped.push(character);
    }
    escaped
}

/// Whether `directory` is the home directory: a repository there is about the user's settings, and
/// must not decide on what lies anywhere below.
fn is_home(directory: &Path) -> bool {
    std::env::home_dir()
        .and_then(|home| fs::canonicalize(home).ok())
        .is_some_and(|home| home == directory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignored(content: &str, path: &str, is_directory: bool) -> bool {
        patterns(content.as_bytes())
            .matched(path, is_directory)
            .is_ignore()
    }

    #[test]
    fn patterns_mean_what_they_mean_to_git() {
        assert!(ignored("*.log", "a/b.log", false));
        assert!(ignored("/top", "top", false) && !ignored("/top", "a/top", false));
        assert!(ignored("build/", "build", true) && !ignored("build/", "build", false));
        assert!(!ignored("*\n!keep", "keep", false));
        assert!(ignored("\u{feff}x\r\ny", "x", false));
    }

    #[test]
    fn braces_are_letters() {
        assert!(!ignored("*.{key,env}", "a.env", false));
        assert!(ignored("*.{key,env}", "a.{key,env}", false));
        assert_eq!(literal_braces(r"a{\{\\{"), r"a\{\{\\\{");
    }

    #[test]
    fn what_is_not_understood_hides_nothing() {
        assert!(patterns(b"\xff*\nx").matched("x", false).is_ignore());
        assert!(!patterns(b"*\n!\xffkey").matched("key", false).is_ignore());
    }
}
