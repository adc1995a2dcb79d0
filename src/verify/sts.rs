//! The questioner: `aws-sdk-sts` with a client built by hand.
//!
//! Nothing of the person who scans takes part: no profile, no environment credentials, no
//! `AWS_ENDPOINT_URL`, no instance metadata. The SDK's loaders (`aws_config::load_*`) are not
//! called, and the client has no credentials of its own: each call brings those it asks about. Of
//! the environment only the proxy variables and the system's certificate store are read.
//!
//! The SDK does not repeat calls here; `run` does, with the pace of the whole run in view.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, SdkConfig};
use aws_sdk_sts::config::interceptors::BeforeDeserializationInterceptorContextRef;
use aws_sdk_sts::config::retry::RetryConfig;
use aws_sdk_sts::config::{
    Builder as StsConfig, ConfigBag, Credentials, Intercept, RuntimeComponents, SharedHttpClient,
};
use aws_sdk_sts::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::get_caller_identity::{
    GetCallerIdentityError, GetCallerIdentityOutput,
};
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_http_client::{Builder as HttpClient, Connector};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::runtime::{Builder as Runtime, Handle};
use tokio::sync::oneshot;

use crate::secret::Secret;
use crate::verdict::{CauseKind, Partition};
use crate::verify::endpoint::Endpoint;
use crate::verify::outcome::{self, Answer, Refusal};
use crate::verify::{Question, Verifier};

/// Named in the user agent, so that an account's owner finds it in CloudTrail.
const APP_NAME: &str = concat!("straykey-", env!("CARGO_PKG_VERSION"));
/// How often a waiting thread looks whether it should stop.
const NAP: Duration = Duration::from_millis(50);

/// How STS is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Asked instead of each partition's own endpoint.
    pub endpoint: Option<Endpoint>,
    /// Whether the FIPS endpoints are used.
    pub fips: bool,
    /// Time for one call, connecting included.
    pub timeout: Duration,
    /// Certificates in PEM form, trusted besides the system's.
    pub extra_certificates: Option<Vec<u8>>,
}

impl Settings {
    /// The region that questions to `partition` are signed for.
    fn region(&self, partition: Partition) -> String {
        let named = self.endpoint.as_ref().and_then(Endpoint::region);
        named.unwrap_or_else(|| partition.region()).to_owned()
    }

    /// Checks what can be checked before anything is asked.
    ///
    /// # Errors
    /// The certificates cannot be read.
    pub fn check(&self) -> Result<(), StsError> {
        match &self.extra_certificates {
            Some(pem) => check_certificates(pem),
            None => Ok(()),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            endpoint: None,
            fips: false,
            timeout: Duration::from_secs(5),
            extra_certificates: None,
        }
    }
}

/// Why the client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StsError {
    /// The certificates in [`Settings::extra_certificates`] cannot be used.
    #[error("the certificate bundle cannot be used: {0}")]
    Certificates(&'static str),
    /// No thread for the network could be started.
    #[error("cannot start the network thread: {0}")]
    Thread(#[from] std::io::Error),
}

/// Asks STS. Holds one thread for the network while it lives.
pub struct Sts {
    clients: BTreeMap<Partition, aws_sdk_sts::Client>,
    handle: Handle,
    /// Dropped with `self`, which ends the network thread.
    _alive: oneshot::Sender<()>,
}

impl std::fmt::Debug for Sts {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Sts")
    }
}

impl Sts {
    /// Starts the network thread. Nothing is sent yet.
    ///
    /// # Errors
    /// The certificates cannot be read, or the thread cannot be started.
    pub fn new(settings: &Settings) -> Result<Self, StsError> {
        let http = http_client(settings)?;
        let runtime = Runtime::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (alive, ended) = oneshot::channel();
        std::thread::Builder::new()
            .name("sts".to_owned())
            .spawn(move || {
                // Ends with an error when the sender is dropped, which is the signal.
                let _ = runtime.block_on(ended);
                // A name resolution that hangs must not keep the program from ending.
                runtime.shutdown_background();
            })?;
        let client = |partition| (partition, client(partition, settings, http.clone()));
        Ok(Self {
            clients: Partition::ALL.map(client).into(),
            handle,
            _alive: alive,
        })
    }
}

impl Verifier for Sts {
    fn ask(&self, question: &Question<'_>, stopped: &dyn Fn() -> bool) -> Answer {
        let Some(credentials) = credentials(question) else {
            return Answer::failed(CauseKind::OtherError, "the secret is not valid text");
        };
        let call = self.clients[&question.partition]
            .get_caller_identity()
            .customize()
            .config_override(StsConfig::new().credentials_provider(credentials));
        let (send, receive) = mpsc::sync_channel(1);
        let task = self.handle.spawn(async move {
            // Nobody listens any more where the run was interrupted.
            let _ = send.send(read(call.send().await));
        });
        loop {
            match receive.recv_timeout(NAP) {
                Ok(answer) => return answer,
                Err(mpsc::RecvTimeoutError::Timeout) if !stopped() => {}
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    task.abort();
                    return Answer::failed(CauseKind::Interrupted, "interrupted");
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Answer::failed(CauseKind::OtherError, "the call ended by a defect");
                }
            }
        }
    }
}

/// The credentials of one call. The SDK zeroes them when they are dropped. Their provider name
/// appears nowhere but in the SDK's own logs.
fn credentials(question: &Question<'_>) -> Option<Credentials> {
    let text = |secret: &Secret| String::from_utf8(secret.expose().to_vec()).ok();
    let token = match question.session_token {
        Some(token) => Some(text(token)?),
        None => None,
    };
    Some(Credentials::new(
        question.access_key_id,
        text(question.secret)?,
        token,
        None,
        "scanned",
    ))
}

