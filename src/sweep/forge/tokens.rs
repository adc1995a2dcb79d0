//! The tokens for one forge, shared by all that talk to it: the pager and every git.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use ureq::Agent;

use super::app::{App, Granted};
use super::http::{agent, is_private, message, with_token};
use super::{ForgeError, Pauses};
use crate::secret::Secret;
use crate::sweep::target::ForgeKind;

/// Where tokens come from.
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

/// What a token is used for. The forge counts the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Requests to its API.
    Api,
    /// git.
    Git,
}

/// Tokens for one forge. Each has budgets of its own; one that is refused is not used again.
pub struct Pool {
    kind: ForgeKind,
    api: String,
    source: Tokens,
    pauses: Pauses,
    stop: Arc<AtomicBool>,
    pub(super) agent: Agent,
    state: Mutex<State>,
}

/// A token to be used once.
#[derive(Clone, Debug)]
pub struct Lent {
    /// Names it in this pool.
    pub number: u64,
    /// The token.
    pub secret: Secret,
    /// Not before this time.
    pub ready: SystemTime,
}

#[derive(Default)]
struct State {
    tokens: Vec<Token>,
    refused: Vec<Secret>,
    /// Why the last one was refused.
    why: String,
    /// Refusals since a token was last taken.
    in_a_row: u32,
    lent: u64,
    made: u64,
}

struct Token {
    number: u64,
    secret: Secret,
    /// When another one is to be made, at a time when this one still works.
    renew: Option<SystemTime>,
    ready: [SystemTime; 2],
    used: [u64; 2],
}

/// A token is replaced this long before it expires, or in the last fifth of a shorter life.
const MARGIN: Duration = Duration::from_secs(300);
/// New tokens of an App that are refused, one after the other, until it is given up.
const MOST_REFUSALS: u32 = 3;

impl Pool {
    /// The tokens of `source` for a forge of `kind` whose API is at `api`.
    ///
    /// # Errors
    /// Where tokens would go over the network unencrypted.
    pub fn new(
        kind: ForgeKind,
        api: &str,
        source: Tokens,
        pauses: Pauses,
        stop: Arc<AtomicBool>,
    ) -> Result<Self, ForgeError> {
        if !matches!(source, Tokens::None) && !is_private(api) {
            return Err(ForgeError::Unencrypted(api.to_owned()));
        }
        let pool = Self {
            kind,
            api: api.to_owned(),
            source,
            pauses,
            stop,
            agent: agent(),
            state: Mutex::default(),
        };
        if matches!(pool.source, Tokens::Fixed(_) | Tokens::File(_)) {
            pool.refill(&mut pool.lock())?;
        }
        Ok(pool)
    }

