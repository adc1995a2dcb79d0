//! Entries of listings in the shapes that the forges describe.

use serde_json::{Map, Value, json};

use super::api::Reply;

/// Whose API it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Github,
    Gitlab,
    Gitea,
}

/// Addresses that an entry of GitHub's has, by the end of each.
const GITHUB_ADDRESSES: &[&str] = &[
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
];
const GITHUB_OWNER_ADDRESSES: &[&str] = &[
    "events",
    "followers",
    "following",
    "gists",
    "html",
    "organizations",
    "received_events",
    "repos",
    "starred",
    "subscriptions",
];

impl Kind {
    /// `entry` as this forge lists it.
    pub(super) fn entry(self, base: &str, entry: &Value) -> Value {
        match self {
            Self::Github => github(base, entry),
            Self::Gitlab => gitlab(base, entry),
            Self::Gitea => gitea(base, entry),
        }
    }

    /// Headers that tell how many entries and pages there are.
    pub(super) fn counts(self, entries: usize, page: usize, more: bool) -> Vec<String> {
        match self {
            Self::Github => Vec::new(),
            Self::Gitlab if more => vec![format!("X-Next-Page: {}", page + 1)],
            Self::Gitlab => vec!["X-Next-Page: ".to_owned()],
            Self::Gitea => vec![format!("X-Total-Count: {entries}")],
        }
    }
}

fn names(entry: &Value) -> (&str, &str, &str) {
    let full = entry["full_name"].as_str().unwrap();
    let (owner, name) = full.rsplit_once('/').unwrap();
    (full, owner, name)
}

fn github(base: &str, entry: &Value) -> Value {
    let (full, owner, name) = names(entry);
    let api = format!("{base}/api/v3/repos/{full}");
    let mut all = Map::new();
    for address in GITHUB_ADDRESSES {
        all.insert(format!("{address}_url"), json!(format!("{api}/{address}")));
    }
    let user = format!("{base}/api/v3/users/{owner}");
    let mut account = json!({"login": owner, "id": 1, "node_id": "MDEyOk9yZ2FuaXphdGlvbjE=",
        "avatar_url": format!("{base}/{owner}.png"), "gravatar_id": "", "url": user,
        "type": "Organization", "site_admin": false});
    for address in GITHUB_OWNER_ADDRESSES {
        account[format!("{address}_url")] = json!(format!("{user}/{address}"));
    }
    let own = json!({"id": entry["id"], "node_id": "MDEwOlJlcG9zaXRvcnkx", "name": name,
        "full_name": full, "owner": account, "private": entry["private"],
        "html_url": entry["html_url"], "description": null, "fork": entry["fork"], "url": api,
        "clone_url": entry["clone_url"], "size": entry["size"], "default_branch": "main",
        "archived": entry["archived"], "disabled": entry["disabled"].as_bool().unwrap_or(false),
        "visibility": entry["visibility"], "pushed_at": entry["pushed_at"]});
    all.extend(own.as_object().unwrap().clone());
    Value::Object(all)
}

/// As <https://docs.gitlab.com/api/groups/#list-projects> shows it.
fn gitlab(base: &str, entry: &Value) -> Value {
    let (full, owner, name) = names(entry);
    let mut project = json!({"id": entry["id"], "description": null, "name": name,
        "name_with_namespace": full.replace('/', " / "), "path": name,
        "path_with_namespace": full, "default_branch": "main", "topics": [],
        "http_url_to_repo": entry["clone_url"], "web_url": entry["html_url"],
        "namespace": {"id": 1, "name": owner, "path": owner, "kind": "group",
            "full_path": owner, "parent_id": null, "web_url": format!("{base}/groups/{owner}")},
        "archived": entry["archived"], "visibility": entry["visibility"],
        "empty_repo": false, "last_activity_at": entry["pushed_at"]});
    if entry["fork"] == true {
        project["forked_from_project"] = json!({"id": 99, "path_with_namespace": "up/stream"});
    }
    project
}

fn gitea(base: &str, entry: &Value) -> Value {
    let (full, owner, name) = names(entry);
    json!({"id": entry["id"], "owner": {"id": 1, "login": owner, "username": owner,
            "avatar_url": format!("{base}/avatars/1")},
        "name": name, "full_name": full, "description": "", "empty": false,
        "private": entry["private"], "fork": entry["fork"], "template": false,
        "mirror": false, "size": entry["size"], "html_url": entry["html_url"],
        "clone_url": entry["clone_url"], "default_branch": "main",
        "archived": entry["archived"], "internal": false,
        "updated_at": entry["pushed_at"]})
}

/// What each forge tells to everybody whom it lets in.
pub(super) fn about(kind: Kind) -> Reply {
    let rate = json!({"limit": 5000, "remaining": 4999, "reset": 1_700_000_000, "used": 1});
    let body = match kind {
        Kind::Github => json!({"resources": {"core": rate, "search": rate}, "rate": rate}),
        Kind::Gitlab => json!({"version": "17.0.0", "revision": "0000000"}),
        Kind::Gitea => json!({"id": 1, "login": "ada"}),
    };
    Reply {
        status: 200,
        headers: Vec::new(),
        body,
    }
}
