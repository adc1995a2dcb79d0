//! What git says of the repository and of its hooks.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use straykey::source::git::Repository;

use super::super::hook_args::Stage;
use super::block::{quoted, stages};

/// The repository in which we are.
#[derive(Debug)]
pub(super) struct Here {
    /// What git keeps for all work trees.
    pub(super) common: PathBuf,
    /// The top of the work tree, if there is one.
    pub(super) top: Option<PathBuf>,
    /// Where git looks for hooks here.
    pub(super) hooks: PathBuf,
    /// Where its objects are.
    pub(super) objects: PathBuf,
}

impl Here {
    /// # Errors
    /// Outside of a repository, and where git fails.
    pub(super) fn find() -> Result<Self> {
        let repository = Repository::from_environment()?;
        let hooks = git(&["rev-parse", "--path-format=absolute", "--git-path", "hooks"])?;
        Ok(Self {
            common: repository.common_dir().to_path_buf(),
            top: repository.work_tree().map(Path::to_path_buf),
            objects: repository.objects().to_path_buf(),
            hooks: PathBuf::from(hooks.trim_end_matches('\n')),
        })
    }

    /// Whether hooks are where git looks for them by default, and not where `core.hooksPath`
    /// leads to.
    pub(super) fn owns_hooks(&self) -> bool {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        real(&self.hooks) == real(&self.common.join("hooks")) || {
            let own = self.common.canonicalize();
            own.is_ok_and(|own| self.hooks == own.join("hooks"))
        }
    }

    /// Whether git runs hooks that are named in its configuration.
    pub(super) fn has_config_hooks(&self) -> Result<bool> {
        Ok(version()? >= CONFIG_HOOKS)
    }
}

/// The first version that runs `hook.<name>.command` (its release notes).
pub(super) const CONFIG_HOOKS: (u32, u32) = (2, 54);

/// The version of git: its first two numbers.
///
/// # Errors
/// Where git cannot be run, or says something else.
pub(super) fn version() -> Result<(u32, u32)> {
    let said = git(&["version"])?;
    parse_version(&said).with_context(|| format!("`{}` is not a version of git", said.trim()))
}

fn parse_version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.strip_prefix("git version ")?.split(['.', ' ', '\n']);
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// What git says to `arguments`.
///
/// # Errors
/// Where git cannot be run or fails.
pub(super) fn git(arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .env("LC_ALL", "C")
        .output()
        .context("cannot run git")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("git {}: {}", arguments.join(" "), said.trim());
    }
    String::from_utf8(output.stdout).context("git says something that is not UTF-8")
}

fn section(stage: Stage) -> String {
    format!("hook.straykey-{}", stage.name())
}

/// Names our hooks in the configuration `scope`, beside any others.
///
/// # Errors
/// Where git cannot write it.
pub(super) fn add_config_hooks(
    stages: &[Stage],
    program: &str,
    scope: &str,
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for &stage in stages {
        let section = section(stage);
        let command = format!("{} hook --stage {}", quoted(program), stage.name());
        git(&["config", scope, &format!("{section}.command"), &command])?;
        git(&["config", scope, &format!("{section}.event"), stage.name()])?;
        lines.push(format!(
            "{}: named in git's configuration as {section}",
            stage.name()
        ));
    }
    Ok(lines)
}

/// Takes our hooks out of the configuration `scope`; what was done, in words.
pub(super) fn remove_config_hooks(scope: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for stage in stages() {
        let section = section(stage);
        if git(&["config", scope, "--remove-section", &section]).is_ok() {
            lines.push(format!(
                "{}: taken out of git's configuration",
                stage.name()
            ));
        }
    }
    lines
}

/// The command that the configuration names for `stage`, if it is ours.
pub(super) fn config_hook(stage: Stage) -> Option<String> {
    let command = git(&["config", "--get", &format!("{}.command", section(stage))]).ok()?;
    Some(command.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions() {
        assert_eq!(parse_version("git version 2.47.3\n"), Some((2, 47)));
        assert_eq!(parse_version("git version 2.54.0.rc1\n"), Some((2, 54)));
        assert_eq!(
            parse_version("git version 2.39.5 (Apple Git-154)"),
            Some((2, 39))
        );
        assert_eq!(parse_version("hub 1"), None);
        assert!((2, 54) >= CONFIG_HOOKS && (2, 47) < CONFIG_HOOKS && (3, 0) > CONFIG_HOOKS);
    }
}
