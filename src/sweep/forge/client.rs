//! HTTP GET with patience: rate limits, errors that pass, several tokens.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ureq::http::{HeaderMap, Response};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::{Agent, Body};

use super::{App, ForgeError, origin};
use crate::report::sanitise;
use crate::secret::Secret;
use crate::sweep::metrics::{Event, Metrics};
use crate::sweep::target::ForgeKind;

/// Where tokens come from. With several, the next one is used where one has had enough.
pub enum Tokens {
    /// None: what is public.
    None,
    /// As they are.
    Fixed(Vec<Secret>),
    /// One a line in a file, read again when one is refused: they may expire.
    File(PathBuf),
    /// Made for a GitHub App, and made again before they expire.
    App(App),
}

/// How long to wait where the forge does not say.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// After an error that passes; doubled for each one that follows.
    pub error: Duration,
    /// After a limit without a time. GitHub asks for at least a minute.
    pub limit: Duration,
    /// No pause is longer: a limit that holds for an hour is waited for.
    pub longest: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            error: Duration::from_secs(1),
            limit: Duration::from_secs(60),
            longest: Duration::from_secs(3700),
        }
    }
}

/// An HTTP client for one forge.
pub struct Client {
    agent: Agent,
    kind: ForgeKind,
    source: Tokens,
    tokens: Vec<Token>,
    pauses: Pauses,
    metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
}

struct Token {
    secret: Secret,
    /// Not before this time.
    ready: SystemTime,
}

/// A page.
pub(super) struct Answer {
    pub(super) body: Vec<u8>,
    /// The page after it.
    pub(super) next: Option<String>,
}

/// A request is repeated this often after an error that passes.
const TRIES: u32 = 8;
/// Limits are waited for this often before it is given up: a day of hours.
const WAITS: u32 = 24;
/// Largest page, in bytes.
const LARGEST: u64 = 32 << 20;

/// What to do after an answer.
enum Next {
    Done(Answer),
    /// An error that passes.
    Again(String),
    /// Wait as long with this token, and say why.
    Limited(Duration, String),
    /// The token is not taken.
    Unauthorized(ForgeError),
    Failed(ForgeError),
}

