//! A certificate authority for one test, and servers that it vouches for. Keys are made from a seed;
//! rustls signs with them.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyIdMethod, KeyUsagePurpose};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, SignatureScheme};

/// What Ed25519 private keys begin with in PKCS#8 (RFC 8410, section 7).
const PKCS8_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// An Ed25519 key.
struct Key {
    pkcs8: Vec<u8>,
    signer: Arc<dyn rustls::sign::SigningKey>,
    public: Vec<u8>,
}

impl Key {
    fn new(seed: u8) -> Self {
        let pkcs8 = [&PKCS8_HEAD[..], &[seed; 32]].concat();
        let der = PrivatePkcs8KeyDer::from(pkcs8.clone());
        let signer = rustls::crypto::aws_lc_rs::sign::any_eddsa_type(&der).unwrap();
        let public = signer.public_key().unwrap();
        let public = public[public.len() - 32..].to_vec();
        Self {
            pkcs8,
            signer,
            public,
        }
    }
}

impl rcgen::PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ED25519
    }
}

impl rcgen::SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signer = self.signer.choose_scheme(&[SignatureScheme::ED25519]);
        Ok(signer.unwrap().sign(message).unwrap())
    }
}

/// An authority that no system trusts.
pub(super) struct Authority {
    issuer: Issuer<'static, Key>,
    certificate: CertificateDer<'static>,
}

impl Authority {
    pub(super) fn new() -> Self {
        let key = Key::new(1);
        let mut parameters = parameters(&[], 1);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let certificate = parameters.self_signed(&key).unwrap().der().clone();
        Self {
            issuer: Issuer::new(parameters, key),
            certificate,
        }
    }

    /// Its own certificate, as a file for `--ca-bundle`.
    pub(super) fn pem(&self) -> String {
        let text = data_encoding::BASE64.encode(&self.certificate);
        format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
    }

    /// What a server called by any of `names` needs.
    pub(super) fn server(&self, names: &[&str]) -> Arc<ServerConfig> {
        let key = Key::new(2);
        let certificate = parameters(names, 2).signed_by(&key, &self.issuer).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.pkcs8)),
            );
        Arc::new(config.unwrap())
    }
}

fn parameters(names: &[&str], number: u8) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = CertificateParams::new(names).unwrap();
    parameters.serial_number = Some(u64::from(number).into());
    parameters.key_identifier_method = KeyIdMethod::PreSpecified(vec![number; 20]);
    parameters
}
