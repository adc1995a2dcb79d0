//! What to sweep: a forge's organization, a list of clone URLs, a folder of clones.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A repository as it was listed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repository {
    /// Clone URL without credentials, or the absolute path of a local clone.
    pub url: String,
    /// `owner/name`.
    pub name: String,
    /// The account or group that has it.
    pub owner: String,
    /// `public`, `private`, `internal` or `unknown`.
    pub visibility: String,
    /// Whether it is read-only.
    pub archived: bool,
    /// Whether it is a fork of another one.
    pub fork: bool,
    /// Size in KiB, where the forge tells it.
    pub size_kib: Option<u64>,
    /// Last push, in the forge's own writing, where it tells it.
    pub pushed_at: Option<String>,
}

impl Repository {
    /// The repository of a clone URL, of which nothing else is known.
    ///
    /// # Errors
    /// Where the URL is of a kind that is not fetched, or holds a password.
    pub fn of_url(url: &str) -> Result<Self, TargetError> {
        let address = Address::of(url)?;
        let name = address.path.trim_matches('/');
        let name = name.strip_suffix(".git").unwrap_or(name);
        let owner = name
            .rsplit_once('/')
            .map_or(address.host, |(owner, _)| owner);
        Ok(Self {
            url: url.to_owned(),
            name: name.to_owned(),
            owner: owner.to_owned(),
            visibility: "unknown".to_owned(),
            ..Self::default()
        })
    }

    /// The path of a local clone that is read where it is.
    #[must_use]
    pub fn local_path(&self) -> Option<&Path> {
        self.url.starts_with('/').then(|| Path::new(&self.url))
    }

    /// The host it is fetched from; empty for a path.
    #[must_use]
    pub fn host(&self) -> &str {
        Address::of(&self.url).map_or("", |address| address.host)
    }
}

/// The parts of a clone URL.
struct Address<'u> {
    host: &'u str,
    path: &'u str,
}

impl<'u> Address<'u> {
    /// Takes `https://`, `http://`, `ssh://`, `git://` and `file://` URLs and `user@host:path`.
    fn of(url: &'u str) -> Result<Self, TargetError> {
        let refuse = |why| Err(TargetError::Url(without_user(url), why));
        if url.contains(|letter: char| letter.is_control() || letter == ' ') {
            return refuse("it holds blanks or control characters");
        }
        let Some((scheme, rest)) = url.split_once("://") else {
            return match url.split_once(':') {
                Some((host, path)) if is_host(host) && !path.is_empty() => {
                    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
                    Ok(Self { host, path })
                }
                _ => refuse("expected https://, ssh://, git://, file:// or user@host:path"),
            };
        };
        if !matches!(scheme, "https" | "http" | "ssh" | "git" | "file") {
            return refuse("expected https://, ssh://, git://, file:// or user@host:path");
        }
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
        if user.contains(':') || (scheme.starts_with("http") && !user.is_empty()) {
            return refuse("it holds credentials; give the token in the environment instead");
        }
        if path.len() < 2 || (scheme != "file" && !is_host(host)) {
            return refuse("there is no host or no path");
        }
        Ok(Self { host, path })
    }
}

/// Whether git takes it for a host, and nothing takes it for an option.
fn is_host(text: &str) -> bool {
    let host = text.rsplit_once('@').map_or(text, |(_, host)| host);
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]@".contains(letter);
    !host.is_empty() && text.chars().all(plain) && !text.starts_with('-') && !host.starts_with('-')
}

/// The URL without what may be a password.
fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => url.to_owned(),
    }
}

/// Why something is no target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// Not a clone URL.
    #[error("`{0}` is no clone URL: {1}")]
    Url(String, &'static str),
    /// Not a target at all.
    #[error(
        "`{0}` is no target: expected github:ORG, gitlab:GROUP, gitea:ORG, a clone URL, a file of \
         clone URLs, - or a folder of clones"
    )]
    Unknown(String),
}

/// The kinds of forges that are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForgeKind {
    /// GitHub, github.com or GitHub Enterprise Server.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea and Forgejo.
    Gitea,
}

