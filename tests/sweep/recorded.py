#!/usr/bin/env python3
"""Lists an organization from responses that were recorded at GitHub (npm @octokit/fixtures).

    tests/sweep/recorded.py STRAYKEY FIXTURES

The recorded repository is an entry of each page; the headers, Link and ETag among them, are those of
a recorded listing of five pages, to which a recorded redirection leads (headers and body of a
renamed repository). Checks what lands in the store, and that the second listing sends the ETags.
"""
import http.server, json, pathlib, re, sqlite3, subprocess, sys, tempfile, threading

straykey, fixtures = sys.argv[1], pathlib.Path(sys.argv[2])
load = lambda name: json.loads((fixtures / f"scenarios/api.github.com/{name}/normalized-fixture.json").read_text())
repository = load("get-repository")[0]["response"]
pages = load("paginate-issues")
[moved] = [it for it in load("rename-repository") if it["status"] == 301]
asked = []


class Recorded(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.startswith("/api/v3/orgs/"):
            return self.send(moved, moved["status"], moved["response"])
        number = int(re.search("[?&]page=([0-9]+)|$", self.path)[1] or 1) - 1
        page = pages[number]
        etag = self.headers["If-None-Match"]
        asked.append((self.path, etag))
        if etag == headers(page)["etag"]:
            return self.send(page, 304, None)
        name = f"octokit-fixture-org/r{number}"
        entry = {**repository, "full_name": name, "clone_url": f"https://github.com/{name}.git"}
        self.send(page, page["status"], [entry])

    def send(self, recorded, status, body):
        self.send_response(status)
        for name, value in headers(recorded).items():
            if name not in ("content-length", "connection", "transfer-encoding", "content-encoding", "date"):
                self.send_header(name, str(value).replace("https://api.github.com", base))
        body = b"" if body is None else json.dumps(body).encode()
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def headers(recorded):
    return recorded.get("responseHeaders") or recorded["headers"]


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorded)
base = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as folder:
    state = f"{folder}/state.db"
    arguments = ["sweep", "plan", "github:octokit-fixture-org", "--base-url", base, "--state", f"sqlite://{state}"]
    for _ in range(2):
        ran = subprocess.run([straykey, *arguments], capture_output=True, text=True)
        assert ran.returncode == 0, ran
    rows = sqlite3.connect(state).execute("SELECT url, name, owner, visibility, archived, fork, size_kib, pushed_at FROM repository ORDER BY id").fetchall()
expected = [
    (f"https://github.com/octokit-fixture-org/r{n}.git", f"octokit-fixture-org/r{n}", "octokit-fixture-org", "public", 0, 0, repository["size"], repository["pushed_at"])
    for n in range(len(pages))
]
assert rows == expected, (rows, expected)
assert len(pages) == 5 and [path for path, _ in asked[:5]] == [path for path, _ in asked[5:]], asked
assert "page=5" in asked[4][0] and all(etag is None for _, etag in asked[:5]), asked
# The last page is read anew.
assert [etag for _, etag in asked[5:]] == [headers(page)["etag"] for page in pages[:4]] + [None], asked
print(f"{len(rows)} repositories from {len(pages)} recorded pages")
