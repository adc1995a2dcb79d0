#!/usr/bin/env python3
"""Makes a tree of files with hostile names, each holding a made-up AWS key: tree.py FOLDER."""

import os
import random
import sys

from generate import BASE32, HOSTILE

BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def main():
    folder = os.fsencode(sys.argv[1])
    dice = random.Random(11)
    names = [text.encode("utf-8", "surrogatepass") for text in HOSTILE] + [b"\xff\xfe.py", b"a\xc3", b"\t tab", b"\r"]
    for number, name in enumerate(names):
        # A path may hold anything but a slash and a zero.
        path = os.path.join(folder, b"%d" % number, name.replace(b"/", b"_").replace(b"\0", b"_"))
        os.makedirs(os.path.dirname(path))
        key = "AKIA" + "".join(dice.choices(BASE32, k=16))
        secret = "".join(dice.choices(BASE64, k=40))
        with open(path, "wb") as file:
            file.write(b"# " + name + b"\naws_access_key_id = " + key.encode() + b" # " + name.replace(b"\n", b" "))
            file.write(b"\naws_secret_access_key = " + secret.encode() + b"\n")


if __name__ == "__main__":
    main()
