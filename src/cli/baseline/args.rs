//! What can be typed after `baseline`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use straykey::baseline::Note;
use straykey::date::Date;

/// `baseline` and what follows it.
#[derive(Debug, Subcommand)]
pub(crate) enum BaselineCommand {
    /// Note every key that is found now as known
    Create(AddArguments),
    /// Note further keys as known; what is known stays as it is
    Update(AddArguments),
    /// Go through the keys that count, one key press a decision
    Audit(AuditArguments),
    /// Remove entries that stand for nothing, neither in the files nor in the history
    Prune(PruneArguments),
    /// List the entries
    List(WhereArguments),
}

/// What is scanned, and where the baseline is.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct WhereArguments {
    /// Files and directories to scan [default: the whole repository]
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,

    /// Rule files, in straykey's or gitleaks' format; repeatable
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,

    /// Directory of the baseline [default: .straykey-baseline at the top of the repository]
    #[arg(long, value_name = "DIR")]
    pub(crate) baseline: Option<PathBuf>,
}

/// What is said of new entries.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct NoteArguments {
    /// Why the keys are no matter: said in every report
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    /// Who answers for them
    #[arg(long, value_name = "WHO")]
    pub(crate) owner: Option<String>,

    /// Last day on which they do not block: YYYY-MM-DD
    #[arg(long, value_name = "DAY")]
    pub(crate) until: Option<Date>,
}

impl NoteArguments {
    pub(super) fn note(&self) -> Note {
        Note {
            reason: self.reason.clone(),
            owner: self.owner.clone(),
            until: self.until,
        }
    }
}

/// `baseline create` and `baseline update`.
#[derive(Debug, Default, Args)]
pub(crate) struct AddArguments {
    #[command(flatten)]
    pub(crate) place: WhereArguments,

    #[command(flatten)]
    pub(crate) note: NoteArguments,

    /// Note the keys in the whole history as well, not only those in the files
    #[arg(long)]
    pub(crate) history: bool,
}

/// `baseline audit`.
#[derive(Debug, Default, Args)]
pub(crate) struct AuditArguments {
    #[command(flatten)]
    pub(crate) place: WhereArguments,

    #[command(flatten)]
    pub(crate) note: NoteArguments,

    /// Go through what is known as well, to keep or to remove it
    #[arg(long)]
    pub(crate) all: bool,
}

/// `baseline prune`.
#[derive(Debug, Default, Args)]
pub(crate) struct PruneArguments {
    #[command(flatten)]
    pub(crate) place: WhereArguments,

    /// Do not look in the history: remove what is in no file
    #[arg(long)]
    pub(crate) files_only: bool,

    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}
