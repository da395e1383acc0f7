#!/usr/bin/env python3
"""Checks examples/compose.yml.

  scripts/compose.py check FILE                          by the schema in tests/schemas/, and what it names
  scripts/compose.py config FILE SERVICE                 prints the configuration file that a service reads
  unshare --net --mount --propagation private --pid --fork --mount-proc scripts/compose.py run FILE PROGRAM FOLDER

`run` starts the exporter PROGRAM as the file confines it, and Prometheus and Alertmanager of PATH with the options and
files of their services, and waits until Prometheus has scraped the exporter and knows the Alertmanager. FOLDER is an
empty folder. Grafana is in no package registry: `check` compares what is provisioned. Ends with status 1 and one line
for each fault.
"""

import json
import pathlib
import shutil
import subprocess
import sys

import contained
import jsonschema
import yaml

SCHEMA = pathlib.Path(__file__).resolve().parent.parent / "tests" / "schemas" / "compose-spec.json"
EXPORTER = "trafficmonitor"
# The programs of the images.
PROGRAMS = {"alertmanager": "prometheus-alertmanager", "prometheus": "prometheus"}
# A user that is not root, as the image has it.
USER = 65532


class Compose:
    """A compose file, with paths of containers mapped to those of this host."""

    def __init__(self, file):
        self.folder = pathlib.Path(file).resolve().parent
        self.content = yaml.safe_load(pathlib.Path(file).read_text())
        self.services = self.content["services"]

    def mounts(self, service):
        """Source, path in the container and mode of each volume of a service."""
        return [(volume + ":rw").split(":")[:3] for volume in self.services[service].get("volumes", [])]

    def is_named(self, source):
        return not source.startswith(".")

    def on_host(self, service, path):
        """The file of this host that a service finds at a path; None if it is in no mounted folder."""
        for source, target, _ in self.mounts(service):
            if not self.is_named(source) and (path == target or path.startswith(target + "/")):
                return pathlib.Path(str((self.folder / source).resolve()) + path[len(target):])
        return None

    def option(self, service, name):
        (value,) = [word.split("=", 1)[1] for word in self.services[service]["command"] if word.startswith(name + "=")]
        return value

    def configuration(self, service):
        return self.on_host(service, self.option(service, "--config.file"))

    def address(self, service):
        return self.option(service, "--web.listen-address")

    # Each of the following gives the faults of one matter.

    def schema(self):
        schema = json.loads(SCHEMA.read_text())
        for error in jsonschema.validators.validator_for(schema)(schema).iter_errors(self.content):
            yield f"{error.json_path}: {error.message}"

    def volumes(self):
        named = set()
        for service in self.services:
            for source, target, mode in self.mounts(service):
                if self.is_named(source):
                    named.add(source)
                elif not (self.folder / source).exists() or mode != "ro":
                    yield f"{service}: {source} is not there, or may be written to"
        if named != set(self.content["volumes"]):
            yield f"the volumes are not those of the services: {sorted(named)}"

    def privileges(self):
        for name, service in self.services.items():
            if service["cap_drop"] != ["ALL"] or service.get("privileged"):
                yield f"{name} keeps capabilities"
            if service.get("cap_add", []) != (["NET_RAW"] if name == EXPORTER else []):
                yield f"{name} has capabilities that it does not need, or lacks one"
        exporter = self.services[EXPORTER]
        if exporter["network_mode"] != "host" or not exporter["read_only"]:
            yield "the exporter is not on the network of the host, or may write to its file system"
        if exporter.get("security_opt"):
            yield "the file capability of the exporter's image would have no effect"

    def addresses(self):
        """All serve this host only, and ask each other where they are."""
        prometheus = yaml.safe_load(self.configuration("prometheus").read_text())
        wanted = {
            "prometheus": [self.grafana_source()],
            "alertmanager": prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"],
            EXPORTER: prometheus["scrape_configs"][0]["static_configs"][0]["targets"],
        }
        for service, asked in wanted.items():
            served = self.address(service)
            if not served.startswith("127.0.0.1:"):
                yield f"{service} serves other hosts: {served}"
            if asked != [served.replace("127.0.0.1", "localhost")]:
                yield f"{service} serves {served}, and is asked at {asked}"
        if self.services["grafana"]["environment"]["GF_SERVER_HTTP_ADDR"] != "127.0.0.1":
            yield "grafana serves other hosts"

    def provisioned(self, name):
        return yaml.safe_load(self.on_host("grafana", f"/etc/grafana/provisioning/{name}/trafficmonitor.yml").read_text())

    def grafana_source(self):
        (source,) = self.provisioned("datasources")["datasources"]
        return source["url"].removeprefix("http://")

    def dashboards(self):
        (provider,) = self.provisioned("dashboards")["providers"]
        folder = self.on_host("grafana", provider["options"]["path"])
        if folder is None or len(list(folder.glob("*.json"))) < 4:
            yield f"grafana finds no dashboards in {provider['options']['path']}"
        home = self.services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
        if not self.on_host("grafana", home) or not self.on_host("grafana", home).exists():
            yield f"grafana finds no {home}"

    def rules(self):
        """Rules that Prometheus loads are where its configuration says, in the container too."""
        target = pathlib.PurePosixPath(self.option("prometheus", "--config.file")).parent
        for name in yaml.safe_load(self.configuration("prometheus").read_text())["rule_files"]:
            parts = []
            for part in (*target.parts, *pathlib.PurePosixPath(name).parts):
                parts = parts[:-1] if part == ".." else [*parts, part]
            path = str(pathlib.PurePosixPath(*parts))
            found = self.on_host("prometheus", path)
            if found is None or not found.exists():
                yield f"prometheus finds no {path}"

    def faults(self):
        """The faults of the first matter that has some: the next ones build on it."""
        for part in (self.schema, self.volumes, self.privileges, self.addresses, self.dashboards, self.rules):
            if found := list(part()):
                return found
        return []

    # ---- Running ----

    def start(self, service, folder):
        """A program of PATH with the options of its service; its data are in a folder of its own."""
        command = [PROGRAMS[service]]
        data = {target for source, target, _ in self.mounts(service) if self.is_named(source)}
        for word in self.services[service]["command"]:
            name, value = word.split("=", 1)
            value = str(folder / service) if value in data else str(self.on_host(service, value) or value)
            command.append(f"{name}={value}")
        log = open(folder / f"{service}.log", "w")
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)


