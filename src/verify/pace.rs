//! How fast STS is called: a steady pace that halves when STS throttles and recovers slowly, and a
//! breaker that stops asking an endpoint that does not answer. Pure: it is told the time.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::verdict::{CauseKind, Partition};
use crate::verify::outcome::Answer;

/// Shortest time between the beginnings of two calls.
const FASTEST: Duration = Duration::from_millis(25);
/// Longest time between them, however much STS throttles.
const SLOWEST: Duration = Duration::from_secs(1);
/// Failures in a row after which an endpoint that has never answered is given up.
const FAILURES_BEFORE_ANY_ANSWER: u32 = 4;
/// Failures in a row after which an endpoint that has answered is given up.
const FAILURES_IN_A_ROW: u32 = 16;

/// The pace of one run.
#[derive(Debug)]
pub(crate) struct Pace {
    interval: Duration,
    next_call: Instant,
    endpoints: BTreeMap<Partition, Endpoint>,
}

#[derive(Debug, Default)]
struct Endpoint {
    has_answered: bool,
    failures: u32,
}

impl Pace {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            interval: FASTEST,
            next_call: now,
            endpoints: BTreeMap::new(),
        }
    }

    /// When the next call may begin.
    pub(crate) fn next_call(&self) -> Instant {
        self.next_call
    }

    /// A call begins.
    pub(crate) fn called(&mut self, now: Instant) {
        self.next_call = now + self.interval;
    }

    /// Learns from an answer.
    pub(crate) fn answered(&mut self, partition: Partition, answer: &Answer, now: Instant) {
        let endpoint = self.endpoints.entry(partition).or_default();
        match answer {
            Answer::Failed(cause) => match cause.kind {
                CauseKind::Interrupted | CauseKind::OtherError | CauseKind::ClockSkew => {}
                _ => endpoint.failures += 1,
            },
            _ => {
                endpoint.has_answered = true;
                endpoint.failures = 0;
            }
        }
        match answer {
            Answer::Throttled => {
                self.interval = (self.interval * 2).min(SLOWEST);
                self.next_call = now + self.interval;
            }
            Answer::Failed(_) => {}
            _ => self.interval = (self.interval * 19 / 20).max(FASTEST),
        }
    }

    /// Whether it makes no sense to ask there any more.
    pub(crate) fn is_given_up(&self, partition: Partition) -> bool {
        self.endpoints.get(&partition).is_some_and(|endpoint| {
            let limit = match endpoint.has_answered {
                true => FAILURES_IN_A_ROW,
                false => FAILURES_BEFORE_ANY_ANSWER,
            };
            endpoint.failures >= limit
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttling_slows_down_and_answers_speed_up_again() {
        let start = Instant::now();
        let mut pace = Pace::new(start);
        for _ in 0..10 {
            pace.answered(Partition::Aws, &Answer::Throttled, start);
        }
        assert_eq!(pace.next_call(), start + SLOWEST);
        for _ in 0..200 {
            pace.answered(Partition::Aws, &Answer::UnknownId, start);
        }
        pace.called(start);
        assert_eq!(pace.next_call(), start + FASTEST);
    }

    #[test]
    fn a_silent_endpoint_is_given_up_and_another_is_not() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let silence = Answer::failed(CauseKind::Unreachable, "");
        for _ in 0..FAILURES_BEFORE_ANY_ANSWER {
            assert!(!pace.is_given_up(Partition::AwsCn));
            pace.answered(Partition::AwsCn, &silence, now);
        }
        assert!(pace.is_given_up(Partition::AwsCn));
        assert!(!pace.is_given_up(Partition::Aws));
        pace.answered(Partition::Aws, &Answer::Mismatch, now);
        for _ in 0..FAILURES_BEFORE_ANY_ANSWER {
            pace.answered(Partition::Aws, &silence, now);
        }
        assert!(!pace.is_given_up(Partition::Aws));
    }
}
