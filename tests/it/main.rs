//! The integration tests: one binary, one topic a file.

mod git_kit;
mod git_objects;
