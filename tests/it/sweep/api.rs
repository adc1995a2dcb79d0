//! The API of the forge on loopback: listings of GitHub, GitLab and Gitea that page, limit, fail
//! and forget tokens as those do. With `STRAYKEY_TEST_EXCHANGES` set, every request and answer is
//! written to that file, and tests/sweep/described.py holds them against what the forges publish.

use std::io::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::render::{self, Kind};
use super::server::{Behaviour, Request, answer};
use crate::git_kit::run as run_git;

/// A token that is taken.
#[derive(Clone, Debug)]
pub(super) struct Accepted {
    pub(super) secret: String,
    /// Until this time of the stand-in's clock.
    pub(super) until: Option<u64>,
    /// Requests to the API that are left; then there are none for an hour.
    pub(super) budget: Option<u64>,
}

/// An App whose statements are verified, and what is granted to it.
#[derive(Default)]
pub(super) struct Apps {
    /// Its id, its installation, and its public key in PEM.
    pub(super) known: Mutex<Option<(String, String, PathBuf)>>,
    /// Seconds that a granted token lives.
    pub(super) life: AtomicU64,
    /// Seconds that it is taken beyond its life.
    pub(super) grace: AtomicU64,
    pub(super) granted: AtomicU64,
}

/// Who is let in, by a clock of its own.
#[derive(Default)]
pub(super) struct Door {
    /// Tokens that are taken; with none, everybody is let in.
    pub(super) accepted: Mutex<Vec<Accepted>>,
    pub(super) closed: AtomicBool,
    pub(super) apps: Apps,
    /// Seconds that the clock is ahead, and by how many it goes on with each request of git's.
    pub(super) ahead: AtomicU64,
    pub(super) step: AtomicU64,
    /// Requests that were refused with 401 though they came with a token.
    pub(super) refused: AtomicU64,
    /// Tokens of requests that were let in: of the API's and of git's.
    pub(super) used: Mutex<Vec<(&'static str, String)>>,
}

impl Door {
    pub(super) fn accept(&self, secret: &str) {
        self.accepted.lock().unwrap().push(Accepted {
            secret: secret.to_owned(),
            until: None,
            budget: None,
        });
    }

    /// Revokes a token, the last one, too.
    pub(super) fn revoke(&self, secret: &str) {
        self.closed.store(true, Ordering::Relaxed);
        self.accepted
            .lock()
            .unwrap()
            .retain(|it| it.secret != secret);
    }

    fn now(&self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        now.unwrap().as_secs() + self.ahead.load(Ordering::Relaxed)
    }

    fn is_open(&self) -> bool {
        self.accepted.lock().unwrap().is_empty() && !self.closed.load(Ordering::Relaxed)
    }

    /// Whether `token` is let in at `place`.
    pub(super) fn lets_in(&self, place: &'static str, token: Option<&str>) -> bool {
        if self.is_open() {
            return true;
        }
        let Some(token) = token else { return false };
        if place == "git" {
            let step = self.step.load(Ordering::Relaxed);
            self.ahead.fetch_add(step, Ordering::Relaxed);
        }
        let now = self.now();
        let known = self.accepted.lock().unwrap();
        let good = known
            .iter()
            .any(|it| it.secret == token && it.until.is_none_or(|until| now < until));
        match good {
            true => self.used.lock().unwrap().push((place, token.to_owned())),
            false => drop(self.refused.fetch_add(1, Ordering::Relaxed)),
        }
        good
    }

    /// Takes one request of `token`'s budget. False where there is none left.
    fn spend(&self, token: Option<&str>) -> bool {
        let mut known = self.accepted.lock().unwrap();
        let known = known.iter_mut().find(|it| Some(&*it.secret) == token);
        let Some(budget) = known.and_then(|it| it.budget.as_mut()) else {
            return true;
        };
        let left = budget.checked_sub(1);
        *budget = left.unwrap_or(0);
        left.is_some()
    }
}

/// Answers a request, and notes both.
pub(super) fn serve(behaviour: &Behaviour, base: &str, request: &Request) -> Vec<u8> {
    let reply = reply(behaviour, base, request);
    note(request, &reply);
    let mut headers = reply.headers;
    if !reply.body.is_null() {
        headers.push("Content-Type: application/json; charset=utf-8".to_owned());
    }
    let body = match &reply.body {
        Value::Null => String::new(),
        body => body.to_string(),
    };
    answer(reply.status, &headers, body.as_bytes())
}

/// An answer; one without a body has null.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<String>,
    pub(super) body: Value,
}

