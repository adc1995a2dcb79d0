#!/usr/bin/env python3
"""Reads what straykey wrote with readers that are not straykey's: check.py FOLDER SCHEMA.

The folder holds empty.*, small.* and scan.*, one file a format, and the JSON each was made from.
"""

import copy
import csv
import json
import re
import sys
import unicodedata
from pathlib import Path

import jsonschema
import junitparser

FORMATS = ["pretty", "line", "json", "jsonl", "sarif", "gitlab", "junit", "csv", "github", "markdown", "html"]
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
SEVERITIES = {"critical": "Critical", "high": "High", "medium": "Medium", "low": "Low"}


def fail_unless(condition, message):
    if not condition:
        raise SystemExit(f"check.py: {message}")


def closed(schema):
    """The schema with every object closed: what it does not name is an error."""
    if isinstance(schema, dict):
        if "properties" in schema and "additionalProperties" not in schema:
            schema["additionalProperties"] = False
        for value in schema.values():
            closed(value)
    elif isinstance(schema, list):
        for value in schema:
            closed(value)
    return schema


def inert(path):
    """No output acts on what shows it."""
    text = path.read_bytes().decode("utf-8")
    for character in text.replace("\r\n", "\n"):
        bad = (unicodedata.category(character) in ("Cc", "Cs") and character != "\n") or character in BIDI
        fail_unless(not bad, f"{path.name} holds {character!r}")
    return text


def check_json(folder, name, schema):
    jsonschema.Draft202012Validator.check_schema(schema)
    document = json.loads((folder / f"{name}.json").read_text("utf-8"))
    for form in (schema, closed(copy.deepcopy(schema))):
        jsonschema.validate(document, form)
    lines = (folder / f"{name}.jsonl").read_text("utf-8").splitlines()
    findings = [json.loads(line) for line in lines[:-1]]
    finding = {"$ref": "#/$defs/finding", "$defs": closed(copy.deepcopy(schema))["$defs"]}
    validator = jsonschema.Draft202012Validator(finding)
    for entry in findings:
        validator.validate(entry)
    trailer = json.loads(lines[-1])
    jsonschema.validate(trailer, closed(copy.deepcopy(schema)))
    fail_unless(findings == document["findings"], f"{name}: json and jsonl differ")
    fail_unless(trailer["summary"] == document["summary"], f"{name}: json and jsonl differ in the summary")
    for wrong in ({"schema": 2}, {"summary": {}}, {"findings": [{}]}):
        fail_unless(not jsonschema.Draft202012Validator(schema).is_valid({**document, **wrong}), f"the schema takes {wrong}")
    return document


def check_junit(folder, name, document):
    xml = junitparser.JUnitXml.fromfile(str(folder / f"{name}.junit"))
    suites = list(xml)
    cases = [case for suite in suites for case in suite]
    results = [type(result).__name__ for case in cases for result in case.result]
    places = lambda blocks: sum(len(it["occurrences"]) for it in document["findings"] if it["blocks"] == blocks)
    unread = sum(it["incomplete"] for it in document["not_scanned"])
    fail_unless(results.count("Failure") == places(True), f"{name}.junit: failures")
    fail_unless(results.count("Skipped") == places(False), f"{name}.junit: skipped")
    fail_unless(results.count("Error") == unread, f"{name}.junit: errors")
    fail_unless(len(cases) >= 1 and xml.tests == len(cases), f"{name}.junit: number of tests")
    said = (xml.failures, xml.errors, suites[0].skipped)
    fail_unless(said == (results.count("Failure"), results.count("Error"), results.count("Skipped")), f"{name}.junit: {said}")


