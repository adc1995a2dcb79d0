//! What counts, as the scanned repository and the command line have it: the configuration file,
//! the baseline, comments beside the keys. Every command that scans goes through it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use straykey::baseline::{Baseline, DIRECTORY};
use straykey::date::Date;
use straykey::finding::Severity;
use straykey::report::{Format, Report};
use straykey::rules::RuleSet;
use straykey::source::changes::settings::Settings;
use straykey::suppress::{Excluded, Suppressions};

use super::config;
use super::plan::CommonPlan;

/// Options about findings that do not count.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CountArguments {
    /// Let no comment allow what stands beside it (straykey:allow and those of other tools)
    #[arg(
        long,
        help_heading = "Findings that do not count",
        hide_short_help = true
    )]
    pub(crate) no_inline: bool,

    /// Directory of the baseline [default: .straykey-baseline at the top of the repository]
    #[arg(
        long,
        value_name = "DIR",
        help_heading = "Findings that do not count",
        hide_short_help = true
    )]
    pub(crate) baseline: Option<PathBuf>,

    /// Use no baseline: what is known blocks, too
    #[arg(
        long,
        conflicts_with = "baseline",
        help_heading = "Findings that do not count",
        hide_short_help = true
    )]
    pub(crate) no_baseline: bool,
}

/// What is looked for, and what of it counts.
#[derive(Debug)]
pub(crate) struct Policy {
    /// What is looked for.
    pub(crate) rules: RuleSet,
    suppressions: Suppressions,
}

impl Policy {
    /// That of a scan of `paths`, which may be in a repository. What the configuration says and
    /// the command line does not is filled into `plan`.
    ///
    /// # Errors
    /// If a file cannot be used, or it is not clear which one is meant.
    pub(crate) fn of(plan: &mut CommonPlan, paths: &[PathBuf]) -> Result<Self> {
        let tops = tops(paths);
        let policy = Self::new(config::rules(plan, &tops)?, &tops, &plan.count)?;
        if !plan.fail_on_given {
            plan.options.fail_on = policy.fail_on().unwrap_or(plan.options.fail_on);
        }
        if let Some((name, place)) = policy
            .rules
            .settings()
            .format
            .as_ref()
            .filter(|_| plan.default_format)
        {
            let format: Format = name.parse().with_context(|| format!("{place}: format"))?;
            for target in plan.targets.iter_mut().filter(|it| it.file.is_none()) {
                target.format = format;
            }
        }
        Ok(policy)
    }

    /// That of `rules` for a scan in the directories `tops`.
    ///
    /// # Errors
    /// If the baseline cannot be used, or it is not clear which one is meant.
    pub(crate) fn new(rules: RuleSet, tops: &[PathBuf], count: &CountArguments) -> Result<Self> {
        let top = tops.first().and_then(|top| top.canonicalize().ok());
        let baseline = match directory(tops, count)? {
            Some(directory) => Baseline::load(&directory).context("cannot use the baseline")?,
            None => Baseline::default(),
        };
        let excluded = Excluded::new(&top.unwrap_or_default(), &rules.settings().exclude);
        Ok(Self {
            suppressions: Suppressions {
                baseline,
                inline: !count.no_inline,
                excluded: excluded.map_err(anyhow::Error::msg)?,
            },
            rules,
        })
    }

    /// That of a receiving side, from what its own branch holds. Comments in what is received
    /// count only if this configuration says so.
    ///
    /// # Errors
    /// If one of the files cannot be used, or the configuration would have another file read.
    pub(crate) fn of_receiving(settings: &Settings) -> Result<Self> {
        let rules = config::of_text(None, settings.configuration.as_ref())?;
        let inline = rules.settings().inline_in_pushes;
        Self::of_settings(rules, settings, Path::new(""), inline)
    }

    /// That of `rules`, with the baseline of `settings`, for paths below `top`.
    ///
    /// # Errors
    /// If the baseline or a pattern of excluded paths cannot be used.
    pub(crate) fn of_settings(
        rules: RuleSet,
        settings: &Settings,
        top: &Path,
        inline: bool,
    ) -> Result<Self> {
        let excluded = Excluded::new(top, &rules.settings().exclude);
        let files = settings.baseline.iter().cloned();
        let baseline = Baseline::from_files(Path::new(DIRECTORY), files);
        Ok(Self {
            suppressions: Suppressions {
                baseline: baseline.context("cannot use the baseline")?,
                inline,
                excluded: excluded.map_err(anyhow::Error::msg)?,
            },
            rules,
        })
    }

    /// Settles which findings of `report` count. `whole`: it is about everything that the
    /// baseline is for.
    pub(crate) fn settle(&self, report: &mut Report, whole: bool) {
        let whole = whole && report.complete();
        self.suppressions.settle(report, Date::today(), whole);
    }

    /// The least severity that blocks, where the configuration says so.
    pub(crate) fn fail_on(&self) -> Option<Severity> {
        self.rules.settings().fail_on
    }

    /// The baseline that is in use.
    pub(crate) fn baseline(&self) -> &Baseline {
        &self.suppressions.baseline
    }
}

/// The directory of the baseline, if there is one.
fn directory(tops: &[PathBuf], count: &CountArguments) -> Result<Option<PathBuf>> {
    if count.no_baseline {
        return Ok(None);
    }
    if let Some(directory) = &count.baseline {
        return Ok(Some(directory.clone()));
    }
    let there: Vec<PathBuf> = tops
        .iter()
        .map(|top| top.join(DIRECTORY))
        .filter(|directory| directory.symlink_metadata().is_ok())
        .collect();
    match there.as_slice() {
        [] => Ok(None),
        [directory] => Ok(Some(directory.clone())),
        [one, other, ..] => bail!(
            "both `{}` and `{}` are there; choose with --baseline DIR or --no-baseline",
            one.display(),
            other.display()
        ),
    }
}

/// The top of the repository that each of `paths` is in, or the directory itself where it is in
/// none; each once.
pub(crate) fn tops(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut known = Vec::new();
    let mut tops = Vec::new();
    for path in paths {
        // What does not exist is the scan's to complain about.
        let Ok(real) = path.canonicalize() else {
            continue;
        };
        let top = top(&real);
        if !known.iter().any(|it| it == top) {
            known.push(top.to_path_buf());
            // By the name that was given, where it is that.
            tops.push(if real == top { path } else { top }.to_path_buf());
        }
    }
    tops
}

fn top(real: &Path) -> &Path {
    let directory = match real.is_dir() {
        true => real,
        false => real.parent().unwrap_or(real),
    };
    let is_top = |directory: &&Path| directory.join(".git").symlink_metadata().is_ok();
    directory.ancestors().find(is_top).unwrap_or(directory)
}

/// Whether a scan of `paths` is about the whole of the one repository, or directory, that they are
/// in.
pub(crate) fn is_whole(paths: &[PathBuf]) -> bool {
    let is_top = |path: &PathBuf| path.canonicalize().is_ok_and(|it| top(&it) == it);
    tops(paths).len() == 1 && paths.iter().any(is_top)
}
