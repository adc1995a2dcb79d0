//! Tokens of a GitHub App: a signed statement of who we are, exchanged for a token of an hour.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use data_encoding::BASE64URL_NOPAD;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::{SignatureAlgorithm, SignatureScheme};
use serde::Deserialize;
use ureq::Agent;

use super::http::message;
use super::limits::{Limit, Pauses, wait};
use super::{ForgeError, gave_up};
use crate::date::Date;
use crate::secret::Secret;

/// A GitHub App that is installed in the organization.
pub struct App {
    api: String,
    id: String,
    installation: String,
    key: PrivateKeyDer<'static>,
}

/// A token, and when it ends, where that is known.
pub(super) struct Granted {
    pub(super) secret: Secret,
    pub(super) expires: Option<SystemTime>,
}

impl From<Secret> for Granted {
    fn from(secret: Secret) -> Self {
        Self {
            secret,
            expires: None,
        }
    }
}

/// GitHub's "Create an installation access token for an app".
#[derive(Deserialize)]
struct Answer {
    token: String,
    expires_at: Option<String>,
}

/// The exchange is repeated this often after an error that passes.
const TRIES: u32 = 8;

/// How an exchange ended without a token.
enum Failed {
    /// An error that passes, or a limit.
    Again(Option<Limit>, String),
    /// The App is not taken.
    Refused(ForgeError),
}

impl From<ForgeError> for Failed {
    fn from(error: ForgeError) -> Self {
        Self::Refused(error)
    }
}

impl From<ureq::Error> for Failed {
    fn from(error: ureq::Error) -> Self {
        Self::Again(None, error.to_string())
    }
}

impl App {
    /// The App `id` with its private key in the PEM file `key`, and its installation.
    ///
    /// # Errors
    /// Where the file holds no key.
    pub fn new(api: &str, id: &str, installation: &str, key: &Path) -> Result<Self, ForgeError> {
        let failed = |why: String| ForgeError::Token(format!("{}: {why}", key.display()));
        let key = PrivateKeyDer::from_pem_file(key).map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            api: api.to_owned(),
            id: id.to_owned(),
            installation: installation.to_owned(),
            key,
        })
    }

    /// A fresh token, however long GitHub lets us wait.
    ///
    /// # Errors
    /// Where the key cannot sign, or GitHub refuses.
    pub(super) fn token(
        &self,
        agent: &Agent,
        pauses: Pauses,
        stop: &AtomicBool,
    ) -> Result<Granted, ForgeError> {
        let url = format!(
            "{}/app/installations/{}/access_tokens",
            self.api, self.installation
        );
        let mut tries = 0;
        loop {
            let (limit, reason) = match self.exchange(agent, &url) {
                Ok(granted) => return Ok(granted),
                Err(Failed::Refused(error)) => return Err(error),
                Err(Failed::Again(limit, reason)) => (limit, reason),
            };
            tries += 1;
            if tries >= TRIES {
                return Err(gave_up(&url, tries, reason));
            }
            let pause = match limit {
                Some(limit) => pauses.for_limit(&limit, tries, SystemTime::now()),
                None => pauses.after_error(tries),
            };
            if !wait(pause, || stop.load(Ordering::Relaxed)) {
                return Err(ForgeError::Stopped);
            }
        }
    }

    fn exchange(&self, agent: &Agent, url: &str) -> Result<Granted, Failed> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let statement = self.statement(since.unwrap_or_default())?;
        let request = agent.post(url).header("Accept", "application/json");
        let request = request.header("Authorization", format!("Bearer {statement}"));
        let mut response = request.send_empty()?;
        let status = response.status().as_u16();
        let body = response.body_mut().read_to_vec()?;
        if status == 201 {
            let granted = granted(&body);
            return Ok(granted.map_err(|error| ForgeError::Token(format!("{url}: {error}")))?);
        }
        let said = format!("HTTP {status}: {}", message(&body));
        let limit = Limit::of(status, response.headers(), &said);
        if limit.is_some() || status == 408 || status >= 500 {
            return Err(Failed::Again(limit, said));
        }
        Err(ForgeError::Token(format!("{url}: {said}")).into())
    }

    /// A JSON Web Token (RS256). It begins a minute ago and ends in nine: GitHub takes ten at most,
    /// and clocks differ.
    fn statement(&self, now: Duration) -> Result<String, ForgeError> {
        let refuse = || ForgeError::Token("the App's key is no RSA key".to_owned());
        let key = any_supported_type(&self.key).map_err(|_| refuse())?;
        if key.algorithm() != SignatureAlgorithm::RSA {
            return Err(refuse());
        }
        let now = now.as_secs();
        let claims = serde_json::json!({"iat": now - 60, "exp": now + 540, "iss": self.id});
        let head = BASE64URL_NOPAD.encode(br#"{"alg":"RS256","typ":"JWT"}"#);
        let signed = format!(
            "{head}.{}",
            BASE64URL_NOPAD.encode(claims.to_string().as_bytes())
        );
        let signer = key
            .choose_scheme(&[SignatureScheme::RSA_PKCS1_SHA256])
            .ok_or_else(refuse)?;
        let signature = signer.sign(signed.as_bytes()).map_err(|_| refuse())?;
        Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)))
    }
}

