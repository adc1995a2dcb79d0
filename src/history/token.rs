//! Short stand-ins for object ids and names, 64 bits each.
//!
//! They are keyed with a random number of the run, so that nobody can make two objects whose
//! tokens are the same; by chance, two of ten million are with a probability of 1 in 100,000.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// Makes tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    keys: [u64; 3],
}

impl Tokens {
    /// With keys that nobody can foresee.
    pub(super) fn new() -> Self {
        let key = || RandomState::new().build_hasher().finish();
        Self {
            keys: [key(), key(), key() | 1],
        }
    }

    /// The token of an object's raw id.
    #[inline]
    pub(super) fn id(&self, id: &[u8]) -> u64 {
        let word = |at: usize| {
            let bytes = id.get(at..at + 8).and_then(|it| it.try_into().ok());
            u64::from_le_bytes(bytes.unwrap_or_default())
        };
        fold(word(0) ^ self.keys[0], word(8) ^ self.keys[1])
    }

    /// The token of `name` in something that has the token `place`.
    #[inline]
    pub(super) fn name(&self, place: u64, name: &[u8]) -> u64 {
        let mut state = fold(place ^ self.keys[1], name.len() as u64 ^ self.keys[2]);
        let (words, rest) = name.as_chunks::<8>();
        for word in words {
            state = fold(state ^ u64::from_le_bytes(*word), self.keys[0]);
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        fold(state ^ u64::from_le_bytes(last), self.keys[2])
    }
}

/// Both halves of the product: every bit of the result depends on every bit of both.
#[inline]
fn fold(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    (product as u64) ^ ((product >> 64) as u64)
}

/// A map whose keys are tokens: these are hashes already.
pub(super) type TokenMap<T> = HashMap<u64, T, BuildHasherDefault<AsItIs>>;

/// Takes a token for its own hash.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, token: u64) {
        self.0 = token;
    }

    /// A token cut to 32 bits is spread over all: maps look at both ends of a hash.
    fn write_u32(&mut self, token: u32) {
        self.0 = u64::from(token).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_tell_apart_what_differs() {
        let tokens = Tokens::new();
        let mut seen = std::collections::HashSet::new();
        for number in 0..20_000_u32 {
            let mut id = [0; 20];
            id[..4].copy_from_slice(&number.to_le_bytes());
            assert!(seen.insert(tokens.id(&id)));
            assert!(seen.insert(tokens.name(1, &number.to_string().into_bytes())));
            assert!(seen.insert(tokens.name(u64::from(number) + 2, b"name")));
        }
        assert_eq!(tokens.name(1, b"a"), tokens.name(1, b"a"));
        assert_ne!(tokens.name(1, b"a"), tokens.name(1, b"a\0"));
    }
}