def check_csv(folder, name, document):
    with open(folder / f"{name}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, strict=True))
    fail_unless(len(rows) == sum(len(it["occurrences"]) for it in document["findings"]), f"{name}.csv: rows")
    expected = [(it["fingerprint"], str(place["parts"][0]["line"])) for it in document["findings"] for place in it["occurrences"]]
    fail_unless([(row["fingerprint"], row["line"]) for row in rows] == expected, f"{name}.csv: cells")
    for row in rows:
        fail_unless(None not in row and None not in row.values(), f"{name}.csv: ragged")
        for value in row.values():
            fail_unless(not re.match(r"\s*[=+\-@\t\r]", value), f"{name}.csv: a formula: {value}")


COMMAND = re.compile(r"::(?P<name>[a-z-]+)(?: (?P<properties>[^:]*))?::(?P<data>.*)")


def check_github(folder, name, document):
    """Workflow commands, by GitHub's documentation ("Workflow commands for GitHub Actions")."""
    shown = {"error": 0, "warning": 0}
    for line in (folder / f"{name}.github").read_text("utf-8").splitlines():
        if not line.lstrip().startswith("::"):
            fail_unless("##[" not in line, f"{name}.github: {line}")
            continue
        match = COMMAND.fullmatch(line)
        fail_unless(match and match["name"] in shown, f"{name}.github: {line}")
        shown[match["name"]] += 1
        properties = dict(it.split("=", 1) for it in match["properties"].split(","))
        fail_unless(set(properties) <= {"title", "file", "line", "endLine", "col", "endColumn"}, f"{name}.github: {line}")
        for number in ("line", "endLine", "col", "endColumn"):
            fail_unless(properties.get(number, "1").isdigit(), f"{name}.github: {line}")
        for text in (*properties.values(), match["data"]):
            fail_unless(re.fullmatch(r"(?:[^%]|%(?:25|0A|0D|3A|2C))*", text), f"{name}.github: {line}")
        fail_unless(not re.search(r"AKIA[A-Z2-7]{16}", line), f"{name}.github: an ID is not masked")
    fail_unless(max(shown.values()) <= 10 + 3, f"{name}.github: {shown}")
    said = bool(document["findings"]) or any(it["incomplete"] for it in document["not_scanned"])
    fail_unless(said == (shown["error"] + shown["warning"] > 0), f"{name}.github: {shown}")


def check_gitlab(folder, name, document):
    """The fields that GitLab documents for `secret_detection` reports."""
    report = json.loads((folder / f"{name}.gitlab").read_text("utf-8"))
    fail_unless(re.fullmatch(r"15\.\d+\.\d+", report["version"]), "gitlab: version")
    scan = report["scan"]
    fail_unless(scan["type"] == "secret_detection" and scan["status"] in ("success", "failure"), "gitlab: scan")
    fail_unless((scan["status"] == "success") == document["summary"]["complete"], "gitlab: status")
    for time in ("start_time", "end_time"):
        fail_unless(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", scan[time]), f"gitlab: {time}")
    fail_unless(scan["start_time"] <= scan["end_time"], "gitlab: times")
    for tool in ("analyzer", "scanner"):
        fail_unless({"id", "name", "version", "vendor"} <= set(scan[tool]) and scan[tool]["vendor"]["name"], f"gitlab: {tool}")
    for message in scan.get("messages", []):
        fail_unless(message["level"] in ("info", "warn", "fatal") and message["value"], "gitlab: messages")
    seen = set()
    severities = {it["fingerprint"]: it["severity"] for it in document["findings"]}
    for entry in report["vulnerabilities"]:
        fail_unless(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", entry["id"]), "gitlab: id")
        fail_unless(entry["id"] not in seen, "gitlab: an id twice")
        seen.add(entry["id"])
        fail_unless(entry["category"] == "secret_detection", "gitlab: category")
        fail_unless(0 < len(entry["name"]) <= 255 and len(entry["solution"]) <= 7000, "gitlab: name, solution")
        fail_unless(len(entry["description"]) <= 1_048_576 and entry["severity"] in SEVERITIES.values(), "gitlab: severity")
        fail_unless(entry["identifiers"], "gitlab: identifiers")
        for identifier in entry["identifiers"]:
            fail_unless(all(identifier[key] for key in ("type", "name", "value")), "gitlab: identifiers")
        location = entry["location"]
        fail_unless(location["file"] and location["commit"]["sha"], "gitlab: location")
        fail_unless(1 <= location["start_line"] <= location["end_line"], "gitlab: lines")
    paths = sum(len({place["path"] + place.get("path_base64", "") for place in it["occurrences"]}) for it in document["findings"])
    fail_unless(len(report["vulnerabilities"]) == paths, f"{name}.gitlab: {len(report['vulnerabilities'])} of {paths}")
    counted = [severity for severity in severities.values()]
    fail_unless(bool(counted) == bool(report["vulnerabilities"]), "gitlab: severities")


def check_sarif(folder, name):
    """What GitHub asks for beyond the schema ("SARIF support for code scanning")."""
    run = json.loads((folder / f"{name}.sarif").read_text("utf-8"))["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    for rule in rules:
        fail_unless(0 <= float(rule["properties"]["security-severity"]) <= 10, "sarif: security-severity")
        fail_unless(len(rule["properties"]["tags"]) <= 10 and rule["help"]["text"], "sarif: tags, help")
    prints = set()
    for result in run["results"]:
        fail_unless(rules[result["ruleIndex"]]["id"] == result["ruleId"], "sarif: ruleIndex")
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        key = (result["partialFingerprints"]["primaryLocationLineHash"], place)
        fail_unless(key not in prints, "sarif: two results with one fingerprint in one file")
        prints.add(key)


def main():
    folder, schema = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text("utf-8"))
    for name in ("empty", "small", "scan"):
        for form in FORMATS:
            inert(folder / f"{name}.{form}")
        document = check_json(folder, name, schema)
        fail_unless(bool(document["findings"]) == (name != "empty"), f"{name}: findings")
        check_junit(folder, name, document)
        check_csv(folder, name, document)
        check_github(folder, name, document)
        check_gitlab(folder, name, document)
        check_sarif(folder, name)
        print(f"check.py: {name}: {len(document['findings'])} findings in {len(FORMATS)} formats")


if __name__ == "__main__":
    main()
