//! Tokens of a GitHub App: a signed statement of who we are, exchanged for a token of an hour.

use std::path::Path;
use std::time::{Duration, SystemTime};

use data_encoding::BASE64URL_NOPAD;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::{SignatureAlgorithm, SignatureScheme};
use serde::Deserialize;
use ureq::Agent;

use super::ForgeError;
use crate::secret::Secret;

/// A GitHub App that is installed in the organization.
pub struct App {
    api: String,
    id: String,
    installation: String,
    key: PrivateKeyDer<'static>,
}

#[derive(Deserialize)]
struct Granted {
    token: String,
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

    /// A fresh token.
    ///
    /// # Errors
    /// Where the key cannot sign, or GitHub refuses.
    pub(super) fn token(&self, agent: &Agent) -> Result<Secret, ForgeError> {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let statement = self.statement(since.unwrap_or_default())?;
        let url = format!(
            "{}/app/installations/{}/access_tokens",
            self.api, self.installation
        );
        let request = agent.post(&url).header("Accept", "application/json");
        let request = request.header("Authorization", format!("Bearer {statement}"));
        let failed = |why: String| ForgeError::Token(format!("{url}: {why}"));
        let mut response = request
            .send_empty()
            .map_err(|error| failed(error.to_string()))?;
        if response.status().as_u16() != 201 {
            return Err(failed(format!("HTTP {}", response.status().as_u16())));
        }
        let body = response.body_mut().read_to_vec();
        let body = body.map_err(|error| failed(error.to_string()))?;
        let granted: Granted =
            serde_json::from_slice(&body).map_err(|error| failed(error.to_string()))?;
        Ok(Secret::new(granted.token.as_bytes()))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

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
