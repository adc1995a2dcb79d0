//! The exit codes.

use std::process::ExitCode;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Complete, and nothing blocks.
    Clean,
    /// At least one blocking finding.
    Blocked,
    /// Not complete or not started: usage, unreadable input, nothing scanned, a defect.
    Incomplete,
}

impl Exit {
    /// The exit of a scan. A finding is the more urgent news: it wins over an incomplete scan.
    pub(crate) fn of(blocked: bool, complete: bool) -> Self {
        match (blocked, complete) {
            (true, _) => Self::Blocked,
            (false, true) => Self::Clean,
            (false, false) => Self::Incomplete,
        }
    }

    /// The exit if, besides, something went wrong.
    pub(crate) fn and_failed(self) -> Self {
        Self::of(self == Self::Blocked, false)
    }

    /// Says what went wrong besides; the exit then.
    pub(crate) fn after(self, error: &anyhow::Error) -> Self {
        super::say(&format!("error: {error:#}"));
        self.and_failed()
    }

    /// The number that the calling process sees.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::Blocked => 1,
            Self::Incomplete => 2,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_wins_over_an_incomplete_scan() {
        assert_eq!(Exit::of(false, true).code(), 0);
        assert_eq!(Exit::of(true, true).code(), 1);
        assert_eq!(Exit::of(true, false).code(), 1);
        assert_eq!(Exit::of(false, false).code(), 2);
    }

    #[test]
    fn a_failure_takes_away_clean_only() {
        assert_eq!(Exit::Clean.and_failed(), Exit::Incomplete);
        assert_eq!(Exit::Incomplete.and_failed(), Exit::Incomplete);
        assert_eq!(Exit::Blocked.and_failed(), Exit::Blocked);
    }
}
