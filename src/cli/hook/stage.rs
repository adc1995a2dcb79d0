//! Which hook this is, from how git, the pre-commit framework or another manager calls it.

use std::ffi::OsString;
use std::path::Path;

use super::super::hook_args::Stage;

/// How the process was called.
pub(super) struct Call<'c> {
    /// What follows `hook`.
    pub(super) arguments: &'c [OsString],
    /// A variable of the environment, unless it is empty.
    pub(super) variable: &'c dyn Fn(&str) -> Option<OsString>,
    /// The command lines of the processes above, nearest first.
    pub(super) ancestors: &'c dyn Fn() -> Vec<Vec<String>>,
    /// Whether a path is a file.
    pub(super) is_file: &'c dyn Fn(&Path) -> bool,
}

/// The stage that `call` stands for. What fits nothing else is the hook before a commit: it scans
/// what is staged, and every file that is named.
pub(super) fn detect(call: &Call<'_>) -> Stage {
    let has = |name: &str| (call.variable)(name).is_some();
    if has("PRE_COMMIT") {
        return in_framework(call);
    }
    match call.arguments {
        [] if has("GIT_QUARANTINE_PATH") => return Stage::PreReceive,
        [name, old, new] if is_ref(name) && is_id(old) && is_id(new) => return Stage::Update,
        [file] if is_message(call, file) => return Stage::CommitMsg,
        _ => {}
    }
    if let Some(stage) = from_ancestors(&(call.ancestors)()) {
        return stage;
    }
    match call.arguments {
        // Git names a remote and its address, and says on standard input what is pushed. No
        // index is set up for it.
        [remote, address] if !has("GIT_INDEX_FILE") && !is_any_file(call, [remote, address]) => {
            Stage::PrePush
        }
        _ => Stage::PreCommit,
    }
}

/// The framework (and prek, which speaks its language) sets variables for each stage.
fn in_framework(call: &Call<'_>) -> Stage {
    let has = |name: &str| (call.variable)(name).is_some();
    let pushes = [
        "PRE_COMMIT_TO_REF",
        "PRE_COMMIT_REMOTE_NAME",
        "PRE_COMMIT_REMOTE_URL",
    ];
    if pushes.into_iter().any(has) {
        return Stage::PrePush;
    }
    match call.arguments {
        [file] if is_message(call, file) => Stage::CommitMsg,
        _ => Stage::PreCommit,
    }
}

fn is_any_file(call: &Call<'_>, names: [&OsString; 2]) -> bool {
    names.iter().any(|name| (call.is_file)(Path::new(name)))
}

fn is_message(call: &Call<'_>, file: &OsString) -> bool {
    let path = Path::new(file);
    let name = path.file_name().and_then(|name| name.to_str());
    let known = ["COMMIT_EDITMSG", "MERGE_MSG", "SQUASH_MSG", "final-commit"];
    name.is_some_and(|name| known.contains(&name)) && (call.is_file)(path)
}

fn is_ref(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("refs/"))
}

fn is_id(text: &OsString) -> bool {
    text.to_str().is_some_and(|text| {
        matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

/// A process above us that is a hook, or that was told which one to run (`lefthook run pre-push`).
fn from_ancestors(ancestors: &[Vec<String>]) -> Option<Stage> {
    ancestors.iter().flatten().find_map(|word| {
        let name = Path::new(word).file_name()?.to_str()?;
        Stage::from_name(name)
    })
}

/// Command lines of the processes above this one, nearest first, as far as they are of interest.
#[cfg(target_os = "linux")]
pub(super) fn ancestors() -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut process = "self".to_owned();
    for _ in 0..6 {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{process}/stat")) else {
            break;
        };
        // The name in parentheses may hold anything; the parent's number is the second field
        // after it.
        let Some(parent) = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1))
        else {
            break;
        };
        process = parent.to_owned();
        let Ok(line) = std::fs::read(format!("/proc/{process}/cmdline")) else {
            break;
        };
        let words = line.split(|&byte| byte == 0);
        let words: Vec<String> = words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        // Above git there is whoever called git.
        let is_git = words.first().is_some_and(|word| {
            Path::new(word)
                .file_name()
                .is_some_and(|name| name == "git")
        });
        if is_git || words.first().is_none_or(String::is_empty) {
            break;
        }
        found.push(words);
    }
    found
}

#[cfg(not(target_os = "linux"))]
pub(super) fn ancestors() -> Vec<Vec<String>> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(arguments: &[&str], environment: &[(&str, &str)], above: &[&str]) -> Stage {
        let arguments: Vec<OsString> = arguments.iter().map(OsString::from).collect();
        let above: Vec<String> = above.iter().map(|word| (*word).to_owned()).collect();
        let variable = |name: &str| {
            let found = environment.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| OsString::from(value))
        };
        detect(&Call {
            arguments: &arguments,
            variable: &variable,
            ancestors: &|| vec![above.clone()],
            is_file: &|path| path.extension().is_some() || path.ends_with("COMMIT_EDITMSG"),
        })
    }

    #[test]
    fn git_is_recognised() {
        let id = "0".repeat(40);
        let index = [("GIT_INDEX_FILE", ".git/index")];
        let quarantine = [("GIT_QUARANTINE_PATH", "objects/incoming")];
        assert_eq!(stage(&[], &index, &[]), Stage::PreCommit);
        assert_eq!(stage(&[], &[], &[]), Stage::PreCommit);
        assert_eq!(stage(&[], &quarantine, &[]), Stage::PreReceive);
        assert_eq!(stage(&["refs/heads/a", &id, &id], &[], &[]), Stage::Update);
        assert_eq!(
            stage(&[".git/COMMIT_EDITMSG"], &index, &[]),
            Stage::CommitMsg
        );
        assert_eq!(stage(&["origin", "ssh://host/x"], &[], &[]), Stage::PrePush);
        assert_eq!(stage(&["a.txt", "b.txt"], &[], &[]), Stage::PreCommit);
        let hook = ["sh", "-e", ".husky/pre-push"];
        assert_eq!(stage(&[], &[], &hook), Stage::PrePush);
        let lefthook = ["lefthook", "run", "pre-merge-commit"];
        assert_eq!(stage(&[], &index, &lefthook), Stage::PreMergeCommit);
    }

    #[test]
    fn the_framework_is_recognised() {
        let plain = ("PRE_COMMIT", "1");
        let above = ["python", "/usr/bin/pre-commit", "run"];
        assert_eq!(stage(&["a.txt"], &[plain], &above), Stage::PreCommit);
        let pushing = [plain, ("PRE_COMMIT_REMOTE_NAME", "origin")];
        assert_eq!(stage(&["a.txt"], &pushing, &above), Stage::PrePush);
        let range = [plain, ("PRE_COMMIT_TO_REF", "HEAD")];
        assert_eq!(stage(&[], &range, &above), Stage::PrePush);
        let message = [".git/COMMIT_EDITMSG"];
        assert_eq!(stage(&message, &[plain], &above), Stage::CommitMsg);
    }
}
