//! What the headers of an answer say about when to come back, and what to do then.

use std::time::{Duration, SystemTime};

use ureq::http::HeaderMap;

/// How long to wait where the forge does not say.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// After an error that passes; doubled for each one that follows.
    pub error: Duration,
    /// After a limit without a time; doubled for each one that follows. GitHub asks for a minute
    /// at least.
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

impl Pauses {
    /// The pause after the `times`-th error in a row, from 1.
    pub(super) fn after_error(self, times: u32) -> Duration {
        self.doubled(self.error, times)
    }

    fn doubled(self, first: Duration, times: u32) -> Duration {
        let times = times.saturating_sub(1).min(16);
        first.saturating_mul(1 << times).min(self.longest)
    }

    /// The pause for `limit`, which was met the `times`-th time in a row, from 1.
    pub(super) fn for_limit(self, limit: &Limit, times: u32, now: SystemTime) -> Duration {
        let pause = match limit {
            Limit::After(pause) => *pause,
            // A time in the past: the budget is there again, or the clocks differ.
            Limit::Spent(until) => match until.duration_since(now) {
                Ok(pause) => pause,
                Err(_) => self.doubled(self.error, times),
            },
            Limit::Unknown => self.doubled(self.limit, times),
        };
        pause.min(self.longest)
    }
}

/// What a forge says with a refusal for asking too much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Limit {
    /// The budget of this token is spent until then. Another token has its own.
    Spent(SystemTime),
    /// Everybody here is to wait as long.
    After(Duration),
    /// Everybody here is to wait.
    Unknown,
}

impl Limit {
    /// The limit that an answer with `status`, `headers` and a `message` is about, if any.
    pub(super) fn of(status: u16, headers: &HeaderMap, message: &str) -> Option<Self> {
        let (spent, after) = (spent(headers), retry_after(headers));
        let said = message.to_ascii_lowercase();
        let told = after.is_some() || spent.is_some() || said.contains("rate limit");
        let limited = status == 429 || (status == 403 && told);
        limited.then_some(match (spent, after) {
            (Some(until), _) => Self::Spent(until),
            (None, Some(pause)) => Self::After(pause),
            (None, None) => Self::Unknown,
        })
    }
}

/// When a token that has had its last answer may be used again: GitHub's `x-ratelimit-*`, GitLab's
/// `ratelimit-*`.
pub(super) fn spent(headers: &HeaderMap) -> Option<SystemTime> {
    ["x-ratelimit", "ratelimit"].iter().find_map(|prefix| {
        let number = |what: &str| {
            text(headers, &format!("{prefix}-{what}"))?
                .parse::<u64>()
                .ok()
        };
        let reset = number("reset").filter(|_| number("remaining") == Some(0));
        reset.map(|at| SystemTime::UNIX_EPOCH + Duration::from_secs(at))
    })
}

/// The pause that `Retry-After` asks for, in seconds. None of the forges sends a date there.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = text(headers, "retry-after")?.trim().parse().ok();
    seconds.map(Duration::from_secs)
}

pub(super) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// Sleeps for `pause`, or until `stopped` says so. Returns whether it has slept to the end.
pub(super) fn wait(pause: Duration, stopped: impl Fn() -> bool) -> bool {
    let end = SystemTime::now() + pause;
    while let Ok(left) = end.duration_since(SystemTime::now()) {
        if stopped() {
            return false;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
    true
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in super::super) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn what_headers_say() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let reset = ("x-ratelimit-reset", "1700000000");
        let github = headers(&[("x-ratelimit-remaining", "0"), reset]);
        assert_eq!(Limit::of(403, &github, ""), Some(Limit::Spent(at)));
        let gitlab = [
            ("ratelimit-remaining", "0"),
            ("ratelimit-reset", "1700000000"),
            ("retry-after", "7"),
        ];
        assert_eq!(
            Limit::of(429, &headers(&gitlab), ""),
            Some(Limit::Spent(at))
        );
        let left = headers(&[("x-ratelimit-remaining", "1"), reset]);
        assert_eq!(spent(&left), None);
        assert_eq!(Limit::of(403, &left, "no access"), None);
        let secondary = Limit::of(403, &left, "You have exceeded a secondary rate limit");
        assert_eq!(secondary, Some(Limit::Unknown));
        let after = headers(&[("retry-after", "7")]);
        let seven = Limit::After(Duration::from_secs(7));
        assert_eq!(Limit::of(403, &after, ""), Some(seven));
        assert_eq!(Limit::of(404, &github, ""), None);
    }

    #[test]
    fn pauses() {
        let (pauses, now) = (Pauses::default(), SystemTime::now());
        let seconds = |limit: Limit, times| pauses.for_limit(&limit, times, now).as_secs();
        let past = Limit::Spent(now - Duration::from_secs(1));
        assert_eq!([1, 2, 3].map(|times| seconds(past, times)), [1, 2, 4]);
        let coming = Limit::Spent(now + Duration::from_secs(90));
        assert_eq!([1, 3].map(|times| seconds(coming, times)), [90, 90]);
        assert_eq!(
            [1, 2].map(|times| seconds(Limit::Unknown, times)),
            [60, 120]
        );
        let far = Limit::After(Duration::from_secs(1_000_000));
        assert_eq!(seconds(far, 1), 3700);
        assert_eq!(seconds(Limit::Unknown, 99), 3700);
    }
}
