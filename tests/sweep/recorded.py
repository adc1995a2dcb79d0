#!/usr/bin/env python3
"""Lists an organization from responses that were recorded at GitHub (npm @octokit/fixtures).

    tests/sweep/recorded.py STRAYKEY FIXTURES

The recorded repository is an entry of three pages; their headers, Link among them, are those of a
recorded listing of five pages. Checks what lands in the store.
"""
import http.server, json, pathlib, sqlite3, subprocess, sys, tempfile, threading

straykey, fixtures = sys.argv[1], pathlib.Path(sys.argv[2])
load = lambda name: json.loads((fixtures / f"scenarios/api.github.com/{name}/normalized-fixture.json").read_text())
repository = load("get-repository")[0]["response"]
pages = load("paginate-issues")
asked = []


class Recorded(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        number = len(asked)
        asked.append(self.path)
        page = pages[number]
        entry = {**repository, "full_name": f"octokit-fixture-org/r{number}", "clone_url": f"https://github.com/octokit-fixture-org/r{number}.git"}
        body = json.dumps([entry]).encode()
        self.send_response(page["status"])
        headers = page.get("responseHeaders") or page["headers"]
        for name, value in headers.items():
            if name not in ("content-length", "connection", "transfer-encoding", "content-encoding", "date"):
                self.send_header(name, str(value).replace("https://api.github.com", base))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorded)
base = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True).start()
with tempfile.TemporaryDirectory() as folder:
    state = f"{folder}/state.db"
    arguments = ["sweep", "plan", "github:octokit-fixture-org", "--base-url", base, "--state", f"sqlite://{state}"]
    ran = subprocess.run([straykey, *arguments], capture_output=True, text=True)
    assert ran.returncode == 0, ran
    rows = sqlite3.connect(state).execute("SELECT url, name, owner, visibility, archived, fork, size_kib, pushed_at FROM repository ORDER BY id").fetchall()
expected = [
    (f"https://github.com/octokit-fixture-org/r{n}.git", f"octokit-fixture-org/r{n}", "octokit-fixture-org", "public", 0, 0, repository["size"], repository["pushed_at"])
    for n in range(len(pages))
]
assert rows == expected, (rows, expected)
assert len(pages) == 5 and "page=5" in asked[-1], asked
print(f"{len(rows)} repositories from {len(pages)} recorded pages")
