//! What can be typed after `sweep`.

use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use straykey::sweep::store::TriageState;

use crate::cli::args::{FailOn, Level, LookArguments, Output, Size};
use crate::cli::verify::VerifyArguments;

/// `sweep` and what follows it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct SweepArguments {
    #[command(subcommand)]
    pub(super) command: Option<SweepCommand>,
    #[command(flatten)]
    pub(super) run: RunArguments,
}

/// The parts of a sweep, as processes of their own.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one of it in a process")]
pub(super) enum SweepCommand {
    /// List the repositories and make the jobs
    Plan(PlanCommand),
    /// Work jobs off, beside any number of other workers
    ///
    /// Give it the base URLs and tokens of the forges it clones from.
    Worker(WorkerCommand),
    /// Say how far it is
    Status(StatusCommand),
    /// Credentials by account, key, owner and place; what is covered at which refs
    Report(ReportCommand),
    /// Note a decision about a credential
    Triage(TriageCommand),
    /// Write everything found in any output format
    Export(ExportCommand),
}

/// All in one process.
#[derive(Debug, Args)]
pub(super) struct RunArguments {
    #[command(flatten)]
    pub(super) state: StateArguments,
    #[command(flatten)]
    pub(super) list: ListArguments,
    #[command(flatten)]
    pub(super) rules: RuleArguments,
    #[command(flatten)]
    pub(super) work: WorkArguments,
    #[command(flatten)]
    pub(super) show: ShowArguments,
}

#[derive(Debug, Args)]
pub(super) struct PlanCommand {
    #[command(flatten)]
    pub(super) state: StateArguments,
    #[command(flatten)]
    pub(super) list: ListArguments,
    #[command(flatten)]
    pub(super) rules: RuleArguments,
}

#[derive(Debug, Args)]
pub(super) struct WorkerCommand {
    #[command(flatten)]
    pub(super) state: StateArguments,
    #[command(flatten)]
    pub(super) access: AccessArguments,
    #[command(flatten)]
    pub(super) rules: RuleArguments,
    #[command(flatten)]
    pub(super) work: WorkArguments,

    /// Go on waiting where no job is left, until stopped by a signal
    #[arg(long, help_heading = "Work")]
    pub(super) wait: bool,
}

#[derive(Debug, Args)]
pub(super) struct StatusCommand {
    #[command(flatten)]
    pub(super) state: StateArguments,
}

#[derive(Debug, Args)]
pub(super) struct ReportCommand {
    #[command(flatten)]
    pub(super) state: StateArguments,
    #[command(flatten)]
    pub(super) show: ShowArguments,
}

#[derive(Debug, Args)]
pub(super) struct TriageCommand {
    #[command(flatten)]
    pub(super) state: StateArguments,

    /// The credential: the first digits of its identity, as `report` shows it
    #[arg(value_name = "IDENTITY")]
    pub(super) identity: String,

    /// open, accepted, rotated or false_positive
    #[arg(value_name = "DECISION")]
    pub(super) decision: TriageState,

    /// Why
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(super) note: String,

    /// Who decides [default: $USER]
    #[arg(long, value_name = "NAME")]
    pub(super) by: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ExportCommand {
    #[command(flatten)]
    pub(super) state: StateArguments,

    /// FORMAT to standard output or to a file, as for a scan; repeatable
    #[arg(short, long, value_name = "FORMAT[=FILE]")]
    #[cfg_attr(feature = "parquet", arg(required_unless_present = "parquet"))]
    #[cfg_attr(not(feature = "parquet"), arg(required = true))]
    pub(super) output: Vec<Output>,

    /// A Parquet table to FILE, a row for each place
    #[cfg(feature = "parquet")]
    #[arg(long, value_name = "FILE")]
    pub(super) parquet: Option<PathBuf>,

    #[command(flatten)]
    pub(super) look: LookArguments,
}

/// Where the state is.
#[derive(Debug, Args)]
pub(super) struct StateArguments {
    /// Database: sqlite://FILE or postgres://… [default: $STRAYKEY_STATE, else
    /// sqlite://straykey-sweep.db]
    ///
    /// Everything a sweep knows is there; the same command goes on where it was stopped. Give a
    /// URL with a password by STRAYKEY_STATE: other users can see a command line.
    #[arg(long, value_name = "URL", help_heading = "State")]
    pub(super) state: Option<String>,

    /// File with the organization's key [default: for SQLite the database's name and .key]
    ///
    /// Credentials are stored as HMACs under it. Made where it is missing, except for PostgreSQL:
    /// all workers must share it. Keep it apart from the database.
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "State",
        hide_short_help = true
    )]
    pub(super) key_file: Option<PathBuf>,
}

/// What to list.
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// github:ORG, gitlab:GROUP, gitea:ORG (or a user), a clone URL, a file of clone URLs, - for
    /// standard input, or a folder of local clones
    #[arg(value_name = "TARGET", required = true)]
    pub(super) targets: Vec<String>,

    /// Leave out archived repositories
    #[arg(long, help_heading = "Filters")]
    pub(super) no_archived: bool,

    /// Leave out forks
    #[arg(long, help_heading = "Filters")]
    pub(super) no_forks: bool,

    /// Only repositories of this visibility
    #[arg(long, value_name = "WHICH", value_enum, help_heading = "Filters")]
    pub(super) visibility: Option<Visibility>,

    /// Leave out repositories that are larger, where the forge tells: 500M, 2G
    #[arg(long, value_name = "SIZE", help_heading = "Filters")]
    pub(super) max_repository: Option<Size>,

    /// Only repositories whose name (or owner/name) matches: * and ? stand for anything
    #[arg(long, value_name = "PATTERN", help_heading = "Filters")]
    pub(super) only: Option<String>,

    /// Leave out repositories whose last push, where the forge tells, is before this date
    #[arg(long, value_name = "YYYY-MM-DD", help_heading = "Filters", value_parser = date)]
    pub(super) pushed_since: Option<String>,

    #[command(flatten)]
    pub(super) access: AccessArguments,
}

