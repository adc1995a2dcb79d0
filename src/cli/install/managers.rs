//! Hook managers: whose hooks these are, and what to add to their files.

use std::fs;
use std::path::PathBuf;

use super::git::Here;

/// A hook manager that this repository has set up.
#[derive(Debug)]
pub(super) struct Manager {
    kind: Kind,
    /// Its configuration.
    pub(super) file: PathBuf,
    /// Whether that names straykey.
    pub(super) mentions_us: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    PreCommit,
    Lefthook,
    Husky,
}

/// Files by which a manager is known.
const FILES: [(&str, Kind); 13] = [
    (".pre-commit-config.yaml", Kind::PreCommit),
    (".pre-commit-config.yml", Kind::PreCommit),
    ("prek.toml", Kind::PreCommit),
    ("lefthook.yml", Kind::Lefthook),
    ("lefthook.yaml", Kind::Lefthook),
    ("lefthook.toml", Kind::Lefthook),
    ("lefthook.json", Kind::Lefthook),
    (".lefthook.yml", Kind::Lefthook),
    (".lefthook.yaml", Kind::Lefthook),
    (".lefthook.toml", Kind::Lefthook),
    (".lefthook.json", Kind::Lefthook),
    (".config/lefthook.yml", Kind::Lefthook),
    (".husky", Kind::Husky),
];

/// The manager of the repository's hooks.
pub(super) fn find(here: &Here) -> Option<Manager> {
    let top = here.top.as_deref()?;
    FILES.iter().find_map(|&(name, kind)| {
        let file = top.join(name);
        if !file.exists() {
            return None;
        }
        let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
        let mentions_us = match kind {
            Kind::Husky => ["pre-commit", "pre-push"]
                .iter()
                .all(|hook| read(file.join(hook)).contains("straykey")),
            _ => read(file.clone()).contains("straykey"),
        };
        Some(Manager {
            kind,
            file,
            mentions_us,
        })
    })
}

impl Manager {
    pub(super) fn name(&self) -> &'static str {
        match self.kind {
            Kind::PreCommit => "the pre-commit framework",
            Kind::Lefthook => "lefthook",
            Kind::Husky => "husky",
        }
    }

    /// What to do, in words.
    pub(super) fn instructions(&self) -> Vec<String> {
        let (name, file) = (self.name(), self.file.display());
        if self.mentions_us {
            return vec![format!("{name}: {file} names straykey already")];
        }
        let head = format!("The hooks here belong to {name}. Add to {file}:");
        let address = match env!("CARGO_PKG_REPOSITORY") {
            "" => "<address of straykey's repository>",
            address => address,
        };
        let repository = format!("  - repo: {address}");
        let lines: &[&str] = match self.kind {
            Kind::PreCommit => &[
                &repository,
                concat!("    rev: v", env!("CARGO_PKG_VERSION")),
                "    hooks: [{id: straykey}]",
                "and run: pre-commit install -t pre-commit -t pre-merge-commit -t pre-push",
            ],
            Kind::Lefthook => &[
                "  pre-commit: {commands: {straykey: {run: straykey hook --stage pre-commit}}}",
                "  pre-merge-commit: {commands: {straykey: {run: straykey hook --stage pre-merge-commit}}}",
                "  pre-push: {commands: {straykey: {run: 'straykey hook --stage pre-push {1} {2}', use_stdin: true}}}",
                "and run: lefthook install",
            ],
            Kind::Husky => &[
                "  .husky/pre-commit:        straykey hook --stage pre-commit",
                "  .husky/pre-merge-commit:  straykey hook --stage pre-merge-commit",
                "  .husky/pre-push:          straykey hook --stage pre-push \"$@\"",
            ],
        };
        let lines = lines.iter().map(|line| (*line).to_owned());
        std::iter::once(head).chain(lines).collect()
    }
}
