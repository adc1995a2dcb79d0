#!/usr/bin/env python3
"""Measures `straykey sweep` on loopback: a GitHub-like listing, git over smart HTTP.

    cargo build --release --locked --features sweep
    python3 benches/sweep.py [--repositories 300] [--real DIR]... [--rounds 3] [--postgres URL]

DIR holds git directories (or is one) that are served besides the generated repositories; they
are only read. --postgres URL (without a database; see tests/sweep/postgres) adds a fleet there.
CPU seconds are user + system of straykey and of the git it starts; the server's are not counted.
"""
import argparse, http.server, json, os, random, re, shutil, socketserver, sqlite3, statistics, subprocess, sys, tempfile, threading, time
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


class Measured:
    """A straykey process. `memory` is its own peak in MiB, without the git that it starts: ru_maxrss takes the
    largest of all, and begins with what the forking Python had."""

    def __init__(self, arguments, state, folder, threads=None):
        environment = {**ENVIRONMENT, "STRAYKEY_STATE": state}
        if threads:
            environment["RAYON_NUM_THREADS"] = str(threads)
        self.arguments, self.start, self.memory, self.output = arguments, time.monotonic(), 0.0, b""
        self.process = subprocess.Popen([STRAYKEY, "sweep", *arguments], env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=open(folder / "log", "a"))
        self.watching = [threading.Thread(target=work) for work in (self.read, self.watch)]
        for thread in self.watching:
            thread.start()

    def read(self):
        self.output = self.process.stdout.read()

    def watch(self):
        """VmHWM only grows until the process ends: the last reading is less than 5 ms old."""
        status = Path(f"/proc/{self.process.pid}/status")
        while True:
            try:
                found = re.search(r"VmHWM:\s+(\d+)", status.read_text())
            except OSError:
                return
            if not found:
                return
            self.memory = max(self.memory, int(found[1]) / 1024)
            time.sleep(0.005)

    def end(self, allowed=(0, 1)):
        """CPU seconds (with those of its git), wall seconds, peak memory, standard output."""
        _, status, used = os.wait4(self.process.pid, 0)
        wall = time.monotonic() - self.start
        self.process.returncode = os.waitstatus_to_exitcode(status)
        for thread in self.watching:
            thread.join()
        if self.process.returncode not in allowed:
            sys.exit(f"{self.arguments}: exit {self.process.returncode}\n{self.output[-2000:]}")
        return used.ru_utime + used.ru_stime, wall, self.memory, self.output.decode()


def run(arguments, state, folder, allowed=(0, 1)):
    return Measured(arguments, state, folder).end(allowed)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--repositories", type=int, default=300)
    options.add_argument("--commits", type=int, default=40)
    options.add_argument("--real", action="append", default=[], type=Path)
    options.add_argument("--listed", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=3, help="of the scaling part")
    options.add_argument("--local", action="store_true", help="scaling over local clones only, and nothing after it")
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

    if options.rounds:
        targets = [("local clones", [str(Forge.root / "acme")], options.repositories), ("fetched", base, len(names))]
        scale(options, folder, targets[:1] if options.local else targets)
        if options.local:
            return
    overhead(folder)
    planner(options, folder, base)


def sides():
    """What is compared: threads of one process, and processes of one thread, as many of each. Each thread
    scans with one thread."""
    return [("one process", 1, 1), ("2 threads", 1, 2), ("2 processes", 2, 1), ("4 threads", 1, 4), ("4 processes", 4, 1)]


def work_off(processes, threads, state, folder, key):
    """CPU and wall seconds, and the largest peak of memory, of workers that begin at the same time."""
    cache = str(folder / "cache-fleet")
    arguments = ["worker", "--workers", str(threads), "--cache", cache, "--key-file", str(key), "--cache-quota", "0"]
    start = time.monotonic()
    workers = [Measured(arguments, state, folder, threads=threads) for _ in range(processes)]
    ended = [worker.end((0,)) for worker in workers]
    return sum(it[0] for it in ended), time.monotonic() - start, max(it[2] for it in ended)


def scale(options, folder, targets):
    """Rounds over all sides, so that what else the machine does meets each of them; medians."""
    key = folder / "key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    for store in ["sqlite"] + (["postgres"] if options.postgres else []):
        for what, target, count in targets:
            taken = {name: [] for name, _, _ in sides()}
            for turn in range(options.rounds):
                for name, processes, threads in sides():
                    state = new_state(options, store, folder)
                    run(["plan", *target], state, folder)
                    taken[name].append(work_off(processes, threads, state, folder, key))
            tell_scale(f"{store}, {what}", taken, count)


def tell_scale(what, taken, count):
    median = lambda name, part: statistics.median(it[part] for it in taken[name])
    single = {part: median("one process", part) for part in (0, 1)}
    for name in taken:
        cpu, wall, memory = (median(name, part) for part in range(3))
        print(f"{what}, {name}: {cpu:.2f} CPU s ({100 * (cpu / single[0] - 1):+.1f} %), {wall:.1f} s ({single[1] / wall:.2f} times as fast), {memory:.0f} MiB a process", flush=True)


def new_state(options, store, folder):
    name = f"bench_{os.getpid()}_{time.monotonic_ns()}"
    if store == "sqlite":
        return f"sqlite://{folder}/{name}.db"
    subprocess.run(["psql", f"{options.postgres}/postgres", "-q", "-c", f"CREATE DATABASE {name}"], check=True)
    return f"{options.postgres}/{name}"


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
