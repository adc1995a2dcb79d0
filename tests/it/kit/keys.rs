//! Fake AWS credentials from a seed: they look real, belong to nobody, and stand in no file.

/// The SplitMix64 generator: the same numbers for the same seed, for ever.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("below a usize")
    }

    /// An access key ID. Its first character after the prefix is one that ids have had since they
    /// hold the account.
    pub(crate) fn key_id(&mut self, prefix: &str) -> String {
        format!(
            "{prefix}{}{}",
            self.text(&BASE32[16..], 1),
            self.text(BASE32, 15)
        )
    }

    /// A secret access key: 40 characters.
    pub(crate) fn secret(&mut self) -> String {
        self.text(BASE64, 40)
    }

    /// A session token of the usual beginning, between 256 and 1,256 characters.
    pub(crate) fn token(&mut self) -> String {
        let length = 4 * (60 + self.below(250));
        let padding = ["", "=", "=="][self.below(3)];
        format!(
            "IQoJb3JpZ2luX2Vj{}{padding}",
            self.text(BASE64, length - padding.len())
        )
    }

    /// `length` characters of `alphabet`, which is ASCII.
    pub(crate) fn text(&mut self, alphabet: &str, length: usize) -> String {
        let characters = alphabet.as_bytes();
        (0..length)
            .map(|_| char::from(characters[self.below(characters.len())]))
            .collect()
    }
}

const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The long-term access key ID of a seed.
pub(crate) fn access_key_id(seed: u64) -> String {
    Random::new(seed).key_id(&["AK", "IA"].concat())
}

/// The secret access key of a seed.
pub(crate) fn secret(seed: u64) -> String {
    Random::new(seed ^ 0x5EC2_E700).secret()
}

/// The session token of a seed.
pub(crate) fn token(seed: u64) -> String {
    Random::new(seed ^ 0x70CE_0000).token()
}

/// The lines that set a pair in a shell.
pub(crate) fn exports(seed: u64) -> String {
    format!(
        "export AWS_ACCESS_KEY_ID={}\nexport AWS_SECRET_ACCESS_KEY={}\n",
        access_key_id(seed),
        secret(seed)
    )
}

#[test]
fn the_fakes_have_the_shape_of_keys() {
    let id = access_key_id(1);
    assert_eq!((id.len(), secret(1).len(), token(1).len() % 4), (20, 40, 0));
    assert!(id[4..].chars().all(|letter| BASE32.contains(letter)));
    assert!((b'Q'..=b'Z').contains(&id.as_bytes()[4]) || id.as_bytes()[4].is_ascii_digit());
    assert_eq!(id, access_key_id(1));
    assert_ne!(id, access_key_id(2));
}