def asked(compose, path):
    page = contained.get(f"http://{compose.address('prometheus')}/api/v1/{path}")
    return json.loads(page)["data"] if page else None


def is_scraped(compose):
    targets = (asked(compose, "targets") or {"activeTargets": []})["activeTargets"]
    return [target["health"] for target in targets if target["labels"]["job"] == EXPORTER] == ["up"]


def knows_alertmanager(compose):
    found = (asked(compose, "alertmanagers") or {"activeAlertmanagers": []})["activeAlertmanagers"]
    return found and contained.get(f"http://{compose.address('alertmanager')}/-/ready")


def has_rules(compose):
    groups = (asked(compose, "rules") or {"groups": []})["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    return rules and all(rule["health"] == "ok" for rule in rules)


def lay_templates():
    """Debian's Alertmanager reads templates in /usr/share. Where it is only unpacked, they are put there for this script."""
    template = "prometheus/alertmanager/default.tmpl"
    unpacked = pathlib.Path(shutil.which(PROGRAMS["alertmanager"])).parent.parent / "share"
    if not (pathlib.Path("/usr/share") / template).exists():
        contained.run("mount", "--bind", str(unpacked), "/usr/share")


def run(compose, program, folder):
    contained.lay_network()
    lay_templates()
    service = compose.services[EXPORTER]
    root, _ = contained.lay_root(folder, {contained.EXPORTER: program}, {}, service["read_only"])
    capabilities = [contained.CAPABILITIES[name] for name in service["cap_add"]]
    command = [contained.EXPORTER, *service["command"]]
    processes = [contained.start(root, command, USER, capabilities, True, {})]
    try:
        processes += [compose.start(service, folder) for service in ("alertmanager", "prometheus")]
        contained.wait_for("the exporter is scraped", lambda: is_scraped(compose), processes)
        contained.wait_for("Prometheus knows the Alertmanager", lambda: knows_alertmanager(compose), processes)
        contained.wait_for("all rules are evaluated", lambda: has_rules(compose), processes)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(timeout=30)
        for log in folder.glob("*.log"):
            print(f"{log.name}:\n{log.read_text()[-4000:]}")


def main():
    match sys.argv[1:]:
        case ["check", file]:
            if faults := Compose(file).faults():
                sys.exit("\n".join(faults))
        case ["config", file, service]:
            print(Compose(file).configuration(service))
        case ["run", file, program, folder]:
            run(Compose(file), program, pathlib.Path(folder))
        case _:
            sys.exit(__doc__)


main()
