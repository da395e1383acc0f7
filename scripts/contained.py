"""Starts programs as a container's runtime would: in a root folder, as a user and with capabilities of their own.

Takes what a manifest says of a container; gives the running processes. Knows neither Kubernetes nor compose. The script
that imports it runs as root in a network, a mount and a process namespace of its own:

  unshare --net --mount --propagation private --pid --fork --mount-proc SCRIPT
"""

import ctypes
import os
import pathlib
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.request

CAPABILITIES = {"NET_RAW": 13}
LAST_CAPABILITY = int(pathlib.Path("/proc/sys/kernel/cap_last_cap").read_text())
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38
SIGKILL = 9
EXPORTER = "/usr/local/bin/trafficmonitor"
NODE, NODE6, PEER = "10.0.0.1", "fd00::1", "10.0.0.2"
DEADLINE_SECONDS = 60


def run(*words):
    subprocess.run(words, check=True)


def lay_network():
    """Loopback, and an interface `node0` with the addresses of a node; its other end is `peer0`."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "node0", "type", "veth", "peer", "name", "peer0")
    run("ip", "address", "add", f"{NODE}/24", "dev", "node0")
    run("ip", "-6", "address", "add", f"{NODE6}/64", "dev", "node0", "nodad")
    for name in ("node0", "peer0"):
        run("ip", "link", "set", name, "up")
    run("ip", "neighbour", "add", PEER, "lladdr", "02:00:00:00:00:02", "dev", "node0")


def lay_root(folder, programs, mounts, is_read_only):
    """The root folder of a container below `folder`, with `programs` by their paths in it, and their libraries. The exporter
    has the file capability of its image. `mounts` has texts by name for each path at which a folder with them is mounted.
    Gives the root and those folders."""
    folder.chmod(0o755)
    root = folder / "root"
    for name in ("proc", "sys", *(path.lstrip("/") for path in mounts)):
        (root / name).mkdir(parents=True)
    for path, program in programs.items():
        libraries = re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", program], capture_output=True, text=True).stdout)
        for source, target in [(program, path), *((library, library) for library in libraries)]:
            target = root / target.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    run("setcap", "cap_net_raw=ep", str(root / EXPORTER.lstrip("/")))
    run("mount", "--bind", str(root), str(root))
    if is_read_only:
        run("mount", "-o", "remount,bind,ro", str(root))
    run("mount", "-t", "proc", "proc", str(root / "proc"))
    run("mount", "-t", "sysfs", "-o", "ro", "sysfs", str(root / "sys"))
    return root, [mount(folder / f"mount-{number}", root / path.lstrip("/"), texts)
                  for number, (path, texts) in enumerate(mounts.items())]


def mount(source, target, texts):
    """A folder with `texts`, by name, which is to be seen at `target` too."""
    source.mkdir()
    for name, text in texts.items():
        (source / name).write_text(text)
    run("mount", "--bind", str(source), str(target))
    return source


def start(root, command, user, capabilities, may_escalate, environment):
    """A command in its root, as `user` with these capabilities at most; it ends with this script."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def confine():
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        os.chroot(root)
        os.chdir("/")
        for capability in range(LAST_CAPABILITY + 1):
            if capability not in capabilities and prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                raise OSError(ctypes.get_errno(), "PR_CAPBSET_DROP")
        os.setgroups([])
        os.setgid(user)
        os.setuid(user)
        if not may_escalate and prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "PR_SET_NO_NEW_PRIVS")

    return subprocess.Popen(command, preexec_fn=confine, env=environment, stdin=subprocess.DEVNULL)


def status(process):
    """The user and the effective capabilities of a process, from /proc."""
    lines = pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
    fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return int(fields["Uid"].split()[0]), int(fields["CapEff"], 16)


def get(url):
    """The body of a page, or None while it cannot be had."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except (urllib.error.URLError, OSError):
        return None


def wait_for(what, condition, processes):
    """The value of a condition, once it is true. Raises SystemExit when a process ends, or after a minute."""
    end = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        for process in processes:
            if process.poll() is not None:
                raise SystemExit(f"{process.args[0]} ended with status {process.returncode} before: {what}")
        time.sleep(0.2)
    raise SystemExit(f"after {DEADLINE_SECONDS} s: not yet {what}")
