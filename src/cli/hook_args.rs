//! What can be typed after `staged`, `hook`, `install` and `uninstall`.

use std::ffi::OsString;

use clap::{Args, ValueEnum};

use super::args::{FailOn, LookArguments, Output};
use super::policy::CountArguments;
use super::verify::VerifyArguments;

/// Options that `staged` and `hook` have in common.
#[derive(Debug, Default, Args)]
pub(crate) struct GateArguments {
    /// Block on what was there before, too
    ///
    /// By default a key that stood at the same path before the change is reported and does not
    /// block.
    #[arg(long)]
    pub(crate) block_known: bool,

    /// Give up, and block, after so many seconds
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) timeout: Option<f64>,

    /// Rule files, in straykey's or gitleaks' format; repeatable [default: the repository's]
    ///
    /// Without it, .straykey.toml or else .gitleaks.toml decides: here as it would be committed, on
    /// a server as the default branch has it.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Vec<std::path::PathBuf>,

    /// Leave the repository's rule files out
    #[arg(long, conflicts_with = "config")]
    pub(crate) no_config: bool,

    #[command(flatten)]
    pub(crate) count: CountArguments,

    /// Write FORMAT to standard output or to a file as well; repeatable
    #[arg(
        short,
        long,
        alias = "format",
        value_name = "FORMAT[=FILE]",
        help_heading = "Output"
    )]
    pub(crate) output: Vec<Output>,

    #[command(flatten)]
    pub(crate) look: LookArguments,

    /// List what was not scanned, and why
    #[arg(long, help_heading = "Output")]
    pub(crate) show_skipped: bool,

    /// Least severity that blocks: any, low, medium, high or critical [default: medium]
    #[arg(
        long,
        value_name = "SEVERITY",
        hide_possible_values = true,
        help_heading = "Output"
    )]
    pub(crate) fail_on: Option<FailOn>,
}

/// `staged` and what follows it.
#[derive(Debug, Default, Args)]
pub(crate) struct StagedArguments {
    #[command(flatten)]
    pub(crate) gate: GateArguments,

    #[command(flatten)]
    pub(crate) verify: VerifyArguments,
}

/// `hook` and what follows it.
#[derive(Debug, Default, Args)]
pub(crate) struct HookArguments {
    /// The hook that this is [default: found out from how it is called]
    #[arg(long, value_name = "HOOK", value_enum, hide_possible_values = true)]
    pub(crate) stage: Option<Stage>,

    #[command(flatten)]
    pub(crate) gate: GateArguments,

    /// What git or the hook manager hands to the hook; names of files are scanned, too
    #[arg(
        value_name = "ARGUMENT",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) arguments: Vec<OsString>,
}

/// Hooks of `githooks(5)` at which something can be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Stage {
    /// Before a commit is made
    PreCommit,
    /// Before a merge without conflicts is committed
    PreMergeCommit,
    /// With the message of a commit; runs for cherry-pick and rebase, too
    PrepareCommitMsg,
    /// With the message of a commit
    CommitMsg,
    /// With the message of a patch that `git am` applies
    ApplypatchMsg,
    /// After `git am` has applied a patch
    PreApplypatch,
    /// Before a push
    PrePush,
    /// On the server, for all refs of a push
    PreReceive,
    /// On the server, for each ref of a push
    Update,
}

impl Stage {
    /// As git calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::PreCommit => "pre-commit",
            Self::PreMergeCommit => "pre-merge-commit",
            Self::PrepareCommitMsg => "prepare-commit-msg",
            Self::CommitMsg => "commit-msg",
            Self::ApplypatchMsg => "applypatch-msg",
            Self::PreApplypatch => "pre-applypatch",
            Self::PrePush => "pre-push",
            Self::PreReceive => "pre-receive",
            Self::Update => "update",
        }
    }

    /// The hook that git calls `name`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let all = Self::value_variants().iter().copied();
        all.into_iter().find(|stage| stage.name() == name)
    }
}

/// `install` and what follows it.
#[derive(Debug, Default, Args)]
pub(crate) struct InstallArguments {
    /// Guard every repository of this user
    #[arg(long)]
    pub(crate) global: bool,

    /// Hooks to install; repeatable [default: pre-commit, pre-merge-commit and pre-push]
    #[arg(
        long = "stage",
        value_name = "HOOK",
        value_enum,
        hide_possible_values = true
    )]
    pub(crate) stages: Vec<Stage>,
}

/// `uninstall` and what follows it.
#[derive(Debug, Default, Args)]
pub(crate) struct UninstallArguments {
    /// Take away what `install --global` has set up
    #[arg(long)]
    pub(crate) global: bool,
}

fn seconds(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    let sensible = number > 0.0 && number <= 86_400.0;
    sensible
        .then_some(number)
        .ok_or_else(|| "expected 0 to 86400 seconds".to_owned())
}
