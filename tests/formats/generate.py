#!/usr/bin/env python3
"""Writes a report of N findings as straykey's JSON, for tests and measurements: generate.py N [SEED].

Everything in it is made up from the seed; no ID in it was ever issued.
"""

import json
import random
import sys

BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
RULES = [
    ("aws-access-key-pair", "AWS access key with its secret", "critical", "high"),
    ("aws-access-key-id", "AWS access key ID without a secret", "medium", "high"),
    ("aws-secret-access-key", "AWS secret access key", "high", "medium"),
    ("stripe-access-token", "Stripe access token", "high", "high"),
]
FOLDERS = ["app", "deploy", "infra/terraform", "services/billing/config", "scripts", "docs", "tests/fixtures", ".github/workflows"]
FILES = ["settings.py", "credentials", "main.tf", ".env", "README.md", "values.yaml", "config.json", "Dockerfile", "notebook.ipynb"]
AUTHORS = ["Ada Byron <ada@example.com>", "Grace H. <grace@example.com>", "Linus <linus@example.org>", "deploy-bot <bot@example.com>"]
# What somebody may call a file, or write into one.
HOSTILE = [
    "<script>alert(1)</script>", "</script><img src=x onerror=alert(1)>", "<!--<script>", "'\"`&lt;", "=HYPERLINK(\"http://x\")", "@SUM(1)", "-1+1",
    "%0A::error::x", "::error::x", "a\nb,c\"d", "\u202egnp.exe", "\x1b[31mred", "zero\u200bwidth", "]]>", "${x}{{title}}", "a|b\\", "\u2028line", "\ud800", "##[error]x",
]
NOW = 1_795_462_800


def fingerprint(dice):
    return f"{dice.getrandbits(128):032x}"


def date(seconds):
    import datetime

    moment = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def verdict(dice, account):
    chance = dice.random()
    if chance < 0.55:
        return {"state": "unchecked"}
    if chance < 0.75:
        return {"state": "inactive", "partitions": ["aws"]}
    if chance < 0.83:
        return {"state": "secret-mismatch", "partition": "aws"}
    if chance < 0.90:
        return {"state": "unknown", "cause": "timeout", "detail": "STS gave no answer in time"}
    if chance < 0.95:
        return {"state": "expired", "partition": "aws"}
    root = dice.random() < 0.2
    arn = f"arn:aws:iam::{account}:" + ("root" if root else "user/deploy")
    principal = {"kind": "root"} if root else {"kind": "user", "name": "deploy"}
    return {"state": "live", "partition": "aws", "arn": arn, "account_id": account, "principal": principal, "other_secret": False}


def provenance(dice):
    first = NOW - dice.randrange(86_400, 5 * 365 * 86_400)
    removed = first + dice.randrange(86_400, 400 * 86_400)
    gone = removed < NOW and dice.random() < 0.6
    commit = lambda: f"{dice.getrandbits(160):040x}"
    names = {"branches": ["main"], "tags": ["v1.2"] if dice.random() < 0.3 else [], "remotes": ["origin/main"], "other_refs": []}
    counts = {name: len(value) for name, value in names.items()}
    return {
        "reachability": "reachable", "first_commit": commit(), "author": dice.choice(AUTHORS), "date": date(first), "first_at_cut": False,
        "last_commit": commit(), "last_author": dice.choice(AUTHORS), "last_date": date(removed if gone else first),
        "removed_commit": commit() if gone else None, "removed_author": dice.choice(AUTHORS) if gone else None, "removed_date": date(removed) if gone else None,
        "in_head": not gone, **names, "submodule": None, "counts": {"commits": dice.randrange(1, 900), "objects": 1, "places": 1, **counts},
    }


def occurrence(dice, path, rule, key, history):
    line, column = dice.randrange(1, 400), dice.randrange(1, 40)
    part = lambda name, line, length: {"part": name, "line": line, "column": column, "end_line": line, "end_column": column + length}
    parts, excerpt = [], []
    if key:
        parts.append(part("access_key_id", line, 20))
        excerpt.append({"line": line, "segments": ["AWS_ACCESS_KEY_ID = \"", {"id": key}, "\""]})
        line += 1
    if rule != "aws-access-key-id":
        parts.append(part("secret_access_key" if rule.startswith("aws") else "secret", line, 40))
        excerpt.append({"line": line, "segments": ["AWS_SECRET_ACCESS_KEY = \"", {"hidden": parts[-1]["part"], "length": 40}, "\""]})
    commit = f"{dice.getrandbits(160):040x}" if history else None
    return {"path": path, "kind": "commit" if commit else "file", "commit": commit, "parts": parts, "excerpt": excerpt}


def finding(dice, index):
    rule, title, severity, confidence = dice.choices(RULES, [6, 2, 1, 1])[0]
    key = "AKIA" + "".join(dice.choices(BASE32, k=16)) if "access-key-" in rule and "secret" not in rule else None
    account = f"{dice.randrange(10**11, 10**12)}" if key else None
    history = dice.random() < 0.7
    places = []
    for _ in range(1 if dice.random() < 0.85 else dice.randrange(2, 6)):
        path = f"{dice.choice(FOLDERS)}/{dice.randrange(300)}/{dice.choice(FILES)}"
        places.append(occurrence(dice, path, rule, key, history))
    if index < len(HOSTILE):
        places[0]["path"] = f"hostile/{HOSTILE[index]}"
        places[0]["excerpt"][0]["segments"][0] = HOSTILE[index]
    state = verdict(dice, account) if rule == "aws-access-key-pair" else {"state": "unchecked"}
    severity = {"inactive": "low", "expired": "low"}.get(state["state"], severity)
    return {
        "fingerprint": fingerprint(dice), "rule": rule, "title": title, "severity": severity, "confidence": confidence,
        "blocks": severity != "low", "access_key_id": key, "account_id": account, "key_type": "long-term" if key else None, "canary": False,
        "verdict": state, "provenance": provenance(dice) if history else None, "occurrences": places,
    }


def main():
    number = int(sys.argv[1])
    dice = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 7)
    out = sys.stdout
    commit = f"{dice.getrandbits(160):040x}"
    head = {"url": "https://github.com/example/shop", "host": "github", "head": commit, "paths": {".": ""}}
    out.write('{"schema": 1, "tool": {"name": "straykey", "version": "0"}, "repository": %s, "findings": [\n' % json.dumps(head))
    for index in range(number):
        # A lone surrogate is no text for a reader of JSON; U+FFFD is what becomes of it.
        out.write(("," if index else "") + json.dumps(finding(dice, index)).replace("\\ud800", "\\ufffd") + "\n")
    unread = [{"path": "private/" + name.replace("\ud800", "\ufffd"), "reason": "permission denied", "incomplete": True} for name in HOSTILE[:3]]
    summary = {
        "files": 1204, "bytes": 19_083_264, "findings": number, "seconds": 0.25, "blocking": 0, "fail_on": "medium", "git_ignored": 12,
        "complete": False, "interrupted": False, "scanned_at": date(NOW), "verified_at": date(NOW + 5),
    }
    out.write('], "not_scanned": %s, "summary": %s}\n' % (json.dumps(unread), json.dumps(summary)))


if __name__ == "__main__":
    main()
