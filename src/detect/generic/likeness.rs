//! Tells a secret from what only stands where one would: placeholders, words, references.

use data_encoding::BASE64_NOPAD;

use super::nearby::is_camel_case;

/// Words that no random token of a usual length contains by chance.
const PLACEHOLDER_WORDS: [&[u8]; 20] = [
    b"example",
    b"placeholder",
    b"changeme",
    b"change_me",
    b"change-me",
    b"your_",
    b"your-",
    b"yourtoken",
    b"yourkey",
    b"dummy",
    b"redacted",
    b"sample",
    b"replace",
    b"insert",
    b"xxxxx",
    b"fake_",
    b"fake-",
    b"foobar",
    b"my-secret",
    b"deadbeef",
];

/// Passwords that are in every tutorial, and words that stand for one.
const COMMON_PASSWORDS: [&[u8]; 36] = [
    b"pass",
    b"pwd",
    b"secret",
    b"example",
    b"change",
    b"your",
    b"xxx",
    b"test",
    b"dummy",
    b"foo",
    b"bar",
    b"token",
    b"guest",
    b"admin",
    b"root",
    b"postgres",
    b"mysql",
    b"redis",
    b"rabbit",
    b"1234",
    b"user",
    b"hunter2",
    b"default",
    b"sample",
    b"fake",
    b"placeholder",
    b"redacted",
    b"****",
    b"....",
    b"demo",
    b"mongo",
    b"hidden",
    b"mypw",
    b"secur",
    b"value",
    b"wordpress",
];

/// Shannon entropy in bits a byte.
pub(super) fn entropy(bytes: &[u8]) -> f64 {
    let mut counts = [0_u32; 256];
    for &byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    let length = bytes.len() as f64;
    counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| f64::from(count) / length)
        .map(|share| -share * share.log2())
        .sum()
}

/// Whether `secret` is written to look like a token and is none: `xxxx…`, `0123…`, `your-token`.
pub(super) fn is_placeholder(secret: &[u8]) -> bool {
    let folded = secret.to_ascii_lowercase();
    let worded = PLACEHOLDER_WORDS
        .iter()
        .any(|word| memchr::memmem::find(&folded, word).is_some());
    worded
        || longest_repeat(&folded) >= 6.max(secret.len() / 5)
        || is_sequence(&folded)
        || is_periodic(&folded)
        || holds_variable(secret)
}

/// Whether a variable in capitals, three letters or more, is to be put in: `${NAME}`.
fn holds_variable(secret: &[u8]) -> bool {
    let mut starts = memchr::memmem::find_iter(secret, b"${");
    starts.any(|at| {
        let name = &secret[at + 2..];
        let length = name
            .iter()
            .take_while(|&&byte| byte.is_ascii_uppercase() || byte == b'_')
            .count();
        length >= 3
    })
}

fn longest_repeat(bytes: &[u8]) -> usize {
    bytes
        .chunk_by(|one, other| one == other)
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0)
}

/// Whether most bytes follow their neighbour in the alphabet, up or down. One in eight does in
/// random hexadecimal digits.
fn is_sequence(bytes: &[u8]) -> bool {
    let steps = bytes
        .windows(2)
        .filter(|pair| pair[0].abs_diff(pair[1]) == 1)
        .count();
    bytes.len() >= 8 && steps * 2 > bytes.len()
}

/// Whether a short string is repeated to the end: `abcdabcdabcd`.
fn is_periodic(bytes: &[u8]) -> bool {
    (1..=bytes.len().min(20) / 2).any(|period| {
        bytes.len() >= 3 * period && bytes.windows(period + 1).all(|w| w[0] == w[period])
    })
}

/// Whether `password` in a URL or a command is one that somebody uses.
pub(super) fn is_used_password(user: &[u8], password: &[u8]) -> bool {
    let reference = password.iter().any(|byte| b"%*[](){}".contains(byte))
        && !has_percent_escapes_only(password);
    password.len() >= 6
        && !reference
        && !is_common_password(password)
        && !is_words(password)
        && !user.eq_ignore_ascii_case(password)
        && !is_placeholder(password)
}

/// Whether a word of [`COMMON_PASSWORDS`] makes `password`, digits for letters included. Three letters
/// are met by chance: they count where they are a third of it.
fn is_common_password(password: &[u8]) -> bool {
    let folded = password.to_ascii_lowercase();
    let spoken: Vec<u8> = folded.iter().map(letter).collect();
    COMMON_PASSWORDS.iter().any(|word| {
        let holds = |text: &[u8]| memchr::memmem::find(text, word).is_some();
        (holds(&folded) && (word.len() > 3 || word.len() * 3 >= password.len()))
            || (word.len() > 4 && holds(&spoken))
    })
}

