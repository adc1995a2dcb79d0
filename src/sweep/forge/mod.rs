//! Listing what an organization has, at GitHub, GitLab, Gitea and Forgejo.
//!
//! Each of them pages with `Link` headers and says with a few headers when to come back, so one
//! pager serves all; a forge is a first address and the shape of an entry.

mod app;
mod client;
mod http;
mod limits;
mod shapes;
mod tokens;

use std::collections::VecDeque;

pub use app::App;
pub use client::Client;
pub use limits::Pauses;
pub use tokens::{Lent, Pool, Tokens, Use};

use super::target::{ForgeKind, Repository, Target};

/// Why a forge could not be listed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForgeError {
    /// The base URL is none.
    #[error("--base-url takes https://HOST[:PORT][/PATH], not `{0}`")]
    BaseUrl(String),
    /// The kind of forge needs a base URL.
    #[error("{0} targets need --base-url")]
    NeedsBaseUrl(&'static str),
    /// A token would go over the network unencrypted.
    #[error("the token is not sent to `{0}`: it is not https")]
    Unencrypted(String),
    /// The forge refuses.
    #[error("{url}: HTTP {status}: {message}")]
    Refused {
        /// What was asked for.
        url: String,
        /// HTTP status.
        status: u16,
        /// What it said, in one line.
        message: String,
    },
    /// No answer, or only errors, however often it was asked.
    #[error("{url}: gave up after {tries} tries: {reason}")]
    GaveUp {
        /// What was asked for.
        url: String,
        /// How often.
        tries: u32,
        /// The last error.
        reason: String,
    },
    /// An answer of another shape.
    #[error("{url}: not what was expected: {reason}")]
    Shape {
        /// What was asked for.
        url: String,
        /// Why.
        reason: String,
    },
    /// The next page would be on another server.
    #[error("{url}: its next page is on another server: `{next}`")]
    Elsewhere {
        /// Which page.
        url: String,
        /// Where it leads.
        next: String,
    },
    /// Every token was refused.
    #[error(
        "no token for {api} is left; the last one was refused: {why}. Give a valid one and run \
         the same command again"
    )]
    NoTokenLeft {
        /// Where the API is.
        api: String,
        /// Why the last one was refused.
        why: String,
    },
    /// A token file or an App's key cannot be used.
    #[error("{0}")]
    Token(String),
    /// It was told to stop.
    #[error("stopped")]
    Stopped,
}