fn refuse(status: u16, message: &str) -> Reply {
    Reply {
        status,
        headers: Vec::new(),
        body: json!({"message": message}),
    }
}

fn token(request: &Request) -> Option<&str> {
    let given = request.header("authorization");
    let given = given.or_else(|| request.header("private-token"))?;
    given.rsplit(' ').next()
}

fn reply(behaviour: &Behaviour, base: &str, request: &Request) -> Reply {
    let (path, query) = request.path_and_query();
    let kind = match path {
        _ if path.starts_with("/api/v3/") => Kind::Github,
        _ if path.starts_with("/api/v4/") => Kind::Gitlab,
        _ => Kind::Gitea,
    };
    let trouble = || behaviour.troubles.lock().unwrap().pop();
    let troubled = |(status, header): (u16, &str)| {
        let mut reply = refuse(
            status,
            "You have exceeded a secondary rate limit. Please wait a few minutes.",
        );
        let headers = header.split("\r\n").filter(|it| !it.is_empty());
        reply.headers.extend(headers.map(str::to_owned));
        reply
    };
    if path.contains("/app/installations/") {
        return match trouble() {
            Some(trouble) => troubled(trouble),
            None => grant(&behaviour.door, path, request),
        };
    }
    if !behaviour.door.lets_in("api", token(request)) {
        return refuse(401, "Bad credentials");
    }
    if path.ends_with("/rate_limit") || path.ends_with("/version") || path.ends_with("/user") {
        return render::about(kind);
    }
    behaviour.listed.fetch_add(1, Ordering::Relaxed);
    delay(&behaviour.page_delay);
    if let Some(trouble) = trouble() {
        return troubled(trouble);
    }
    let moved = behaviour.moved.lock().unwrap().clone();
    if let Some((from, to)) = moved
        && path.contains(&from)
    {
        let mut reply = refuse(301, "Moved Permanently");
        let to = request.target.replace(&from, &to);
        reply.headers.push(format!("Location: {base}{to}"));
        return reply;
    }
    if !path.contains("/acme") && !path.contains("/users/ada/") {
        return refuse(404, "Not Found");
    }
    conditional(
        behaviour,
        request,
        listing(behaviour, kind, base, path, query),
    )
}

/// A page of the listing. Page numbers are in the query, the next address in `Link`.
fn listing(behaviour: &Behaviour, kind: Kind, base: &str, path: &str, query: &str) -> Reply {
    let parameter = |name: &str| {
        query
            .split('&')
            .find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
    };
    let page: usize = parameter("page").map_or(1, |it| it.parse().unwrap());
    let size = usize::try_from(behaviour.page.load(Ordering::Relaxed)).unwrap();
    let entries = behaviour.entries.lock().unwrap();
    let shown = entries.iter().skip((page - 1) * size).take(size);
    let body: Vec<Value> = shown.map(|entry| kind.entry(base, entry)).collect();
    let more = page * size < entries.len();
    let mut headers = kind.counts(entries.len(), page, more);
    if more && !behaviour.no_links.load(Ordering::Relaxed) {
        let others = query
            .split('&')
            .filter(|it| !it.is_empty() && !it.starts_with("page="));
        let others: String = others.map(|it| format!("{it}&")).collect();
        headers.push(format!(
            "Link: <{base}{path}?{others}page={}>; rel=\"next\", <x>; rel=\"last\"",
            page + 1
        ));
    }
    headers.push(behaviour.listing_header.lock().unwrap().clone());
    Reply {
        status: 200,
        headers,
        body: Value::Array(body),
    }
}

/// Names the page, and sends nothing where the client has it. As at GitHub, another token has
/// other names, and what the client has costs nothing.
fn conditional(behaviour: &Behaviour, request: &Request, mut reply: Reply) -> Reply {
    let token = token(request);
    let mut digest = Sha256::new();
    digest.update(reply.body.to_string());
    digest.update(token.unwrap_or_default());
    let etag = format!(
        "W/\"{}\"",
        data_encoding::HEXLOWER.encode(&digest.finalize()[..16])
    );
    reply.headers.push(format!("ETag: {etag}"));
    if request.header("if-none-match") == Some(&etag) {
        behaviour.not_modified.fetch_add(1, Ordering::Relaxed);
        reply.status = 304;
        reply.body = Value::Null;
        return reply;
    }
    if !behaviour.door.spend(token) {
        let mut limited = refuse(403, "API rate limit exceeded for user ID 1.");
        let reset = behaviour.door.now() + 3600;
        limited.headers.push("X-RateLimit-Remaining: 0".to_owned());
        limited.headers.push(format!("X-RateLimit-Reset: {reset}"));
        return limited;
    }
    reply
}

