#!/usr/bin/env python3
"""Checks what kustomize makes of examples/kubernetes/.

  scripts/manifests.py check FILE             the objects, by the schemas in tests/schemas/ and among each other
  scripts/manifests.py listed FOLDER          each file of a folder is named by its kustomization.yaml
  scripts/manifests.py rules FILE NAME        prints the rules of the PrometheusRule NAME as Prometheus reads them

FILE is the output of `kubectl kustomize`. Ends with status 1 and one line for each fault.
"""

import json
import pathlib
import re
import sys

import jsonschema
import yaml

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent / "tests" / "schemas"
JOB = "trafficmonitor"  # the job that alerts.rules.yml expects
CLUSTER_WIDE = {"Namespace", "PriorityClass"}
ROOT = 0
UNITS = {"": 1, "m": 0.001, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def by_kind():
    """The validator of each kind that has a schema."""
    validators = {}
    for name in ("kubernetes.json", "prometheus-operator.json"):
        schema = json.loads((SCHEMAS / name).read_text())
        for kind, inner in schema["kinds"].items():
            whole = {"$schema": schema["$schema"], "$defs": schema["$defs"], **inner}
            validators[kind] = jsonschema.validators.validator_for(whole)(whole)
    return validators


def against_schemas(objects):
    validators = by_kind()
    for item in objects:
        kind = f"{item.get('apiVersion')}/{item.get('kind')}"
        if kind not in validators:
            yield f"{kind}: no schema in tests/schemas/"
            continue
        for error in validators[kind].iter_errors(item):
            yield f"{kind} {item['metadata']['name']}: {error.json_path}: {error.message}"


def quantity(text):
    """A number of Kubernetes' notation, such as 100m or 96Mi."""
    number, unit = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", str(text)).groups()
    return float(number) * UNITS[unit]


def selects(selector, labels):
    wanted = selector["matchLabels"]
    return bool(wanted) and all(labels.get(key) == value for key, value in wanted.items())


class Rendered:
    """The objects of one rendering, by kind."""

    def __init__(self, objects):
        self.objects = objects
        self.daemon_set = self.only("DaemonSet")
        self.pod_monitor = self.only("PodMonitor")
        self.template = self.daemon_set["spec"]["template"]
        self.pod = self.template["spec"]
        self.container, *self.others = self.pod["containers"]

    def of(self, kind):
        return {item["metadata"]["name"]: item for item in self.objects if item["kind"] == kind}

    def only(self, kind):
        (item,) = self.of(kind).values()
        return item

    def port(self, name):
        """The number of a port of the container, by its name."""
        numbers = [port["containerPort"] for port in self.container["ports"] if port["name"] == name]
        return numbers[0] if numbers else None

    # Each of the following gives the faults of one matter.

    def namespaces(self):
        (name,) = self.of("Namespace")
        for item in self.objects:
            if item["kind"] not in CLUSTER_WIDE and item["metadata"].get("namespace") != name:
                yield f"{item['kind']} {item['metadata']['name']} is not in the namespace {name}"

    def selectors(self):
        labels = self.template["metadata"]["labels"]
        for item in (self.daemon_set, self.pod_monitor):
            if not selects(item["spec"]["selector"], labels):
                yield f"{item['kind']}: the selector does not select the pods"
        if labels.get(self.pod_monitor["spec"].get("jobLabel")) != JOB:
            yield f"PodMonitor: the job is not called {JOB}, as the rules expect"

    def ports(self):
        listening = [word for word in self.container["args"] if word.startswith("--web.listen-address=")]
        served = int(listening[0].rsplit(":", 1)[1])
        probes = [(name, self.container[name]["httpGet"]) for name in ("livenessProbe", "readinessProbe")]
        scraped = self.pod_monitor["spec"]["podMetricsEndpoints"]
        for what, name in [(name, probe["port"]) for name, probe in probes] + [("PodMonitor", scraped[0]["port"])]:
            if self.port(name) != served:
                yield f"{what}: the port {name} is not the one that is served, {served}"
        if [probe["path"] for _, probe in probes] != ["/-/healthy", "/-/ready"]:
            yield "the probes do not ask /-/healthy and /-/ready"
        for port in self.container["ports"]:
            if not self.pod["hostNetwork"] or port.get("hostPort") != port["containerPort"]:
                yield "the pod is not on the network of its node"

    def privileges(self):
        pod, container = self.pod["securityContext"], self.container["securityContext"]
        if container["capabilities"] != {"drop": ["ALL"], "add": ["NET_RAW"]}:
            yield f"the capabilities are not NET_RAW alone: {container['capabilities']}"
        for other in self.others:
            if other["securityContext"]["capabilities"] != {"drop": ["ALL"]}:
                yield f"the container {other['name']} has capabilities"
            if other["securityContext"]["allowPrivilegeEscalation"]:
                yield f"the container {other['name']} may get capabilities"
        for inner in (self.container, *self.others):
            if inner["securityContext"]["privileged"] or not inner["securityContext"]["readOnlyRootFilesystem"]:
                yield f"the container {inner['name']} is privileged, or may write to its file system"
        if pod["seccompProfile"] != {"type": "RuntimeDefault"}:
            yield "the system calls are not filtered"
        is_root = pod["runAsUser"] == ROOT
        if pod["runAsNonRoot"] == is_root:
            yield "runAsNonRoot and runAsUser contradict each other"
        if container["allowPrivilegeEscalation"] == is_root:
            yield "a file capability needs allowPrivilegeEscalation; root does not"
        if self.pod["automountServiceAccountToken"] or self.pod["enableServiceLinks"]:
            yield "the pod gets a token or variables that it does not need"

    def resources(self):
        for container in (self.container, *self.others):
            requests, limits = container["resources"]["requests"], container["resources"]["limits"]
            for name in ("cpu", "memory"):
                if not 0 < quantity(requests[name]) <= quantity(limits[name]):
                    yield f"{container['name']}: {name}: the request is over the limit"

    def references(self):
        for kind, key in (("ServiceAccount", "serviceAccountName"), ("PriorityClass", "priorityClassName")):
            if self.pod[key] not in self.of(kind):
                yield f"{key}: there is no {kind} {self.pod[key]}"
        given = {variable["name"] for variable in self.container["env"]}
        for name in re.findall(r"\$\(([^)]*)\)", " ".join(self.container["args"])):
            if name not in given:
                yield f"args: nothing sets the variable {name}"

    def configuration(self):
        mounts = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
        files = {}
        for volume in self.pod["volumes"]:
            name = volume["configMap"]["name"]
            has_hash = bool(re.search(r"-[a-z0-9]{10}$", name))
            if has_hash == any(other["name"] == "reload" for other in self.others):
                yield f"ConfigMap {name}: a change has to restart the pods by a new name, or to be read by HUP"
            for file, text in self.of("ConfigMap").get(name, {"data": {}})["data"].items():
                files[f"{mounts[volume['name']]}/{file}"] = text
        for word in self.container["args"]:
            if word.startswith("--config.file=") and word.split("=")[1] not in files:
                yield f"{word}: the file is in no ConfigMap"

    def faults(self):
        parts = [self.namespaces, self.selectors, self.ports, self.privileges, self.resources, self.references]
        for part in [*parts, self.configuration]:
            yield from part()


def check(objects):
    faults = list(against_schemas(objects))
    # What the schemas refuse may not have the parts that are compared.
    return faults or list(Rendered(objects).faults())


def listed(folder):
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    named = {"kustomization.yaml", *kustomization["resources"]}
    for generator in kustomization["configMapGenerator"]:
        named.update(generator["files"])
    there = {file.name for file in folder.iterdir()}
    return [f"{folder}: {name} is not both named and there" for name in sorted(named ^ there)]


def main():
    match sys.argv[1:]:
        case ["check", file]:
            faults = check(list(yaml.safe_load_all(pathlib.Path(file).read_text())))
        case ["listed", folder]:
            faults = listed(pathlib.Path(folder))
        case ["rules", file, name]:
            rules = Rendered(list(yaml.safe_load_all(pathlib.Path(file).read_text()))).of("PrometheusRule")
            print(yaml.safe_dump(rules[name]["spec"], sort_keys=False))
            faults = []
        case _:
            sys.exit(__doc__)
    if faults:
        sys.exit("\n".join(faults))


main()
