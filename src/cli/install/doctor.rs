//! `straykey doctor`: what guards this repository, and what does not.

use anyhow::Result;

use super::super::exit::Exit;
use super::super::hook_args::Stage;
use super::git::{self, CONFIG_HOOKS, Here, config_hook};
use super::{STAGES, files, finish, managers, say_all};

/// Says what guards this repository, and proves it.
///
/// # Errors
/// Outside of a repository, and where git fails.
pub(in super::super) fn doctor() -> Result<Exit> {
    let here = Here::find()?;
    let mut lines = surroundings(&here)?;
    for stage in [STAGES[0], STAGES[1], Stage::CommitMsg, STAGES[2]] {
        lines.push(format!("{}: {}", stage.name(), guard(&here, stage)));
    }
    say_all(&lines)?;
    let exit = finish(&here, &STAGES)?;
    say_all(&[
        "cherry-pick, revert, rebase, am, fast-forward and --no-verify run no hook before the commit: pre-push is what stops those.".to_owned(),
        "A push from elsewhere is stopped by the server only (docs/hooks.md).".to_owned(),
    ])?;
    Ok(exit)
}

fn surroundings(here: &Here) -> Result<Vec<String>> {
    let (major, minor) = git::version()?;
    let config = match (major, minor) >= CONFIG_HOOKS {
        true => "runs hooks that its configuration names",
        false => "runs hooks from files only",
    };
    let mut lines = vec![format!("git {major}.{minor}: {config}")];
    let own = match here.owns_hooks() {
        true => "the repository's own",
        false => "by core.hooksPath",
    };
    lines.push(format!("hooks: {} ({own})", here.hooks.display()));
    if let Some(manager) = managers::find(here) {
        let known = match manager.mentions_us {
            true => "names straykey",
            false => "does not name straykey",
        };
        lines.push(format!(
            "{}: {} {known}",
            manager.name(),
            manager.file.display()
        ));
    }
    Ok(lines)
}

fn guard(here: &Here, stage: Stage) -> String {
    let path = here.hooks.join(stage.name());
    if let Some(command) = config_hook(stage) {
        return format!("by git's configuration: {command}");
    }
    if files::has_block(&path) {
        return format!("by {}", path.display());
    }
    match path.exists() {
        true => format!("{} is somebody else's", path.display()),
        false => "no hook".to_owned(),
    }
}
