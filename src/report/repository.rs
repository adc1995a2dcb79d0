//! The repository that was scanned, as its host shows it: links from a finding to its line.

use std::fmt::Write;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::uri;

/// What kind of pages a host has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Host {
    /// github.com and GitHub Enterprise Server.
    Github,
    /// gitlab.com and GitLab of one's own.
    Gitlab,
    /// bitbucket.org.
    Bitbucket,
    /// Bitbucket Data Center.
    BitbucketServer,
    /// Gitea and Forgejo.
    Gitea,
}

/// A repository on a host, and where the scanned paths stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repository {
    url: String,
    host: Option<Host>,
    /// The commit that the work tree was made from, in hexadecimal.
    pub head: Option<String>,
    /// Each path that was scanned, as it was named, with its path in the repository.
    pub directories: Vec<(PathBuf, PathBuf)>,
}

impl Repository {
    /// The repository behind the address of a remote, in any form that git takes for a host.
    /// `None` for paths of this machine. Names, passwords and tokens in the address are left out.
    #[must_use]
    pub fn of_remote(remote: &str) -> Option<Self> {
        let (url, host) = web_address(remote)?;
        Some(Self {
            url,
            host,
            head: None,
            directories: Vec::new(),
        })
    }

    /// The repository whose page is `url`, as [`Self::url`] gives it. `None` if that is no page of
    /// a repository.
    #[must_use]
    pub fn of_page(url: &str, host: Option<Host>) -> Option<Self> {
        let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/%:".contains(&byte);
        let rest = url
            .strip_prefix("https://")
            .or(url.strip_prefix("http://"))?;
        (rest.contains('/') && rest.bytes().all(known)).then(|| Self {
            url: url.to_owned(),
            host,
            head: None,
            directories: Vec::new(),
        })
    }

    /// Its page: `https://host/owner/name`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What kind of pages its host has, where its name tells.
    #[must_use]
    pub fn host(&self) -> Option<Host> {
        self.host
    }

    /// The page of a line of `path` (from the top of the tree) in `commit`.
    #[must_use]
    pub fn line_url(&self, path: &Path, commit: &str, line: u64) -> Option<String> {
        let commit = hexadecimal(commit)?;
        let (base, path) = (
            &self.url,
            uri::of_path(path.as_os_str().as_encoded_bytes()).0,
        );
        let plain = if is_rendered(&path) { "?plain=1" } else { "" };
        Some(match self.host? {
            Host::Github => format!("{base}/blob/{commit}/{path}{plain}#L{line}"),
            Host::Gitlab => format!("{base}/-/blob/{commit}/{path}{plain}#L{line}"),
            Host::Bitbucket => format!("{base}/src/{commit}/{path}#lines-{line}"),
            Host::BitbucketServer => format!("{base}/browse/{path}?at={commit}#{line}"),
            Host::Gitea => format!("{base}/src/commit/{commit}/{path}#L{line}"),
        })
    }

    /// The page of `commit`.
    #[must_use]
    pub fn commit_url(&self, commit: &str) -> Option<String> {
        let (base, commit) = (&self.url, hexadecimal(commit)?);
        Some(match self.host? {
            Host::Github | Host::Gitea => format!("{base}/commit/{commit}"),
            Host::Gitlab => format!("{base}/-/commit/{commit}"),
            Host::Bitbucket | Host::BitbucketServer => format!("{base}/commits/{commit}"),
        })
    }

    /// The path in the repository of a file that was reached as `path`.
    #[must_use]
    pub fn path_of(&self, path: &Path) -> Option<PathBuf> {
        let inside = |(from, to): &(PathBuf, PathBuf)| {
            let rest = match from == Path::new(".") {
                true => path.strip_prefix(".").unwrap_or(path),
                false => path.strip_prefix(from).ok()?,
            };
            let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
            rest.components()
                .all(plain)
                .then(|| match rest == Path::new("") {
                    true => to.clone(),
                    false => to.join(rest),
                })
        };
        self.directories.iter().find_map(inside)
    }
}