    /// Whether there is nothing to show to anybody.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        matches!(self.source, Tokens::None)
    }

    /// The token that was not used for longest among those that may be used now, else the one that
    /// may be used first; none that is in `tried`. Nothing where no other one is left, or where
    /// there are no tokens at all.
    ///
    /// # Errors
    /// Where every token was refused, or none can be made.
    pub fn lend(&self, purpose: Use, tried: &[u64]) -> Result<Option<Lent>, ForgeError> {
        if self.is_anonymous() {
            return Ok(None);
        }
        let mut state = self.lock();
        let now = SystemTime::now();
        state
            .tokens
            .retain(|token| token.renew.is_none_or(|at| at > now));
        if state.tokens.is_empty() {
            self.refill(&mut state)?;
        }
        let at = purpose as usize;
        let tokens = state.tokens.iter_mut();
        let left = tokens.filter(|token| !tried.contains(&token.number));
        let Some(token) = left.min_by_key(|token| (token.ready[at].max(now), token.used[at]))
        else {
            return Ok(None);
        };
        let lent = Lent {
            number: token.number,
            secret: token.secret.clone(),
            ready: token.ready[at],
        };
        let number = lent.number;
        state.lent += 1;
        let count = state.lent;
        for token in state.tokens.iter_mut().filter(|it| it.number == number) {
            token.used[at] = count;
        }
        Ok(Some(lent))
    }

    /// Leaves a token alone until `ready`.
    pub fn hold(&self, number: u64, purpose: Use, ready: SystemTime) {
        let mut state = self.lock();
        let token = state.tokens.iter_mut().find(|it| it.number == number);
        if let Some(token) = token {
            token.ready[purpose as usize] = ready;
        }
    }

    /// Notes that the forge has taken a token.
    pub fn taken(&self) {
        self.lock().in_a_row = 0;
    }

    /// Notes that the forge has refused a token, for the reason `why`: it is not used again.
    pub fn refuse(&self, number: u64, why: &str) {
        let mut state = self.lock();
        let Some(at) = state.tokens.iter().position(|it| it.number == number) else {
            return;
        };
        let token = state.tokens.remove(at);
        state.refused.push(token.secret);
        why.clone_into(&mut state.why);
        state.in_a_row += 1;
        if matches!(self.source, Tokens::File(_)) {
            // It may have been replaced there. Whether there is one at all is seen when it is asked
            // for.
            let _ = self.refill(&mut state);
        }
    }

    /// Whether the forge still takes a token that git was not let in with; where it does not, it
    /// is refused. Asks for what needs no right and costs nothing.
    pub fn check(&self, lent: &Lent) -> bool {
        let path = match self.kind {
            ForgeKind::Github => "/rate_limit",
            ForgeKind::Gitlab => "/version",
            ForgeKind::Gitea => "/user",
        };
        let request = self.agent.get(format!("{}{path}", self.api));
        let request = request.header("Accept", "application/json");
        let Ok(mut response) = with_token(request, self.kind, &lent.secret).call() else {
            return true;
        };
        if response.status().as_u16() != 401 {
            return true;
        }
        let body = response.body_mut().read_to_vec().unwrap_or_default();
        self.refuse(lent.number, &format!("HTTP 401: {}", message(&body)));
        false
    }

    /// Gets tokens from where they come from. Those that were refused stay away.
    fn refill(&self, state: &mut State) -> Result<(), ForgeError> {
        let granted = match &self.source {
            Tokens::None => Vec::new(),
            Tokens::Fixed(secrets) => secrets.iter().cloned().map(Granted::from).collect(),
            Tokens::File(path) => {
                let text = std::fs::read(path)
                    .map_err(|error| ForgeError::Token(format!("{}: {error}", path.display())))?;
                let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
                let tokens = lines.filter(|line| !line.is_empty());
                tokens.map(|line| Secret::new(line).into()).collect()
            }
            Tokens::App(_) if state.in_a_row >= MOST_REFUSALS => Vec::new(),
            Tokens::App(app) => vec![app.token(&self.agent, self.pauses, &self.stop)?],
        };
        let mut old = std::mem::take(&mut state.tokens);
        for Granted { secret, expires } in granted {
            let known = old.iter().position(|it| it.secret == secret);
            if let Some(at) = known {
                state.tokens.push(old.swap_remove(at));
            } else if !state.refused.contains(&secret) {
                state.made += 1;
                state.tokens.push(Token {
                    number: state.made,
                    secret,
                    renew: expires.and_then(renewal),
                    ready: [SystemTime::UNIX_EPOCH; 2],
                    used: [0; 2],
                });
            }
        }
        match (state.tokens.is_empty(), state.why.is_empty()) {
            (false, _) => Ok(()),
            (true, true) => Err(ForgeError::Token("there is no token".to_owned())),
            (true, false) => Err(ForgeError::NoTokenLeft {
                api: self.api.clone(),
                why: state.why.clone(),
            }),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// When to make another token than one that ends at `expires`. Where that is past already the
/// clocks differ, and the forge will tell.
fn renewal(expires: SystemTime) -> Option<SystemTime> {
    let life = expires.duration_since(SystemTime::now()).ok()?;
    expires.checked_sub((life / 5).min(MARGIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(source: Tokens) -> Pool {
        let api = "http://127.0.0.1:9/api/v3";
        Pool::new(
            ForgeKind::Github,
            api,
            source,
            Pauses::default(),
            Arc::default(),
        )
        .unwrap()
    }

    fn secrets(names: &[&str]) -> Vec<Secret> {
        names.iter().map(|it| Secret::new(it.as_bytes())).collect()
    }

    fn lend(pool: &Pool, purpose: Use, tried: &[u64]) -> Option<(u64, Vec<u8>)> {
        let lent = pool.lend(purpose, tried).unwrap()?;
        Some((lent.number, lent.secret.expose().to_vec()))
    }

    #[test]
    fn tokens_take_turns_and_have_budgets_of_their_own() {
        let pool = pool(Tokens::Fixed(secrets(&["a", "b", "c"])));
        let names = |purpose| {
            let lent = (0..4).map(|_| lend(&pool, purpose, &[]).unwrap().1);
            lent.collect::<Vec<_>>().concat()
        };
        assert_eq!(names(Use::Api), b"abca");
        let later = SystemTime::now() + Duration::from_secs(3600);
        pool.hold(2, Use::Api, later);
        assert_eq!(names(Use::Api), b"caca");
        assert_eq!(names(Use::Git), b"abca", "git's budget is another one");
        pool.hold(1, Use::Api, later + Duration::from_secs(1));
        pool.hold(3, Use::Api, later + Duration::from_secs(1));
        let first = pool.lend(Use::Api, &[]).unwrap().unwrap();
        assert_eq!((first.number, first.ready), (2, later));
        assert_eq!(lend(&pool, Use::Git, &[1, 2, 3]), None);
    }

    #[test]
    fn the_last_refused_token_is_told_about() {
        let pool = pool(Tokens::Fixed(secrets(&["a", "b"])));
        pool.refuse(1, "HTTP 401: Bad credentials");
        assert_eq!(lend(&pool, Use::Git, &[]).unwrap().0, 2);
        pool.refuse(2, "HTTP 401: Bad credentials");
        let error = pool.lend(Use::Git, &[]).unwrap_err().to_string();
        assert!(error.contains("no token for"), "{error}");
        assert!(error.contains("Bad credentials"), "{error}");
    }

    #[test]
    fn a_file_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tokens");
        std::fs::write(&file, "old\n").unwrap();
        let pool = pool(Tokens::File(file.clone()));
        assert_eq!(lend(&pool, Use::Api, &[]).unwrap().1, b"old");
        std::fs::write(&file, "old\nnew\n").unwrap();
        pool.refuse(1, "HTTP 401");
        assert_eq!(lend(&pool, Use::Api, &[]).unwrap().1, b"new");
        pool.refuse(2, "HTTP 401");
        assert!(pool.lend(Use::Api, &[]).is_err());
        std::fs::write(&file, "newest\n").unwrap();
        assert_eq!(lend(&pool, Use::Api, &[]).unwrap().1, b"newest");
    }

    #[test]
    fn when_to_renew() {
        let now = SystemTime::now();
        let hour = renewal(now + Duration::from_secs(3600)).unwrap();
        let left = hour.duration_since(now).unwrap().as_secs();
        assert!((3298..=3300).contains(&left), "{left}");
        assert_eq!(renewal(now - Duration::from_secs(1)), None);
    }
}
