#!/usr/bin/env python3
"""What it costs to say where in history keys are, beside `git cat-file` over all objects.

    python3 benches/attribution.py target/release/straykey REPOSITORY...

Each repository is borrowed from, never written to: a bare one beside it gets a branch of 60 commits, each with a key of its own.
Then, in CPU seconds and with the AWS rules: `git cat-file` over all objects, a scan without findings' attribution (the repository
itself has to be clean for that; otherwise the figure says so), and a scan with it; and the peak of memory of the latter without the
mapped packs. The first commit of each of the 60 keys is held against the commit that brought it. Exit code 1 if one is wrong, or if
the scan takes more than half of the CPU time of `git cat-file`.
"""

import json
import os
import random
import subprocess
import sys
import tempfile

from history import PRINT, aws_only, run

KEYS = 60


def git(directory, *arguments, **options):
    command = ["git", "-C", directory, *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, **options).stdout


def keys():
    """Fake keys from a seed: they look real and belong to nobody."""
    source = random.Random(20261124)
    draw = lambda alphabet, length: "".join(source.choice(alphabet) for _ in range(length))
    base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    base64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for _ in range(KEYS):
        yield "AK" + "IA" + draw(base32[16:], 1) + draw(base32, 15), draw(base64, 40)


def plant(repository, directory):
    """A repository that borrows from `repository`, with keys; gives the commit of each."""
    target = os.path.join(directory, "bare.git")
    subprocess.run(["git", "init", "-q", "--bare", target], check=True)
    with open(os.path.join(target, "objects/info/alternates"), "w") as alternates:
        alternates.write(os.path.join(git_dir(repository), "objects") + "\n")
    refs = git(repository, "for-each-ref", "--format=%(objectname) %(refname)")
    with open(os.path.join(target, "packed-refs"), "wb") as packed:
        packed.write(b"# pack-refs with:\n" + refs)
    head = git(repository, "rev-parse", "HEAD").decode().strip()
    stream, planted = [], list(keys())
    for number, (key, secret) in enumerate(planted):
        content = f"aws_access_key_id = {key}\naws_secret_access_key = {secret}\n"
        stream.append("commit refs/heads/straykey-bench\n")
        stream.append(f"mark :{number + 1}\ncommitter Ada <ada@example.com> {1800000000 + number} +0000\ndata 3\nkey\n")
        if number == 0:
            stream.append(f"from {head}\n")
        stream.append(f"M 100644 inline deep/er/key{number}\ndata {len(content)}\n{content}\n")
    marks = os.path.join(directory, "marks")
    git(target, "fast-import", "--quiet", f"--export-marks={marks}", input="".join(stream).encode())
    ids = dict(line.split() for line in open(marks))
    return target, {key: ids[f":{number + 1}"] for number, (key, _) in enumerate(planted)}


def git_dir(repository):
    return os.path.realpath(git(repository, "rev-parse", "--absolute-git-dir").decode().strip())


def scan(program, config, repository, report):
    command = [program, "history", "-C", repository, "--config", config, "-q", "-o", f"json={report}"]
    seconds, _, code, peak = run(command)
    if code not in (0, 1):
        sys.exit(f"{repository}: exit code {code}")
    with open(report) as text:
        return seconds, peak, json.load(text)["findings"]


def measure(program, config, repository, directory):
    target, planted = plant(repository, directory)
    printed, _, code, _ = run(["git", "-C", target, *PRINT])
    if code:
        sys.exit(f"git cat-file on {repository}: exit code {code}")
    report = os.path.join(directory, "report.json")
    alone, _, own = scan(program, config, repository, report)
    whole, peak, findings = scan(program, config, target, report)
    first = {it["access_key_id"]: it["provenance"]["first_commit"] for it in findings if it["access_key_id"] in planted}
    right = sum(first.get(key) == commit for key, commit in planted.items())
    name = os.path.basename(os.path.dirname(repository.rstrip("/"))) or repository
    print(
        f"| {name} | {printed:.1f} | {alone:.1f} | {len(own)} | {whole:.1f} | {len(findings)} | {whole / printed:.2f} "
        f"| {right} of {KEYS} | {peak:.0f} |",
        flush=True,
    )
    return right == KEYS and whole <= 0.5 * printed


def main():
    program = os.path.abspath(sys.argv[1])
    print("| repository | cat-file, CPU s | scan | findings | with attribution | findings | ratio | first commits right | peak MB |")
    print("|---|---|---|---|---|---|---|---|---|")
    held = True
    for repository in sys.argv[2:]:
        with tempfile.TemporaryDirectory() as directory:
            held &= measure(program, aws_only(program, directory), repository, directory)
    sys.exit(not held)


if __name__ == "__main__":
    main()