/// The letter that a digit or sign is written for.
fn letter(byte: &u8) -> u8 {
    match byte {
        b'0' => b'o',
        b'1' => b'i',
        b'3' => b'e',
        b'4' | b'@' => b'a',
        b'5' | b'$' => b's',
        b'7' => b't',
        other => *other,
    }
}

/// Whether `password` is one short word, or a few with something between them; percent escapes
/// are between words, too.
fn is_words(password: &[u8]) -> bool {
    let mut letters = 0;
    let mut at = 0;
    while let Some(&byte) = password.get(at) {
        match byte {
            b'%' => at += 2,
            b'-' | b'_' | b'.' | b':' | b' ' => {}
            b'a'..=b'z' => letters += 1,
            _ => return false,
        }
        at += 1;
    }
    letters <= if letters == password.len() { 12 } else { 16 }
}

fn has_percent_escapes_only(password: &[u8]) -> bool {
    let others = password.iter().any(|byte| b"*[](){}".contains(byte));
    let escapes = memchr::memchr_iter(b'%', password).all(|at| {
        password
            .get(at + 1..at + 3)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
    });
    !others && escapes
}

/// Whether `password` was drawn at random and not thought of: twelve characters or more, and every third
/// followed by one of another kind (capital, small, digit), every fourth in a longer one. Of passwords of
/// sixteen letters and digits 1 % are not so.
pub(super) fn is_machine_made(password: &[u8]) -> bool {
    let kind = |byte: u8| (byte.is_ascii_uppercase(), byte.is_ascii_digit());
    let changes = password
        .windows(2)
        .filter(|pair| kind(pair[0]) != kind(pair[1]))
        .count();
    let letters = password.iter().all(u8::is_ascii_alphabetic);
    let digits = password.iter().any(u8::is_ascii_digit);
    let most = if password.len() < 16 { 3 } else { 4 };
    password.len() >= 12
        && changes * most >= password.len()
        && (digits || letters && !is_camel_case(password))
}

/// Whether `host` is this machine or a name that is kept for documentation (RFC 2606), or
/// stands for one.
pub(super) fn is_local(host: &[u8]) -> bool {
    let host = host.to_ascii_lowercase();
    let name = String::from_utf8_lossy(&host);
    let name = name.trim_end_matches('.');
    let last = name.rsplit('.').next().unwrap_or_default();
    matches!(
        name,
        "localhost" | "host" | "hostname" | "server" | "0.0.0.0" | "domain.com" | "db" | "proxy"
    ) || name.len() == 1
        || name.starts_with("127.")
        || name.starts_with("your")
        || name.starts_with("my") && !name.starts_with("mysql.")
        || matches!(last, "example" | "test" | "invalid" | "localhost")
        || ["example.com", "example.org", "example.net"]
            .iter()
            .any(|reserved| name == *reserved || name.ends_with(&format!(".{reserved}")))
}

/// Whether the value of an assignment is random rather than a word, a name or a reference.
pub(super) fn is_random_value(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = value
        .iter()
        .filter(|byte| byte.is_ascii_alphabetic())
        .count();
    let words = value
        .split(|byte| b"_-./: ".contains(byte))
        .filter(|part| !part.is_empty())
        .filter(|part| part.iter().all(u8::is_ascii_alphabetic) && part.len() >= 3)
        .count();
    digits >= 1
        && letters >= 3
        && words < 2
        && digits + letters >= value.len() * 2 / 3
        && memchr::memmem::find(value, b"://").is_none()
        && entropy(value) >= 3.0
        && !is_placeholder(value)
        && is_used_password(b"", value)
}

/// Whether a value that stands without quotes is random: code has names there, and paths.
pub(super) fn is_random_bare_value(value: &[u8]) -> bool {
    value.len() >= 12
        && !b"/.~&*-+=%!#@".contains(&value[0])
        && is_random_value(value)
        && !is_identifier(value)
}

