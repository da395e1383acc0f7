#!/usr/bin/env python3
"""Rewrites the schemas in tests/schemas/ from the packages that carry them; tests/schemas/README.md has their origin.

  scripts/schemas.py

Takes from each package what the files in examples/ use, without descriptions, so that the files stay small. It needs
pip, and about 200 MB of disk for the time that it runs.
"""

import json
import pathlib
import subprocess
import sys
import tempfile
import venv
import zipfile

TARGET = pathlib.Path(__file__).resolve().parent.parent / "tests" / "schemas"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

KUBERNETES = "kubernetes-validate==1.37.0"
KUBERNETES_FOLDER = "kubernetes_validate/kubernetes-json-schema/v1.37.0-local-strict/"
KUBERNETES_KINDS = {
    "v1/ConfigMap": "configmap-v1",
    "v1/Namespace": "namespace-v1",
    "v1/ServiceAccount": "serviceaccount-v1",
    "apps/v1/DaemonSet": "daemonset-apps-v1",
    "scheduling.k8s.io/v1/PriorityClass": "priorityclass-scheduling-v1",
}

OPERATOR = "cloudcoil-models-prometheus-operator==0.80.1.0"
OPERATOR_KINDS = ["PodMonitor", "PrometheusRule"]
OPERATOR_PROGRAM = """
import json
import cloudcoil.models.prometheus_operator.v1 as v1
print(json.dumps({kind: getattr(v1, kind).model_json_schema() for kind in KINDS}))
"""

COMPOSE = "check-jsonschema==0.39.0"
COMPOSE_FILE = "check_jsonschema/builtin_schemas/vendor/compose-spec.json"

ANNOTATIONS = {"description", "title", "default", "x-kubernetes-group-version-kind", "$id", "$schema"}


def wheel(package, folder):
    """The downloaded wheel of a package, opened."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), package]
    subprocess.run(command, check=True)
    name = package.split("==")[0].replace("-", "_")
    return zipfile.ZipFile(next(folder.glob(f"{name}-*.whl")))


def schemas_of(value, change):
    """A copy of a schema in which `change` has changed the schema itself and each one within it."""
    if isinstance(value, list):
        return [schemas_of(item, change) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {}
    for key, item in value.items():
        if key in ("properties", "$defs", "definitions", "patternProperties"):
            inner[key] = {name: schemas_of(schema, change) for name, schema in item.items()}
        elif key in ("enum", "const", "required"):
            inner[key] = item
        else:
            inner[key] = schemas_of(item, change)
    return change(inner)


def plain(schema):
    return {key: value for key, value in schema.items() if key not in ANNOTATIONS}


def strict(schema):
    """Refuses keys that are not declared, as the API server does with strict validation. A key that may be null is one
    that may be left out."""
    schema = plain(schema)
    others = [choice for choice in schema.get("anyOf", []) if choice != {"type": "null"}]
    if len(others) == 1:
        del schema["anyOf"]
        schema.update(others[0])
    if schema.get("properties"):
        schema.setdefault("additionalProperties", False)
    return schema


def references(value):
    """The names of the definitions that a schema refers to."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].rsplit("/", 1)[1]
        value = value.values()
    elif not isinstance(value, list):
        return
    for item in value:
        yield from references(item)


def local(schema):
    """References point into the file itself."""
    schema = plain(schema)
    if isinstance(schema.get("$ref"), str):
        schema["$ref"] = "#/$defs/" + schema["$ref"].rsplit("/", 1)[1]
    return schema


def kubernetes(folder):
    package = wheel(KUBERNETES, folder)

    def read(name):
        return json.loads(package.read(f"{KUBERNETES_FOLDER}{name}.json"))

    definitions = read("_definitions")["$defs"]
    kinds = {kind: schemas_of(read(file), local) for kind, file in KUBERNETES_KINDS.items()}
    used = {}
    wanted = list(references(list(kinds.values())))
    while wanted:
        name = wanted.pop()
        if name not in used:
            used[name] = schemas_of(definitions[name], local)
            wanted.extend(references(used[name]))
    return {"$schema": DIALECT, "kinds": kinds, "$defs": dict(sorted(used.items()))}


def operator(folder):
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", OPERATOR], check=True)
    program = OPERATOR_PROGRAM.replace("KINDS", repr(OPERATOR_KINDS))
    printed = subprocess.run([python, "-c", program], check=True, stdout=subprocess.PIPE, text=True).stdout
    kinds, used = {}, {}
    for kind, schema in json.loads(printed).items():
        definitions = schema.pop("$defs")
        for name, definition in definitions.items():
            definition = schemas_of(definition, strict)
            if used.setdefault(name, definition) != definition:
                raise SystemExit(f"schemas: two definitions are called {name}")
        kinds[f"monitoring.coreos.com/v1/{kind}"] = schemas_of(schema, strict)
    return {"$schema": DIALECT, "kinds": kinds, "$defs": dict(sorted(used.items()))}


def compose(folder):
    return {"$schema": DIALECT, **schemas_of(json.loads(wheel(COMPOSE, folder).read(COMPOSE_FILE)), plain)}


def write(name, schema):
    text = json.dumps(schema, indent=1, sort_keys=True)
    (TARGET / name).write_text(text + "\n")
    print(f"schemas: {name}: {len(text)} bytes")


def main():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        write("kubernetes.json", kubernetes(folder))
        write("prometheus-operator.json", operator(folder))
        write("compose-spec.json", compose(folder))


main()