/// Pages of such files show them set, without lines, unless they are asked for as they stand.
fn is_rendered(path: &str) -> bool {
    let path = path.to_ascii_lowercase();
    [".md", ".markdown", ".rst", ".adoc", ".ipynb", ".org"]
        .iter()
        .any(|end| path.ends_with(end))
}

fn hexadecimal(commit: &str) -> Option<&str> {
    let plain = commit.len() >= 7 && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then_some(commit)
}

fn web_address(remote: &str) -> Option<(String, Option<Host>)> {
    let (scheme, rest) = match remote.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest.to_owned()),
        Some(("ssh" | "git" | "git+ssh" | "ssh+git", rest)) => ("ssh", rest.to_owned()),
        Some(_) => return None,
        // host:path, as scp writes it.
        None => {
            let (host, path) = remote.split_once(':')?;
            ("ssh", format!("{host}/{path}"))
        }
    };
    let (authority, path) = rest.split_once('/')?;
    let authority = authority.rsplit('@').next()?.to_ascii_lowercase();
    let name = authority.split(':').next()?;
    let authority = if scheme == "ssh" { name } else { &authority };
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
    if name.len() < 2 || !authority.bytes().all(known) {
        return None;
    }
    let path = path.split(['?', '#']).next()?.trim_matches('/');
    let path = path.strip_suffix(".git").unwrap_or(path);
    if path.is_empty()
        || path.starts_with(':')
        || path.split('/').any(|part| matches!(part, "" | "." | ".."))
    {
        return None;
    }
    let host = host(name, path, remote);
    let path = match host {
        Some(Host::BitbucketServer) => server_path(path)?,
        _ => path.to_owned(),
    };
    let scheme = if scheme == "http" { "http" } else { "https" };
    Some((format!("{scheme}://{authority}/{}", encoded(&path)), host))
}

/// What a host is, by its name.
fn host(name: &str, path: &str, remote: &str) -> Option<Host> {
    let named = |words: &[&str]| words.iter().any(|word| name.contains(word));
    if name == "bitbucket.org" {
        Some(Host::Bitbucket)
    } else if named(&["bitbucket"]) || path.starts_with("scm/") || remote.contains(":7999/") {
        Some(Host::BitbucketServer)
    } else if named(&["gitlab"]) {
        Some(Host::Gitlab)
    } else if named(&["github"]) {
        Some(Host::Github)
    } else if named(&["gitea", "forgejo", "codeberg"]) {
        Some(Host::Gitea)
    } else {
        None
    }
}

/// `scm/KEY/name` and `KEY/name` as Bitbucket Data Center's page of the repository.
fn server_path(path: &str) -> Option<String> {
    let (key, name) = path.strip_prefix("scm/").unwrap_or(path).split_once('/')?;
    Some(match key.strip_prefix('~') {
        Some(user) => format!("users/{user}/repos/{name}"),
        None => format!("projects/{key}/repos/{name}"),
    })
}

