#!/usr/bin/env python3
"""Measures `straykey sweep` on loopback: a GitHub-like listing, git over smart HTTP.

    cargo build --release --locked --features sweep
    python3 benches/sweep.py [--repositories 300] [--real DIR]... [--postgres URL]

DIR holds git directories (or is one) that are served besides the generated repositories; they
are only read. --postgres URL (without a database; see tests/sweep/postgres) adds a fleet there.
CPU seconds are user + system of straykey and of the git it starts; the server's are not counted.
"""
import argparse, http.server, json, os, random, re, resource, shutil, socketserver, sqlite3, subprocess, sys, tempfile, threading, time
from pathlib import Path

STRAYKEY = Path(__file__).resolve().parent.parent / "target/release/straykey"
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
ENVIRONMENT = {**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def pair(seed):
    chance = random.Random(seed)
    text = lambda letters, count: "".join(chance.choice(letters) for _ in range(count))
    return "AK" + "IA" + text(BASE32[16:], 1) + text(BASE32, 15), text(BASE64, 40)


def make(path, number, commits):
    """A bare repository of one fast-import stream; every third has a key in its past."""
    subprocess.run(["git", "init", "-q", "--bare", path], check=True, env=ENVIRONMENT)
    chance = random.Random(number)
    words = [" ".join(chance.choice("alpha beta gamma delta let return if else".split()) for _ in range(9)) for _ in range(200)]
    stream = []
    for commit in range(commits):
        files = {f"src/file{chance.randrange(40)}.txt": "\n".join(chance.choices(words, k=120)) for _ in range(4)}
        if commit == commits // 2 and number % 3 == 0:
            key, secret = pair(number)
            files["deploy.sh"] = f"export AWS_ACCESS_KEY_ID={key}\nexport AWS_SECRET_ACCESS_KEY={secret}\n"
        stream.append(f"commit refs/heads/main\ncommitter Ada <ada@example.com> {1700000000 + commit} +0000\ndata 6\nchange\n")
        for name, text in files.items():
            stream.append(f"M 644 inline {name}\ndata {len(text)}\n{text}\n")
        if commit == commits // 2 + 1 and number % 3 == 0:
            stream.append("D deploy.sh\n")
    subprocess.run(["git", "-C", path, "fast-import", "--quiet"], input="".join(stream).encode(), check=True, env=ENVIRONMENT)


class Forge(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    entries, root, requests = [], None, {"listing": 0, "git": 0}

    def log_message(self, *_):
        pass

    def respond(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path.startswith("/api/"):
            return self.listing()
        self.git()

    do_POST = lambda self: self.git()

    def listing(self):
        Forge.requests["listing"] += 1
        page = int(re.search(r"[?&]page=(\d+)", self.path)[1]) if "?page=" in self.path or "&page=" in self.path else 1
        source = Forge.entries
        count = source if isinstance(source, int) else len(source)
        range_ = range((page - 1) * 100, min(page * 100, count))
        shown = [entry(f"acme/r{n}", self.headers["Host"]) for n in range_] if isinstance(source, int) else [source[n] for n in range_]
        headers = [("Content-Type", "application/json")]
        if page * 100 < count:
            address = f"http://{self.headers['Host']}{self.path.split('?')[0]}?page={page + 1}"
            headers.append(("Link", f'<{address}>; rel="next"'))
        self.respond(200, headers, json.dumps(shown).encode())

    def git(self):
        Forge.requests["git"] += 1
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        environment = {
            "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(Forge.root), "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": "*", "PATH_INFO": path, "QUERY_STRING": query,
            "REQUEST_METHOD": self.command, "REMOTE_ADDR": "127.0.0.1", "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)), "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        output = subprocess.run(["git", "http-backend"], input=body, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
        head, _, body = output.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self.respond(status, [(name, value) for name, value in headers if name != "Status"], body)


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


def entry(name, host, pushed_at="2026-01-01T00:00:00Z"):
    return {"id": 1, "full_name": name, "clone_url": f"http://{host}/{name}.git", "html_url": f"http://{host}/{name}", "private": False, "visibility": "public",
            "archived": False, "fork": False, "size": 1, "pushed_at": pushed_at}


def run(arguments, state, folder, allowed=(0, 1)):
    """CPU seconds, wall seconds, peak memory in MiB, standard output."""
    environment = {**ENVIRONMENT, "STRAYKEY_STATE": state}
    start = time.monotonic()
    process = subprocess.Popen([STRAYKEY, "sweep", *arguments], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=open(folder / "log", "a"))
    output = process.stdout.read().decode()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        sys.exit(f"{arguments}: exit {process.returncode}\n{output[-2000:]}")
    return used.ru_utime + used.ru_stime, time.monotonic() - start, used.ru_maxrss / 1024, output


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--repositories", type=int, default=300)
    options.add_argument("--commits", type=int, default=40)
    options.add_argument("--real", action="append", default=[], type=Path)
    options.add_argument("--listed", type=int, default=100_000)
    options.add_argument("--postgres")
    options = options.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="straykey-sweep-"))
    try:
        measure(options, folder)
    finally:
        shutil.rmtree(folder)


def measure(options, folder):
    Forge.root = folder / "served"
    names = []
    for number in range(options.repositories):
        name = f"acme/r{number}"
        make(Forge.root / f"{name}.git", number, options.commits)
        names.append(name)
    for place in options.real:
        for git_dir in [place] if (place / "HEAD").exists() else sorted(it for it in place.iterdir() if (it / "HEAD").exists()):
            name = f"real/{len(names)}-{git_dir.name}"
            (Forge.root / "real").mkdir(exist_ok=True)
            (Forge.root / f"{name}.git").symlink_to(git_dir.resolve())
            names.append(name)
    server = Server(("127.0.0.1", 0), Forge)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f"127.0.0.1:{server.server_port}"
    Forge.entries = [entry(name, host) for name in names]
    base = ["github:acme", "--base-url", f"http://{host}"]
    target = lambda run_name: [*base, "--cache", str(folder / f"cache-{run_name}")]
    planted = {pair(number)[0] for number in range(0, options.repositories, 3)}

    print(f"{len(names)} repositories, {len(planted)} planted keys")
    state = f"sqlite://{folder}/main.db"
    cpu, wall, memory, _ = run([*target("main"), "--json"], state, folder)
    report = json.loads(run(["report", "--json"], state, folder)[3])
    found = [it["access_key_id"] for it in report["credentials"]]
    states = {it["state"] for it in report["coverage"]}
    once = all(found.count(key) == 1 for key in planted)
    print(f"first sweep: {cpu:.1f} CPU s, {wall:.1f} s, {memory:.0f} MiB; planted keys found once: {once}; states: {states}")
    Forge.requests.update(listing=0, git=0)
    again, wall, _, _ = run([*target("main"), "--json"], state, folder)
    print(f"nothing new: {again:.2f} CPU s ({100 * again / cpu:.2f} % of the first), {wall:.1f} s, requests {Forge.requests}")
    git = ["git", "-C", str(Forge.root / "acme/r1.git")]
    commit = subprocess.run([*git, "-c", "user.name=a", "-c", "user.email=a@b", "commit-tree", "-p", "main", "-m", "x", "main^{tree}"], check=True, capture_output=True, env=ENVIRONMENT).stdout.decode().strip()
    subprocess.run([*git, "update-ref", "refs/heads/main", commit], check=True, env=ENVIRONMENT)
    Forge.entries[1] = entry("acme/r1", host, "2026-02-02T00:00:00Z")
    pushed, _, _, _ = run([*target("main"), "--json"], state, folder)
    database = sqlite3.connect(folder / "main.db")
    rows = database.execute("SELECT repository_id, objects FROM scan ORDER BY id DESC LIMIT 1").fetchone()
    scans = database.execute("SELECT COUNT(*) FROM scan").fetchone()[0]
    print(f"one push: {pushed:.2f} CPU s; {scans - len(names)} scan more, of {rows[1]} object(s)")

    scale(options, folder, base, len(names))
    overhead(folder)
    planner(options, folder, base)


def fleet(count, state, folder, base, key):
    """CPU and wall seconds of planning, then of `count` worker processes with one thread each."""
    planned = run(["plan", *base], state, folder)
    start = time.monotonic()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    workers = [subprocess.Popen([STRAYKEY, "sweep", "worker", "--workers", "1", "--cache", str(folder / "cache-fleet"), "--key-file", str(key)],
               env={**ENVIRONMENT, "STRAYKEY_STATE": state, "RAYON_NUM_THREADS": "1"}, stderr=open(folder / "log", "a")) for _ in range(count)]
    for worker in workers:
        if worker.wait() != 0:
            sys.exit(f"a worker ended with {worker.returncode}")
    return planned[0], time.monotonic() - start


def scale(options, folder, base, count):
    key = folder / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    for store in ["sqlite"] + (["postgres"] if options.postgres else []):
        for workers in (1, 2, 4):
            shutil.rmtree(folder / "cache-fleet", ignore_errors=True)
            if store == "sqlite":
                state = f"sqlite://{folder}/fleet{workers}.db"
            else:
                name = f"bench_{os.getpid()}_{workers}"
                subprocess.run(["psql", f"{options.postgres}/postgres", "-q", "-c", f"CREATE DATABASE {name}"], check=True)
                state = f"{options.postgres}/{name}"
            before = os.times()
            planned, wall = fleet(workers, state, folder, base, key)
            after = os.times()
            cpu = after.children_user + after.children_system - before.children_user - before.children_system - planned
            print(f"{store}, {workers} worker(s): {wall:.1f} s, {count / wall:.1f} repositories/s")


def overhead(folder):
    """Jobs that do nothing: local repositories with the refs they had."""
    clones = folder / "clones"
    for number in range(1000):
        path = clones / f"c{number}"
        for part in ("objects", "refs"):
            (path / part).mkdir(parents=True)
        (path / "HEAD").write_text("ref: refs/heads/main\n")
        (path / "config").write_text("[core]\n\tbare = true\n\trepositoryformatversion = 0\n")
    state = f"sqlite://{folder}/jobs.db"
    for word in ("first", "again"):
        cpu, wall, _, _ = run([str(clones), "--workers", "2", "--cache", str(folder / "cache-jobs")], state, folder)
        print(f"1000 empty jobs ({word}): {wall:.2f} ms a job, {cpu:.2f} CPU ms a job")


def planner(options, folder, base):
    peaks = []
    for count in (5_000, options.listed):
        Forge.entries = count
        cpu, wall, memory, _ = run(["plan", *base], f"sqlite://{folder}/plan{count}.db", folder)
        peaks.append(memory)
        size = (folder / f"plan{count}.db").stat().st_size / 2**20
        print(f"planning {count} repositories: peak {memory:.1f} MiB, {cpu:.1f} CPU s, {wall:.1f} s, {size:.0f} MiB of state")
    print(f"peak memory {peaks[1] / peaks[0]:.2f} times that of 5000 repositories")


main()
