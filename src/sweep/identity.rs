//! The identity of a credential in the store: a digest under the organization's own key.
//!
//! A plain digest would let anyone who holds the store and a candidate confirm it, and would link
//! two organizations' stores. The key stands outside the database, in a file of its own; whoever
//! loses it loses the link between old and new findings, and nothing else.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::finding::Fingerprint;

/// Form of the identities made here; stored beside them, so that a later form can live with them.
pub const IDENTITY_VERSION: i64 = 1;

/// Bytes of a key that is made here, and the fewest that are taken.
const LENGTH: usize = 32;

/// The organization's key.
pub struct OrganizationKey(Zeroizing<Vec<u8>>);

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The file cannot be read or made.
    #[error("the organization key `{path}`: {source}")]
    Io {
        /// Which file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file holds no key.
    #[error(
        "the organization key `{0}` must hold at least {LENGTH} random bytes, and be readable by \
         its owner alone"
    )]
    Unfit(String),
}

impl OrganizationKey {
    /// Reads the key of `path`, which others must not be able to read.
    ///
    /// # Errors
    /// Where there is none, or it is unfit.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Io {
            path: path.display().to_string(),
            source,
        };
        let key = Zeroizing::new(fs::read(path).map_err(failed)?);
        if key.len() < LENGTH || is_open(path).map_err(failed)? {
            return Err(KeyError::Unfit(path.display().to_string()));
        }
        Ok(Self(key))
    }

    /// Reads the key of `path`; makes one where there is no file.
    ///
    /// # Errors
    /// Where it can be neither read nor made.
    pub fn read_or_make(path: &Path) -> Result<Self, KeyError> {
        if !path.exists() {
            make(path).map_err(|source| KeyError::Io {
                path: path.display().to_string(),
                source,
            })?;
        }
        Self::read(path)
    }

    /// The identity of the credential with this fingerprint, in hexadecimal.
    #[must_use]
    pub fn identity(&self, fingerprint: Fingerprint) -> String {
        let mut mac = self.mac();
        mac.update(b"straykey credential 1\0");
        mac.update(fingerprint.to_string().as_bytes());
        data_encoding::HEXLOWER.encode(&mac.finalize().into_bytes())
    }

    #[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
    fn mac(&self) -> Hmac<Sha256> {
        Hmac::new_from_slice(&self.0).expect("any length will do")
    }
}

/// Makes a key file in one step, so that two processes that start together agree on it.
fn make(path: &Path) -> io::Result<()> {
    let mut random = Zeroizing::new([0; LENGTH]);
    io::Read::read_exact(&mut fs::File::open("/dev/urandom")?, &mut *random)?;
    let folder = path.parent().filter(|it| *it != Path::new(""));
    // A temporary file is readable by its owner alone.
    let mut draft = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new(".")))?;
    draft.write_all(&*random)?;
    draft.as_file().sync_all()?;
    match draft.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(error.error),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn is_open(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o007 != 0)
}

#[cfg(not(unix))]
fn is_open(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_gives_the_same_identities() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let of = |path: &Path| {
            let key = OrganizationKey::read_or_make(path).unwrap();
            key.identity(Fingerprint::of("test", &[b"a"]))
        };
        assert_eq!((of(&path), of(&path).len()), (of(&path), 64));
        assert_ne!(of(&path), of(&folder.path().join("other")));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_read_or_that_is_short_is_refused() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        OrganizationKey::read_or_make(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            OrganizationKey::read(&path),
            Err(KeyError::Unfit(_))
        ));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(
            OrganizationKey::read(&path),
            Err(KeyError::Unfit(_))
        ));
    }
}
