//! The integration tests: one binary, one topic a file.

mod files;
mod files_bad;
mod files_git;
mod kit;
mod random;
mod recall;
mod recall_forms;
