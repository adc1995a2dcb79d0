#!/usr/bin/env python3
"""plant.py SOURCE TARGET: makes TARGET, a bare repository with the objects and refs of SOURCE, which is only read, and with 40 keys
that are nobody's, in files of its newest commit: put in at a random place, then changed, moved or taken out again. All is packed into
one pack, so that they meet the deltas of real files. SOURCE may be a partial clone: what is absent stays absent."""

import os
import random
import shutil
import string
import subprocess
import sys

source, target = sys.argv[1:]
chance = random.Random(40)
BASE32, BASE64 = string.ascii_uppercase + "234567", string.ascii_letters + string.digits
os.environ["GIT_NO_LAZY_FETCH"] = "1"


def git(*arguments, repository=target, **more):
    return subprocess.run(["git", "-C", repository, *arguments], check=True, stdout=subprocess.PIPE, **more).stdout


def pair():
    identifier = "AK" + "IA" + chance.choice(BASE32[16:]) + "".join(chance.choices(BASE32, k=15))
    secret = "".join(chance.choices(BASE64, k=40))
    return f"\naws_access_key_id = {identifier}\naws_secret_access_key = {secret}\n".encode()


def borrow():
    kind = git("rev-parse", "--show-object-format", repository=source).decode().strip()
    git("init", "--quiet", "--bare", f"--object-format={kind}", target, repository=".")
    objects = git("rev-parse", "--path-format=absolute", "--git-path", "objects", repository=source).decode().strip()
    with open(f"{target}/objects/info/alternates", "w") as alternates:
        alternates.write(objects + "\n")
    listed = git("for-each-ref", "--format=%(objectname) %(refname)", repository=source)
    with open(f"{target}/packed-refs", "wb") as refs:
        refs.write(listed)
    git("update-ref", "--no-deref", "HEAD", git("rev-parse", "HEAD", repository=source).decode().strip())


def plant():
    listed = git("ls-tree", "-r", "-z", "--format=%(objecttype) %(objectname) %(path)", "HEAD").split(b"\0")
    blobs = [entry.split(b" ", 2)[1:] for entry in listed if entry.startswith(b"blob")]
    sizes = git("cat-file", "--batch-check=%(objectsize)", input=b"\n".join(blob for blob, _ in blobs)).splitlines()
    files = [path for (_, path), size in zip(blobs, sizes) if size.isdigit() and 2000 < int(size) < 200_000]
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
    git("-c", "fastimport.unpackLimit=1", "fast-import", "--quiet", input=b"".join(stream))


def pack_all():
    """One pack of every object that is there; names come first, so that versions of a file are tried as each other's bases."""
    names = git("rev-list", "--objects", "refs/heads/planted", "--not", "HEAD")
    names += git("rev-list", "--objects", "--no-walk", "--missing=allow-any", "HEAD")
    everything = git("cat-file", "--batch-all-objects", "--unordered", "--batch-check=%(objectname)")
    packs = f"{target}/objects/pack"
    before = os.listdir(packs)
    git("pack-objects", "-q", "--threads=2", f"{packs}/pack", input=names + everything)
    for name in before:
        os.remove(f"{packs}/{name}")
    os.remove(f"{target}/objects/info/alternates")
    git("multi-pack-index", "write")


shutil.rmtree(target, ignore_errors=True)
borrow()
plant()
pack_all()
