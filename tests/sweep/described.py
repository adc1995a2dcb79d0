#!/usr/bin/env python3
"""Holds what straykey asks forges, and what the stand-in of the tests answers, against what the
forges publish.

    tests/sweep/described.py EXCHANGES GITHUB GITEA…

EXCHANGES is what the tests wrote for STRAYKEY_TEST_EXCHANGES: a JSON line a request. GITHUB is the
description of its API (npm @octokit/openapi), each GITEA one of Gitea's or Forgejo's (Swagger 2.0,
in the crates gitea-sdk and forgejo-api). Checked are path, method, query parameters with their types and words, the header with the token, the status, and the body. GitLab's description is in no
registry: its parameters and fields are those of https://docs.gitlab.com/api/groups/#list-projects.
"""
import collections, json, pathlib, re, sys, urllib.parse
import jsonschema

exchanges, github, *giteas = sys.argv[1:]

# Of GitLab's documentation: the parameters of each endpoint, and fields with their types.
PAGES = {"page": "integer", "per_page": "integer"}
PROJECTS = {**PAGES, "order_by": ["id", "name", "path", "created_at", "updated_at", "similarity", "star_count", "last_activity_at"], "sort": ["asc", "desc"], "include_subgroups": "boolean"}
TEXT, NUMBER, BOOLEAN = ({"type": it} for it in ("string", "integer", "boolean"))
PROJECT = {
    "type": "object",
    "required": ["id", "path_with_namespace", "http_url_to_repo", "visibility", "archived", "namespace"],
    "additionalProperties": False,
    "properties": {
        "id": NUMBER, "description": {"type": ["string", "null"]}, "name": TEXT, "name_with_namespace": TEXT, "path": TEXT,
        "path_with_namespace": TEXT, "default_branch": TEXT, "topics": {"type": "array"}, "http_url_to_repo": TEXT,
        "web_url": TEXT, "namespace": {"type": "object"}, "archived": BOOLEAN, "empty_repo": BOOLEAN, "last_activity_at": TEXT,
        "visibility": {"enum": ["public", "internal", "private"]}, "forked_from_project": {"type": "object"},
    },
}
GITLAB = {
    "/groups/{id}/projects": (PROJECTS, {"type": "array", "items": PROJECT}),
    "/users/{user_id}/projects": (PROJECTS, {"type": "array", "items": PROJECT}),
    "/version": ({}, {"type": "object", "required": ["version", "revision"]}),
}
# What the forges' prose describes for every request, and their descriptions do not repeat.
EVERYWHERE = {301, 302, 304, 401, 403, 404, 429, 451, 500, 502, 503}


def fits(template, path):
    """Whether a path is one of a template, as `/orgs/{org}/repos`."""
    return re.fullmatch("[^/]+".join(re.escape(it) for it in re.split(r"\{[^}]*\}", template)), path)


