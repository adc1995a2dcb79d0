//! Fetching from a server whose own copy is not whole: a partial clone that is served on. It fails
//! to send anything where it would have to send everything.

use std::path::Path;

use super::{Git, GitError};

/// How a server complains that it cannot send what its refs lead to.
pub(super) const NOT_WHOLE: &str = "possible repository corruption on the remote side";
/// How a server names an object that it does not have.
const NOT_THERE: &str = "not our ref ";
/// Blobs that are asked for at a time: they stand on the command line.
const BATCH: usize = 5000;
/// Absent blobs, until the repository is given up: each costs a request.
const MOST_ABSENT: usize = 1000;

impl Git {
    /// Makes `mirror` hold what the server has: everything but blobs, then each blob but those that
    /// it says it does not have. What is absent then is for the scan to tell.
    pub(super) fn fetch_what_is_there(
        &self,
        url: &str,
        mirror: &Path,
        stopped: &dyn Fn() -> bool,
    ) -> Result<(), GitError> {
        let refs = ["+refs/*:refs/*".to_owned()];
        let no_blobs = Some("blob:none".to_owned());
        self.fetch_filtered(url, mirror, no_blobs, &refs, stopped)?;
        let wanted = self.absent(mirror, stopped)?;
        let mut absent = 0;
        for blobs in wanted.chunks(BATCH) {
            let mut blobs = blobs.to_vec();
            while !blobs.is_empty() {
                let Err(error) = self.fetch_filtered(url, mirror, None, &blobs, stopped) else {
                    break;
                };
                absent += 1;
                let before = blobs.len();
                blobs.retain(|blob| !is_not_there(&error, blob));
                if absent > MOST_ABSENT || blobs.len() == before {
                    return Err(error);
                }
            }
        }
        Ok(())
    }
}

fn is_not_there(error: &GitError, blob: &str) -> bool {
    let named = error.reason.split_once(NOT_THERE);
    named.is_some_and(|(_, named)| named.starts_with(blob))
}
