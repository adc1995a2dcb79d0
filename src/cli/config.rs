//! Which rules a scan uses: `--config`, or a file at the top of the scanned repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use straykey::finding::Confidence;
use straykey::rules::RuleSet;
use straykey::source::changes::settings::CONFIGURATIONS;

use super::plan::CommonPlan;
use super::say;

/// The rules of `files`, or the built-in ones where there are none.
///
/// # Errors
/// If a rule file cannot be used.
pub(crate) fn of_files(files: &[PathBuf]) -> Result<RuleSet> {
    let rules = match files {
        [] => RuleSet::builtin(),
        files => RuleSet::load(files)?,
    };
    Ok(rules.with_confidence(Confidence::Medium))
}

/// The rules of the configuration `file` (its name, its content), or the built-in ones where there
/// is none. What it extends lies in `folder`; without one it must not extend anything.
///
/// # Errors
/// If it cannot be used, or leaves no rule on.
pub(crate) fn of_text(folder: Option<&Path>, file: Option<&(String, Vec<u8>)>) -> Result<RuleSet> {
    let Some((name, bytes)) = file else {
        return of_files(&[]);
    };
    let text = std::str::from_utf8(bytes).with_context(|| format!("{name}: not UTF-8"))?;
    let rules = RuleSet::from_text_in(folder, name, text)?;
    let rules = rules.with_confidence(Confidence::Medium);
    if rules.enabled().next().is_none() {
        bail!("{name}: no rule is on; [extend] useDefault = true adds the built-in ones");
    }
    Ok(rules)
}

/// The rules of `files`, or else of the file in the directory `top`, or else the built-in ones.
///
/// # Errors
/// If a rule file cannot be used.
pub(crate) fn of_top(files: &[PathBuf], top: &Path) -> Result<RuleSet> {
    match in_directory(top) {
        Some(file) if files.is_empty() => of_files(&[file]),
        _ => of_files(files),
    }
}

/// The rules of `plan`, for a scan in the directories `tops`.
///
/// # Errors
/// If a rule file cannot be used, leaves no rule on, or it is not clear which one is meant.
pub(crate) fn rules(plan: &CommonPlan, tops: &[PathBuf]) -> Result<RuleSet> {
    let mut files = plan.rules.files.clone();
    if plan.rules.discover {
        files.extend(discover(tops)?);
    }
    if files.is_empty() {
        return Ok(RuleSet::builtin().with_confidence(plan.rules.confidence));
    }
    let rules = RuleSet::load(&files)?.with_confidence(plan.rules.confidence);
    let names = files.iter().map(|file| format!("`{}`", file.display()));
    let names = names.collect::<Vec<_>>().join(", ");
    if rules.enabled().next().is_none() {
        bail!("{names}: no rule is on; [extend] useDefault = true adds the built-in ones");
    }
    if !plan.quiet {
        let others = match rules.has_builtin() {
            true => "",
            false => "; the built-in rules are off ([extend] useDefault = true adds them)",
        };
        say(&format!("rules: {names}{others}"));
    }
    Ok(rules)
}

/// The rule file of the scanned directories.
fn discover(paths: &[PathBuf]) -> Result<Option<PathBuf>> {
    let found: Vec<PathBuf> = paths.iter().filter_map(|path| in_directory(path)).collect();
    match found.as_slice() {
        [] => Ok(None),
        [file] => Ok(Some(file.clone())),
        [one, other, ..] => bail!(
            "both `{}` and `{}` hold rules; choose with --config FILE or --no-config",
            one.display(),
            other.display()
        ),
    }
}

/// The configuration file in the directory `path`.
pub(crate) fn in_directory(path: &Path) -> Option<PathBuf> {
    CONFIGURATIONS
        .iter()
        .map(|name| path.join(name))
        .find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_file_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = || vec![folder.path().to_owned()];
        assert_eq!(discover(&path()).unwrap(), None);
        for name in [".gitleaks.toml", ".straykey.toml"] {
            let file = folder.path().join(name);
            std::fs::write(&file, "").unwrap();
            assert_eq!(discover(&path()).unwrap(), Some(file));
        }
        let twice = [path(), path()].concat();
        assert!(
            discover(&twice)
                .unwrap_err()
                .to_string()
                .contains("--config")
        );
    }
}
