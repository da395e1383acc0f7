#!/usr/bin/env python3
"""Checks answers of the API against docs/openapi.yaml.

Reads JSON lines from standard input, each {"path": …, "status": …, "body": …}, with {"type": …} if its media type is to be
checked too. An error must have its status in the text of the description. Prints a line for each answer that its
schema does not allow, and ends with status 1 if there was one. Needs Debian's python3-jsonschema and python3-yaml.
"""

import json
import pathlib
import sys

import jsonschema
import yaml


def schema_of(document, path, status):
    """The description of an answer of this path and status, and the schema of its JSON body."""
    responses = document["paths"][path]["get"]["responses"]
    response = responses.get(str(status), responses["default"])
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
    return response, response["content"]["application/json"]["schema"]


def complaints(answer, response):
    """Complaints about the head of an answer."""
    kind = answer.get("type", "application/json")
    if kind not in response["content"]:
        yield f"the media type {kind} is not described"
    if answer["status"] >= 400 and str(answer["status"]) not in response["description"]:
        yield "the status is not described"


def main():
    file = pathlib.Path(__file__).parent.parent / "docs" / "openapi.yaml"
    document = yaml.safe_load(file.read_text(encoding="utf-8"))
    checker = jsonschema.FormatChecker(formats=("ipv4", "ipv6"))
    faults = 0
    for line in sys.stdin:
        answer = json.loads(line)
        response, schema = schema_of(document, answer["path"], answer["status"])
        for complaint in complaints(answer, response):
            faults += 1
            print(f"{answer['path']} ({answer['status']}): {complaint}")
        schema = {"components": document["components"], **schema}
        jsonschema.Draft202012Validator.check_schema(schema)
        validator = jsonschema.Draft202012Validator(schema, format_checker=checker)
        for error in validator.iter_errors(answer["body"]):
            faults += 1
            place = "/".join(str(part) for part in error.absolute_path)
            print(f"{answer['path']} ({answer['status']}): {place}: {error.message[:300]}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
