//! HTTP GET with patience: rate limits, errors that pass, several tokens, pages known from before.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use ureq::http::{HeaderMap, Response};
use ureq::{Agent, Body};

use super::http::{message, with_token};
use super::limits::{Limit, Pauses, spent, text, wait};
use super::tokens::{Lent, Pool, Use};
use super::{ForgeError, gave_up, origin};
use crate::sweep::metrics::{Event, Metrics};
use crate::sweep::target::ForgeKind;

/// An HTTP client for one forge.
pub struct Client {
    agent: Agent,
    kind: ForgeKind,
    tokens: Arc<Pool>,
    pauses: Pauses,
    metrics: Arc<Metrics>,
    stop: Arc<AtomicBool>,
}

/// A page.
pub(super) struct Answer {
    /// Nothing where it is as it was.
    pub(super) body: Option<Vec<u8>>,
    /// Names this state of the page.
    pub(super) etag: Option<String>,
    /// The page after it.
    pub(super) next: Option<String>,
}

/// A request is repeated this often after an error that passes.
const TRIES: u32 = 8;
/// Limits are waited for this often before it is given up: a day of hours.
const WAITS: u32 = 24;
/// Redirections that are followed one after the other.
const MOST_REDIRECTIONS: u32 = 3;
/// Largest page, in bytes.
const LARGEST: u64 = 32 << 20;

/// What to do after an answer.
enum Next {
    Done(Answer),
    /// It is elsewhere.
    Moved(String),
    /// An error that passes.
    Again(String),
    /// The forge asks for a pause, and says why.
    Limited(Limit, String),
    /// The token is not taken.
    Unauthorized(ForgeError),
    Failed(ForgeError),
}

/// What one request for a page has cost so far.
#[derive(Default)]
struct Patience {
    tries: u32,
    waits: u32,
    redirections: u32,
}

impl Client {
    /// A client of the forge of `kind` that `tokens` are for.
    #[must_use]
    pub fn new(
        kind: ForgeKind,
        tokens: Arc<Pool>,
        pauses: Pauses,
        metrics: Arc<Metrics>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            agent: tokens.agent.clone(),
            kind,
            tokens,
            pauses,
            metrics,
            stop,
        }
    }

    /// The page at `url`, unless it is still what `etag` names; however long the forge lets us
    /// wait.
    pub(super) fn get(&self, url: &str, etag: Option<&str>) -> Result<Answer, ForgeError> {
        let mut patience = Patience::default();
        let mut at = url.to_owned();
        loop {
            let token = self.ready_token()?;
            let next = self.ask(&at, token.as_ref(), etag);
            if !matches!(next, Next::Unauthorized(_) | Next::Again(_)) {
                self.tokens.taken();
            }
            match next {
                Next::Done(answer) => return Ok(answer),
                Next::Failed(error) => return Err(error),
                Next::Moved(to) => at = patience.follow(&at, to)?,
                Next::Unauthorized(error) => match token {
                    Some(token) => self.tokens.refuse(token.number, &error.said()),
                    None => return Err(error),
                },
                Next::Limited(limit, reason) => {
                    self.limited(&at, &limit, token, reason, &mut patience)?;
                }
                Next::Again(reason) => {
                    patience.tries += 1;
                    if patience.tries >= TRIES {
                        return Err(gave_up(&at, patience.tries, reason));
                    }
                    self.wait(self.pauses.after_error(patience.tries), reason)?;
                }
            }
        }
    }

    /// A token that may be used now, after waiting for the first that may.
    fn ready_token(&self) -> Result<Option<Lent>, ForgeError> {
        let lent = self.tokens.lend(Use::Api, &[])?;
        if let Some(token) = &lent
            && let Ok(pause) = token.ready.duration_since(SystemTime::now())
        {
            self.wait(pause, "every token has reached its limit".to_owned())?;
        }
        Ok(lent)
    }

    /// Leaves the token alone whose budget is spent; waits where the limit is for everybody here,
    /// as GitHub's secondary limits are.
    fn limited(
        &self,
        url: &str,
        limit: &Limit,
        token: Option<Lent>,
        reason: String,
        patience: &mut Patience,
    ) -> Result<(), ForgeError> {
        patience.waits += 1;
        if patience.waits > WAITS {
            return Err(gave_up(url, patience.waits, reason));
        }
        let now = SystemTime::now();
        let pause = self.pauses.for_limit(limit, patience.waits, now);
        match (limit, token) {
            (Limit::Spent(_), Some(token)) => {
                self.tokens.hold(token.number, Use::Api, now + pause);
                Ok(())
            }
            _ => self.wait(pause, reason),
        }
    }

    fn wait(&self, pause: Duration, reason: String) -> Result<(), ForgeError> {
        let pause = pause.min(self.pauses.longest);
        self.metrics.event(&Event::ForgePause {
            reason,
            seconds: pause.as_secs(),
        });
        match wait(pause, || self.stop.load(Ordering::Relaxed)) {
            true => Ok(()),
            false => Err(ForgeError::Stopped),
        }
    }

    fn ask(&self, url: &str, token: Option<&Lent>, etag: Option<&str>) -> Next {
        let mut request = self.agent.get(url).header("Accept", "application/json");
        if let Some(token) = token {
            request = with_token(request, self.kind, &token.secret);
        }
        if let Some(etag) = etag {
            request = request.header("If-None-Match", etag);
        }
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error) => return Next::Again(error.to_string()),
        };
        if let (Some(token), Some(until)) = (token, spent(response.headers())) {
            self.tokens.hold(token.number, Use::Api, until);
        }
        let body = response
            .body_mut()
            .with_config()
            .limit(LARGEST)
            .read_to_vec();
        match (response.status().as_u16(), body) {
            (200, Ok(body)) => self.page(url, response.headers(), Some(body)),
            (304, _) if etag.is_some() => self.page(url, response.headers(), None),
            (200, Err(error)) => Next::Again(error.to_string()),
            (_, body) => refusal(url, &response, &body.unwrap_or_default()),
        }
    }

    fn page(&self, url: &str, headers: &HeaderMap, body: Option<Vec<u8>>) -> Next {
        // Organizations with single sign-on are left out without a word but this.
        if text(headers, "x-github-sso").is_some_and(|it| it.starts_with("partial-results")) {
            return Next::Failed(ForgeError::Shape {
                url: url.to_owned(),
                reason: "only a part: the token is not authorized for single sign-on".to_owned(),
            });
        }
        Next::Done(Answer {
            body,
            etag: text(headers, "etag").map(str::to_owned),
            next: next_page(headers).or_else(|| numbered_page(url, headers)),
        })
    }
}

