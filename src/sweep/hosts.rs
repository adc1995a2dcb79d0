//! Politeness towards the hosts that are fetched from.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Politeness: at most so many git commands at a time for each host, and none while it asks for
/// a pause.
#[derive(Debug)]
pub struct Hosts {
    at_a_time: usize,
    state: Mutex<Vec<HostState>>,
}

#[derive(Debug)]
struct HostState {
    name: String,
    busy: usize,
    paused_until: Option<Instant>,
    /// Since when nobody was reached there.
    away_since: Option<Instant>,
}

/// Leave to talk to a host, until it is dropped.
#[derive(Debug)]
pub struct Permit<'h> {
    hosts: &'h Hosts,
    host: String,
    held: bool,
}

impl Hosts {
    /// At most `at_a_time` commands for each host.
    #[must_use]
    pub fn new(at_a_time: usize) -> Self {
        Self {
            at_a_time: at_a_time.max(1),
            state: Mutex::default(),
        }
    }

    /// Waits until `host` may be talked to, or `stopped` says so.
    pub fn enter(&self, host: &str, stopped: &dyn Fn() -> bool) -> Permit<'_> {
        let mut held = self.try_enter(host);
        while !held && !stopped() {
            thread::sleep(Duration::from_millis(20));
            held = self.try_enter(host);
        }
        Permit {
            hosts: self,
            host: host.to_owned(),
            held,
        }
    }

    fn try_enter(&self, host: &str) -> bool {
        self.with(host, |state| {
            let paused = state
                .paused_until
                .is_some_and(|until| until > Instant::now());
            let free = !paused && state.busy < self.at_a_time;
            state.busy += usize::from(free);
            free
        })
    }

    /// Leaves `host` alone for `pause`.
    pub fn pause(&self, host: &str, pause: Duration) {
        self.with(host, |state| {
            state.paused_until = Instant::now().checked_add(pause)
        });
    }

    /// Notes that `host` was reached.
    pub fn reached(&self, host: &str) {
        self.with(host, |state| state.away_since = None);
    }

    /// Notes that `host` was not reached. Whether it has been away for no longer than `longest`.
    pub fn is_shortly_away(&self, host: &str, longest: Duration) -> bool {
        self.with(host, |state| {
            state.away_since.get_or_insert_with(Instant::now).elapsed() < longest
        })
    }

    fn with<T>(&self, host: &str, action: impl FnOnce(&mut HostState) -> T) -> T {
        let mut states = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = states.iter_mut().find(|state| state.name == host) {
            return action(state);
        }
        let mut state = HostState {
            name: host.to_owned(),
            busy: 0,
            paused_until: None,
            away_since: None,
        };
        let result = action(&mut state);
        states.push(state);
        result
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let busy = usize::from(self.held);
        self.hosts.with(&self.host, |state| state.busy -= busy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_a_time_and_none_in_a_pause() {
        let hosts = Hosts::new(2);
        let stopped = || true;
        let one = hosts.enter("a", &stopped);
        let two = hosts.enter("a", &stopped);
        let three = hosts.enter("a", &stopped);
        assert!(one.held && two.held && !three.held);
        assert!(hosts.enter("b", &stopped).held);
        drop(three);
        assert!(!hosts.enter("a", &stopped).held);
        drop(one);
        assert!(hosts.enter("a", &stopped).held);
        let away = |longest| hosts.is_shortly_away("a", longest);
        assert!(away(Duration::MAX) && !away(Duration::ZERO));
        hosts.reached("a");
        hosts.pause("a", Duration::from_secs(60));
        assert!(!hosts.enter("a", &stopped).held);
    }
}
