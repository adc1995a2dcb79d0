//! Which rules a set holds, as a number.

use sha2::{Digest, Sha256};

use super::{AWS, AWS_CANARIES, RuleSet, index};

impl RuleSet {
    /// A digest of all that decides what is found: this program's version, the built-in rules, and
    /// what the set makes of them; in hexadecimal. What was found with another one may not be all
    /// that is to be found.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let own = [("aws", AWS), ("aws-canaries", AWS_CANARIES)];
        for (name, text) in index::FILES.iter().copied().chain(own) {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        }
        hash.update(env!("CARGO_PKG_VERSION"));
        // A set is data only, and its rules tell all of theirs.
        hash.update(format!("{self:?}"));
        data_encoding::HEXLOWER.encode(&hash.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Confidence;

    #[test]
    fn equal_sets_have_equal_digests() {
        let digest = |confidence| RuleSet::builtin().with_confidence(confidence).digest();
        assert_eq!(digest(Confidence::Medium), digest(Confidence::Medium));
        assert_ne!(digest(Confidence::Medium), digest(Confidence::Low));
    }
}