impl Client {
    /// A client of a forge of `kind` whose API is at `api`.
    ///
    /// # Errors
    /// Where tokens cannot be had, or would go over the network unencrypted.
    pub fn new(
        kind: ForgeKind,
        api: &str,
        source: Tokens,
        pauses: Pauses,
        metrics: Arc<Metrics>,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, ForgeError> {
        let mut client = Self {
            agent: agent(),
            kind,
            source,
            tokens: Vec::new(),
            pauses,
            metrics,
            stop,
        };
        if !matches!(client.source, Tokens::None) && !is_private(api) {
            return Err(ForgeError::Unencrypted(api.to_owned()));
        }
        client.tokens = client.read_tokens()?;
        Ok(client)
    }

    /// The first token, for git.
    #[must_use]
    pub fn first_token(&self) -> Option<Secret> {
        self.tokens.first().map(|token| token.secret.clone())
    }

    fn read_tokens(&self) -> Result<Vec<Token>, ForgeError> {
        let secrets = match &self.source {
            Tokens::None => return Ok(Vec::new()),
            Tokens::Fixed(secrets) => secrets.clone(),
            Tokens::File(path) => {
                let text = std::fs::read(path)
                    .map_err(|error| ForgeError::Token(format!("{}: {error}", path.display())))?;
                let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
                lines
                    .filter(|line| !line.is_empty())
                    .map(Secret::new)
                    .collect()
            }
            Tokens::App(app) => vec![app.token(&self.agent)?],
        };
        if secrets.is_empty() {
            return Err(ForgeError::Token("there is no token".to_owned()));
        }
        let ready = SystemTime::UNIX_EPOCH;
        Ok(secrets
            .into_iter()
            .map(|secret| Token { secret, ready })
            .collect())
    }

    /// The page at `url`, however long the forge lets us wait.
    pub(super) fn get(&mut self, url: &str) -> Result<Answer, ForgeError> {
        let (mut tries, mut waits, mut renewed) = (0, 0, false);
        loop {
            let token = self.ready_token()?;
            match self.ask(url, token) {
                Next::Done(answer) => return Ok(answer),
                Next::Failed(error) => return Err(error),
                Next::Unauthorized(error) => {
                    if renewed || matches!(self.source, Tokens::None | Tokens::Fixed(_)) {
                        self.drop_token(token, error)?;
                    } else {
                        self.tokens = self.read_tokens()?;
                    }
                    renewed = true;
                }
                Next::Limited(pause, reason) => {
                    waits += 1;
                    if waits > WAITS {
                        return Err(gave_up(url, waits, reason));
                    }
                    self.hold(token, pause, reason)?;
                }
                Next::Again(reason) => {
                    tries += 1;
                    if tries >= TRIES {
                        return Err(gave_up(url, tries, reason));
                    }
                    self.wait(self.pauses.error * (1 << tries.min(10)) / 2, reason)?;
                }
            }
        }
    }

    /// A token that may be used now, after waiting for the first that may.
    fn ready_token(&mut self) -> Result<Option<usize>, ForgeError> {
        let first = (0..self.tokens.len()).min_by_key(|&at| self.tokens[at].ready);
        if let Some(at) = first
            && let Ok(pause) = self.tokens[at].ready.duration_since(SystemTime::now())
        {
            self.wait(pause, "every token has reached its limit".to_owned())?;
        }
        Ok(first)
    }

    /// Leaves a token alone for `pause`; without one, waits.
    fn hold(
        &mut self,
        token: Option<usize>,
        pause: Duration,
        why: String,
    ) -> Result<(), ForgeError> {
        let pause = pause.min(self.pauses.longest);
        match token.and_then(|at| self.tokens.get_mut(at)) {
            Some(token) => {
                token.ready = SystemTime::now() + pause;
                Ok(())
            }
            None => self.wait(pause, why),
        }
    }

    fn drop_token(&mut self, token: Option<usize>, error: ForgeError) -> Result<(), ForgeError> {
        match token {
            Some(at) if self.tokens.len() > 1 => {
                self.tokens.remove(at);
                Ok(())
            }
            _ => Err(error),
        }
    }

    fn wait(&self, pause: Duration, reason: String) -> Result<(), ForgeError> {
        let pause = pause.min(self.pauses.longest);
        self.metrics.event(&Event::ForgePause {
            reason,
            seconds: pause.as_secs(),
        });
        let end = SystemTime::now() + pause;
        while let Ok(left) = end.duration_since(SystemTime::now()) {
            if self.stop.load(Ordering::Relaxed) {
                return Err(ForgeError::Stopped);
            }
            std::thread::sleep(left.min(Duration::from_millis(50)));
        }
        Ok(())
    }

    fn ask(&mut self, url: &str, token: Option<usize>) -> Next {
        let mut request = self.agent.get(url).header("Accept", "application/json");
        let token = token.and_then(|at| self.tokens.get_mut(at));
        if let Some(token) = &token {
            let text = String::from_utf8_lossy(token.secret.expose());
            request = match self.kind {
                ForgeKind::Github => request.header("Authorization", format!("Bearer {text}")),
                ForgeKind::Gitlab => request.header("PRIVATE-TOKEN", &*text),
                ForgeKind::Gitea => request.header("Authorization", format!("token {text}")),
            };
        }
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error) => return Next::Again(error.to_string()),
        };
        let headers = response.headers().clone();
        if let (Some(token), Some(until)) = (token, spent(&headers)) {
            token.ready = until;
        }
        let status = response.status().as_u16();
        let body = response
            .body_mut()
            .with_config()
            .limit(LARGEST)
            .read_to_vec();
        match (status, body) {
            (200, Ok(body)) => Next::Done(Answer {
                body,
                next: next_page(&headers),
            }),
            (200, Err(error)) => Next::Again(error.to_string()),
            (_, body) => self.refusal(url, &response, &body.unwrap_or_default()),
        }
    }

    fn refusal(&self, url: &str, response: &Response<Body>, body: &[u8]) -> Next {
        let status = response.status().as_u16();
        let message = message(body);
        let refused = || ForgeError::Refused {
            url: url.to_owned(),
            status,
            message: message.clone(),
        };
        let headers = response.headers();
        let limited = status == 429
            || (status == 403
                && (headers.contains_key("retry-after")
                    || spent(headers).is_some()
                    || message.to_ascii_lowercase().contains("rate limit")));
        if limited {
            let until = spent(headers).and_then(|it| it.duration_since(SystemTime::now()).ok());
            let pause = retry_after(headers).or(until).unwrap_or(self.pauses.limit);
            return Next::Limited(pause, format!("HTTP {status}: {message}"));
        }
        match status {
            401 => Next::Unauthorized(refused()),
            408 | 500..=599 => Next::Again(format!("HTTP {status}: {message}")),
            _ => Next::Failed(refused()),
        }
    }
}