/// Whether most letters are in what can be spoken, as in a name with digits: `base64Token2`.
fn is_identifier(value: &[u8]) -> bool {
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic());
    let begins = |pair: &[u8]| {
        let [one, other] = [pair[0], pair[1]];
        one.is_ascii_alphabetic() == other.is_ascii_alphabetic()
            && !(one.is_ascii_lowercase() && other.is_ascii_uppercase())
    };
    let parts = value.chunk_by(|&one, &other| begins(&[one, other]));
    let spoken: usize = parts.filter(|part| is_spoken(part)).map(<[u8]>::len).sum();
    spoken * 4 >= letters.count() * 3
}

/// Whether letters can be a word: a vowel, and no four consonants in a row.
fn is_spoken(part: &[u8]) -> bool {
    let is_vowel = |byte: &u8| b"aeiouyAEIOUY".contains(byte);
    let consonants = part.split(is_vowel).map(<[u8]>::len).max();
    part.len() >= 3
        && part.iter().all(u8::is_ascii_alphabetic)
        && part.iter().any(is_vowel)
        && consonants.is_some_and(|most| most < 4)
}

/// The bytes that base64 text stands for, with or without padding; none if it is not base64.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text
        .iter()
        .rposition(|&byte| byte != b'=')
        .map_or(0, |at| at + 1);
    let mut text = &text[..end];
    // One character too many cannot hold a byte: a cut text.
    if text.len() % 4 == 1 {
        text = &text[..text.len() - 1];
    }
    let mut encoding = BASE64_NOPAD.specification();
    encoding.check_trailing_bits = false;
    encoding.encoding().ok()?.decode(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_told_from_tokens() {
        for text in [
            "xxxxxxxxxxxxxxxxxxxxxxxx",
            "0123456789abcdef0123456789abcdef",
            "your-token-goes-here",
            "abcdabcdabcdabcdabcd",
            "00000000-0000-0000-0000-000000000000",
            "MyExampleKey123",
            "k9-${DEPLOY_KEY}-Q2v",
        ] {
            assert!(is_placeholder(text.as_bytes()), "{text}");
        }
        for text in [
            "9f86d081884c7d659a2feaa0c55ad015",
            "kT9xQ2vLm8Zr4WcYb7Nd",
            "pA55-w0rd-7h3-qu1ck",
            "pA55${w0rd}-7${H}3",
        ] {
            assert!(!is_placeholder(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn names_are_told_from_random_values() {
        for text in [
            "base64EncodedToken1",
            "oauth2_token_v2",
            "cfg.Services.ApiKeyV2",
            "/run/secrets/db1",
        ] {
            assert!(!is_random_bare_value(text.as_bytes()), "{text}");
        }
        for text in [
            "9f86d081884c7d659a2feaa0c55ad015",
            "kT9xQ2vLm8Zr4WcYb7Nd",
            "q7zr2kd9w0xm4t1hvb8n",
            "Zr4-WcYb7_NdkT9x",
        ] {
            assert!(is_random_bare_value(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn entropy_is_that_of_shannon() {
        assert!((entropy(b"abcd") - 2.0).abs() < 1e-9);
        assert!(entropy(b"aaaa").abs() < 1e-9);
    }

    #[test]
    fn passwords_of_tutorials_are_not_used() {
        for text in [
            "password",
            "postgres",
            "changeme",
            "%s",
            "{password}",
            "abc",
            "letmein",
            "%(pw)s",
            "S3cr3t99",
            "too-late-in-file",
            "x-oauth-basic",
            "%EF%BF%BDnode",
            "pa%22ss",
        ] {
            assert!(!is_used_password(b"app", text.as_bytes()), "{text}");
        }
        for text in [
            "kT9xQ2vLm8Zr",
            "Zr4%21WcYb",
            "correct-Horse-7-staple",
            "qwzkjhgtrplmnbv",
        ] {
            assert!(is_used_password(b"app", text.as_bytes()), "{text}");
        }
        assert!(!is_used_password(b"kT9xQ2vL", b"kT9xQ2vL"));
        assert!(is_machine_made(b"kT9xQ2vLm8Zr") && is_machine_made(b"9f86d081884c7d65"));
        assert!(is_machine_made(b"nAcVuacjlZaELSNubhFs"));
        for text in [
            "kT9xQ2vL",
            "MainAppTestPwd",
            "Sommerzeit2024",
            "localdevelopment1",
            "Password-for-dev",
        ] {
            assert!(!is_machine_made(text.as_bytes()), "{text}");
        }
        assert!(is_local(b"db.example.com") && is_local(b"127.0.0.1") && !is_local(b"db.corp.net"));
        assert!(is_local(b"mysql") && is_local(b"mydb.corp.net") && !is_local(b"mysql.corp.net"));
    }
}
