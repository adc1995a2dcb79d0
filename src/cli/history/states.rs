//! The states of incremental scans: where they are, and what to do if they cannot be used.

use std::path::{Path, PathBuf};

use straykey::history::State;
use straykey::source::git::Repository;

use super::HistoryArguments;
use crate::cli::say;

/// Which states are kept, and for which rules.
pub(super) struct States {
    file: Option<PathBuf>,
    is_kept: bool,
    rules: String,
}

impl States {
    /// What `arguments` ask for, with the digest of the rules.
    pub(super) fn new(arguments: &HistoryArguments, rules: String) -> Self {
        Self {
            file: arguments.state.clone(),
            is_kept: arguments.incremental || arguments.state.is_some(),
            rules,
        }
    }

    /// The digest of the rules.
    pub(super) fn rules(&self) -> &str {
        &self.rules
    }

    /// Where the state of `repository`, or of its submodule, is; `None` if none is kept.
    pub(super) fn path(&self, submodule: Option<&str>, repository: &Repository) -> Option<PathBuf> {
        if !self.is_kept {
            return None;
        }
        let Some(file) = &self.file else {
            return Some(State::default_path(repository));
        };
        let mut path = file.clone().into_os_string();
        if let Some(name) = submodule {
            path.push(format!(".{}", name.replace('/', "-")));
        }
        Some(path.into())
    }

    /// The state at `path`; `None` where everything must be read.
    pub(super) fn read(&self, path: &Path) -> Option<State> {
        State::read(path, &self.rules).unwrap_or_else(|error| {
            let path = path.display();
            say(&format!(
                "warning: cannot read `{path}`, so everything is read: {error}"
            ));
            None
        })
    }

    /// Keeps `next`, if there is one that says something new.
    pub(super) fn write(&self, path: &Path, known: Option<State>, next: Option<State>) {
        let Some(next) = next.filter(|next| known.as_ref() != Some(next)) else {
            return;
        };
        if let Err(error) = next.write(path) {
            let path = path.display();
            say(&format!(
                "warning: cannot write `{path}`, so the next run reads everything: {error}"
            ));
        }
    }
}
