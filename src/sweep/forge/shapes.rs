//! Entries of listings, as the forges document them. Only what is used is looked at.

use serde::Deserialize;

use crate::sweep::target::{ForgeKind, Repository};

/// GitHub, "List organization repositories"; Gitea's and Forgejo's `Repository` has the same names.
#[derive(Deserialize)]
struct GithubRepository {
    full_name: String,
    /// GitHub's description of the answer promises `html_url` alone.
    clone_url: Option<String>,
    html_url: String,
    private: bool,
    visibility: Option<String>,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    fork: bool,
    size: Option<u64>,
    pushed_at: Option<String>,
}

/// GitLab, "List projects of a group".
#[derive(Deserialize)]
struct GitlabProject {
    path_with_namespace: String,
    http_url_to_repo: String,
    visibility: Option<String>,
    #[serde(default)]
    archived: bool,
    forked_from_project: Option<serde::de::IgnoredAny>,
}

/// The repositories of a page.
///
/// # Errors
/// Where it has another shape.
pub(super) fn page(kind: ForgeKind, body: &[u8]) -> Result<Vec<Repository>, String> {
    let failed = |error: serde_json::Error| error.to_string();
    if kind == ForgeKind::Gitlab {
        let page: Vec<GitlabProject> = serde_json::from_slice(body).map_err(failed)?;
        return Ok(page.into_iter().map(gitlab).collect());
    }
    let page: Vec<GithubRepository> = serde_json::from_slice(body).map_err(failed)?;
    Ok(page.into_iter().map(|entry| github(kind, entry)).collect())
}

fn github(kind: ForgeKind, entry: GithubRepository) -> Repository {
    let visibility = entry
        .visibility
        .unwrap_or_else(|| if entry.private { "private" } else { "public" }.to_owned());
    Repository {
        owner: owner(&entry.full_name),
        name: entry.full_name,
        url: entry
            .clone_url
            .unwrap_or_else(|| format!("{}.git", entry.html_url)),
        visibility,
        archived: entry.archived,
        fork: entry.fork,
        size_kib: entry.size,
        // Gitea has no such field.
        pushed_at: entry.pushed_at.filter(|_| kind == ForgeKind::Github),
    }
}

/// GitLab's `last_activity_at` is written at most once an hour, so it does not tell that nothing
/// was pushed; refs are compared instead.
fn gitlab(entry: GitlabProject) -> Repository {
    Repository {
        owner: owner(&entry.path_with_namespace),
        name: entry.path_with_namespace,
        url: entry.http_url_to_repo,
        visibility: entry.visibility.unwrap_or_else(|| "unknown".to_owned()),
        archived: entry.archived,
        fork: entry.forked_from_project.is_some(),
        size_kib: None,
        pushed_at: None,
    }
}

fn owner(name: &str) -> String {
    name.rsplit_once('/')
        .map_or(name, |(owner, _)| owner)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries() {
        let body = br#"[{"id": 1, "full_name": "acme/tools", "private": true, "fork": true,
            "html_url": "https://github.com/acme/tools", "size": 12, "archived": false,
            "visibility": "internal", "pushed_at": "2026-01-26T19:06:43Z", "topics": []}]"#;
        let [repository] = page(ForgeKind::Github, body).unwrap().try_into().unwrap();
        assert_eq!(
            (&*repository.owner, &*repository.visibility),
            ("acme", "internal")
        );
        assert!(repository.fork && !repository.archived);
        assert_eq!(repository.url, "https://github.com/acme/tools.git");
        assert_eq!(
            repository.pushed_at.as_deref(),
            Some("2026-01-26T19:06:43Z")
        );
        let body = br#"[{"path_with_namespace": "acme/team/tools", "archived": true,
            "http_url_to_repo": "https://gitlab.example.com/acme/team/tools.git",
            "visibility": "private", "forked_from_project": {"id": 3}}]"#;
        let [project] = page(ForgeKind::Gitlab, body).unwrap().try_into().unwrap();
        assert_eq!(project.owner, "acme/team");
        assert!(project.fork && project.archived && project.pushed_at.is_none());
        assert!(page(ForgeKind::Github, b"{\"message\": \"no\"}").is_err());
    }
}