fn granted(body: &[u8]) -> Result<Granted, serde_json::Error> {
    let answer: Answer = serde_json::from_slice(body)?;
    Ok(Granted {
        secret: Secret::new(answer.token.as_bytes()),
        expires: answer.expires_at.as_deref().and_then(time),
    })
}

/// The time written as `2026-01-31T12:00:00Z`.
fn time(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.split_once('T')?;
    let days = date.parse::<Date>().ok()?.days()?;
    let mut seconds = days * 86_400;
    let mut parts = rest.strip_suffix('Z')?.split(':');
    for unit in [3600, 60, 1] {
        // Fractions of a second do not matter.
        let part = parts.next()?.split('.').next()?;
        seconds += part.parse::<u64>().ok()?.checked_mul(unit)?;
    }
    let since = Duration::from_secs(seconds);
    SystemTime::UNIX_EPOCH.checked_add(since)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn times() {
        let seconds = |text| {
            let since = time(text)?.duration_since(SystemTime::UNIX_EPOCH);
            Some(since.unwrap().as_secs())
        };
        assert_eq!(seconds("1970-01-02T00:00:01Z"), Some(86_401));
        assert_eq!(seconds("2024-02-29T23:59:59.5Z"), Some(1_709_251_199));
        for wrong in ["2024-02-29", "2024-02-29T1:2", "x", "2024-02-30T00:00:00Z"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    /// openssl signs the same statement with the same key: PKCS #1 signatures are deterministic.
    #[test]
    fn openssl_makes_the_same_signature() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key.pem");
        let openssl = |arguments: &[&str]| {
            let output = Command::new("openssl").args(arguments).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            output.stdout
        };
        let path = key.to_str().unwrap();
        openssl(&["genrsa", "-out", path, "2048"]);
        let app = App::new("https://api.github.com", "7", "8", &key).unwrap();
        let statement = app.statement(Duration::from_secs(1_700_000_000)).unwrap();
        let (signed, signature) = statement.rsplit_once('.').unwrap();
        let file = folder.path().join("signed");
        std::fs::write(&file, signed).unwrap();
        let theirs = openssl(&["dgst", "-sha256", "-sign", path, file.to_str().unwrap()]);
        assert_eq!(signature, BASE64URL_NOPAD.encode(&theirs));
        let claims = signed.split('.').nth(1).unwrap();
        let claims = BASE64URL_NOPAD.decode(claims.as_bytes()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!(claims["exp"], 1_700_000_540);
        assert_eq!(claims["iss"], "7");
    }
}
