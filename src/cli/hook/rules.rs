//! Which rules decide in a hook.
//!
//! Here: those of `--config`, or else of the configuration file that would be committed, or else
//! of one that lies in the work tree and is not tracked. On the receiving side of a push: those of
//! `--config`, or else of the default branch as it is before the push. What is pushed has no say.

use anyhow::{Context, Result, bail};
use straykey::detect::Detector;
use straykey::finding::Confidence;
use straykey::rules::RuleSet;
use straykey::source::changes::pushed::RefUpdate;
use straykey::source::changes::settings::Settings;
use straykey::source::changes::{Changes, Contents};
use straykey::source::git::Repository;

use super::super::config;
use super::super::hook_args::GateArguments;

/// The rules of one run.
pub(super) struct Rules {
    /// What finds by them.
    pub(super) detector: Detector,
    /// The same by the rules before the change, if it changes them.
    pub(super) former: Option<Detector>,
    /// What to say of them.
    pub(super) notes: Vec<String>,
}

impl Rules {
    fn new(rules: &RuleSet) -> Self {
        Self {
            detector: Detector::new(rules),
            former: None,
            notes: Vec::new(),
        }
    }

    /// The rules for what would be committed.
    pub(super) fn staged(arguments: &GateArguments, changes: &Changes) -> Result<Self> {
        if let Some(rules) = named(arguments)? {
            return Ok(Self::new(&rules));
        }
        let repository = changes.contents().repository();
        let mut rules = Self::here(&changes.settings()?, repository)?;
        let changed = changes.changed_settings();
        if !changed.is_empty() {
            rules.notes.push(format!(
                "{} is changed by this commit, and counts already",
                changed.join(" and ")
            ));
            rules.former = former(changes.contents())?;
        }
        Ok(rules)
    }

    /// The rules for what is pushed from here.
    pub(super) fn pushed(arguments: &GateArguments, changes: &Changes) -> Result<Self> {
        let mut rules = Self::committed(arguments, changes.contents())?;
        let changed = changes.changed_settings();
        if !changed.is_empty() {
            rules.notes.push(format!(
                "{} is changed by what is pushed",
                changed.join(" and ")
            ));
        }
        Ok(rules)
    }

    /// The rules of the last commit.
    pub(super) fn committed(arguments: &GateArguments, contents: &Contents) -> Result<Self> {
        match named(arguments)? {
            Some(rules) => Ok(Self::new(&rules)),
            None => Self::here(&of_head(contents)?, contents.repository()),
        }
    }

    fn here(settings: &Settings, repository: &Repository) -> Result<Self> {
        let file = repository.work_tree().and_then(config::in_directory);
        let Some((_, bytes)) = &settings.configuration else {
            // One of the user's own, which is not tracked.
            let files: Vec<_> = file.into_iter().collect();
            return Ok(Self::new(&config::of_files(&files)?));
        };
        // What it extends lies beside it.
        let same = file.filter(|file| std::fs::read(file).is_ok_and(|here| here == *bytes));
        let rules = match same {
            Some(file) => config::of_files(&[file])?,
            None => of_settings(settings)?,
        };
        Ok(Self::new(&rules))
    }

    /// The rules for what is received.
    pub(super) fn received(
        arguments: &GateArguments,
        changes: &Changes,
        updates: &[RefUpdate],
    ) -> Result<Self> {
        if let Some(rules) = named(arguments)? {
            return Ok(Self::new(&rules));
        }
        let contents = changes.contents();
        let settings = of_head(contents).context("the default branch")?;
        let mut rules = Self::new(&alone(&settings).context("the default branch")?);
        check_new(contents, &settings, updates)?;
        let changed = changes.changed_settings();
        if !changed.is_empty() {
            rules.notes.push(format!(
                "{} is changed by what is pushed: that counts once it is in the default branch",
                changed.join(" and ")
            ));
        }
        Ok(rules)
    }
}

/// The rules that the command line names, if it does.
fn named(arguments: &GateArguments) -> Result<Option<RuleSet>> {
    match (arguments.no_config, arguments.config.as_slice()) {
        (false, []) => Ok(None),
        (_, files) => config::of_files(files).map(Some),
    }
}

fn of_settings(settings: &Settings) -> Result<RuleSet> {
    let Some((name, bytes)) = &settings.configuration else {
        return config::of_files(&[]);
    };
    let text = std::str::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8"))?;
    let rules = RuleSet::from_text(name, text)?.with_confidence(Confidence::Medium);
    if rules.enabled().next().is_none() {
        bail!("{name}: no rule is on; [extend] useDefault = true adds the built-in ones");
    }
    Ok(rules)
}

/// As [`of_settings`], where there are no files that it could extend.
fn alone(settings: &Settings) -> Result<RuleSet> {
    if let Some((name, bytes)) = &settings.configuration
        && extends_a_file(bytes)
    {
        bail!("{name}: [extend] path leads to a file of the work tree, and here is none");
    }
    of_settings(settings)
}

/// Whether it says `[extend] path`; keys are compared without their case.
fn extends_a_file(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Ok(file) = text.parse::<toml::Table>() else {
        return false;
    };
    let has_path = |table: &toml::Table| table.keys().any(|key| key.eq_ignore_ascii_case("path"));
    file.iter().any(|(key, value)| {
        key.eq_ignore_ascii_case("extend") && value.as_table().is_some_and(has_path)
    })
}

/// The settings of the commit that `HEAD` leads to: on a server, of its default branch.
fn of_head(contents: &Contents) -> Result<Settings> {
    match contents.head()? {
        Some(commit) => Ok(Settings::of_commit(contents, commit)?),
        None => Ok(Settings::default()),
    }
}

/// What the commit before says, if it can be used: it decides over nothing.
fn former(contents: &Contents) -> Result<Option<Detector>> {
    let rules = of_settings(&of_head(contents)?);
    Ok(rules.ok().map(|rules| Detector::new(&rules)))
}

/// A configuration that cannot be used is not let into the default branch: no push could follow it.
fn check_new(contents: &Contents, now: &Settings, updates: &[RefUpdate]) -> Result<()> {
    let Ok(name) = contents.git(&["symbolic-ref", "-q", "HEAD"]) else {
        return Ok(());
    };
    let name = String::from_utf8_lossy(name.trim_ascii()).into_owned();
    let moved = updates.iter().find(|update| update.name == name);
    let Some(update) = moved.filter(|update| !update.new.is_null()) else {
        return Ok(());
    };
    let settings = Settings::of_commit(contents, update.new)?;
    if settings == *now {
        return Ok(());
    }
    alone(&settings).map(drop).with_context(|| {
        format!("what is pushed to {name} has a configuration that cannot be used")
    })
}
