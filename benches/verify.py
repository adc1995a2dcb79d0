#!/usr/bin/env python3
"""Prints what the network code costs a scan that does not use it: straykey with the cargo feature `verify` against the
same tree built without it, both in one run.

usage: benches/verify.py [TREE] [RUNS]

TREE is what is scanned (default: this repository's src). Needs valgrind and python3. Builds both release binaries, then
compares start-up (an empty directory) and the scan: instructions, counted by callgrind with one thread, and wall and CPU
seconds, as the median of pairwise ratios (RUNS of the scan, default 15; twenty times as many of the start-up). Ends with 1
if the scan takes more than 1.05 times the instructions, or the start-up more than 500,000 instructions more. What start-up
pays for is the larger binary: the loader relocates 16,000 more pointers in it (3.51 against 3.19 million instructions,
about 0.2 ms, in November 2026).
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCAN_LIMIT = 1.05
START_LIMIT = 500_000


def build(directory, name, *options):
    subprocess.run(["cargo", "build", "--release", "--locked", "--quiet", *options], cwd=ROOT, check=True)
    return shutil.copy(os.path.join(ROOT, "target/release/straykey"), os.path.join(directory, name))


def instructions(binary, tree):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", binary, "-j", "1", "-q", tree]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", result.stderr)
    if not found:
        sys.exit(f"callgrind gave no count:\n{result.stderr}")
    return int(found.group(1))


def seconds(binary, tree):
    """Wall and CPU seconds."""
    started = time.monotonic()
    command = [binary, "-q", tree]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    return wall, usage.ru_utime + usage.ru_stime


def compare(name, tree, binaries, runs):
    counts = [instructions(binary, tree) for binary in binaries]
    ratio = counts[0] / counts[1]
    print(f"{name:9} instructions  {counts[0]:>13,} with, {counts[1]:>13,} without: ratio {ratio:.4f}")
    for binary in binaries:
        seconds(binary, tree)
    pairs = [[seconds(binary, tree) for binary in binaries] for _ in range(runs)]
    for index, what in enumerate(["wall", "CPU"]):
        ratios = sorted(pair[0][index] / max(pair[1][index], 1e-4) for pair in pairs)
        medians = [1000 * statistics.median(pair[side][index] for pair in pairs) for side in (0, 1)]
        print(
            f"{name:9} {what:12}  {medians[0]:10.1f} ms with, {medians[1]:10.1f} ms without: "
            f"ratio {statistics.median(ratios):.3f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )
    return counts


def main():
    tree = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "src")
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 15
    with tempfile.TemporaryDirectory() as directory:
        without = build(directory, "without", "--no-default-features")
        binaries = [build(directory, "with"), without]
        empty = os.path.join(directory, "empty")
        os.mkdir(empty)
        start = compare("start-up", empty, binaries, 20 * runs)
        scan = compare("scan", tree, binaries, runs)
        sizes = [os.path.getsize(binary) / 2**20 for binary in binaries]
        print(f"size      {sizes[0]:.1f} MiB with, {sizes[1]:.1f} MiB without")
    if scan[0] > SCAN_LIMIT * scan[1] or start[0] - start[1] > START_LIMIT:
        sys.exit("more instructions than allowed")


if __name__ == "__main__":
    main()
