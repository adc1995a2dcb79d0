"""Has each scanner hide what it finds in a tree of fake keys, imports that, and looks at what still blocks."""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

STRAYKEY = sys.argv[1]
BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
LETTERS = BASE64[:-2]
made = random.Random(7)


def text(alphabet, length):
    return "".join(made.choice(alphabet) for _ in range(length))


def key_id():
    return "AK" + "IA" + text(BASE32[16:], 1) + text(BASE32, 15)


def pair():
    return f'aws_access_key_id = "{key_id()}"\naws_secret_access_key = "{text(BASE64, 40)}"\n'


def run(folder, *command, code=0):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {"HOME": str(folder.parent / "home"), "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert code is None or done.returncode == code, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def git(folder, *arguments):
    run(folder, "git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *arguments)


def tree(parent):
    """A repository with keys of several kinds, in the files and in the history only."""
    folder = parent / "repository"
    (parent / "home").mkdir()
    for name in ["config", "deploy", "src"]:
        (folder / name).mkdir(parents=True)
    (folder / "config/settings.py").write_text("# settings\n\n" + pair())
    (folder / "deploy/id.txt").write_text(f"the deploy key is {key_id()}\n")
    (folder / "deploy/env").write_text("# sample-only\n" + pair())
    stripe = "sk_" + "live_" + text(LETTERS, 24)
    (folder / "src/pay.js").write_text(f'const stripe = "{stripe}"\n')
    git(folder, "init", "-q", "-b", "main")
    (folder / "src/old.py").write_text(pair())
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "keys")
    return folder


def report(folder):
    done = run(folder, STRAYKEY, "-o", "json", code=None)
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def blocking(folder):
    """File and line of every part of every key that blocks."""
    places = set()
    for finding in report(folder)["findings"]:
        if finding["blocks"]:
            for occurrence in finding["occurrences"]:
                path = occurrence["path"].removeprefix("./")
                places |= {(path, part["line"]) for part in occurrence["parts"]}
    return places


def shown(name, folder, hidden, more):
    """`hidden`: what the scanner hid, file and line. None of it may block after the import, all else as before."""
    before = blocking(folder)
    seen = before & hidden
    assert len(seen) >= 3, f"{name} hid too little of what straykey finds: {seen}"
    done = run(folder, STRAYKEY, "import", *more)
    after = blocking(folder)
    assert not after & hidden, f"{name}: still blocking: {after & hidden}\n{done.stdout}{done.stderr}"
    # What is new blocks, beside what was hidden, too.
    path = folder / sorted(seen)[0][0]
    old = path.read_text()
    path.write_text(pair() + old)
    assert (str(path.relative_to(folder)), 1) in blocking(folder), f"{name}: a new key does not block"
    path.write_text(old)
    lost = done.stdout.count("not carried over:")
    print(f"{name}: hid {len(hidden)} places, {len(seen)} of them keys here; still blocking {len(after & hidden)}; "
          f"{lost} not carried over")


def places(found):
    return {(it["File"], it["StartLine"]) for it in found}


def gitleaks_baseline(folder, redact):
    options = ["--redact"] if redact else []
    path = folder.parent / "report.json"
    arguments = ["gitleaks", "dir", ".", "--no-banner", "-r", str(path), *options]
    run(folder, *arguments, code=1)
    run(folder, "gitleaks", "dir", ".", "--no-banner", "-b", str(path), *options, code=0)
    found = json.loads(path.read_text())
    shown("gitleaks baseline" + (", redacted" if redact else ""), folder, places(found), [str(path)])


def gitleaks_ignore(folder, mode):
    path = folder.parent / "report.json"
    run(folder, "gitleaks", mode, ".", "--no-banner", "-r", str(path), code=1)
    found = json.loads(path.read_text())
    lines = "".join(it["Fingerprint"] + "\n" for it in found)
    (folder / ".gitleaksignore").write_text("# known\n" + lines)
    run(folder, "gitleaks", mode, ".", "--no-banner", code=0)
    shown(f".gitleaksignore of gitleaks {mode}", folder, places(found), [])


def detect_secrets(folder):
    done = run(folder, "detect-secrets", "scan")
    (folder / ".secrets.baseline").write_text(done.stdout)
    files = subprocess.run(["git", "ls-files"], cwd=folder, capture_output=True, text=True, check=True).stdout.split()
    run(folder, "detect-secrets-hook", "--baseline", ".secrets.baseline", *files, code=0)
    results = json.loads(done.stdout)["results"]
    hidden = {(file, it["line_number"]) for file, found in results.items() for it in found}
    shown(".secrets.baseline", folder, hidden, [])


def git_secrets(folder):
    run(folder, "git", "secrets", "--register-aws")
    first = run(folder, "git", "secrets", "--scan", "-r", ".", code=1)
    hits = {tuple(line.split(":")[:2]) for line in first.stderr.splitlines() if line.count(":") > 1}
    hidden = {(path.removeprefix("./"), int(number)) for path, number in hits if number.isdigit()}
    # One by its content in the repository's configuration, the rest by their places in .gitallowed.
    run(folder, "git", "secrets", "--add", "--allowed", "the deploy key is")
    (folder / ".gitallowed").write_text("# by place\n" + "".join(
        f"^(\\./)?{path}:{number}:\n" for path, number in sorted(hidden)))
    run(folder, "git", "secrets", "--scan", "-r", ".", code=0)
    shown(".gitallowed and git config", folder, hidden, [])


def in_tree(check, *arguments):
    with tempfile.TemporaryDirectory() as parent:
        check(tree(pathlib.Path(parent)), *arguments)


in_tree(gitleaks_baseline, False)
in_tree(gitleaks_baseline, True)
in_tree(gitleaks_ignore, "dir")
in_tree(gitleaks_ignore, "git")
in_tree(detect_secrets)
in_tree(git_secrets)
