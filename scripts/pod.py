#!/usr/bin/env python3
"""Runs the containers of the DaemonSet as their security contexts say, and sees them work.

  unshare --net --mount --propagation private --pid --fork --mount-proc scripts/pod.py FILE PROGRAM FOLDER [ADDRESS]

FILE is the output of `kubectl kustomize`, PROGRAM the exporter, FOLDER an empty folder for the root of the containers,
ADDRESS that of the pod. Ends with status 1 if the exporter does not become ready, or does not see a packet; or, with
the container `reload`, if it does not read a changed ConfigMap.
"""

import pathlib
import re
import shutil
import socket
import sys
import time

import contained
import yaml


def objects(file, kind):
    return [item for item in yaml.safe_load_all(pathlib.Path(file).read_text()) if item["kind"] == kind]


def mounts(file, pod, container):
    """The texts of the ConfigMaps by name, for each path at which the container finds one."""
    maps = {item["metadata"]["name"]: item["data"] for item in objects(file, "ConfigMap")}
    paths = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    return {paths[volume["name"]]: maps[volume["configMap"]["name"]] for volume in pod["volumes"]}


def arguments(container, variables):
    return [re.sub(r"\$\(([^)]*)\)", lambda found: variables[found[1]], word) for word in container["args"]]


def send(count):
    """Packets from the node to the other end of its cable."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(count):
            sender.sendto(b"x" * 100, (contained.PEER, 9))


def metric(base, name):
    """The sum of all series of a metric; 0 while there is none."""
    page = contained.get(f"{base}/metrics") or ""
    return sum(map(float, re.findall(rf"^{name}(?:\{{[^}}]*\}})? (\S+)", page, re.MULTILINE)))


def captured(base):
    send(10)
    return metric(base, "trafficmonitor_traffic_bytes_total") > 0


class Pod:
    """The pod of a rendered DaemonSet, in this script's namespaces."""

    def __init__(self, file, program, folder, address):
        self.pod = objects(file, "DaemonSet")[0]["spec"]["template"]["spec"]
        self.containers = {container["name"]: container for container in self.pod["containers"]}
        self.exporter = self.containers["trafficmonitor"]
        self.variables = {"POD_IP": address, "PATH": "/bin"}
        host = f"[{address}]" if ":" in address else address
        self.base = f"http://{host}:{self.exporter['ports'][0]['containerPort']}"
        busybox = shutil.which("busybox")
        programs = {f"/bin/{name}": busybox for name in ("cat", "pidof", "sh", "sha256sum", "sleep")}
        self.root, (self.configuration,) = contained.lay_root(
            folder,
            {contained.EXPORTER: program, **programs},
            mounts(file, self.pod, self.exporter),
            self.exporter["securityContext"]["readOnlyRootFilesystem"],
        )

    @property
    def user(self):
        return self.pod["securityContext"]["runAsUser"]

    def start(self, container, command):
        context = container["securityContext"]
        assert context["capabilities"]["drop"] == ["ALL"], "containers keep no other capabilities"
        added = [contained.CAPABILITIES[name] for name in context["capabilities"].get("add", [])]
        escalation = context["allowPrivilegeEscalation"]
        return contained.start(self.root, command, self.user, added, escalation, self.variables)

    def run_exporter(self):
        process = self.start(self.exporter, [contained.EXPORTER, *arguments(self.exporter, self.variables)])
        for probe in ("readinessProbe", "livenessProbe"):
            url = self.base + self.exporter[probe]["httpGet"]["path"]
            contained.wait_for(f"{probe} succeeds", lambda: contained.get(url), [process])
        user, capabilities = contained.status(process)
        if user != self.user or capabilities & ~(1 << contained.CAPABILITIES["NET_RAW"]):
            raise SystemExit(f"runs as user {user} with capabilities {capabilities:x}")
        contained.wait_for("packets are counted", lambda: captured(self.base), [process])
        return process

    def run_reload(self, exporter):
        """Changes the ConfigMap as the kubelet does, and waits until the exporter has read it."""
        process = self.start(self.containers["reload"], self.containers["reload"]["command"])
        name = "trafficmonitor_config_last_reload_success_timestamp_seconds"
        before = metric(self.base, name)
        time.sleep(1)  # the container reads the files once before they change
        for file in self.configuration.iterdir():
            file.write_text(file.read_text() + "# Changed.\n")
        contained.wait_for("the configuration is read again", lambda: metric(self.base, name) > before, [process, exporter])


def main():
    file, program, folder, *address = sys.argv[1:]
    contained.lay_network()
    pod = Pod(file, program, pathlib.Path(folder), address[0] if address else contained.NODE)
    exporter = pod.run_exporter()
    if "reload" in pod.containers:
        pod.run_reload(exporter)
    exporter.terminate()
    if exporter.wait(timeout=30) != 0:
        raise SystemExit(f"ended with status {exporter.returncode}")


main()
