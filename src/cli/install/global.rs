//! All repositories of a user.
//!
//! Git from 2.54 on runs hooks that its configuration names, beside any others: nothing is taken
//! over. For older versions `core.hooksPath` is the only way; as it hides the hooks of the
//! repositories themselves, every hook there calls the repository's own one afterwards.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::super::exit::Exit;
use super::super::hook_args::Stage;
use super::block::block;
use super::git::{self, CONFIG_HOOKS, git};
use super::{files, say_all};

/// The other hooks of `githooks(5)`: they must still be found.
const OTHERS: [&str; 17] = [
    "fsmonitor-watchman",
    "p4-changelist",
    "p4-post-changelist",
    "p4-pre-submit",
    "p4-prepare-changelist",
    "post-applypatch",
    "post-checkout",
    "post-commit",
    "post-index-change",
    "post-merge",
    "post-receive",
    "post-rewrite",
    "post-update",
    "pre-auto-gc",
    "pre-rebase",
    "proc-receive",
    "push-to-checkout",
];
const TRANSACTIONS: &str = "reference-transaction";
const SENDMAIL: &str = "sendemail-validate";

pub(super) fn install(stages: &[Stage], program: &str) -> Result<Exit> {
    if git::version()? >= CONFIG_HOOKS {
        let mut lines = git::add_config_hooks(stages, program, "--global")?;
        lines.push("They run beside every other hook, in every repository.".to_owned());
        say_all(&lines)?;
        return prove(stages);
    }
    let directory = directory()?;
    if let Ok(known) = git(&[
        "config",
        "--global",
        "--type=path",
        "--get",
        "core.hooksPath",
    ]) && Path::new(known.trim_end()) != directory
    {
        bail!(
            "core.hooksPath leads to {} already; add to each hook there: straykey hook --stage NAME \"$@\" || exit $?",
            known.trim_end()
        );
    }
    write_hooks(&directory, stages, program)?;
    let path = directory
        .to_str()
        .context("the home directory is not UTF-8")?;
    git(&["config", "--global", "core.hooksPath", path])?;
    let mut lines = vec![format!(
        "core.hooksPath leads to {path}; the repositories' own hooks still run"
    )];
    let names: Vec<&str> = stages.iter().map(|stage| stage.name()).collect();
    lines.push(format!("guarded: {}", names.join(", ")));
    lines.push("Repositories with a core.hooksPath of their own (husky) are not: see `straykey doctor` there.".to_owned());
    say_all(&lines)?;
    prove(stages)
}

/// Proves it in a new repository.
fn prove(stages: &[Stage]) -> Result<Exit> {
    let folder = tempfile::tempdir().context("cannot make a temporary directory")?;
    let path = folder
        .path()
        .to_str()
        .context("the temporary directory is not UTF-8")?;
    git(&["init", "-q", path])?;
    let hooks = git(&[
        "-C",
        path,
        "rev-parse",
        "--path-format=absolute",
        "--git-path",
        "hooks",
    ])?;
    let here = git::Here {
        common: folder.path().join(".git"),
        top: Some(folder.path().to_path_buf()),
        hooks: PathBuf::from(hooks.trim_end()),
        objects: folder.path().join(".git/objects"),
    };
    super::finish(&here, stages)
}

fn write_hooks(directory: &Path, stages: &[Stage], program: &str) -> Result<()> {
    let all = super::block::stages().map(Stage::name);
    let others = OTHERS.iter().copied().chain([TRANSACTIONS, SENDMAIL]);
    for name in all.chain(others) {
        let ours = Stage::from_name(name).filter(|stage| stages.contains(stage));
        let ours = ours.map(|stage| block(stage, program)).unwrap_or_default();
        let text = format!("#!/bin/sh\n{ours}{}", own_hook(name));
        let path = directory.join(name);
        files::write(&path, &text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Runs the repository's own hook, which `core.hooksPath` hides.
fn own_hook(name: &str) -> String {
    format!(
        "own=$(git rev-parse --git-common-dir)/hooks/{name} || exit 0\n\
         [ -x \"$own\" ] || exit 0\n\
         exec \"$own\" \"$@\"\n"
    )
}

pub(super) fn uninstall() -> Result<Exit> {
    let mut lines = git::remove_config_hooks("--global");
    let directory = directory()?;
    let known = git(&[
        "config",
        "--global",
        "--type=path",
        "--get",
        "core.hooksPath",
    ]);
    if known.is_ok_and(|known| Path::new(known.trim_end()) == directory) {
        git(&["config", "--global", "--unset", "core.hooksPath"])?;
        lines.push("core.hooksPath: unset".to_owned());
    }
    if directory.is_dir() {
        fs::remove_dir_all(&directory)
            .with_context(|| format!("cannot delete {}", directory.display()))?;
        lines.push(format!("deleted: {}", directory.display()));
    }
    if lines.is_empty() {
        lines.push("nothing of straykey is installed for this user".to_owned());
    }
    say_all(&lines)?;
    Ok(Exit::Clean)
}

/// Where our hooks for all repositories are.
fn directory() -> Result<PathBuf> {
    let set = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let base = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")));
    let base = base.context("neither HOME nor XDG_CONFIG_HOME is set")?;
    Ok(base.join("straykey").join("hooks"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_hook_of_git_is_hidden() {
        assert!(!OTHERS.iter().any(|name| Stage::from_name(name).is_some()));
        assert!(own_hook("post-commit").contains("/hooks/post-commit"));
    }
}
