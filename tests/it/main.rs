//! The integration tests: one binary, one topic a file.
#![expect(clippy::unwrap_used, reason = "a test that fails may panic")]

mod files;
mod files_bad;
mod files_git;
mod kit;
mod recall;
mod recall_forms;