/// A path of an address. What is encoded already stays so.
fn encoded(path: &str) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'%' => {
                text.push(char::from(byte));
            }
            // Writing to a String cannot fail.
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

    fn url(remote: &str) -> Option<String> {
        Repository::of_remote(remote).map(|it| it.url)
    }

    #[test]
    fn addresses_of_remotes() {
        for (remote, expected) in [
            ("https://github.com/a/b.git", "https://github.com/a/b"),
            (
                "https://user:token@github.com/a/b",
                "https://github.com/a/b",
            ),
            (
                "https://x@y:z@GitHub.com/a/b.git/",
                "https://github.com/a/b",
            ),
            (
                "http://git.example:8080/a/b?token=x",
                "http://git.example:8080/a/b",
            ),
            (
                "git@gitlab.com:group/sub/b.git",
                "https://gitlab.com/group/sub/b",
            ),
            (
                "ssh://git@gitlab.corp:2222/a/b.git",
                "https://gitlab.corp/a/b",
            ),
            ("git://codeberg.org/a/b", "https://codeberg.org/a/b"),
            ("https://github.com/a/b c", "https://github.com/a/b%20c"),
            (
                "ssh://git@stash.corp:7999/KEY/b.git",
                "https://stash.corp/projects/KEY/repos/b",
            ),
            (
                "https://bitbucket.corp/scm/~me/b.git",
                "https://bitbucket.corp/users/me/repos/b",
            ),
        ] {
            assert_eq!(url(remote).as_deref(), Some(expected), "{remote}");
        }
        for local in [
            "/srv/git/a.git",
            "../a",
            "file:///srv/a.git",
            "C:/a",
            "https://github.com/",
            "https://github.com/../x",
            "javascript:alert(1)",
            "https://a\"b/c/d",
            "ext::sh -c x",
            "",
        ] {
            let shown = url(local);
            assert!(
                shown
                    .as_ref()
                    .is_none_or(|it| it.starts_with("https://javascript/")),
                "{local}: {shown:?}"
            );
        }
    }

    #[test]
    fn links_have_the_form_of_the_host() {
        let link = |remote: &str, path: &str| {
            let repository = Repository::of_remote(remote).unwrap();
            let commit = repository.commit_url(COMMIT);
            (repository.line_url(Path::new(path), COMMIT, 7), commit)
        };
        for (remote, path, line, commit) in [
            (
                "https://github.com/a/b",
                "x y/#1",
                "/blob/C/x%20y/%231#L7",
                "/commit/C",
            ),
            (
                "https://github.com/a/b",
                "README.md",
                "/blob/C/README.md?plain=1#L7",
                "/commit/C",
            ),
            ("git@gitlab.com:a/b", "x", "/-/blob/C/x#L7", "/-/commit/C"),
            (
                "https://bitbucket.org/a/b",
                "x",
                "/src/C/x#lines-7",
                "/commits/C",
            ),
            (
                "https://codeberg.org/a/b",
                "x",
                "/src/commit/C/x#L7",
                "/commit/C",
            ),
            (
                "https://bitbucket.corp/scm/a/b",
                "x",
                "/browse/x?at=C#7",
                "/commits/C",
            ),
        ] {
            let base = url(remote).unwrap();
            let whole = |end: &str| {
                Some(format!(
                    "{base}{}",
                    end.replace("/C", &format!("/{COMMIT}"))
                        .replace("=C", &format!("={COMMIT}"))
                ))
            };
            let expected = (whole(line), whole(commit));
            assert_eq!(link(remote, path), expected);
        }
        assert_eq!(link("https://git.corp/a/b", "x"), (None, None));
        let github = Repository::of_remote("https://github.com/a/b").unwrap();
        assert_eq!(github.line_url(Path::new("x"), "HEAD\"onclick", 1), None);
    }

    #[test]
    fn scanned_paths_are_found_in_the_repository() {
        let mut repository = Repository::of_remote("https://github.com/a/b").unwrap();
        let path = |repository: &Repository, path: &str| {
            let found = repository.path_of(Path::new(path))?;
            Some(found.to_string_lossy().into_owned())
        };
        repository.directories = vec![(".".into(), "sub".into())];
        assert_eq!(path(&repository, "a/b").as_deref(), Some("sub/a/b"));
        assert_eq!(path(&repository, "./a").as_deref(), Some("sub/a"));
        assert_eq!(path(&repository, "/etc/a"), None);
        assert_eq!(path(&repository, "../a"), None);
        repository.directories = vec![("../r".into(), "".into()), ("/x/f".into(), "f".into())];
        assert_eq!(path(&repository, "../r/a").as_deref(), Some("a"));
        assert_eq!(path(&repository, "/x/f").as_deref(), Some("f"));
        assert_eq!(path(&repository, "a"), None);
    }
}
