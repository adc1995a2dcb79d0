//! AWS access keys: access key ID, secret access key and session token as one finding.

mod account;
mod candidate;
pub(in crate::detect) mod excerpt;
mod name;
mod pair;
mod shape;
mod structure;
mod surroundings;

mod detector;
mod encoded;
mod gather;
mod hits;

pub(crate) use detector::AwsDetector;
