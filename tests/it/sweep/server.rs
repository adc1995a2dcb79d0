//! A forge on loopback: git over smart HTTP by `git http-backend`, and listings that page, limit,
//! fail and forget tokens as GitHub's and GitLab's do.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use super::api::{self, Door};
use super::{Sweep, make_repository};
use crate::git_kit::run as run_git;

/// What the forge does, and what it has seen.
#[derive(Default)]
pub(super) struct Behaviour {
    /// Entries of the listing, as GitHub's.
    pub(super) entries: Mutex<Vec<Value>>,
    /// Entries a page.
    pub(super) page: AtomicU64,
    /// Troubles of listing requests to come: statuses, with a header each.
    pub(super) troubles: Mutex<Vec<(u16, &'static str)>>,
    /// Who is let in.
    pub(super) door: Door,
    /// Whether listings come without `Link`.
    pub(super) no_links: AtomicBool,
    /// A header of every page.
    pub(super) listing_header: Mutex<String>,
    /// A part of the paths of listings, and what it is now.
    pub(super) moved: Mutex<Option<(String, String)>>,
    /// Answers to git, by a part of the path: statuses, headers and texts, each often or once.
    pub(super) git_troubles: Mutex<Vec<GitTrouble>>,
    /// Requests of git's at a time, now and at most.
    pub(super) busy: Mutex<(u64, u64)>,
    /// Listing pages that the client had.
    pub(super) not_modified: AtomicU64,
    /// Whether connections are closed at once, and how many were.
    pub(super) gone: AtomicBool,
    pub(super) closed: AtomicU64,
    /// Milliseconds that each fetch takes longer.
    pub(super) delay: AtomicU64,
    /// Milliseconds that each page of the listing takes longer.
    pub(super) page_delay: AtomicU64,
    /// Listing requests, requests for refs and fetches.
    pub(super) listed: AtomicU64,
    pub(super) advertised: AtomicU64,
    pub(super) fetched: AtomicU64,
}

/// How git is answered instead.
#[derive(Clone)]
pub(super) struct GitTrouble {
    pub(super) path: &'static str,
    pub(super) status: u16,
    pub(super) header: String,
    pub(super) text: &'static str,
    pub(super) once: bool,
}

impl Behaviour {
    fn git_refusal(&self, path: &str) -> Option<Vec<u8>> {
        let mut troubles = self.git_troubles.lock().unwrap();
        let at = troubles.iter().position(|it| path.contains(it.path))?;
        let trouble = troubles[at].clone();
        if trouble.once {
            troubles.remove(at);
        }
        let kind = "Content-Type: text/plain".to_owned();
        let headers = [kind, trouble.header];
        Some(answer(trouble.status, &headers, trouble.text.as_bytes()))
    }
}

/// Counts one request of git's, as long as it lasts.
struct Busy<'b>(&'b Mutex<(u64, u64)>);

impl<'b> Busy<'b> {
    fn enter(busy: &'b Mutex<(u64, u64)>) -> Self {
        let mut state = busy.lock().unwrap();
        state.0 += 1;
        state.1 = state.1.max(state.0);
        Self(busy)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.lock().unwrap().0 -= 1;
    }
}

pub(super) struct Server {
    pub(super) behaviour: Arc<Behaviour>,
    pub(super) url: String,
    folder: PathBuf,
}

impl Server {
    /// Serves the bare repositories below `folder` as `/OWNER/NAME.git`.
    pub(super) fn start(folder: &Path) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Arc::new(Behaviour::default());
        behaviour.page.store(100, Ordering::Relaxed);
        let (shared, root, base) = (Arc::clone(&behaviour), folder.to_owned(), url.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (behaviour, root, base) = (Arc::clone(&shared), root.clone(), base.clone());
                // A client that has gone is no matter.
                thread::spawn(move || {
                    let _ = serve(&behaviour, &root, &base, stream);
                });
            }
        });
        Self {
            behaviour,
            url,
            folder: folder.to_owned(),
        }
    }

    /// Serves the repository in `source` as `name`, and lists it.
    pub(super) fn add(&self, source: &Path, name: &str) {
        let bare = self.folder.join(format!("{name}.git"));
        std::fs::create_dir_all(bare.parent().unwrap()).unwrap();
        run_git(
            Command::new("git")
                .args(["clone", "-q", "--mirror"])
                .arg(source)
                .arg(&bare),
        );
        run_git(Command::new("git").arg("-C").arg(&bare).args([
            "config",
            "http.receivepack",
            "true",
        ]));
        self.list(name, "2026-01-01T00:00:00Z");
    }

    /// Lists `name` as pushed at a time.
    pub(super) fn list(&self, name: &str, pushed_at: &str) {
        let mut entries = self.behaviour.entries.lock().unwrap();
        entries.retain(|entry| entry["full_name"] != name);
        entries.push(json!({
            "id": 1, "full_name": name, "clone_url": format!("{}/{name}.git", self.url),
            "html_url": format!("{}/{name}", self.url), "private": false, "visibility": "public", "archived": false, "fork": false,
            "size": 1, "pushed_at": pushed_at,
        }));
    }

    /// A forge with five repositories, keys of the seeds 1 and 2 in two of them.
    pub(super) fn with_five(sweep: &Sweep) -> Self {
        let server = Self::start(&sweep.tree.path("served"));
        for (name, seed) in [
            ("a", Some(1)),
            ("b", None),
            ("c", Some(2)),
            ("d", None),
            ("e", None),
        ] {
            let source = sweep.tree.path(format!("source/{name}"));
            make_repository(&source, 4, seed);
            server.add(&source, &format!("acme/{name}"));
        }
        server
    }

    pub(super) fn set_gone(&self, gone: bool) {
        self.behaviour.gone.store(gone, Ordering::Relaxed);
    }

    /// The numbers of requests since the last call: listings, refs, fetches.
    pub(super) fn requests(&self) -> [u64; 3] {
        let seen = &self.behaviour;
        [&seen.listed, &seen.advertised, &seen.fetched].map(|it| it.swap(0, Ordering::Relaxed))
    }
}

