//! The integration tests: one binary, one topic a file.
#![expect(clippy::unwrap_used, reason = "a panic here is a failed test")]

mod bad_input;
mod cli;
mod examples;
mod files;
mod files_bad;
mod files_git;
mod git_kit;
mod git_objects;
mod history_attribution;
mod history_batches;
mod history_corrupt;
mod history_equality;
mod history_gaps;
mod history_incremental;
mod history_kit;
mod history_log;
mod history_many;
mod history_objects;
mod history_places;
mod history_robust;
mod hook_kit;
mod hooks_config;
mod hooks_forms;
mod hooks_index;
mod hooks_install;
mod hooks_matrix;
mod hooks_random;
mod hooks_server;
mod kit;
mod known;
mod layers;
mod no_secret;
#[cfg(not(feature = "verify"))]
mod no_verify;
mod pack_kit;
mod recall;
mod recall_forms;
mod report;
mod suppress;
#[cfg(feature = "sweep")]
mod sweep;
#[cfg(feature = "verify")]
mod verify;
