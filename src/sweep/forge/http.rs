//! What every request to a forge needs: the agent, the header with the token, who may hear it.

use std::sync::Arc;
use std::time::Duration;

use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::typestate::WithoutBody;
use ureq::{Agent, RequestBuilder};

use super::origin;
use crate::report::sanitise;
use crate::secret::Secret;
use crate::sweep::target::ForgeKind;

/// `request` with `token` where this kind of forge looks for it.
pub(super) fn with_token(
    request: RequestBuilder<WithoutBody>,
    kind: ForgeKind,
    token: &Secret,
) -> RequestBuilder<WithoutBody> {
    let text = String::from_utf8_lossy(token.expose());
    match kind {
        ForgeKind::Github => request.header("Authorization", format!("Bearer {text}")),
        ForgeKind::Gitlab => request.header("PRIVATE-TOKEN", &*text),
        ForgeKind::Gitea => request.header("Authorization", format!("token {text}")),
    }
}

/// Whether nobody else hears what is said to `url`.
pub(super) fn is_private(url: &str) -> bool {
    let origin = origin(url).unwrap_or_default();
    let host = origin.strip_prefix("http://").unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    origin.starts_with("https://") || matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

/// An agent that follows no redirection by itself: it would send some tokens to other hosts and
/// drop the others.
pub(super) fn agent() -> Agent {
    let certificates = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<Certificate<'static>> = certificates
        .iter()
        .map(|it| Certificate::from_der(it.as_ref()).to_owned())
        .collect();
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_global(Some(Duration::from_secs(120)))
        .max_redirects(0)
        .user_agent(concat!("straykey/", env!("CARGO_PKG_VERSION")))
        .build();
    config.new_agent()
}

/// What a forge says, in one line: the field `message` or `error`, else the beginning.
pub(super) fn message(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let field = |name: &str| json.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let said = field("message").or_else(|| field("error"));
    let said = said.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    let short: String = said.chars().take(200).collect();
    sanitise::line(short.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_hear_a_token() {
        assert!(is_private("https://example.com/api") && is_private("http://127.0.0.1:1/x"));
        assert!(!is_private("http://example.com") && !is_private("http://127.0.0.1.evil/x"));
    }
}