fn gave_up(url: &str, tries: u32, reason: String) -> ForgeError {
    ForgeError::GaveUp {
        url: url.to_owned(),
        tries,
        reason,
    }
}

/// Whether nobody else hears what is said to `url`.
fn is_private(url: &str) -> bool {
    let origin = origin(url).unwrap_or_default();
    let host = origin.strip_prefix("http://").unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    origin.starts_with("https://") || matches!(host, "127.0.0.1" | "localhost" | "[::1]")
}

fn agent() -> Agent {
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
        .max_redirects(3)
        .user_agent(concat!("straykey/", env!("CARGO_PKG_VERSION")))
        .build();
    config.new_agent()
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// When a token that has had its last answer may be used again: GitHub's `x-ratelimit-*`, GitLab's
/// `ratelimit-*`.
fn spent(headers: &HeaderMap) -> Option<SystemTime> {
    let either = |name: &str| {
        text(headers, &format!("x-ratelimit-{name}"))
            .or_else(|| text(headers, &format!("ratelimit-{name}")))
    };
    let remaining: u64 = either("remaining")?.trim().parse().ok()?;
    let reset: u64 = either("reset")?.trim().parse().ok()?;
    (remaining == 0).then(|| SystemTime::UNIX_EPOCH + Duration::from_secs(reset))
}

/// `Retry-After` in seconds. Its other form, a date, no forge sends.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    text(headers, "retry-after")?
        .trim()
        .parse()
        .ok()
        .map(Duration::from_secs)
}

/// The address with `rel="next"` in a `Link` header (RFC 8288).
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers
        .get_all("link")
        .iter()
        .filter_map(|link| link.to_str().ok());
    links
        .flat_map(|links| links.split('<').skip(1))
        .find_map(|link| {
            let (url, parameters) = link.split_once('>')?;
            let mut parameters = parameters.split([';', ',']).map(str::trim);
            let is_next = |it: &str| matches!(it, "rel=\"next\"" | "rel=next");
            parameters.any(is_next).then(|| url.to_owned())
        })
}

/// What a forge says, in one line: the field `message` or `error`, else the beginning.
fn message(body: &[u8]) -> String {
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

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn the_next_page() {
        let next = |link: &str| next_page(&headers(&[("link", link)]));
        let both = "<https://h/a?page=1>; rel=\"prev\", <https://h/a?page=3>; rel=\"next\"";
        assert_eq!(next(both).as_deref(), Some("https://h/a?page=3"));
        assert_eq!(next("<https://h/a?page=1>; rel=\"last\""), None);
        assert_eq!(next("nonsense"), None);
        let two = headers(&[
            ("link", "<x>; rel=\"first\""),
            ("link", "<y,z>; rel=\"next\""),
        ]);
        assert_eq!(next_page(&two).as_deref(), Some("y,z"));
    }

    #[test]
    fn limits() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let github = [
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1700000000"),
        ];
        assert_eq!(spent(&headers(&github)), Some(at));
        let gitlab = [
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", "1700000000"),
        ];
        assert_eq!(spent(&headers(&gitlab)), Some(at));
        let left = [
            ("x-ratelimit-remaining", "1"),
            ("x-ratelimit-reset", "1700000000"),
        ];
        assert_eq!(spent(&headers(&left)), None);
        let after = retry_after(&headers(&[("retry-after", "7")]));
        assert_eq!(after, Some(Duration::from_secs(7)));
    }

    #[test]
    fn who_may_hear_a_token() {
        assert!(is_private("https://example.com/api") && is_private("http://127.0.0.1:1/x"));
        assert!(!is_private("http://example.com") && !is_private("http://127.0.0.1.evil/x"));
    }
}
