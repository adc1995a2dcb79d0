//! [`Secret`]: the one type that may hold a secret access key, a session token or another
//! provider's secret.
//!
//! It cannot be printed by accident: `Debug` is redacted, there is no `Display` and no
//! `Serialize`, and the bytes are zeroed when the value is dropped. Whoever needs the bytes calls
//! [`Secret::expose`], so that every such place can be found with one search.

use std::fmt;

use zeroize::Zeroize;

/// A secret value in memory. Compared and hashed by its bytes, printed as its length only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Takes a copy of `bytes`.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes themselves: for fingerprints, keyed hashes and signatures, never for output.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no byte at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Secret({} bytes hidden)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_length_only() {
        let secret = Secret::new(b"hunter2");
        assert_eq!(
            format!("{secret:?} {:?}", Some(&secret)),
            "Secret(7 bytes hidden) Some(Secret(7 bytes hidden))"
        );
    }
}
