//! What counts in a hook: configuration and baseline.
//!
//! Here: those of the command line, or else those that would be committed, or else those that lie
//! in the work tree and are not tracked. On the receiving side of a push: those of the command
//! line, or else of the default branch as it is before the push. What is pushed has no say.

use std::path::Path;

use anyhow::{Context, Result};
use straykey::detect::Detector;
use straykey::source::changes::pushed::RefUpdate;
use straykey::source::changes::settings::{BASELINE, Settings};
use straykey::source::changes::{Changes, Contents};
use straykey::source::git::Repository;

use super::super::config;
use super::super::hook_args::GateArguments;
use super::super::policy::{CountArguments, Policy};

/// What decides in one run.
pub(super) struct Deciding {
    /// What counts.
    pub(super) policy: Policy,
    /// What finds by its rules.
    pub(super) detector: Detector,
    /// The same before the change, if that changes it.
    pub(super) former: Option<Box<Deciding>>,
    /// What to say of it.
    pub(super) notes: Vec<String>,
}

impl From<Policy> for Deciding {
    fn from(policy: Policy) -> Self {
        Self {
            detector: Detector::new(&policy.rules),
            policy,
            former: None,
            notes: Vec::new(),
        }
    }
}

impl Deciding {
    /// For what would be committed.
    pub(super) fn staged(arguments: &GateArguments, changes: &Changes) -> Result<Self> {
        let contents = changes.contents();
        let repository = contents.repository();
        let settings = changes.settings()?;
        let untracked = Untracked::beside(&settings);
        let mut deciding = Self::from(here(arguments, settings, untracked, repository)?);
        if let Some(changed) = changed(arguments, changes) {
            let note = format!("{changed} is changed by this commit, and counts already");
            deciding.notes.push(note);
            // What cannot be used decides over nothing.
            let former = here(arguments, of_head(contents)?, untracked, repository);
            deciding.former = former.ok().map(|former| Box::new(Self::from(former)));
        }
        Ok(deciding)
    }

    /// For what is pushed from here.
    pub(super) fn pushed(arguments: &GateArguments, changes: &Changes) -> Result<Self> {
        let mut deciding = Self::committed(arguments, changes.contents())?;
        if let Some(changed) = changed(arguments, changes) {
            let note = format!("{changed} is changed by what is pushed");
            deciding.notes.push(note);
        }
        Ok(deciding)
    }

    /// As the last commit has it.
    pub(super) fn committed(arguments: &GateArguments, contents: &Contents) -> Result<Self> {
        let settings = of_head(contents)?;
        let untracked = Untracked::beside(&settings);
        Ok(here(arguments, settings, untracked, contents.repository())?.into())
    }

    /// For what is received.
    pub(super) fn received(
        arguments: &GateArguments,
        changes: &Changes,
        updates: &[RefUpdate],
    ) -> Result<Self> {
        let contents = changes.contents();
        if arguments.no_config || !arguments.config.is_empty() {
            return Ok(Self::from(of_server(arguments)?));
        }
        let settings = of_head(contents).context("the default branch")?;
        let policy = Policy::of_receiving(&settings).context("the default branch")?;
        check_new(contents, &settings, updates)?;
        let mut deciding = Self::from(policy);
        if let Some(changed) = changed(arguments, changes) {
            let when = "that counts once it is in the default branch";
            let note = format!("{changed} is changed by what is pushed: {when}");
            deciding.notes.push(note);
        }
        Ok(deciding)
    }
}

/// Names of what has a say, and is changed.
fn changed(arguments: &GateArguments, changes: &Changes) -> Option<String> {
    let mut names = changes.changed_settings();
    let other_rules = arguments.no_config || !arguments.config.is_empty();
    let other_baseline = arguments.count.no_baseline || arguments.count.baseline.is_some();
    names.retain(|&name| match name == BASELINE {
        true => !other_baseline,
        false => !other_rules,
    });
    (!names.is_empty()).then(|| names.join(" and "))
}

/// Which files of the work tree count, because nothing of their kind is tracked.
#[derive(Clone, Copy)]
struct Untracked {
    configuration: bool,
    baseline: bool,
}

impl Untracked {
    fn beside(settings: &Settings) -> Self {
        Self {
            configuration: settings.configuration.is_none(),
            baseline: settings.baseline.is_empty(),
        }
    }
}

/// What counts in a work tree whose index, or last commit, has `settings`.
fn here(
    arguments: &GateArguments,
    settings: Settings,
    untracked: Untracked,
    repository: &Repository,
) -> Result<Policy> {
    let top = repository.work_tree();
    let file = top.filter(|_| untracked.configuration);
    let rules = match arguments.config.as_slice() {
        _ if arguments.no_config => config::of_files(&[])?,
        [] => match file.and_then(config::in_directory) {
            Some(file) => config::of_files(&[file])?,
            None => config::of_text(top, settings.configuration.as_ref())?,
        },
        files => config::of_files(files)?,
    };
    let count = &arguments.count;
    if count.no_baseline || count.baseline.is_some() || untracked.baseline {
        let tops: Vec<_> = top.map(Path::to_path_buf).into_iter().collect();
        return Policy::new(rules, &tops, count);
    }
    let top = top.unwrap_or(Path::new(""));
    let top = top.canonicalize().unwrap_or_default();
    Policy::of_settings(rules, &settings, &top, !count.no_inline)
}

/// What counts where the server's own files decide: no comment in what is received.
fn of_server(arguments: &GateArguments) -> Result<Policy> {
    let rules = config::of_files(&arguments.config)?;
    let inline = rules.settings().inline_in_pushes && !arguments.count.no_inline;
    let count = CountArguments {
        no_inline: !inline,
        ..arguments.count.clone()
    };
    Policy::new(rules, &[], &count)
}

/// The settings of the commit that `HEAD` leads to: on a server, of its default branch.
fn of_head(contents: &Contents) -> Result<Settings> {
    match contents.head()? {
        Some(commit) => Ok(Settings::of_commit(contents, commit)?),
        None => Ok(Settings::default()),
    }
}

/// What cannot be used is not let into the default branch: no push could follow it.
fn check_new(contents: &Contents, now: &Settings, updates: &[RefUpdate]) -> Result<()> {
    let Ok(name) = contents.git(&["symbolic-ref", "-q", "HEAD"]) else {
        return Ok(());
    };
    let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
    let moved = updates.iter().find(|update| update.name == name);
    let Some(update) = moved.filter(|update| !update.new.is_null()) else {
        return Ok(());
    };
    let cannot = || format!("what is pushed to {name} has settings that cannot be used");
    let settings = Settings::of_commit(contents, update.new).with_context(cannot)?;
    if settings == *now {
        return Ok(());
    }
    Policy::of_receiving(&settings)
        .map(drop)
        .with_context(cannot)
}
