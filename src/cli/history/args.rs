//! What can be typed after `history`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::CommonArguments;

/// Options of a scan of a history.
#[derive(Debug, Default, Args)]
pub(crate) struct HistoryArguments {
    /// Commits to scan, as `git log` takes them: main..feature, HEAD~20.., ^v1 v2
    ///
    /// Scans what these commits introduce, merges included. Without a range, everything that the
    /// repository holds is scanned, whether anything leads to it or not.
    #[arg(value_name = "RANGE")]
    pub(crate) range: Vec<String>,

    /// The repository, or a directory inside it [default: .]
    #[arg(short = 'C', long, value_name = "PATH", help_heading = "Input")]
    pub(crate) repo: Option<PathBuf>,

    /// Only what commits since this date introduce: 2026-01-31, 2.weeks
    #[arg(long, value_name = "DATE", help_heading = "Input")]
    pub(crate) since: Option<String>,

    /// All refs: as the range, or as what --reachable-only does without one
    #[arg(long, help_heading = "Input")]
    pub(crate) all: bool,

    /// Only what the history of this branch holds; repeatable
    #[arg(long, value_name = "NAME", help_heading = "Input")]
    pub(crate) branch: Vec<String>,

    /// Follow the first parent of merges only; a merge introduces what the branch brought
    #[arg(long, help_heading = "Input")]
    pub(crate) first_parent: bool,

    /// Leave out what no ref leads to: stash, reflog, dangling objects
    #[arg(long, help_heading = "Input")]
    pub(crate) reachable_only: bool,

    /// Leave out the repositories of submodules (.git/modules)
    #[arg(long, help_heading = "Input", hide_short_help = true)]
    pub(crate) no_submodules: bool,

    /// Exit with 2 where the history is cut: a shallow or partial clone, or objects that are lost
    ///
    /// Lost objects are told by a walk over all commits and directories. What no ref leads to may
    /// have lost its past, as git prunes by age; it counts all the same.
    #[arg(long, help_heading = "Input")]
    pub(crate) strict: bool,

    /// Read only what is new since the last run; keep what was read in the git directory
    ///
    /// All findings are reported, those of earlier runs too: the objects they stand in are read
    /// again. The state is kept in straykey/history of the git directory; it may be deleted.
    #[arg(long, help_heading = "Input")]
    pub(crate) incremental: bool,

    /// The same, with the state in FILE
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Input",
        hide_short_help = true
    )]
    pub(crate) state: Option<PathBuf>,

    /// Scan every version of a file whole, not only what is new in it
    ///
    /// The findings are the same; it takes longer.
    #[arg(long, help_heading = "Input", hide_short_help = true)]
    pub(crate) full_scan: bool,

    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

impl HistoryArguments {
    /// Whether the scan is about everything that the repository holds.
    pub(crate) fn is_whole(&self) -> bool {
        let narrowed = self.all || self.first_parent || self.reachable_only || self.no_submodules;
        !narrowed && self.range.is_empty() && self.branch.is_empty() && self.since.is_none()
    }
}