impl ForgeError {
    /// What the forge said, without the address.
    fn said(&self) -> String {
        match self {
            Self::Refused {
                status, message, ..
            } => format!("HTTP {status}: {message}"),
            other => other.to_string(),
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

/// A page of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// What the forge calls this state of it.
    pub etag: Option<String>,
    /// Address of the page after it.
    pub next: Option<String>,
    /// What is on it.
    pub repositories: Vec<Repository>,
}

/// Pages as they last were. That one is lost costs a request and nothing else.
pub trait Pages {
    /// The page at `url`, where it is known.
    fn known(&self, url: &str) -> Option<Page>;
    /// Remembers the page at `url`.
    fn keep(&self, url: &str, page: &Page);
}

/// A forge, as far as one target is concerned.
pub struct Forge {
    client: Client,
    kind: ForgeKind,
    /// Addresses to try, in this order, until one is there: an organization, else a user.
    first: VecDeque<String>,
}

/// Where the API of `kind` is, and where its clone URLs are.
///
/// # Errors
/// Where `base` is no URL, or there is none and there must be one.
pub fn addresses(kind: ForgeKind, base: Option<&str>) -> Result<(String, String), ForgeError> {
    let base = match (kind, base) {
        (_, Some(base)) => base.trim_end_matches('/'),
        (ForgeKind::Github, None) => {
            return Ok((
                "https://api.github.com".to_owned(),
                "https://github.com".to_owned(),
            ));
        }
        (ForgeKind::Gitlab, None) => "https://gitlab.com",
        (ForgeKind::Gitea, None) => return Err(ForgeError::NeedsBaseUrl(kind.as_str())),
    };
    let origin = origin(base).ok_or_else(|| ForgeError::BaseUrl(base.to_owned()))?;
    let version = match kind {
        ForgeKind::Github => "/api/v3",
        ForgeKind::Gitlab => "/api/v4",
        ForgeKind::Gitea => "/api/v1",
    };
    Ok((format!("{base}{version}"), origin))
}

/// Scheme, host and port of an HTTP URL without credentials.
fn origin(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let fine = matches!(scheme, "https" | "http") && !host.is_empty() && !host.contains('@');
    fine.then(|| format!("{scheme}://{host}"))
}

impl Forge {
    /// The forge of `target` with its API at `api`.
    #[must_use]
    pub fn new(client: Client, kind: ForgeKind, name: &str, api: &str) -> Self {
        let name = match kind {
            // A group in a group is one path segment there.
            ForgeKind::Gitlab => name.replace('/', "%2F"),
            ForgeKind::Github | ForgeKind::Gitea => name.to_owned(),
        };
        let first = match kind {
            ForgeKind::Github => [
                format!("{api}/orgs/{name}/repos?type=all&sort=full_name&per_page=100"),
                format!("{api}/users/{name}/repos?type=owner&sort=full_name&per_page=100"),
            ],
            ForgeKind::Gitlab => [
                format!(
                    "{api}/groups/{name}/projects?include_subgroups=true&order_by=id&sort=asc\
                     &per_page=100"
                ),
                format!("{api}/users/{name}/projects?order_by=id&sort=asc&per_page=100"),
            ],
            ForgeKind::Gitea => [
                format!("{api}/orgs/{name}/repos?limit=50&page=1"),
                format!("{api}/users/{name}/repos?limit=50&page=1"),
            ],
        };
        Self {
            client,
            kind,
            first: first.into(),
        }
    }

    /// The pages of the listing; nothing after an error. What is as `known` is not sent again.
    pub fn pages(
        mut self,
        known: &dyn Pages,
    ) -> impl Iterator<Item = Result<Vec<Repository>, ForgeError>> {
        let mut next = self.first.pop_front();
        std::iter::from_fn(move || {
            let url = next.take()?;
            match self.page(url, known) {
                Ok(page) => {
                    next = page.next;
                    Some(Ok(page.repositories))
                }
                Err(error) => Some(Err(error)),
            }
        })
    }

    fn page(&mut self, mut url: String, pages: &dyn Pages) -> Result<Page, ForgeError> {
        let (known, answer) = loop {
            // The last page is read anew each time: that another one follows it now may change
            // nothing of what its ETag names.
            let known = pages.known(&url).filter(|page| page.next.is_some());
            let etag = known.as_ref().and_then(|page| page.etag.as_deref());
            match (self.client.get(&url, etag), self.first.pop_front()) {
                (Err(ForgeError::Refused { status: 404, .. }), Some(other)) => url = other,
                (result, _) => break (known, result?),
            }
        };
        let page = match (answer.body, known) {
            (None, Some(known)) => Page {
                next: answer.next.or(known.next),
                ..known
            },
            (body, _) => {
                let read = shapes::page(self.kind, &body.unwrap_or_default());
                let shape = |reason| ForgeError::Shape {
                    url: url.clone(),
                    reason,
                };
                let page = Page {
                    etag: answer.etag,
                    next: answer.next,
                    repositories: read.map_err(shape)?,
                };
                pages.keep(&url, &page);
                page
            }
        };
        match &page.next {
            Some(next) if origin(next) != origin(&url) => Err(ForgeError::Elsewhere {
                url,
                next: next.clone(),
            }),
            _ => Ok(page),
        }
    }
}

/// The kind of a target's forge, and its name there.
#[must_use]
pub fn of_target(target: &Target) -> Option<(ForgeKind, &str)> {
    match target {
        Target::Forge { kind, name } => Some((*kind, name)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_forges() {
        let of = |kind, base| addresses(kind, base).unwrap();
        let named = |api: &str, clone: &str| (api.to_owned(), clone.to_owned());
        let github = of(ForgeKind::Github, None);
        assert_eq!(
            github,
            named("https://api.github.com", "https://github.com")
        );
        let enterprise = of(ForgeKind::Github, Some("https://ghe.example.com/"));
        assert_eq!(
            enterprise,
            named("https://ghe.example.com/api/v3", "https://ghe.example.com")
        );
        let below = of(ForgeKind::Gitlab, Some("https://example.com/gitlab"));
        assert_eq!(
            below,
            named("https://example.com/gitlab/api/v4", "https://example.com")
        );
        assert!(addresses(ForgeKind::Gitea, None).is_err());
        for wrong in [
            "example.com",
            "ftp://example.com",
            "https://u:p@example.com",
            "https://",
        ] {
            assert!(
                addresses(ForgeKind::Github, Some(wrong)).is_err(),
                "{wrong}"
            );
        }
    }
}
