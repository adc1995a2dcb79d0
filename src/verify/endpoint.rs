//! Which endpoint overrides are accepted: `https`, or `http` to this machine alone, because a
//! session token travels in the request.

use std::net::IpAddr;

/// An accepted endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Checks `url`.
    ///
    /// # Errors
    /// One line that says what is wrong: neither `https` nor a loopback address, credentials in
    /// the URL, a query, or characters that have no place in a host name.
    pub fn parse(url: &str) -> Result<Self, String> {
        let refuse = |why: &str| Err(format!("'{}': {why}", url.escape_debug()));
        let (secure, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return refuse("an endpoint starts with https://"),
        };
        let authority = rest.strip_suffix('/').unwrap_or(rest);
        let Some(host) = host(authority) else {
            return refuse("not a host name with an optional port");
        };
        if !secure && !is_loopback(host) {
            return refuse("http is accepted for loopback addresses only; use https");
        }
        Ok(Self(url.to_owned()))
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The host of `host`, `host:port` or `[v6]:port`; nothing else (no user, path or query).
fn host(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, tail) = rest.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (
                address,
                tail.strip_prefix(':').or(tail.is_empty().then_some("0"))?,
            )
        }
        None => authority.split_once(':').unwrap_or((authority, "0")),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    let valid = !host.is_empty() && host.bytes().all(is_name) && port.parse::<u16>().is_ok();
    valid.then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_and_loopback_are_accepted() {
        for url in [
            "https://vpce-1.sts.us-east-1.vpce.amazonaws.com",
            "https://sts.example.org:8443/",
            "http://127.0.0.1:5000",
            "http://127.1.2.3",
            "http://localhost:1/",
            "http://[::1]:5000",
        ] {
            assert!(Endpoint::parse(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn anything_that_could_carry_a_token_away_is_refused() {
        for url in [
            "",
            "sts.amazonaws.com",
            "http://sts.amazonaws.com",
            "http://127.0.0.1.evil.example",
            "http://127.0.0.1@evil.example",
            "https://user:pass@host",
            "http://localhost.evil.example",
            "http://[::1].evil.example",
            "http://[::2]",
            "http://10.0.0.1",
            "https://host/?x",
            "https://host path",
            "https://host\\@evil",
            "https://",
            "https://host:99999",
            "ftp://127.0.0.1",
            "http://127.0.0.1\n.evil.example",
        ] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }
}
