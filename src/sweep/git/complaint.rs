//! What git's complaints mean.

use super::GitError;
use crate::report::sanitise;

/// What another token may change.
const DENIED: [&str; 6] = [
    "not found",
    "Authentication failed",
    "could not read Username",
    "could not read Password",
    "requested URL returned error: 403",
    "requested URL returned error: 401",
];
/// What nothing will change: 410 is gone, 451 is blocked by law.
const FINAL: [&str; 5] = [
    "does not exist",
    "Permission denied",
    "does not appear to be a git repository",
    "requested URL returned error: 410",
    "requested URL returned error: 451",
];
const LIMITED: [&str; 5] = [
    "error: 429",
    "HTTP 429",
    "Too Many Requests",
    "rate limit",
    "abuse detection",
];
/// Nobody was reached.
const AWAY: [&str; 10] = [
    "Could not resolve host",
    "unable to look up",
    "Failed to connect",
    "unable to connect to",
    "Connection refused",
    "timed out",
    "Network is unreachable",
    "No route to host",
    "Connection reset by peer",
    "Empty reply from server",
];
/// The host was reached, and may be so again only for other repositories.
const BROKEN_OFF: &str = "RPC failed";
const DISK_FULL: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// What git's complaint means.
pub(super) fn explain(said: &str) -> GitError {
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let limited = has(&LIMITED);
    let denied = has(&DENIED) && !limited;
    let passing = limited || has(&DISK_FULL) || !(denied || has(&FINAL));
    GitError {
        disk_full: has(&DISK_FULL),
        limited,
        away: passing && !limited && has(&AWAY) && !said.contains(BROKEN_OFF),
        denied,
        ..GitError::new(passing, in_one_line(said))
    }
}

/// The line in which git says what went wrong, and what the server has said about it.
fn in_one_line(said: &str) -> String {
    let begins = |line: &str, starts: &[&str]| starts.iter().any(|start| line.starts_with(start));
    let telling = |line: &&str| begins(line, &["fatal:", "error:", "ERROR:", "ssh:"]);
    let line = said.lines().find(telling).or(said.lines().last());
    let mut line = line.unwrap_or("git failed without a message").to_owned();
    let remote = said.lines().filter_map(|line| line.strip_prefix("remote:"));
    let remote: Vec<&str> = remote.map(str::trim).filter(|it| !it.is_empty()).collect();
    if !remote.is_empty() {
        line = format!("{line} (the server: {})", remote.join(" "));
    }
    let short: String = line.chars().take(300).collect();
    sanitise::line(short.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_is_understood() {
        let passing = |said: &str| explain(said).passing;
        assert!(!passing("fatal: repository 'https://x/y/' not found"));
        assert!(!passing("fatal: Authentication failed for 'https://x/y/'"));
        let away = explain("fatal: unable to access 'x': Could not resolve host: x");
        assert!(away.passing && away.away);
        let busy = explain("fatal: unable to access 'x': The requested URL returned error: 503");
        assert!(busy.passing && !busy.away);
        let reset = "curl 56 Recv failure: Connection reset by peer";
        assert!(!explain(&format!("error: RPC failed; {reset}")).away && explain(reset).away);
        assert!(explain("error: RPC failed; HTTP 429 curl 22").limited && passing(""));
        let blocked = explain(
            "remote: Repository unavailable due to DMCA takedown.\n\
             fatal: unable to access 'x': The requested URL returned error: 451\n",
        );
        assert!(!blocked.passing && !blocked.denied);
        assert!(
            blocked
                .reason
                .ends_with("451 (the server: Repository unavailable due to DMCA takedown.)")
        );
        let limit = explain(
            "remote: You have exceeded a secondary rate limit\nfatal: unable to access 'x': The requested URL returned error: 403",
        );
        assert!(limit.limited && limit.passing && !limit.denied);
        assert!(explain("fatal: Authentication failed for 'x'").denied);
        let full = explain("x\nfatal: write error: No space left on device\n");
        assert!(full.disk_full && full.passing);
        assert_eq!(full.reason, "fatal: write error: No space left on device");
    }
}