def plain(schema, document, within=()):
    """OpenAPI 3.0 and Swagger 2.0 as JSON Schema: references resolved, `nullable` as a type. What
    is within itself may be anything there."""
    if isinstance(schema, list):
        return [plain(it, document, within) for it in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        target = document
        for part in reference.removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        return {} if reference in within else plain(target, document, (*within, reference))
    result = {name: plain(value, document, within) for name, value in schema.items() if name not in ("example", "examples")}
    if result.pop("nullable", False):
        result = {"anyOf": [result, {"type": "null"}]}
    return result


def closed(schema):
    """The schema without room for fields that are not described."""
    if schema.get("type") == "array":
        return {**schema, "items": closed(schema["items"])}
    if "properties" in schema and "additionalProperties" not in schema:
        return {**schema, "additionalProperties": False}
    return schema


class Described:
    """An OpenAPI 3.0 or Swagger 2.0 document."""

    def __init__(self, file):
        self.name = pathlib.Path(file).parent.name
        self.document = json.loads(pathlib.Path(file).read_text())
        self.known = {}

    def operation(self, method, path):
        for template, operations in self.document["paths"].items():
            if fits(template, path) and method in operations:
                return template, operations[method]
        raise AssertionError(f"{self.name} describes no {method} {path}")

    def look_up(self, method, path):
        template, operation = self.operation(method, path)
        if (method, template) not in self.known:
            parameters = {}
            for it in plain(operation.get("parameters", []), self.document):
                if it["in"] == "query":
                    schema = it.get("schema", it)
                    parameters[it["name"]] = schema.get("enum") or schema["type"]
            answers = {}
            for status, answer in plain(operation["responses"], self.document).items():
                schema = answer.get("schema") or answer.get("content", {}).get("application/json", {}).get("schema")
                answers[int(status)] = schema and jsonschema.Draft7Validator(closed(schema))
            self.known[method, template] = template, parameters, answers
        return self.known[method, template]


class Documented:
    """GitLab, as above."""

    name = "gitlab"

    def look_up(self, method, path):
        for template, (parameters, schema) in GITLAB.items():
            if method == "get" and fits(template, path):
                return template, parameters, {200: jsonschema.Draft7Validator(schema)}
        raise AssertionError(f"gitlab documents no {method} {path}")


def check_parameter(name, value, kind):
    if isinstance(kind, list):
        assert value in kind, f"{name}={value}: not one of {kind}"
    elif kind == "integer":
        assert value.isdigit(), f"{name}={value}: no number"
    elif kind == "boolean":
        assert value in ("true", "false"), f"{name}={value}: no boolean"


def check_token(name, headers):
    given = headers.get("authorization")
    if name == "gitlab":
        assert given is None, "GitLab's token is in PRIVATE-TOKEN"
    elif given is not None:
        assert re.fullmatch("token .+" if name == "gitea" else "Bearer .+", given), "not the scheme that is described"


def check(exchange, forge, described):
    path, _, query = exchange["target"].partition("?")
    path = re.sub("^/api/v[134]", "", path)
    template, parameters, answers = described.look_up(exchange["method"].lower(), path)
    for name, value in urllib.parse.parse_qsl(query, strict_parsing=bool(query)):
        assert name in parameters, f"{template} has no parameter {name}"
        check_parameter(name, value, parameters[name])
    headers = dict(exchange["headers"])
    assert headers["accept"] == "application/json" and headers["user-agent"].startswith("straykey/"), headers
    check_token(forge, headers)
    status = exchange["status"]
    assert status in answers or status in EVERYWHERE, f"{template}: {status} is not described"
    if answers.get(status) and status < 300:
        error = next(answers[status].iter_errors(exchange["body"]), None)
        assert error is None, f"{template}: {error.json_path}: {error.message[:300]}"
    return template, status


forges = {"/api/v3/": ("github", [Described(github)]), "/api/v4/": ("gitlab", [Documented()]), "/api/v1/": ("gitea", [Described(it) for it in giteas])}
seen, wrong = collections.Counter(), []
for line in pathlib.Path(exchanges).read_text().splitlines():
    exchange = json.loads(line)
    forge, descriptions = forges[exchange["target"][:8]]
    for described in descriptions:
        try:
            template, status = check(exchange, forge, described)
            seen[forge, exchange["method"], template, status] += 1
        except AssertionError as error:
            wrong.append(f"{described.name}: {exchange['method']} {exchange['target']}: {error}")
for key, number in sorted(seen.items()):
    print(number, *key)
assert not wrong, "\n".join([f"{len(wrong)} exchanges are not as described:", *wrong[:20]])
for needed in [("github", "GET", "/orgs/{org}/repos", 200), ("github", "GET", "/orgs/{org}/repos", 304), ("github", "GET", "/users/{username}/repos", 200), ("github", "POST", "/app/installations/{installation_id}/access_tokens", 201), ("gitlab", "GET", "/groups/{id}/projects", 200), ("gitlab", "GET", "/users/{user_id}/projects", 200), ("gitea", "GET", "/orgs/{org}/repos", 200), ("gitea", "GET", "/users/{username}/repos", 200)]:
    assert seen[needed], f"the tests did not ask for {needed}"
