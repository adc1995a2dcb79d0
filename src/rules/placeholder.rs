//! Placeholders for the tokens of any provider: `${HEX:40}`, `${CRC62}`, `${JWT}`, ….
//!
//! Values are drawn by a hash of the example's text and the placeholder's place in it, so that
//! they are the same at each run and differ from each other.

use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL_NOPAD};
use sha2::{Digest, Sha256};

use super::crc32;

const DIGITS: &str = "0123456789";
const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// A stream of bytes from a hash.
struct Random {
    block: [u8; 32],
    used: usize,
}

impl Random {
    fn new(seed: &str) -> Self {
        Self {
            block: Sha256::digest(seed.as_bytes()).into(),
            used: 0,
        }
    }

    fn byte(&mut self) -> u8 {
        if self.used == self.block.len() {
            self.block = Sha256::digest(self.block).into();
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    fn below(&mut self, limit: usize) -> usize {
        (usize::from(self.byte()) << 8 | usize::from(self.byte())) % limit
    }

    fn text(&mut self, alphabet: &str, length: usize) -> String {
        let letters = alphabet.as_bytes();
        (0..length)
            .map(|_| char::from(letters[self.below(letters.len())]))
            .collect()
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.byte()).collect()
    }
}

/// The value of the placeholder `name` (what stands between the braces), if there is one.
pub(super) fn value(name: &str, seed: &str) -> Option<String> {
    let (kind, argument) = name.split_once(':').unwrap_or((name, ""));
    let mut random = Random::new(&format!("{seed} {name}"));
    if let Some(alphabet) = alphabet(kind) {
        let length = length(argument, &mut random)?;
        return Some(random.text(&alphabet, length));
    }
    Some(match kind {
        "DIGIT1" => {
            let length = length(argument, &mut random)?;
            random.text(&DIGITS[1..], 1) + &random.text(DIGITS, length.checked_sub(1)?)
        }
        "UUID" => uuid(&mut random),
        "DOLLAR" => "$".to_owned(),
        "CRC62" => {
            let body = random.text(&format!("{DIGITS}{UPPER}{LOWER}"), 30);
            let checksum = crc32::base62(crc32::crc32(body.as_bytes()));
            body + &checksum
        }
        "B64USER" => BASE64.encode(format!("svc:{}", random.text(&all(), 18)).as_bytes()),
        "DISCORD_ID" => BASE64URL_NOPAD.encode(format!("1{}", random.text(DIGITS, 17)).as_bytes()),
        "JWT" => jwt(argument, &mut random),
        "PEMBODY" => pem(argument, &mut random).join("\n"),
        "PEMLINE" => pem(argument, &mut random).join("\\n"),
        "PEMINDENT" => format!("    {}", pem(argument, &mut random).join("\n    ")),
        _ => return None,
    })
}

fn all() -> String {
    format!("{DIGITS}{UPPER}{LOWER}")
}

fn alphabet(kind: &str) -> Option<String> {
    Some(match kind {
        "HEX" => format!("{DIGITS}abcdef"),
        "HEXU" => format!("{DIGITS}ABCDEF"),
        "ALNUM" => all(),
        "ALPHA" => format!("{UPPER}{LOWER}"),
        "LOWALNUM" => format!("{DIGITS}{LOWER}"),
        "UPALNUM" => format!("{DIGITS}{UPPER}"),
        "DIGIT" => DIGITS.to_owned(),
        "B64" => all() + "+/",
        "B64URL" => all() + "_-",
        "WORD" => all() + "_",
        "BASE32" => format!("{UPPER}234567"),
        "BASE32LOW" => format!("{LOWER}234567"),
        "B58" => all().replace(['0', 'O', 'I', 'l'], ""),
        "BECH32U" => "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L".to_owned(),
        _ => return None,
    })
}

/// `20`, or one of `20-30`.
fn length(argument: &str, random: &mut Random) -> Option<usize> {
    match argument.split_once('-') {
        None => argument.parse().ok(),
        Some((least, most)) => {
            let (least, most): (usize, usize) = (least.parse().ok()?, most.parse().ok()?);
            Some(least + random.below((most + 1).checked_sub(least)?))
        }
    }
}

fn uuid(random: &mut Random) -> String {
    let digits = random.text("0123456789abcdef", 32);
    let (variant, version) = ("a", "4");
    format!(
        "{}-{}-{version}{}-{variant}{}-{}",
        &digits[..8],
        &digits[8..12],
        &digits[13..16],
        &digits[17..20],
        &digits[20..]
    )
}

fn jwt(kind: &str, random: &mut Random) -> String {
    let algorithm = match kind {
        "none" => "none",
        "kubernetes" => "RS256",
        _ => "HS256",
    };
    let issuer = match kind {
        "kubernetes" => "kubernetes/serviceaccount",
        _ => "https://issuer.test/",
    };
    let subject = random.text(DIGITS, 10);
    let header = format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#);
    let payload = format!(r#"{{"iss":"{issuer}","sub":"{subject}"}}"#);
    let length = if kind == "kubernetes" { 256 } else { 32 };
    [header.as_bytes(), payload.as_bytes(), &random.bytes(length)]
        .map(|part| BASE64URL_NOPAD.encode(part))
        .join(".")
}

/// The lines of a PEM body for the rule `kind`: a made-up key with the frame of a real one.
fn pem(kind: &str, random: &mut Random) -> Vec<String> {
    let body = random.bytes(300);
    let bytes = match kind {
        "private-key-openssh" => [b"openssh-key-v1\0".as_slice(), &body].concat(),
        "private-key-pgp" => [[0x95, 0x01, 0x2C].as_slice(), body.as_slice()].concat(),
        _ => {
            let mut der = vec![0x30, 0x82, 0x01, 0x2F, 0x02, 0x01, 0x00];
            der.extend_from_slice(&body);
            der
        }
    };
    BASE64_NOPAD
        .encode(&bytes)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_shape_that_was_asked_for() {
        assert_eq!(value("HEX:40", "a").unwrap().len(), 40);
        assert!((20..=30).contains(&value("ALNUM:20-30", "a").unwrap().len()));
        assert_eq!(value("UUID", "a").unwrap().len(), 36);
        assert_eq!(value("CRC62", "a").unwrap().len(), 36);
        assert_eq!(value("CRC62", "a"), value("CRC62", "a"));
        assert_ne!(value("CRC62", "a"), value("CRC62", "b"));
        assert_eq!(value("HOME", "a"), None);
        assert_eq!(value("HEX:x", "a"), None);
    }
}
