//! `straykey install`, `uninstall` and `doctor`.
//!
//! Nobody else's hook is overwritten: a shell script gets a marked block, anything else is renamed
//! and called afterwards, and a repository whose hooks belong to a hook manager is left to it, with
//! the lines to add printed. At the end a synthetic key is staged in a temporary index, and git
//! runs the hook on it: only that proves that it blocks.

mod block;
mod doctor;
mod files;
mod git;
mod global;
mod managers;
mod probe;

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::exit::Exit;
use super::hook_args::{InstallArguments, Stage, UninstallArguments};
use super::print;
use files::Done;
use git::Here;

pub(super) use doctor::doctor;

/// What is installed unless something else is asked for: what git runs before commits, before
/// merges without conflicts, and before pushes.
const STAGES: [Stage; 3] = [Stage::PreCommit, Stage::PreMergeCommit, Stage::PrePush];

pub(super) fn install(arguments: &InstallArguments) -> Result<Exit> {
    let stages = match arguments.stages.as_slice() {
        [] => &STAGES[..],
        stages => stages,
    };
    let program = program()?;
    if arguments.global {
        return global::install(stages, &program);
    }
    let here = Here::find()?;
    let lines = install_here(&here, stages, &program)?;
    say_all(&lines)?;
    finish(&here, stages)
}

/// Installs `stages` in this repository; what was done, in words.
fn install_here(here: &Here, stages: &[Stage], program: &str) -> Result<Vec<String>> {
    if let Some(manager) = managers::find(here) {
        return Ok(manager.instructions());
    }
    if !here.owns_hooks() {
        if here.has_config_hooks()? {
            return git::add_config_hooks(stages, program, "--local");
        }
        let mut lines = vec![format!(
            "core.hooksPath leads to {}, which is not this repository's own directory.",
            here.hooks.display()
        )];
        lines.push("Add to each hook there, at its beginning:".to_owned());
        for stage in stages {
            let name = stage.name();
            lines.push(format!("  {name}:  {}", block::line(*stage)));
        }
        return Ok(lines);
    }
    let mut lines = Vec::new();
    for &stage in stages {
        let path = here.hooks.join(stage.name());
        let done = files::add(&path, stage, program)
            .with_context(|| format!("cannot install {}", path.display()))?;
        lines.push(format!("{}: {}", stage.name(), done.words()));
    }
    Ok(lines)
}

/// Proves what can be proved of `stages`.
fn finish(here: &Here, stages: &[Stage]) -> Result<Exit> {
    let mut exit = Exit::Clean;
    let mut lines = Vec::new();
    for proof in probe::all(here, stages) {
        if !proof.blocks() {
            exit = Exit::Incomplete;
        }
        lines.push(proof.words());
    }
    say_all(&lines)?;
    Ok(exit)
}

pub(super) fn uninstall(arguments: &UninstallArguments) -> Result<Exit> {
    if arguments.global {
        return global::uninstall();
    }
    let here = Here::find()?;
    let mut lines = Vec::new();
    if here.owns_hooks() {
        for stage in block::stages() {
            let path = here.hooks.join(stage.name());
            let done = files::remove(&path)
                .with_context(|| format!("cannot take {} away", path.display()))?;
            if done != Done::Nothing {
                lines.push(format!("{}: {}", stage.name(), done.words()));
            }
        }
    }
    lines.extend(git::remove_config_hooks("--local"));
    if lines.is_empty() {
        lines.push("nothing of straykey is installed in this repository".to_owned());
    }
    if let Some(manager) = managers::find(&here).filter(|manager| manager.mentions_us) {
        lines.push(format!(
            "{} still names straykey: edit it by hand",
            manager.file.display()
        ));
    }
    say_all(&lines)?;
    Ok(Exit::Clean)
}

/// This program, by its absolute path: hooks run with other search paths.
fn program() -> Result<String> {
    let path: PathBuf = std::env::current_exe().context("cannot find this program's own path")?;
    let path = path.into_os_string().into_string();
    path.map_err(|_| anyhow::anyhow!("this program's own path is not UTF-8"))
}

fn say_all(lines: &[String]) -> Result<()> {
    print(|out| {
        lines
            .iter()
            .try_for_each(|line| std::io::Write::write_fmt(out, format_args!("{line}\n")))
    })
}