fn client(
    partition: Partition,
    settings: &Settings,
    http: SharedHttpClient,
) -> aws_sdk_sts::Client {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.timeout.min(Duration::from_secs(3)))
        .operation_attempt_timeout(settings.timeout)
        .operation_timeout(settings.timeout)
        .build();
    let mut config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(settings.region(partition)))
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .http_client(http)
        .use_fips(settings.fips);
    config.set_app_name(AppName::new(APP_NAME).ok());
    let config = config.build();
    let mut config = StsConfig::from(&config).interceptor(PlainSuccess);
    config.set_endpoint_url(
        settings
            .endpoint
            .as_ref()
            .map(|url| url.as_str().to_owned()),
    );
    aws_sdk_sts::Client::from_conf(config.build())
}

/// The SDK takes every 2xx for a success. STS answers 200; 203, for one, is an answer that a proxy has
/// written over.
#[derive(Debug)]
struct PlainSuccess;

impl Intercept for PlainSuccess {
    fn name(&self) -> &'static str {
        "PlainSuccess"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        match context.response().status().as_u16() {
            201..300 => Err("a success that STS does not answer with".into()),
            _ => Ok(()),
        }
    }
}

/// One pool of connections for all calls, through the proxies that the environment names.
fn http_client(settings: &Settings) -> Result<SharedHttpClient, StsError> {
    settings.check()?;
    let mut trust = TrustStore::default();
    if let Some(pem) = &settings.extra_certificates {
        trust = trust.with_pem_certificate(pem.clone());
    }
    let context = TlsContext::builder()
        .with_trust_store(trust)
        .build()
        .map_err(|_| StsError::Certificates("no TLS with them"))?;
    Ok(
        HttpClient::new().build_with_connector_fn(move |connection, components| {
            let mut connector = Connector::builder()
                .proxy_config(ProxyConfig::from_env())
                .tls_provider(Provider::Rustls(CryptoMode::AwsLc))
                .tls_context(context.clone());
            connector.set_connector_settings(connection.cloned());
            connector.set_sleep_impl(components.and_then(|components| components.sleep_impl()));
            connector.build()
        }),
    )
}

/// The SDK panics on certificates that it cannot read, so they are read here first.
fn check_certificates(pem: &[u8]) -> Result<(), StsError> {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| StsError::Certificates("not PEM"))?;
        roots
            .add(certificate)
            .map_err(|_| StsError::Certificates("one of them is not a certificate"))?;
    }
    match roots.is_empty() {
        true => Err(StsError::Certificates("there is none in it")),
        false => Ok(()),
    }
}

/// What a call has brought.
fn read(result: Result<GetCallerIdentityOutput, SdkError<GetCallerIdentityError>>) -> Answer {
    let error = match result {
        Ok(output) => return outcome::accepted(output.arn(), output.account()),
        Err(error) => error,
    };
    let response = error.raw_response();
    let (status, body) = match response {
        Some(response) => (
            response.status().as_u16(),
            response.body().bytes().unwrap_or_default(),
        ),
        None => (0, &[][..]),
    };
    match &error {
        SdkError::ServiceError(service) => outcome::refused(&Refusal {
            status,
            code: service.err().code(),
            message: service.err().message(),
            body,
        }),
        SdkError::TimeoutError(_) => timed_out(),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => timed_out(),
        SdkError::DispatchFailure(_) => unreachable_by(&error),
        SdkError::ResponseError(_) => outcome::refused(&Refusal {
            status,
            body,
            ..Refusal::default()
        }),
        _ => Answer::failed(
            CauseKind::OtherError,
            "the call could not be made: no such endpoint (is there a FIPS one?)",
        ),
    }
}

fn timed_out() -> Answer {
    Answer::failed(CauseKind::Timeout, "STS gave no answer in time")
}

/// Sorts connection failures by the words in the chain of causes. The words themselves are not
/// shown: they may name a proxy with its password.
fn unreachable_by(error: &dyn std::error::Error) -> Answer {
    let mut chain = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        chain.push_str(&error.to_string().to_ascii_lowercase());
        chain.push('\n');
        next = error.source();
    }
    let reasons = [
        // First, because a certificate for another name lists its DNS names.
        ("certificate", "its TLS certificate is not trusted here"),
        ("dns", "its name could not be resolved"),
        ("lookup", "its name could not be resolved"),
        ("tunnel", "the proxy refused"),
        ("proxy", "the proxy refused"),
        ("tls", "TLS failed"),
        ("refused", "the connection was refused"),
        ("unreachable", "there is no route to it"),
        ("reset", "the connection broke"),
        ("closed", "the connection broke"),
    ];
    let reason = reasons
        .iter()
        .find(|(word, _)| chain.contains(word))
        .map_or("no connection", |(_, reason)| reason);
    Answer::failed(
        CauseKind::Unreachable,
        format!("STS could not be reached: {reason}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_app_name_is_accepted_by_the_sdk() {
        assert!(AppName::new(APP_NAME).is_ok());
    }

    #[test]
    fn unusable_certificates_are_an_error_and_not_a_panic() {
        for pem in [
            &b""[..],
            b"not pem",
            b"-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n",
            b"-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n",
        ] {
            let settings = Settings {
                extra_certificates: Some(pem.to_vec()),
                ..Settings::default()
            };
            assert!(matches!(
                Sts::new(&settings),
                Err(StsError::Certificates(_))
            ));
        }
    }
}
