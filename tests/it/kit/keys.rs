//! Fake AWS credentials from a seed: they look real, belong to nobody, and stand in no file.

use crate::random::Random;

/// A long-term access key ID.
pub(crate) fn access_key_id(seed: u64) -> String {
    Random::new(seed).key_id(&["AK", "IA"].concat())
}

/// A secret access key.
pub(crate) fn secret(seed: u64) -> String {
    Random::new(seed ^ 0x5EC2_E700).secret()
}

/// A session token.
pub(crate) fn token(seed: u64) -> String {
    Random::new(seed ^ 0x70CE_0000).token()
}

/// A shell script that sets a key and its secret.
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
    assert_eq!((id.len(), secret(1).len()), (20, 40));
    assert!(token(1).len() > 200);
    assert_eq!(id, access_key_id(1));
    assert_ne!(id, access_key_id(2));
}
