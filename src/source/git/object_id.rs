//! Object names.

use std::fmt;

/// The hash that names a repository's objects (`extensions.objectFormat`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HashKind {
    /// 20 bytes.
    #[default]
    Sha1,
    /// 32 bytes.
    Sha256,
}

impl HashKind {
    /// Length of an id in bytes.
    #[must_use]
    pub const fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    const fn from_length(length: usize) -> Option<Self> {
        match length {
            20 => Some(Self::Sha1),
            32 => Some(Self::Sha256),
            _ => None,
        }
    }
}

/// Name of one object. Ordered by its bytes, as pack indexes are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    bytes: [u8; 32],
    hash: HashKind,
}

impl ObjectId {
    /// git's word for "no object", as a SHA-1 id.
    pub const NULL: Self = Self {
        bytes: [0; 32],
        hash: HashKind::Sha1,
    };

    /// From 20 or 32 raw bytes.
    #[must_use]
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        let hash = HashKind::from_length(raw.len())?;
        let mut bytes = [0; 32];
        bytes.get_mut(..raw.len())?.copy_from_slice(raw);
        Some(Self { bytes, hash })
    }

    /// From 40 or 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        let hash = HashKind::from_length(digits.len() / 2)?;
        if !digits.len().is_multiple_of(2) {
            return None;
        }
        let mut bytes = [0; 32];
        // Bad digits are told at the end: a history has millions of ids, nearly all of them good.
        let mut bad = 0;
        for (byte, &[high, low]) in bytes.iter_mut().zip(digits.as_chunks::<2>().0) {
            let (high, low) = (NIBBLES[usize::from(high)], NIBBLES[usize::from(low)]);
            bad |= high | low;
            *byte = high << 4 | low & 0x0F;
        }
        (bad & BAD == 0).then_some(Self { bytes, hash })
    }

    /// The raw bytes, 20 or 32.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.hash.length()]
    }

    /// In hexadecimal.
    #[must_use]
    pub fn to_hex(&self) -> Box<str> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = String::with_capacity(2 * self.hash.length());
        for &byte in self.as_bytes() {
            text.push(DIGITS[usize::from(byte >> 4)].into());
            text.push(DIGITS[usize::from(byte & 15)].into());
        }
        text.into_boxed_str()
    }

    /// Which hash made it.
    #[must_use]
    pub fn hash(&self) -> HashKind {
        self.hash
    }

    /// Whether it is all zeroes: git's word for "no object".
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.bytes == [0; 32]
    }
}

/// In the place of a digit's value: it is none. No value has a bit above the fourth.
const BAD: u8 = 0x10;

/// The value of each hexadecimal digit.
const NIBBLES: [u8; 256] = {
    let mut values = [BAD; 256];
    let mut value = 0;
    while value < 16 {
        values[b"0123456789abcdef"[value] as usize] = value as u8;
        values[b"0123456789ABCDEF"[value] as usize] = value as u8;
        value += 1;
    }
    values
};

impl fmt::Display for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for ObjectId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_goes_there_and_back() {
        for length in [40, 64] {
            let text: String = "0123456789abcdef".chars().cycle().take(length).collect();
            let id = ObjectId::from_hex(text.as_bytes()).expect("an id");
            assert_eq!(id.to_string(), text);
            assert_eq!(&*id.to_hex(), text);
            assert_eq!(ObjectId::from_bytes(id.as_bytes()), Some(id));
        }
        for bad in ["", "abc", &"0".repeat(39), &"0".repeat(41), &"g".repeat(40)] {
            assert_eq!(ObjectId::from_hex(bad.as_bytes()), None, "{bad}");
        }
        assert!(ObjectId::from_bytes(&[0; 20]).is_some_and(|id| id.is_null()));
    }
}
