#!/usr/bin/env python3
"""Prints straykey's time as a ratio to ripgrep's on the same tree, in one run.

usage: benches/speed.py TREE [RUNS]

Needs ripgrep (rg) and python3. Builds the release binary, warms the page cache, then runs both in turn and prints the
median of the pairwise ratios: of wall and CPU seconds on the tree, of wall seconds on an empty directory (start-up), and
the peak memory of straykey on the tree and on one small file (it must not grow with the tree).
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
STRAYKEY = os.path.join(ROOT, "target/release/straykey")
PATTERN = "(AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"


def run(command):
    """Wall seconds, CPU seconds and peak memory in MiB of one command."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(name, ours, theirs, runs):
    run(ours), run(theirs)
    pairs = [(run(ours), run(theirs)) for _ in range(runs)]
    for index, what in enumerate(["wall", "CPU"]):
        ratios = sorted(a[index] / max(b[index], 1e-9) for a, b in pairs)
        mine = statistics.median(a[index] for a, _ in pairs)
        others = statistics.median(b[index] for _, b in pairs)
        print(
            f"{name:12} {what:4}  straykey {mine:8.4f} s  rg {others:8.4f} s  "
            f"ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )
    return statistics.median(a[2] for a, _ in pairs)


def main():
    tree = sys.argv[1]
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet"], cwd=ROOT, check=True)
    threads = str(os.cpu_count())
    rg = ["rg", "-a", "-c", "--hidden", "--no-ignore", "-j", threads, PATTERN]
    straykey = [STRAYKEY, "--no-ignore", "--quiet", "-j", threads]
    peak = compare("tree", straykey + [tree], rg + [tree], runs)
    with tempfile.TemporaryDirectory() as empty:
        compare("empty", straykey + [empty], rg + [empty], runs * 10)
        small = os.path.join(empty, "small")
        with open(small, "w", encoding="ascii") as file:
            file.write("nothing\n")
        floor = statistics.median(run(straykey + [small])[2] for _ in range(5))
    print(f"peak memory  straykey {peak:.1f} MiB on the tree, {floor:.1f} MiB on one small file")


if __name__ == "__main__":
    main()