pub(super) struct Request {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (words.next()?, words.next()?);
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.to_owned()));
        }
        let mut request = Self {
            method,
            target,
            headers,
            body: Vec::new(),
        };
        request.body = request.read_body(stream)?;
        Some(request)
    }

    fn read_body(&self, stream: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        if self.header("transfer-encoding") == Some("chunked") {
            loop {
                let mut size = String::new();
                stream.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim(), 16).ok()?;
                let mut chunk = vec![0; size + 2];
                stream.read_exact(&mut chunk).ok()?;
                if size == 0 {
                    return Some(body);
                }
                body.extend_from_slice(&chunk[..size]);
            }
        }
        let length = self
            .header("content-length")
            .map_or(0, |it| it.parse().unwrap());
        body.resize(length, 0);
        stream.read_exact(&mut body).ok()?;
        Some(body)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }
}

fn serve(behaviour: &Behaviour, root: &Path, base: &str, stream: TcpStream) -> Option<()> {
    if behaviour.gone.load(Ordering::Relaxed) {
        behaviour.closed.fetch_add(1, Ordering::Relaxed);
        return stream.shutdown(Shutdown::Both).ok();
    }
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let request = Request::read(&mut reader)?;
    let answer = match request.target.starts_with("/api/") {
        true => api::serve(behaviour, base, &request),
        false => git(behaviour, root, &request),
    };
    let mut stream = stream;
    stream.write_all(&answer).ok()?;
    stream.shutdown(Shutdown::Both).ok()
}

pub(super) fn answer(status: u16, headers: &[String], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} x\r\nConnection: close\r\n");
    for header in headers.iter().filter(|it| !it.is_empty()) {
        text.push_str(&format!("{header}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    [text.as_bytes(), body].concat()
}

/// Hands a request to `git http-backend` (CGI, RFC 3875).
fn git(behaviour: &Behaviour, root: &Path, request: &Request) -> Vec<u8> {
    let (path, query) = request.path_and_query();
    let pair = request.header("authorization").and_then(|it| {
        let pair = data_encoding::BASE64.decode(it.strip_prefix("Basic ")?.as_bytes());
        String::from_utf8(pair.ok()?).ok()
    });
    let token = pair.as_deref().and_then(|it| {
        let (user, token) = it.split_once(':')?;
        ["x-access-token", "oauth2"]
            .contains(&user)
            .then_some(token)
    });
    if !behaviour.door.lets_in("git", token) {
        let ask = "WWW-Authenticate: Basic realm=\"git\"".to_owned();
        return answer(401, &[ask], b"");
    }
    if let Some(refusal) = behaviour.git_refusal(path) {
        return refusal;
    }
    let _busy = Busy::enter(&behaviour.busy);
    // Protocol version 2 lists refs in a POST, too.
    let lists = memchr::memmem::find(&request.body, b"command=ls-refs").is_some();
    let counter = match path.ends_with("/git-upload-pack") && !lists {
        true => &behaviour.fetched,
        false => &behaviour.advertised,
    };
    counter.fetch_add(1, Ordering::Relaxed);
    if path.ends_with("/git-upload-pack") && !lists {
        api::delay(&behaviour.delay);
    }
    let mut command = Command::new("git");
    command.arg("http-backend").env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap());
    for (name, value) in [
        ("GIT_PROJECT_ROOT", root.to_str().unwrap()),
        ("GIT_HTTP_EXPORT_ALL", "1"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "safe.directory"),
        ("GIT_CONFIG_VALUE_0", "*"),
        ("PATH_INFO", path),
        ("QUERY_STRING", query),
        ("REQUEST_METHOD", &request.method),
        ("REMOTE_ADDR", "127.0.0.1"),
        ("REMOTE_USER", "test"),
        ("CONTENT_TYPE", request.header("content-type").unwrap_or("")),
        ("CONTENT_LENGTH", &request.body.len().to_string()),
        (
            "HTTP_CONTENT_ENCODING",
            request.header("content-encoding").unwrap_or(""),
        ),
        ("GIT_PROTOCOL", request.header("git-protocol").unwrap_or("")),
    ] {
        command.env(name, value);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let body = request.body.clone();
    let writer = thread::spawn(move || drop(input.write_all(&body)));
    let mut output = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut output)
        .unwrap();
    child.wait().unwrap();
    writer.join().unwrap();
    let end = memchr::memmem::find(&output, b"\r\n\r\n").unwrap_or(0);
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let body = output.get(end + 4..).unwrap_or_default();
    let mut status = 200;
    let mut headers = Vec::new();
    for line in head.lines() {
        match line.strip_prefix("Status: ") {
            Some(code) => status = code[..3].parse().unwrap(),
            None => headers.push(line.to_owned()),
        }
    }
    answer(status, &headers, body)
}