/// How forges are reached.
#[derive(Debug, Args)]
pub(super) struct AccessArguments {
    /// Where a self-hosted forge is: https://git.example.com
    #[arg(long, value_name = "URL", help_heading = "Forge")]
    pub(super) base_url: Option<String>,

    /// File with tokens, one a line; read again when one is refused [default: GITHUB_TOKEN,
    /// GITLAB_TOKEN or GITEA_TOKEN, several with commas between them]
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Forge",
        hide_short_help = true
    )]
    pub(super) token_file: Option<PathBuf>,

    /// Be the GitHub App ID, with the private key of a PEM file, as installed under a number
    #[arg(
        long,
        value_names = ["ID", "INSTALLATION", "KEY_FILE"],
        num_args = 3,
        help_heading = "Forge",
        conflicts_with = "token_file",
        hide_short_help = true
    )]
    pub(super) github_app: Option<Vec<String>>,
}

/// Which rules.
#[derive(Debug, Args)]
pub(super) struct RuleArguments {
    /// Rule files, as for a scan; repeatable. The swept repositories' own are not looked at
    #[arg(short, long, value_name = "FILE", help_heading = "Rules")]
    pub(super) config: Vec<PathBuf>,

    /// Least confidence of the built-in rules that are used [default: medium]
    #[arg(long, value_name = "LEVEL", help_heading = "Rules")]
    pub(super) confidence: Option<Level>,

    /// Leave out blobs larger than this when fetching; the coverage says so. Another limit scans
    /// everything again
    #[arg(
        long,
        value_name = "SIZE",
        help_heading = "Rules",
        hide_short_help = true
    )]
    pub(super) blob_limit: Option<Size>,
}

/// How jobs are worked off.
#[derive(Debug, Args)]
pub(super) struct WorkArguments {
    /// Repositories at a time in this process [default: 2]
    #[arg(short, long, value_name = "N", help_heading = "Work")]
    pub(super) workers: Option<NonZeroUsize>,

    /// Folder for mirrors [default: $XDG_CACHE_HOME/straykey/mirrors]
    #[arg(long, value_name = "DIR", help_heading = "Work")]
    pub(super) cache: Option<PathBuf>,

    /// Bytes of mirrors that are kept for the next sweep; 0 keeps none [default: 10G]
    #[arg(long, value_name = "SIZE", help_heading = "Work")]
    pub(super) cache_quota: Option<Size>,

    /// Git commands at a time for each host [default: 4]
    #[arg(long, value_name = "N", help_heading = "Work", hide_short_help = true)]
    pub(super) per_host: Option<NonZeroUsize>,

    /// Seconds after which a silent worker's job goes to another one [default: 120]
    #[arg(
        long,
        value_name = "SECONDS",
        help_heading = "Work",
        hide_short_help = true
    )]
    pub(super) lease: Option<NonZeroU64>,

    /// Tries before a repository is given up [default: 5]
    #[arg(long, value_name = "N", help_heading = "Work", hide_short_help = true)]
    pub(super) attempts: Option<NonZeroU64>,

    /// Seconds before the second try; doubled each time [default: 10]
    #[arg(
        long,
        value_name = "SECONDS",
        help_heading = "Work",
        hide_short_help = true
    )]
    pub(super) retry_after: Option<u64>,

    /// Longest time for one repository, in seconds [default: 21600]
    #[arg(
        long,
        value_name = "SECONDS",
        help_heading = "Work",
        hide_short_help = true
    )]
    pub(super) time_limit: Option<NonZeroU64>,

    /// Most bytes on disk for one repository; what is larger is not covered, and the report says so
    #[arg(
        long,
        value_name = "SIZE",
        help_heading = "Work",
        hide_short_help = true
    )]
    pub(super) disk_limit: Option<Size>,

    /// Most memory of this process, and of each git that it starts (Linux)
    ///
    /// Where a repository needs more, the process ends; started again it gives that repository up
    /// after --attempts tries. For a limit a repository, use --workers 1.
    #[arg(
        long,
        value_name = "SIZE",
        help_heading = "Work",
        hide_short_help = true
    )]
    pub(super) memory_limit: Option<Size>,

    /// Serve counters to Prometheus at this address: 127.0.0.1:9090
    #[arg(
        long,
        value_name = "ADDRESS",
        help_heading = "Work",
        hide_short_help = true
    )]
    pub(super) metrics: Option<SocketAddr>,

    #[command(flatten)]
    pub(super) verify: VerifyArguments,
}

/// How the report looks.
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// As JSON
    #[arg(long, help_heading = "Output")]
    pub(super) json: bool,

    /// List completely covered repositories, too (JSON always does)
    #[arg(long, help_heading = "Output")]
    pub(super) all: bool,

    #[command(flatten)]
    pub(super) look: LookArguments,

    /// Least severity of an open credential that makes the exit code 1 [default: medium]
    #[arg(
        long,
        value_name = "SEVERITY",
        help_heading = "Output",
        hide_possible_values = true
    )]
    pub(super) fail_on: Option<FailOn>,
}

/// Visibilities that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Visibility {
    /// For everybody
    Public,
    /// For members
    Private,
    /// For everybody inside
    Internal,
}

/// `YYYY-MM-DD`.
fn date(text: &str) -> Result<String, String> {
    let form = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| match at {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    match form {
        true => Ok(text.to_owned()),
        false => Err("expected a date like 2026-01-31".to_owned()),
    }
}
