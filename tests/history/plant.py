#!/usr/bin/env python3
"""Plants 40 keys that are nobody's into the history of the bare repository named, in files of its newest commit: put in at a
random place, then changed, moved or taken out again, so that they meet the deltas of real files."""

import random
import string
import subprocess
import sys

repository = sys.argv[1]
chance = random.Random(40)
BASE32, BASE64 = string.ascii_uppercase + "234567", string.ascii_letters + string.digits


def git(*arguments):
    return subprocess.run(["git", "-C", repository, *arguments], check=True, capture_output=True).stdout


def pair():
    identifier = "AK" + "IA" + chance.choice(BASE32[16:]) + "".join(chance.choices(BASE32, k=15))
    secret = "".join(chance.choices(BASE64, k=40))
    return f"\naws_access_key_id = {identifier}\naws_secret_access_key = {secret}\n".encode()


listed = git("ls-tree", "-r", "-z", "--format=%(objecttype) %(objectsize) %(path)", "HEAD").split(b"\0")
files = [entry.split(b" ", 2)[2] for entry in listed if entry.startswith(b"blob") and 2000 < int(entry.split()[1]) < 200_000]
chance.shuffle(files)
stream, time = [], 1700000000
for path in [name for name in files if b'"' not in name and b"\n" not in name][:40]:
    content = git("cat-file", "blob", b"HEAD:" + path)
    place = chance.randrange(len(content))
    planted = content[:place] + pair() + content[place:]
    moved = content[place:] + planted[place : len(planted) - len(content) + place] + content[:place]
    for version in [planted, planted + b"more\n", moved, chance.choice([content, planted])]:
        time += 60
        stream.append(
            b"commit refs/heads/planted\ncommitter Ada <ada@example.com> %d +0000\ndata 5\nplant\n" % time
            + b'M 100644 inline "%s"\ndata %d\n%s\n' % (path, len(version), version)
        )
subprocess.run(
    ["git", "-C", repository, "-c", "fastimport.unpackLimit=1", "fast-import", "--quiet"], input=b"".join(stream), check=True
)
