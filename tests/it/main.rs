//! The integration tests: one binary, one topic a file.

mod files;
mod files_bad;
mod files_git;
mod git_kit;
mod git_objects;
mod hook_kit;
mod hooks_forms;
mod hooks_index;
mod hooks_install;
mod hooks_matrix;
mod hooks_random;
mod hooks_server;
mod kit;
mod random;
mod recall;
mod recall_forms;
