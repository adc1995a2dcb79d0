//! `straykey import`: what other scanners were told to ignore, as our baseline and configuration.
//!
//! An entry that names a place (`file:rule:line`) is followed to the key that stands there now, and
//! the key is noted as known by its value. What names a value by its hash is compared with the
//! keys found. Patterns become allowlists. Whatever cannot be carried over is listed.

mod detect_secrets;
mod git_secrets;
mod gitleaks;
mod keys;
mod output;
mod ripsecrets;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use straykey::baseline::{Baseline, DIRECTORY, Note};
use straykey::finding::Finding;
use straykey::report::{sanitise, summary};

use self::keys::Keys;
use self::output::Allowlist;
use super::exit::Exit;
use super::{config, policy, print, say};

/// What can be typed after `import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArguments {
    /// Files to import [default: those of other scanners at the top of the repository]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Whose they are; by default their names and contents tell
    #[arg(long, value_name = "TOOL", value_enum, default_value = "auto")]
    from: Tool,

    /// Write nothing: say what would be written
    #[arg(long)]
    dry_run: bool,
}

/// Scanners whose files are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tool {
    /// Found out
    Auto,
    /// gitleaks: .gitleaksignore
    Gitleaksignore,
    /// gitleaks: a report used as a baseline
    GitleaksBaseline,
    /// detect-secrets: .secrets.baseline
    DetectSecrets,
    /// git-secrets: .gitallowed, and the repository's git configuration
    GitSecrets,
    /// ripsecrets: .secretsignore
    Ripsecrets,
}

/// What the files of other scanners come to.
#[derive(Debug, Default)]
struct Imported {
    /// Numbers of keys that are known, each with the file that says so.
    known: Vec<(usize, String)>,
    /// Patterns of paths, as in a `.gitignore`.
    exclude: Vec<String>,
    /// What is no finding.
    allowlists: Vec<Allowlist>,
    /// Further things to look for: expressions.
    rules: Vec<String>,
    /// What could not be carried over, and why.
    lost: Vec<String>,
}

impl Imported {
    fn lose(&mut self, place: &str, why: &str) {
        self.lost.push(format!("{place}: {why}"));
    }
}

pub(crate) fn run(arguments: &ImportArguments) -> Result<Exit> {
    let tops = policy::tops(&[PathBuf::from(".")]);
    let top = tops.first().context("there is no directory to work in")?;
    let sources = sources(arguments, top)?;
    let mut keys = Keys::find(&config::of_top(&[], top)?, top)?;
    let mut imported = Imported::default();
    for (tool, file) in &sources {
        read(*tool, file, top, &mut keys, &mut imported)
            .with_context(|| format!("cannot import `{}`", file.display()))?;
    }
    if sources.iter().any(|(tool, _)| *tool == Tool::GitSecrets) || arguments.files.is_empty() {
        git_secrets::configuration(top, &keys, &mut imported)?;
    }
    if sources.is_empty() && imported.allowlists.is_empty() && imported.rules.is_empty() {
        bail!(
            "there is nothing of another scanner in `{}`; name the files",
            top.display()
        );
    }
    finish(arguments, top, &keys, imported)
}

/// The files to read, and whose they are.
fn sources(arguments: &ImportArguments, top: &Path) -> Result<Vec<(Tool, PathBuf)>> {
    if arguments.files.is_empty() {
        let known = [
            (Tool::Gitleaksignore, ".gitleaksignore"),
            (Tool::GitleaksBaseline, "gitleaks-baseline.json"),
            (Tool::GitleaksBaseline, ".gitleaks-baseline.json"),
            (Tool::GitleaksBaseline, ".gitleaks.baseline.json"),
            (Tool::GitleaksBaseline, "gitleaks-report.json"),
            (Tool::DetectSecrets, ".secrets.baseline"),
            (Tool::GitSecrets, ".gitallowed"),
            (Tool::Ripsecrets, ".secretsignore"),
        ];
        let wanted = |tool: Tool| arguments.from == Tool::Auto || arguments.from == tool;
        let there = known.into_iter().map(|(tool, name)| (tool, top.join(name)));
        return Ok(there
            .filter(|(tool, file)| wanted(*tool) && file.is_file())
            .collect());
    }
    let files = arguments.files.iter();
    files
        .map(|file| match arguments.from {
            Tool::Auto => Ok((tool_of(file)?, file.clone())),
            tool => Ok((tool, file.clone())),
        })
        .collect()
}

