//! What was typed. Nothing is decided here: see [`super::plan`].

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use straykey::finding::{Confidence, Severity};
use straykey::report::Format;

use super::policy::CountArguments;
use super::verify::VerifyArguments;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::BrightGreen.on_default().bold())
    .usage(AnsiColor::BrightGreen.on_default().bold())
    .literal(AnsiColor::BrightCyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Stops AWS keys from leaking: finds access key IDs with their secrets and session tokens.
#[derive(Debug, Parser)]
#[command(name = "straykey", version, styles = STYLES, args_conflicts_with_subcommands = true)]
#[command(
    about = "Finds leaked AWS keys: access key ID, secret and session token as one finding",
    long_about = "Finds leaked AWS keys: access key ID, secret and session token as one finding.\n\n\
        Without a command, scans the PATHs (the current directory if there is none). Nothing \
        leaves this machine, and no secret is ever printed.",
    after_help = EXITS,
    after_long_help = DETAILS,
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) scan: ScanArguments,
}

const EXITS: &str =
    "Exit codes: 0 nothing blocks, 1 a finding blocks, 2 not complete or not started";

const DETAILS: &str = "\
Exit codes:
  0  the scan is complete and nothing blocks
  1  at least one finding blocks (see --fail-on); wins over 2
  2  not complete or not started: wrong usage, unreadable input, nothing scanned

Colours follow NO_COLOR, CLICOLOR, CLICOLOR_FORCE and TERM=dumb unless --color says otherwise.
Findings go to standard output, everything else to standard error.
A path that is called like a command is given as ./scan.";

/// What can be asked for besides a scan.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Scan files and directories (what happens without a command, too)
    #[command(after_help = EXITS, after_long_help = DETAILS)]
    Scan(Box<ScanArguments>),
    /// Scan everything a repository has ever held, or what a range of commits brings
    #[command(after_help = EXITS, after_long_help = DETAILS)]
    History(Box<super::history::HistoryArguments>),
    /// Scan what is about to be committed
    #[command(visible_alias = "protect", after_help = EXITS, after_long_help = DETAILS)]
    Staged(Box<super::hook_args::StagedArguments>),
    /// Run as a git hook, or from a hook manager
    #[command(after_help = EXITS)]
    Hook(super::hook_args::HookArguments),
    /// Guard this repository, or all of them, with git hooks
    Install(super::hook_args::InstallArguments),
    /// Take the hooks of `install` away again
    Uninstall(super::hook_args::UninstallArguments),
    /// Say what guards this repository, and prove it
    Doctor,
    /// Show a report written with -o json in other forms
    #[command(
        after_help = "Exit codes: 0 written, 1 --fail-on was given and a finding blocks, 2 not read or not written"
    )]
    Report(super::report::ReportArguments),
    /// Say what a rule or a finding is, why it matters and what to do
    Explain(super::explain::ExplainArguments),
    /// Note keys as known, so that they do not block
    #[command(subcommand)]
    Baseline(super::baseline::BaselineCommand),
    /// Take over what other scanners were told to ignore
    Import(super::import::ImportArguments),
    /// List and show the rules
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Sweep an organization: every repository, its whole history
    #[cfg(feature = "sweep")]
    Sweep(Box<super::sweep::args::SweepArguments>),
    /// Sweep an organization: every repository, its whole history
    #[cfg(not(feature = "sweep"))]
    #[command(hide = true)]
    Sweep {
        /// Needs a straykey that was built with the cargo feature `sweep`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<std::ffi::OsString>,
    },
}

/// Options of a scan of files.
#[derive(Debug, Default, Args)]
pub(crate) struct ScanArguments {
    /// Files and directories to scan; - is standard input [default: .]
    ///
    /// Hidden files are scanned; what git ignores is not, unless it is named here or --no-ignore
    /// is given; .git is not. Symbolic links are not followed.
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Scan what git ignores, too
    #[arg(long, help_heading = "Input", hide_short_help = true)]
    pub(crate) no_ignore: bool,

    /// Leave out files larger than this: 500k, 20M, 1G
    ///
    /// Without it there is no limit: large files are read in windows. Units are powers of 1024.
    /// What is left out this way is counted, and does not make the scan incomplete.
    #[arg(
        long,
        value_name = "SIZE",
        help_heading = "Input",
        hide_short_help = true
    )]
    pub(crate) max_file_size: Option<Size>,

    #[command(flatten)]
    pub(crate) common: CommonArguments,
}

/// Options that every command has that scans and reports: `scan`, `history`.
#[derive(Debug, Default, Args)]
pub(crate) struct CommonArguments {
    /// Rule files, in straykey's or gitleaks' format; repeatable
    ///
    /// A file replaces the built-in rules, unless it says [extend] useDefault = true. Without
    /// this option, .straykey.toml or else .gitleaks.toml is taken from the scanned directory; a
    /// .straykey.toml adds to the built-in rules.
    #[arg(short, long, value_name = "FILE", help_heading = "Rules")]
    pub(crate) config: Vec<PathBuf>,

