#!/usr/bin/env python3
"""Checks answers of the API against docs/openapi.yaml.

Reads JSON lines from standard input, each {"path": …, "status": …, "body": …}; prints a line for each answer that its
schema does not allow, and ends with status 1 if there was one. Needs Debian's python3-jsonschema and python3-yaml.
"""

import json
import pathlib
import sys

import jsonschema
import yaml


def schema_of(document, path, status):
    """The schema of a JSON answer of this path and status."""
    responses = document["paths"][path]["get"]["responses"]
    response = responses.get(str(status), responses["default"])
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    return response["content"]["application/json"]["schema"]


def main():
    file = pathlib.Path(__file__).parent.parent / "docs" / "openapi.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    checker = jsonschema.FormatChecker(formats=("ipv4", "ipv6"))
    faults = 0
    for line in sys.stdin:
        answer = json.loads(line)
        schema = {"components": document["components"], **schema_of(document, answer["path"], answer["status"])}
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema, format_checker=checker)
        for error in validator.iter_errors(answer["body"]):
            faults += 1
            place = "/".join(str(part) for part in error.absolute_path)
            print(f"{answer['path']} ({answer['status']}): {place}: {error.message[:300]}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
