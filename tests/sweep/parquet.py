#!/usr/bin/env python3
"""Reads with Arrow what `straykey sweep export --parquet` writes, and holds it against the view.

    tests/sweep/parquet.py STRAYKEY
"""
import pathlib, random, sqlite3, subprocess, sys, tempfile

import pyarrow.parquet

straykey = pathlib.Path(sys.argv[1]).resolve()
letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
chance = random.Random(5)
git = lambda folder, *words: subprocess.run(
    ["git", "-C", folder, "-c", "user.name=Ada", "-c", "user.email=ada@example.com", *words], check=True)
columns = """identity rule severity account_id access_key_id has_secret verdict triage owner repository visibility
    path line object commit_id author reachability""".split()
with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for name in ("acme/one", "acme/two", "acme/none"):
        clone = folder / "clones" / name
        clone.mkdir(parents=True)
        git(clone, "init", "-q")
        text = "nothing\n"
        if name != "acme/none":
            key = "AK" + "IA" + "".join(chance.choices(letters[16:], k=1)) + "".join(chance.choices(letters, k=15))
            secret = "".join(chance.choices(letters + letters.lower() + "/+", k=40))
            text = f"export AWS_ACCESS_KEY_ID={key}\nexport AWS_SECRET_ACCESS_KEY={secret}\n"
        (clone / "deploy.sh").write_text(text)
        git(clone, "add", "-A")
        git(clone, "commit", "-q", "-m", "x")
    state = ["--state", f"sqlite://{folder}/s.db"]
    ran = subprocess.run([straykey, "sweep", folder / "clones", *state, "--cache", folder / "cache"], capture_output=True, text=True)
    assert ran.returncode == 1, ran
    table = folder / "found.parquet"
    ran = subprocess.run([straykey, "sweep", "export", *state, "--parquet", table], capture_output=True, text=True)
    assert ran.returncode == 0, ran
    read = pyarrow.parquet.read_table(table).select(columns).to_pylist()
    rows = sqlite3.connect(folder / "s.db").execute(f"SELECT {', '.join(columns)} FROM exposure").fetchall()
expected = [dict(zip(columns, row)) for row in rows]
for row in expected:
    row["has_secret"] = bool(row["has_secret"])
order = lambda row: (row["identity"], row["repository"])
assert len(expected) == 2 and sorted(read, key=order) == sorted(expected, key=order), (read, expected)
print(f"{len(read)} rows, as Arrow reads them")