impl Patience {
    /// Where to ask after the page at `from` has moved.
    fn follow(&mut self, from: &str, to: String) -> Result<String, ForgeError> {
        self.redirections += 1;
        let here = origin(from).unwrap_or_default();
        let to = match to.starts_with('/') && !to.starts_with("//") {
            true => format!("{here}{to}"),
            false => to,
        };
        if origin(&to).as_deref() != Some(&*here) {
            let url = from.to_owned();
            return Err(ForgeError::Elsewhere { url, next: to });
        }
        match self.redirections > MOST_REDIRECTIONS {
            true => Err(gave_up(from, self.redirections, format!("moved to {to}"))),
            false => Ok(to),
        }
    }
}

fn refusal(url: &str, response: &Response<Body>, body: &[u8]) -> Next {
    let status = response.status().as_u16();
    let headers = response.headers();
    let message = message(body);
    if let Some(limit) = Limit::of(status, headers, &message) {
        return Next::Limited(limit, format!("HTTP {status}: {message}"));
    }
    let refused = || ForgeError::Refused {
        url: url.to_owned(),
        status,
        message: message.clone(),
    };
    match (status, text(headers, "location")) {
        (301 | 302 | 307 | 308, Some(to)) => Next::Moved(to.to_owned()),
        (401, _) => Next::Unauthorized(refused()),
        (408 | 500..=599, _) => Next::Again(format!("HTTP {status}: {message}")),
        _ => Next::Failed(refused()),
    }
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

/// The page after `url` where a proxy has taken `Link` away: GitLab tells the number of the next
/// page, Gitea how many entries there are.
fn numbered_page(url: &str, headers: &HeaderMap) -> Option<String> {
    if headers.contains_key("link") {
        return None;
    }
    let number = |name: &str| text(headers, name)?.trim().parse::<u64>().ok();
    let parameter = |name: &str| {
        let mut parameters = url.split_once('?')?.1.split('&');
        parameters.find_map(|it| {
            it.strip_prefix(name)?
                .strip_prefix('=')?
                .parse::<u64>()
                .ok()
        })
    };
    let page = parameter("page").unwrap_or(1);
    let more = || {
        let listed = page.saturating_mul(parameter("limit")?);
        (number("x-total-count")? > listed).then_some(page + 1)
    };
    let next = number("x-next-page").or_else(more)?;
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let others = query
        .split('&')
        .filter(|it| !it.is_empty() && !it.starts_with("page="));
    let mut parameters: Vec<String> = others.map(str::to_owned).collect();
    parameters.push(format!("page={next}"));
    Some(format!("{path}?{}", parameters.join("&")))
}

#[cfg(test)]
mod tests {
    use super::super::limits::tests::headers;
    use super::*;

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
    fn the_next_page_by_its_number() {
        let next = |url: &str, pairs: &[(&'static str, &str)]| numbered_page(url, &headers(pairs));
        let gitlab = "https://h/p?sort=asc&per_page=100";
        let second = next(gitlab, &[("x-next-page", "2")]);
        assert_eq!(
            second.as_deref(),
            Some("https://h/p?sort=asc&per_page=100&page=2")
        );
        assert_eq!(next(gitlab, &[("x-next-page", "")]), None);
        let gitea = "https://h/p?limit=50&page=2";
        let third = next(gitea, &[("x-total-count", "101")]);
        assert_eq!(third.as_deref(), Some("https://h/p?limit=50&page=3"));
        assert_eq!(next(gitea, &[("x-total-count", "100")]), None);
        assert_eq!(next(gitea, &[]), None);
        let last = [("link", "<x>; rel=\"prev\""), ("x-total-count", "101")];
        assert_eq!(next(gitea, &last), None);
    }

    #[test]
    fn redirections_stay_at_the_host() {
        let follow = |to: &str| Patience::default().follow("https://h/a?b", to.to_owned());
        assert_eq!(follow("/c").unwrap(), "https://h/c");
        assert_eq!(follow("https://h/c").unwrap(), "https://h/c");
        for elsewhere in ["//evil/c", "https://h.evil/c", "http://h/c", "c"] {
            assert!(follow(elsewhere).is_err(), "{elsewhere}");
        }
        let mut patience = Patience::default();
        let often = (0..4).map(|_| patience.follow("https://h/a", "/a".to_owned()));
        assert_eq!(often.filter(Result::is_ok).count(), 3);
    }
}