fn tool_of(file: &Path) -> Result<Tool> {
    let name = file
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    Ok(match name.as_deref().unwrap_or_default() {
        ".gitleaksignore" => Tool::Gitleaksignore,
        ".gitallowed" => Tool::GitSecrets,
        ".secretsignore" => Tool::Ripsecrets,
        _ => match serde_json::from_str(&text(file)?) {
            Ok(serde_json::Value::Array(_)) => Tool::GitleaksBaseline,
            Ok(serde_json::Value::Object(_)) => Tool::DetectSecrets,
            _ => bail!(
                "`{}`: whose file this is cannot be told; say --from TOOL",
                file.display()
            ),
        },
    })
}

fn text(file: &Path) -> Result<String> {
    std::fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))
}

fn read(
    tool: Tool,
    file: &Path,
    top: &Path,
    keys: &mut Keys,
    imported: &mut Imported,
) -> Result<()> {
    let text = text(file)?;
    let shown = file.strip_prefix(top).unwrap_or(file).display().to_string();
    match tool {
        Tool::Gitleaksignore => gitleaks::ignore_file(&shown, &text, keys, imported),
        Tool::GitleaksBaseline => return gitleaks::baseline(&shown, &text, keys, imported),
        Tool::DetectSecrets => return detect_secrets::baseline(&shown, &text, keys, imported),
        Tool::GitSecrets => git_secrets::allowed_file(&shown, &text, imported),
        Tool::Ripsecrets => ripsecrets::ignore_file(&shown, &text, imported),
        Tool::Auto => {}
    }
    Ok(())
}

/// Writes what came of it, and says so.
fn finish(
    arguments: &ImportArguments,
    top: &Path,
    keys: &Keys,
    mut imported: Imported,
) -> Result<Exit> {
    let directory = top.join(DIRECTORY);
    let baseline = match directory.symlink_metadata() {
        Ok(_) => Baseline::load(&directory).context("cannot use the baseline")?,
        Err(_) => Baseline::default(),
    };
    imported.known.sort();
    imported.known.dedup_by_key(|(key, _)| *key);
    let mut entries = Vec::new();
    let mut growing = baseline;
    for (key, from) in &imported.known {
        let note = Note {
            reason: Some(format!("imported from {from}")),
            ..Note::default()
        };
        let finding: &Finding = keys.finding(*key);
        let new = growing.entries_for([finding], &note)?;
        growing = growing.with_entries(&new);
        entries.extend(new);
    }
    let configuration = output::configuration(top, &imported);
    if !arguments.dry_run {
        Baseline::write(&directory, &entries).context("cannot write the baseline")?;
    }
    print(|out| {
        for line in &imported.lost {
            writeln!(out, "not carried over: {}", sanitise::line(line.as_bytes()))?;
        }
        Ok(())
    })?;
    let would = if arguments.dry_run { "would be " } else { "" };
    let number = summary::count(entries.len() as u64, "key");
    say(&format!(
        "{number} {would}noted as known in `{}`",
        directory.display()
    ));
    let file = top.join(".straykey.toml");
    match configuration {
        None => Ok(Exit::Clean),
        Some(text) if arguments.dry_run || file.exists() => {
            print(|out| out.write_all(text.as_bytes()))?;
            if arguments.dry_run {
                return Ok(Exit::Clean);
            }
            say(&format!(
                "`{}` is there already: add the lines above to it",
                file.display()
            ));
            Ok(Exit::Incomplete)
        }
        Some(text) => {
            super::output::write_file(&file, |out| out.write_all(text.as_bytes()))?;
            say(&format!("`{}` written", file.display()));
            Ok(Exit::Clean)
        }
    }
}