    /// Look for no rule files in the scanned directory
    #[arg(
        long,
        conflicts_with = "config",
        help_heading = "Rules",
        hide_short_help = true
    )]
    pub(crate) no_config: bool,

    /// Least confidence of built-in rules: low, medium, high [default: medium]
    ///
    /// low: also rules whose only evidence is a nearby word, and values assigned to telling
    /// names; high: exact formats only.
    #[arg(
        long,
        value_name = "LEVEL",
        help_heading = "Rules",
        hide_possible_values = true,
        hide_short_help = true
    )]
    pub(crate) confidence: Option<Level>,

    /// Threads to use [default: one a processor]
    #[arg(
        short = 'j',
        long,
        value_name = "N",
        help_heading = "Input",
        hide_short_help = true
    )]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Write FORMAT (see --help) to standard output or FILE; repeatable
    ///
    /// Also called --format. Formats: pretty (source excerpts, default on a terminal), line (path:line:col: severity
    /// rule: message, default elsewhere), json, jsonl, sarif (code scanning), gitlab (secret
    /// detection report), junit, csv, github (annotations, and the job summary), markdown, html
    /// (one page for the security team).
    ///
    /// Files are written whole or not at all. If no format goes to standard output, the default
    /// one does, unless --quiet is given.
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

    #[command(flatten)]
    pub(crate) count: CountArguments,

    #[command(flatten)]
    pub(crate) verify: VerifyArguments,

    /// List what was not scanned, and why
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub(crate) show_skipped: bool,

    /// Print nothing but errors and what -o asks for
    #[arg(short, long, help_heading = "Output")]
    pub(crate) quiet: bool,

    /// Least severity that makes the exit code 1 [default: medium]
    #[arg(
        long,
        value_name = "SEVERITY",
        help_heading = "Output",
        hide_possible_values = true,
        long_help = "Least severity that makes the exit code 1: any, low, medium, high or critical \
            [default: medium]\n\nFindings below it are reported all the same. `live`, with \
            --verify, is for keys that work; a key whose verification got no answer blocks, too."
    )]
    pub(crate) fail_on: Option<FailOn>,
}

/// How things look, the same for every command that shows findings.
#[derive(Debug, Default, Args)]
pub(crate) struct LookArguments {
    /// Mask access key IDs and account IDs (secrets always are)
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub(crate) mask_ids: bool,

    /// Colours: auto, always, never
    #[arg(
        long,
        value_name = "WHEN",
        default_value = "auto",
        hide_possible_values = true,
        hide_default_value = true,
        help_heading = "Output",
        hide_short_help = true
    )]
    pub(crate) color: Color,
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, where the environment does not forbid it
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Severities that `--fail-on` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Every finding
    Any,
    /// The same
    Low,
    /// Medium and above
    Medium,
    /// High and above
    High,
    /// Critical only
    Critical,
    /// Verified live, or verification got no answer
    Live,
}

impl From<FailOn> for Severity {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Any | FailOn::Low => Self::Low,
            FailOn::Medium => Self::Medium,
            FailOn::High => Self::High,
            FailOn::Critical | FailOn::Live => Self::Critical,
        }
    }
}

/// How sure a built-in rule must be to be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Every rule
    Low,
    /// Shape and context speak for it
    Medium,
    /// The format is exact
    High,
}

impl From<Level> for Confidence {
    fn from(level: Level) -> Self {
        match level {
            Level::Low => Self::Low,
            Level::Medium => Self::Medium,
            Level::High => Self::High,
        }
    }
}

/// `rules` and what follows it.
#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// List the rules
    List,
    /// Show a rule
    Show {
        /// Id of the rule
        #[arg(value_name = "ID")]
        id: String,
    },
    /// Run the examples of every rule
    Test {
        /// Rule files to test instead of the built-in rules
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// `FORMAT[=FILE]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) format: Format,
    pub(crate) file: Option<PathBuf>,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((_, "")) => return Err("there is no file name after `=`".to_owned()),
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text, None),
        };
        let format = name.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { format, file })
    }
}

/// A size in bytes, with an optional unit of 1024.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|it: char| !it.is_ascii_digit());
        let power = match text[digits.len()..].to_ascii_lowercase().as_str() {
            "" | "b" => 0,
            "k" | "kb" | "kib" => 1,
            "m" | "mb" | "mib" => 2,
            "g" | "gb" | "gib" => 3,
            _ => return Err("expected a number with k, M or G".to_owned()),
        };
        let number: u64 = digits.parse().map_err(|_| "expected a number".to_owned())?;
        let bytes = number.checked_mul(1024_u64.pow(power));
        bytes.map(Self).ok_or_else(|| "too large".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_holds() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn sizes() {
        let size = |text: &str| text.parse::<Size>().map(|size| size.0);
        assert_eq!(size("0"), Ok(0));
        assert_eq!(size("123"), Ok(123));
        assert_eq!(size("2k"), Ok(2048));
        assert_eq!(size("3M"), Ok(3 << 20));
        assert_eq!(size("1GiB"), Ok(1 << 30));
        for wrong in ["", "M", "1T", "-1", "1.5M", "1 M", "99999999999G", "12é"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_help_names_every_format() {
        let mut command = Arguments::command();
        let help = command.render_long_help().to_string();
        for format in Format::all() {
            assert!(help.contains(&format!(" {format}")), "{format}");
        }
    }

    #[test]
    fn outputs() {
        let output = |text: &str| text.parse::<Output>();
        assert_eq!(output("json").unwrap().file, None);
        let with_file = output("json=a=b.json").unwrap();
        assert_eq!(with_file.format, Format::Json);
        assert_eq!(with_file.file, Some(PathBuf::from("a=b.json")));
        assert!(output("json=").is_err() && output("=x").is_err() && output("nope").is_err());
    }

    #[test]
    fn a_command_is_not_a_path() {
        let parse = |line: &[&str]| Arguments::try_parse_from(line).unwrap();
        assert!(matches!(
            parse(&["straykey", "scan"]).command,
            Some(Command::Scan(_))
        ));
        let path = parse(&["straykey", "./scan"]);
        assert!(path.command.is_none() && path.scan.paths == [PathBuf::from("./scan")]);
        assert!(parse(&["straykey", "-"]).command.is_none());
    }
}
