//! Seeded random keys: the same at each run, and nobody's.

/// A splitmix64 generator.
pub(crate) struct Random(u64);

const BASE32: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_F491_4F6C_DD1D))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn text(&mut self, alphabet: &[u8], length: usize) -> String {
        (0..length)
            .map(|_| char::from(alphabet[self.below(alphabet.len())]))
            .collect()
    }

    /// An access key ID of the newer generation.
    pub(crate) fn key_id(&mut self, prefix: &str) -> String {
        format!(
            "{prefix}{}{}",
            self.text(&BASE32[16..], 1),
            self.text(BASE32, 15)
        )
    }

    pub(crate) fn secret(&mut self) -> String {
        self.text(BASE64, 40)
    }

    pub(crate) fn token(&mut self) -> String {
        let length = 4 * (60 + self.below(250));
        let padding = ["", "=", "=="][self.below(3)];
        format!(
            "IQoJb3JpZ2luX2Vj{}{padding}",
            self.text(BASE64, length - padding.len())
        )
    }
}
