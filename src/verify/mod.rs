//! Verification: asks AWS with `sts:GetCallerIdentity` whether found credentials work.
//!
//! Opt-in. One question a distinct credential; what is sent is an identifier, a signature and, for
//! temporary keys, the session token: never the secret. An answer that is no statement about the
//! credential ends as [`Verdict::Unknown`], which is to be treated as unchecked: it hides,
//! downgrades and unblocks nothing.
//!
//! [`plan`] decides what is asked, [`run`] asks it with limits on rate, time and number, and
//! [`effect`] says what a verdict does to a finding. `sts` is the only part that speaks to the
//! network; it is compiled with the cargo feature `verify`.

pub mod arn;
mod case;
pub mod effect;
pub mod endpoint;
pub mod outcome;
mod pace;
pub mod plan;
pub mod remedy;
pub mod run;
#[cfg(feature = "verify")]
pub mod sts;
#[cfg(test)]
mod testing;

pub use crate::verdict::{Partition, Verdict};

use crate::secret::Secret;
use outcome::Answer;

/// Whether this program was compiled with the network part.
pub const COMPILED: bool = cfg!(feature = "verify");

/// One call: does this credential work in this partition?
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    /// The access key ID.
    pub access_key_id: &'q str,
    /// The secret access key, which signs and is not sent.
    pub secret: &'q Secret,
    /// The session token of a temporary key, which is sent.
    pub session_token: Option<&'q Secret>,
    /// Where to ask.
    pub partition: Partition,
}

/// Whoever can answer questions. Called from several threads at once.
pub trait Verifier: Sync {
    /// Asks once, without repeating. Returns early, with a failure of the kind
    /// [`Interrupted`](crate::verdict::CauseKind::Interrupted), when `stopped` says so.
    fn ask(&self, question: &Question<'_>, stopped: &dyn Fn() -> bool) -> Answer;
}
