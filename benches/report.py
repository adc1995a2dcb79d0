#!/usr/bin/env python3
"""Measures every output format on a large report: benches/report.py [STRAYKEY] [FINDINGS] [--history].

Writes a report of FINDINGS (200,000) made-up findings as JSON, has `straykey report` write it in each format, and says how
long that takes, how large the file is and the most memory the program had (the peak of its resident set, read from
wait4). With --history seven in ten findings say where in history they are. If Chromium and target/formats (see
tests/formats/run) are there, it opens the HTML page, filters and sorts it.

Exits with 1 if a format took 300 MB or more, or the page took 2 seconds to open or to filter.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HOUSE = Path(__file__).resolve().parent.parent
FORMATS = ["pretty", "line", "json", "jsonl", "sarif", "gitlab", "junit", "csv", "github", "markdown", "html"]
MOST_MEMORY = 300
MOST_SECONDS = 2.0
ACTIONS = ["opened", "search", "search_again", "reset", "tile", "severity"]


def run(command):
    """Seconds, processor seconds and megabytes."""
    start = time.monotonic()
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{command} ended with {child.returncode}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def page(report):
    modules = HOUSE / "target/formats/node_modules"
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if not (modules / "playwright-core").is_dir() or not chromium:
        print("the page was not opened: run tests/formats/run first")
        return True
    command = ["node", HOUSE / "tests/formats/large.cjs", modules, chromium, report]
    figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for name, value in figures.items():
        print(f"  {name:14} {value:8.2f}" if isinstance(value, float) else f"  {name:14} {value:8}")
    return all(figures[name] < MOST_SECONDS for name in ACTIONS)


def main():
    arguments = [it for it in sys.argv[1:] if not it.startswith("--")]
    straykey = arguments[0] if arguments else str(HOUSE / "target/release/straykey")
    findings = int(arguments[1]) if len(arguments) > 1 else 200_000
    history = "--history" in sys.argv
    held = True
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.json"
        with open(source, "wb") as out:
            generate = [sys.executable, HOUSE / "tests/formats/generate.py", str(findings), "7"]
            subprocess.run([*generate, *([] if history else ["--no-history"])], stdout=out, check=True)
        print(f"{findings} findings, {source.stat().st_size / 1e6:.0f} MB of JSON, {'with' if history else 'without'} history")
        print("format      wall s    cpu s   peak MB   file MB")
        for form in FORMATS:
            out = Path(folder) / f"out.{form}"
            wall, cpu, memory = run([straykey, "report", str(source), "--quiet", "-o", f"{form}={out}"])
            print(f"{form:10} {wall:7.1f}  {cpu:7.1f}   {memory:7.0f}   {out.stat().st_size / 1e6:7.1f}", flush=True)
            held &= memory < MOST_MEMORY
            if form == "html":
                held &= page(out)
            out.unlink()
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