impl ForgeKind {
    /// The word used in targets.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Gitea => "gitea",
        }
    }
}

/// Something to sweep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An organization, a user or a group at a forge.
    Forge {
        /// What kind of forge.
        kind: ForgeKind,
        /// Its name there; with slashes for a group in a group.
        name: String,
    },
    /// One repository.
    Url(String),
    /// A file of clone URLs, one a line.
    File(PathBuf),
    /// The same on standard input.
    Stdin,
    /// A folder with local clones in it, or a single clone.
    Folder(PathBuf),
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Self, TargetError> {
        let forge = |kind| (kind, format!("{}:", ForgeKind::as_str(kind)));
        for (kind, prefix) in [ForgeKind::Github, ForgeKind::Gitlab, ForgeKind::Gitea].map(forge) {
            if let Some(name) = text.strip_prefix(&prefix) {
                let name = name.trim_matches('/');
                let plain = |it: char| it.is_alphanumeric() || "-_./".contains(it);
                if name.is_empty() || !name.chars().all(plain) || name.contains("..") {
                    return Err(TargetError::Unknown(text.to_owned()));
                }
                return Ok(Self::Forge {
                    kind,
                    name: name.to_owned(),
                });
            }
        }
        let path = Path::new(text);
        if text == "-" {
            Ok(Self::Stdin)
        } else if path.is_dir() {
            Ok(Self::Folder(path.to_owned()))
        } else if path.exists() {
            Ok(Self::File(path.to_owned()))
        } else if Address::of(text).is_ok() {
            Ok(Self::Url(text.to_owned()))
        } else if text.contains("://") {
            Address::of(text).map(|_| Self::Stdin)
        } else {
            Err(TargetError::Unknown(text.to_owned()))
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Forge { kind, name } => write!(formatter, "{}:{name}", kind.as_str()),
            Self::Url(url) => formatter.write_str(url),
            Self::File(path) | Self::Folder(path) => write!(formatter, "{}", path.display()),
            Self::Stdin => formatter.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clone_urls() {
        let of = |url: &str| Repository::of_url(url).map(|it| (it.owner, it.name));
        let named = |owner: &str, name: &str| (owner.to_owned(), name.to_owned());
        for (url, owner, name) in [
            (
                "https://git.example.com/acme/tools.git",
                "acme",
                "acme/tools",
            ),
            ("ssh://git@git.example.com:22/a/b/c", "a/b", "a/b/c"),
            ("git@git.example.com:acme/tools.git", "acme", "acme/tools"),
            ("file:///srv/git/tools.git", "srv/git", "srv/git/tools"),
            ("http://127.0.0.1:8080/tools", "127.0.0.1:8080", "tools"),
        ] {
            assert_eq!(of(url).unwrap(), named(owner, name), "{url}");
        }
        for url in [
            "ext::sh -c true",
            "https://user:pass@example.com/a",
            "https://token@example.com/a",
            "ssh://u:p@example.com/a",
            "-oProxyCommand=x:y",
            "ssh://-oProxyCommand=x/y",
            "https://example.com",
            "https:///x",
            "ftp://example.com/a",
            "git@host:",
            "https://example.com/a b",
        ] {
            let error = of(url).expect_err(url).to_string();
            assert!(
                !error.contains("pass@") && !error.contains("token@"),
                "{error}"
            );
        }
    }

    #[test]
    fn targets() {
        let of = |text: &str| text.parse::<Target>();
        let group = of("gitlab:acme/team").unwrap();
        assert_eq!(group.to_string(), "gitlab:acme/team");
        assert_eq!(of("-").unwrap(), Target::Stdin);
        assert_eq!(of("/").unwrap(), Target::Folder(PathBuf::from("/")));
        assert!(matches!(of("https://example.com/a/b"), Ok(Target::Url(_))));
        for wrong in [
            "github:",
            "github:a/../b",
            "github:a b",
            "nothing-here",
            "github:a?x=1",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
