//! Sweeping an organization: every repository, its whole history, once; restartable, on one
//! machine or many.
//!
//! `plan` lists what there is and makes a job for each repository that may have changed; `work`
//! takes jobs under a lease, fetches (`git`, `cache`), scans what is new (`scanner`) and writes
//! everything it learnt in one transaction; `report` reads the store. All state is in the
//! [`store`]: a process may be killed at any time, and the same command goes on.

pub mod cache;
pub mod export;
pub mod forge;
pub mod git;
pub mod hosts;
pub mod identity;
pub mod known;
pub mod lease;
pub mod metrics;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod patience;
pub mod plan;
pub mod report;
pub mod scanner;
pub mod store;
pub mod target;
pub mod work;
