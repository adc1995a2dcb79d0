//! What the command line means: defaults filled in, contradictions refused.

use std::env;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::CommandFactory;
use straykey::finding::{Confidence, Severity};
use straykey::report::{Format, Options};

use super::args::{Arguments, Color, CommonArguments, FailOn, Output, ScanArguments};
use super::policy::CountArguments;
use super::verify::VerifyPlan;

/// A scan of files, decided.
#[derive(Debug)]
pub(crate) struct ScanPlan {
    /// What to read, in the order given; never empty.
    pub(crate) inputs: Vec<Input>,
    /// Whether git-ignored files are read.
    pub(crate) no_ignore: bool,
    /// Size in bytes over which a file is left out.
    pub(crate) max_file_size: Option<u64>,
    /// What is the same for every command that scans.
    pub(crate) common: CommonPlan,
}

/// What every command that scans and reports is told, decided.
#[derive(Debug)]
pub(crate) struct CommonPlan {
    /// Number of threads; `None` for as many as there are processors.
    pub(crate) threads: Option<usize>,
    /// Which rules.
    pub(crate) rules: Rules,
    /// What is written where; at most one to standard output.
    pub(crate) targets: Vec<Target>,
    /// How reports look and what blocks. Colour is for standard output alone.
    pub(crate) options: Options,
    /// Whether the command line says what blocks.
    pub(crate) fail_on_given: bool,
    /// Whether it is left to us what standard output gets.
    pub(crate) default_format: bool,
    /// What does not count.
    pub(crate) count: CountArguments,
    /// Whether everything that was left out is listed.
    pub(crate) show_skipped: bool,
    /// Whether only errors are said.
    pub(crate) quiet: bool,
    /// Whether AWS is asked about what is found, and how.
    pub(crate) verify: Option<VerifyPlan>,
}

/// Which rules are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// The files that were named.
    pub(crate) files: Vec<PathBuf>,
    /// Whether a file is looked for in the scanned directory.
    pub(crate) discover: bool,
    /// Least confidence of built-in rules.
    pub(crate) confidence: Confidence,
}

/// Something to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// `-`.
    Stdin,
    /// A file or a directory.
    Path(PathBuf),
}

impl Input {
    /// The path, if it is one.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        match self {
            Self::Stdin => None,
            Self::Path(path) => Some(path.clone()),
        }
    }
}

/// One report to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// In which form.
    pub(crate) format: Format,
    /// Into which file; `None` for standard output.
    pub(crate) file: Option<PathBuf>,
}

/// What the surroundings say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    /// Whether standard output is a terminal.
    pub(crate) terminal: bool,
    /// Whether the environment wants colours there.
    pub(crate) colour: bool,
}

impl Surroundings {
    /// Those of this process: whether it has a terminal, and what NO_COLOR, CLICOLOR,
    /// CLICOLOR_FORCE and TERM say.
    pub(crate) fn here() -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let choice = anstream::AutoStream::choice(&stdout);
        let colour = choice != anstream::ColorChoice::Never;
        Self { terminal, colour }
    }
}

impl ScanPlan {
    /// What `arguments` mean in `surroundings`.
    ///
    /// # Errors
    /// If they contradict each other.
    pub(crate) fn new(arguments: ScanArguments, surroundings: Surroundings) -> Result<Self> {
        Ok(Self {
            inputs: inputs(&arguments.paths)?,
            no_ignore: arguments.no_ignore,
            max_file_size: arguments.max_file_size.map(|size| size.0),
            common: CommonPlan::new(arguments.common, surroundings)?,
        })
    }
}

impl CommonPlan {
    /// What `arguments` mean in `surroundings`.
    ///
    /// # Errors
    /// If they contradict each other.
    pub(crate) fn new(arguments: CommonArguments, surroundings: Surroundings) -> Result<Self> {
        let options = Options {
            fail_on: arguments
                .fail_on
                .map_or(Options::default().fail_on, Severity::from),
            live_only: arguments.fail_on == Some(FailOn::Live),
            mask_ids: arguments.look.mask_ids,
            colour: colour(arguments.look.color, surroundings),
        };
        let targets = targets(&arguments.output, arguments.quiet, surroundings)?;
        Ok(Self {
            default_format: targets.len() > arguments.output.len(),
            fail_on_given: arguments.fail_on.is_some(),
            count: arguments.count,
            targets,
            rules: Rules {
                discover: arguments.config.is_empty() && !arguments.no_config,
                confidence: arguments
                    .confidence
                    .map_or(Confidence::Medium, Confidence::from),
                files: arguments.config,
            },
            threads: arguments.threads.map(Into::into),
            options,
            show_skipped: arguments.show_skipped,
            quiet: arguments.quiet,
            verify: VerifyPlan::for_gate(arguments.verify, options.live_only)?,
        })
    }
}

