//! straykey finds leaked access keys. See ARCHITECTURE.md for the drawing of the house.
#![warn(missing_docs)]

pub mod baseline;
pub mod date;
pub mod detect;
pub mod finding;
pub mod history;
pub mod introduced;
pub mod location;
pub mod provenance;
pub mod report;
pub mod rules;
pub mod scan;
pub mod secret;
pub mod source;
pub mod standing;
pub mod suppress;
#[cfg(feature = "sweep")]
pub mod sweep;
pub mod verdict;
pub mod verify;
