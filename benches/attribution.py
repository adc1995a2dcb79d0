#!/usr/bin/env python3
"""What it costs to say where in history keys are, beside `git cat-file` over all objects.

    python3 benches/attribution.py target/release/straykey REPOSITORY...

Each repository is borrowed from, never written to: a bare one beside it gets a branch of 60 commits, each with a key of its own.
Then, in CPU seconds: `git cat-file` over all objects, a scan without findings' attribution (the repository itself has to be clean
for that; otherwise the figure says so), and a scan with it. The first commit of each of the 60 keys is held against the commit that
brought it.
"""

import json
import os
import random
import resource
import subprocess
import sys
import tempfile

KEYS = 60


def cpu(command, **options):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, stderr=subprocess.PIPE, **options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, done, after.ru_maxrss


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


def scan(program, repository, report):
    command = [program, "history", "-C", repository, "--no-config", "-q", "-o", f"json={report}"]
    seconds, done, peak = cpu(command, stdout=subprocess.DEVNULL)
    if done.returncode not in (0, 1):
        print(f"  exit code {done.returncode}: {done.stderr.decode().strip().splitlines()[:1]}")
    with open(report) as text:
        return seconds, peak, json.load(text)["findings"]


def main():
    program = os.path.abspath(sys.argv[1])
    print("| repository | cat-file, CPU s | scan | findings | with attribution | findings | ratio | first commits right | peak MiB |")
    print("|---|---|---|---|---|---|---|---|---|")
    for repository in sys.argv[2:]:
        with tempfile.TemporaryDirectory() as directory:
            target, planted = plant(repository, directory)
            objects = ["git", "-C", target, "cat-file", "--batch-all-objects", "--batch", "--buffer", "--unordered"]
            printed, _, _ = cpu(objects, stdout=subprocess.DEVNULL)
            report = os.path.join(directory, "report.json")
            alone, _, own = scan(program, repository, report)
            whole, peak, findings = scan(program, target, report)
            first = {it["access_key_id"]: it["provenance"]["first_commit"] for it in findings if it["access_key_id"] in planted}
            right = sum(first.get(key) == commit for key, commit in planted.items())
            name = os.path.basename(os.path.dirname(repository.rstrip("/"))) or repository
            print(f"| {name} | {printed:.1f} | {alone:.1f} | {len(own)} | {whole:.1f} | {len(findings)} | {whole / printed:.2f} | {right} of {KEYS} | {peak // 1024} |", flush=True)


if __name__ == "__main__":
    main()