fn inputs(paths: &[PathBuf]) -> Result<Vec<Input>> {
    if paths.is_empty() {
        return Ok(vec![Input::Path(PathBuf::from("."))]);
    }
    if paths.iter().filter(|path| is_dash(path)).count() > 1 {
        bail!("standard input (-) can be read once only");
    }
    if let Some(command) = paths.iter().find(|path| is_misplaced_command(path)) {
        let command = command.display();
        bail!(
            "`{command}` is not found; options come after the command: straykey {command} [OPTIONS]"
        );
    }
    let input = |path: &PathBuf| match is_dash(path) {
        true => Input::Stdin,
        false => Input::Path(path.clone()),
    };
    Ok(paths.iter().map(input).collect())
}

/// Whether standard output is coloured.
pub(crate) fn colour(color: Color, surroundings: Surroundings) -> bool {
    match color {
        Color::Auto => surroundings.colour,
        Color::Always => true,
        Color::Never => false,
    }
}

/// What is written where, by the options `-o` and `--quiet`.
///
/// # Errors
/// If two would go to the same place.
pub(crate) fn targets(
    outputs: &[Output],
    quiet: bool,
    surroundings: Surroundings,
) -> Result<Vec<Target>> {
    let mut targets = Vec::new();
    for output in outputs {
        let file = output.file.clone().filter(|file| !is_stdout(file));
        if let Some(known) = targets.iter().find(|it: &&Target| it.file == file) {
            let place = file.map_or("standard output".to_owned(), |it| {
                format!("`{}`", it.display())
            });
            let (one, other) = (known.format, output.format);
            bail!(
                "both {one} and {other} would go to {place}; give one of them a file: -o {other}=FILE"
            );
        }
        targets.push(Target {
            format: output.format,
            file,
        });
    }
    let to_stdout = targets.iter().any(|target| target.file.is_none());
    if !to_stdout && !quiet {
        let format = match surroundings.terminal {
            true => Format::Pretty,
            false => Format::Line,
        };
        targets.push(Target { format, file: None });
    }
    Ok(targets)
}

/// Whether `path` is nothing but a command that came after an option, and was taken for a path.
fn is_misplaced_command(path: &Path) -> bool {
    path.symlink_metadata().is_err()
        && path
            .to_str()
            .is_some_and(|name| Arguments::command().find_subcommand(name).is_some())
}

/// Whether `path` stands for standard input.
pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A redirected standard output may be a regular file: it must not be replaced by another one.
fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"]
        .iter()
        .any(|name| path.as_os_str() == *name)
}

/// Whether a progress display would be in somebody's way: logs of CI jobs and hooks.
pub(crate) fn is_unattended() -> bool {
    let set = |name| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "false");
    set("CI") || set("PRE_COMMIT")
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn plan(line: &str) -> Result<ScanPlan> {
        plan_at(
            line,
            Surroundings {
                terminal: false,
                colour: false,
            },
        )
    }

    fn plan_at(line: &str, surroundings: Surroundings) -> Result<ScanPlan> {
        let words = std::iter::once("straykey").chain(line.split_whitespace());
        ScanPlan::new(Arguments::try_parse_from(words).unwrap().scan, surroundings)
    }

    #[test]
    fn without_arguments_the_current_directory_is_scanned() {
        let plan = plan("").unwrap();
        assert_eq!(plan.inputs, [Input::Path(PathBuf::from("."))]);
        assert_eq!(
            plan.common.targets,
            [Target {
                format: Format::Line,
                file: None
            }]
        );
        assert_eq!(plan.common.options, Options::default());
    }

    #[test]
    fn a_terminal_gets_the_look_for_people() {
        let terminal = Surroundings {
            terminal: true,
            colour: true,
        };
        let plan = |line| plan_at(line, terminal).unwrap();
        assert_eq!(plan("").common.targets[0].format, Format::Pretty);
        assert!(plan("").common.options.colour && !plan("--color never").common.options.colour);
    }

    #[test]
    fn outputs_go_where_they_are_sent() {
        let targets = |line| plan(line).unwrap().common.targets.len();
        assert_eq!(targets("-o json"), 1);
        assert_eq!(targets("-o json=a"), 2);
        assert_eq!(targets("-o json=a --quiet"), 1);
        assert_eq!(targets("-o json=a -o jsonl --format line=b"), 3);
        assert_eq!(targets("--quiet"), 0);
        assert_eq!(
            plan("-o json=/dev/stdout").unwrap().common.targets[0].file,
            None
        );
    }

    #[test]
    fn contradictions_are_refused() {
        let error = |line| plan(line).unwrap_err().to_string();
        assert_eq!(
            error("-o json -o jsonl"),
            "both json and jsonl would go to standard output; give one of them a file: -o jsonl=FILE"
        );
        assert!(error("-o json=a -o line=a").contains("would go to `a`"));
        assert!(error("- -").contains("once only"));
    }
}