/// Exchanges the signed statement of an App for a token.
fn grant(door: &Door, path: &str, request: &Request) -> Reply {
    let known = door.apps.known.lock().unwrap().clone();
    let installation = path.trim_end_matches("/access_tokens").rsplit('/').next();
    let Some((id, known_installation, key)) = known else {
        return refuse(404, "Integration not found");
    };
    if let Err(why) = verify(token(request).unwrap_or_default(), &id, &key) {
        return refuse(401, &why);
    }
    if installation != Some(&known_installation) || request.method != "POST" {
        return refuse(404, "Not Found");
    }
    let number = door.apps.granted.fetch_add(1, Ordering::Relaxed);
    let secret = format!("ghs{number}stand0in0stand0in0{number}");
    let ends = door.now() + door.apps.life.load(Ordering::Relaxed);
    door.accepted.lock().unwrap().push(Accepted {
        secret: secret.clone(),
        until: Some(ends + door.apps.grace.load(Ordering::Relaxed)),
        budget: None,
    });
    Reply {
        status: 201,
        headers: Vec::new(),
        body: json!({"token": secret, "expires_at": written(ends),
            "permissions": {"contents": "read", "metadata": "read"},
            "repository_selection": "all"}),
    }
}

/// Verifies a JSON Web Token (RS256) by openssl, and its claims as GitHub does.
fn verify(statement: &str, id: &str, key: &std::path::Path) -> Result<(), String> {
    let wrong = || "A JSON web token could not be decoded".to_owned();
    let decode = |text: &str| data_encoding::BASE64URL_NOPAD.decode(text.as_bytes());
    let (signed, signature) = statement.rsplit_once('.').ok_or_else(wrong)?;
    let (head, claims) = signed.split_once('.').ok_or_else(wrong)?;
    let json = |text: &str| -> Result<Value, String> {
        serde_json::from_slice(&decode(text).map_err(|_| wrong())?).map_err(|_| wrong())
    };
    let (head, claims) = (json(head)?, json(claims)?);
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let signature = file("signature", &decode(signature).map_err(|_| wrong())?);
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-verify"]).arg(key);
    openssl.arg("-signature").arg(signature);
    let verified = openssl.arg(file("signed", signed.as_bytes())).output();
    if head["alg"] != "RS256" || !verified.unwrap().status.success() {
        return Err(wrong());
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    let number = |name: &str| claims[name].as_u64().unwrap_or(0);
    let (from, to) = (number("iat"), number("exp"));
    let timely = from <= now && now < to && to <= now + 600;
    match timely && claims["iss"] == *id {
        true => Ok(()),
        false => Err("'Expiration time' claim ('exp') is too far in the future".to_owned()),
    }
}

/// `2026-01-31T12:00:00Z`.
fn written(seconds: u64) -> String {
    let date = straykey::date::Date::from_days(seconds / 86_400);
    let second = seconds % 86_400;
    let [hour, minute] = [second / 3600, second / 60 % 60];
    format!("{date}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}

/// Makes an RSA key for an App. Returns the files of the private and of the public one.
pub(super) fn app_key(folder: &std::path::Path) -> [PathBuf; 2] {
    let [private, public] = ["app.pem", "app.pub.pem"].map(|name| folder.join(name));
    let openssl = || Command::new("openssl");
    run_git(openssl().args(["genrsa", "-out"]).arg(&private).arg("2048"));
    let mut extract = openssl();
    extract.args(["rsa", "-pubout", "-in"]).arg(&private);
    run_git(extract.arg("-out").arg(&public));
    [private, public]
}

static NOTES: Mutex<()> = Mutex::new(());

fn note(request: &Request, reply: &Reply) {
    let Some(file) = std::env::var_os("STRAYKEY_TEST_EXCHANGES") else {
        return;
    };
    let split = |line: &String| line.split_once(": ").map(|(a, b)| json!([a, b]));
    let headers: Vec<_> = reply.headers.iter().filter_map(split).collect();
    let line = json!({"method": request.method, "target": request.target,
        "headers": request.headers, "status": reply.status, "answered": headers,
        "body": reply.body});
    let _guard = NOTES.lock().unwrap_or_else(PoisonError::into_inner);
    let file = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(file);
    writeln!(file.unwrap(), "{line}").unwrap();
}

/// Sleeps for milliseconds that a counter holds.
pub(super) fn delay(milliseconds: &AtomicU64) {
    let milliseconds = milliseconds.load(Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(milliseconds));
}
