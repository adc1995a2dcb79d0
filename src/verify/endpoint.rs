//! Which endpoint overrides are accepted: `https`, or `http` to this machine alone, because a
//! session token travels in the request.

use std::net::IpAddr;

use crate::verdict::Partition;

/// An accepted endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    url: String,
    region: Option<(String, Partition)>,
}

impl Endpoint {
    /// Checks `url`.
    ///
    /// # Errors
    /// One line that says what is wrong: neither `https` nor a loopback address, credentials in
    /// the URL, a query, characters that have no place in a host name, or a region of a partition
    /// that is not known here.
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
        let region = match region(host) {
            Some(region) => match Partition::of_region(region) {
                Some(partition) => Some((region.to_owned(), partition)),
                None => return refuse("its region is in none of aws, aws-cn, aws-us-gov"),
            },
            None => None,
        };
        let url = url.to_owned();
        Ok(Self { url, region })
    }

    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// The region that its name holds, which requests are to be signed for.
    #[must_use]
    pub fn region(&self) -> Option<&str> {
        self.region.as_ref().map(|(region, _)| region.as_str())
    }

    /// The partition of that region: the only one that can be asked there.
    #[must_use]
    pub fn partition(&self) -> Option<Partition> {
        self.region.as_ref().map(|&(_, partition)| partition)
    }
}

/// The part of a host name that has the form of a region (`eu-central-1`, `us-gov-west-1`), as in
/// `vpce-0a1b.sts.eu-central-1.vpce.amazonaws.com`.
fn region(host: &str) -> Option<&str> {
    let is_word = |word: &&str| word.bytes().all(|byte| byte.is_ascii_lowercase());
    host.split('.').rev().find(|label| {
        let words: Vec<&str> = label.split('-').collect();
        let [first, middle @ .., number] = &words[..] else {
            return false;
        };
        (2..=4).contains(&first.len())
            && is_word(first)
            && !middle.is_empty()
            && middle.iter().all(|word| !word.is_empty() && is_word(word))
            && number.len() == 1
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
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
    fn the_name_may_tell_the_region() {
        for (host, expected) in [
            (
                "sts.us-east-1.amazonaws.com",
                Some(("us-east-1", Partition::Aws)),
            ),
            (
                "vpce-0a-1b.sts.eu-central-1.vpce.amazonaws.com",
                Some(("eu-central-1", Partition::Aws)),
            ),
            (
                "sts.cn-northwest-1.amazonaws.com.cn:443",
                Some(("cn-northwest-1", Partition::AwsCn)),
            ),
            (
                "sts.us-gov-east-1.amazonaws.com",
                Some(("us-gov-east-1", Partition::AwsUsGov)),
            ),
            ("sts.amazonaws.com", None),
            ("vpce-1.example.org", None),
            ("a-b-22.example.org", None),
            ("my-sts-proxy-1x.example.org", None),
        ] {
            let endpoint = Endpoint::parse(&format!("https://{host}")).unwrap();
            let told = endpoint.region().zip(endpoint.partition());
            assert_eq!(told, expected, "{host}");
        }
        let isolated = Endpoint::parse("https://sts.us-iso-east-1.c2s.ic.gov");
        assert!(isolated.unwrap_err().contains("its region is in none of"));
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
