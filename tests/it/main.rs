//! The integration tests: one binary, one topic a file.

mod random;
mod recall;
mod recall_forms;
