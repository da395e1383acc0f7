#!/usr/bin/env python3
"""Measures what a fleet costs: the figures of docs/scaling.md. Needs root, for a network namespace.

    scripts/scaling.py series BINARY            samples and bytes of a scrape, by limits and interfaces
    scripts/scaling.py remote-write BINARY      bytes of a sample on the wire and on disk, new series per hour; needs
                                                prometheus and victoria-metrics (scripts/unpack.sh) on PATH
    scripts/scaling.py rules BINARY             CPU time of examples/recording.rules.yml for many instances; needs
                                                prometheus on PATH

The exporter captures veth interfaces of a network namespace, which have more flows and hosts than it may export.
"""

import contextlib
import gzip
import json
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

import yaml

ADDRESS = "127.0.0.1:8888"
# Twelve peers each: below the limit of 15 hosts from which on a source would be a scanner.
PEERS_OF_A_HOST = 12
HOSTS = 1_200
DEADLINE = 60
REMOTE_WRITE_SECONDS = 180
SCRAPE_SECONDS = 5
# The lists of the heaviest sources (--detect.top_sources), which fill at different moments. A fifth, of anomalies, has
# rows after an interval of transfers, 170 s.
LISTS = [f"trafficmonitor_source_{name}" for name in
         ("window_bytes", "contacted_hosts", "contacted_ports", "unanswered_contacts")]
TOP_SOURCES = 20
FEW_SOURCES = "--detect.top_sources=5"
# New flows per second while remote write is measured.
NEW_FLOWS = 20


def run(*command):
    subprocess.run(command, check=True)


def get(path, address=ADDRESS, coding=None):
    request = urllib.request.Request(f"http://{address}{path}", headers={"Accept-Encoding": coding} if coding else {})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.read()


def wait_until(condition, what):
    deadline = time.monotonic() + DEADLINE
    while True:
        with contextlib.suppress(OSError, ValueError, LookupError):
            if condition():
                return
        if time.monotonic() > deadline:
            sys.exit(f"scaling: {what}: not within {DEADLINE} s")
        time.sleep(0.2)


# ---- Traffic ----------------------------------------------------------------------------------------------------------


def add_interfaces(count):
    """Interfaces of which the exporter captures one end and the flows go in at the other."""
    for number in range(count):
        run("ip", "link", "add", f"near{number}", "type", "veth", "peer", "name", f"far{number}")
        for end in ("near", "far"):
            run("sysctl", "-q", "-w", f"net.ipv6.conf.{end}{number}.disable_ipv6=1")
            run("ip", "link", "set", f"{end}{number}", "up")


def address_of(peer):
    """An address outside, such that neighbours in the page do not look alike, which would compress too well."""
    scattered = peer * 0x9E3779B1 & 0xFFFFFFFF
    return (11 + scattered % 80 << 24) + (scattered >> 8)


def frame(host, peer, size):
    """A UDP datagram over IPv4 in an Ethernet frame; checksums are not read."""
    source = struct.pack(">I", (10 << 24) + host * 0x9E3779B1 % (1 << 24))
    destination = struct.pack(">I", address_of(peer))
    datagram = struct.pack(">HHHH", 40_000, 53, 8 + size, 0) + bytes(size)
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0, 64, 17, 0)
    return bytes([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0]) + head + source + destination + datagram


def sender():
    endpoint = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    endpoint.bind(("far0", 0))
    return endpoint


def send_flows(endpoint):
    """One to three packets of each flow, of different sizes."""
    for host in range(HOSTS):
        for peer in range(host * PEERS_OF_A_HOST, (host + 1) * PEERS_OF_A_HOST):
            for part in range(1 + peer % 3):
                endpoint.send(frame(host, peer, 20 + (peer * 7919 + part * 104_729) % 1_300))
        if host % 20 == 0:
            time.sleep(0.01)


@contextlib.contextmanager
def running(command, log):
    with open(log, "ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextlib.contextmanager
def exporter(binary, folder, interfaces, flows, hosts, *options):
    names = ",".join(f"near{number}" for number in range(interfaces))
    command = [binary, "-iface", names, "-promHTTP", ADDRESS, "-promRefresh", "1", "--buffer-size", "2MiB"]
    command += ["--max-series", str(flows), "--max-host-series", str(hosts), *options]
    log = pathlib.Path(folder, "exporter.log")
    with running(command, log):
        wait_until(lambda: get("/-/ready"), f"the exporter is not ready: {log.read_text()[-500:]}")
        yield


# ---- Series -----------------------------------------------------------------------------------------------------------


def samples(page):
    return [line for line in page.decode().splitlines() if line and not line.startswith("#")]


def value(page, name):
    return int(float(next(line for line in samples(page) if line.startswith(name + " ")).rsplit(" ", 1)[1]))


def is_full(page, flows, hosts, listed):
    rows = {"trafficmonitor_series": flows, "trafficmonitor_host_series": hosts}
    return (all(value(page, name) == limit for name, limit in rows.items())
            and all(page.decode().count(f"\n{name}{{") == listed for name in LISTS))


def full_page(flows, hosts, listed=TOP_SOURCES):
    """A scrape once the budgets of rows and the lists of sources are used up."""
    send_flows(sender())
    wait_until(lambda: is_full(get("/metrics"), flows, hosts, listed), "the budget of rows is not used up")
    return get("/metrics")


def measure(binary, interfaces, flows, hosts, *options):
    with tempfile.TemporaryDirectory() as folder, exporter(binary, folder, interfaces, flows, hosts, *options):
        lists = {"--detect.enabled=false": 0, FEW_SOURCES: 5}
        page = full_page(flows, hosts, next((lists[option] for option in options if option in lists), TOP_SOURCES))
        packed = get("/metrics", coding="gzip")
        assert len(gzip.decompress(packed)) > len(page) * 9 // 10
        print(f"| {flows} | {hosts} | {interfaces} | {' '.join(options) or '–'} | {len(samples(page))} "
              f"| {len(page) / 1000:.0f} kB | {len(packed) / 1000:.1f} kB |", flush=True)
        return len(samples(page))


def series(binary):
    add_interfaces(8)
    print("| `--max-series` | `--max-host-series` | interfaces | further | samples | plain | gzip |")
    print("|---|---|---|---|---|---|---|")
    seed = "--metrics.seed=false"
    least = measure(binary, 1, 1, 1, seed)
    ten = measure(binary, 1, 11, 1, seed)
    hosts = measure(binary, 1, 1, 11, seed)
    eight = measure(binary, 8, 1, 1, seed)
    bare = measure(binary, 1, 1, 1, seed, "--detect.enabled=false")
    measure(binary, 1, 20, 10, seed, FEW_SOURCES)
    measure(binary, 1, 20, 10, seed)
    measure(binary, 1, 100, 50, seed)
    measure(binary, 1, 1_000, 200, seed)
    measure(binary, 1, 10_000, 1_000)
    measure(binary, 1, 10_000, 1_000, seed)
    measure(binary, 1, 10_000, 1_000, "--metrics.flow_packets")
    print(f"\na flow row: {(ten - least) / 10} samples; a host row: {(hosts - least) / 10}; "
          f"an interface: {(eight - least) / 7}; detection: {least - bare}")


# ---- Remote write -----------------------------------------------------------------------------------------------------


CONFIGURATION = """
global: {{scrape_interval: {seconds}s, scrape_timeout: {seconds}s, external_labels: {{prometheus: shard-0}}}}
scrape_configs:
  - {{job_name: trafficmonitor, static_configs: [{{targets: ["{address}"], labels: {{cluster: north}}}}]}}
remote_write:
  - url: http://127.0.0.1:8428/api/v1/write
    # Its own metrics would count as well.
    write_relabel_configs: [{{source_labels: [job], regex: trafficmonitor, action: keep}}]
"""


def metric(address, name, label=""):
    """The sum of a metric over its rows that have the text `label`."""
    found = [line for line in samples(get("/metrics", address))
             if line.split("{")[0].split(" ")[0] == name and label in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in found)


def query(expression, address="127.0.0.1:8428", at=None):
    at = f"&time={at}" if at else ""
    answer = json.loads(get(f"/api/v1/query?query={urllib.request.quote(expression)}{at}", address))
    return sum(float(result["value"][1]) for result in answer["data"]["result"])


def disk_bytes(folder):
    return sum(path.stat().st_size for path in pathlib.Path(folder).rglob("*") if path.is_file())


def remote_write(binary):
    for tool in ("prometheus", "victoria-metrics"):
        if not shutil.which(tool):
            sys.exit(f"scaling: no {tool} on PATH (scripts/unpack.sh prometheus victoria-metrics)")
    add_interfaces(1)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        path = lambda name: str(pathlib.Path(folder, name))
        pathlib.Path(path("prometheus.yml")).write_text(CONFIGURATION.format(seconds=SCRAPE_SECONDS, address=ADDRESS))
        store = ["victoria-metrics", f"-storageDataPath={path('store')}", "-httpListenAddr=127.0.0.1:8428",
                 "-retentionPeriod=1d"]
        stack.enter_context(running(store, path("store.log")))
        stack.enter_context(exporter(binary, folder, 1, 1_000, 200, "--metrics.seed=false", "--idle-timeout", "60s"))
        full_page(1_000, 200)
        agent = ["prometheus", "--enable-feature=agent", f"--config.file={path('prometheus.yml')}",
                 f"--storage.agent.path={path('agent')}", "--web.listen-address=127.0.0.1:9090"]
        stack.enter_context(running(agent, path("agent.log")))
        sent = lambda: metric("127.0.0.1:9090", "prometheus_remote_storage_samples_total")
        wait_until(lambda: sent() > 0, "nothing is written to the store")
        wait_until(lambda: query("count({job='trafficmonitor'})") > 1_000, "the store has no series")
        report(folder, sent)


def report(folder, sent):
    wire = lambda: metric("127.0.0.1:9090", "prometheus_remote_storage_bytes_total")
    new = lambda: metric("127.0.0.1:8428", "vm_new_timeseries_created_total")
    before, started = (sent(), wire(), new()), time.monotonic()
    endpoint = sender()
    number = 0
    while time.monotonic() < started + REMOTE_WRITE_SECONDS:
        # Heavier than many flows that have a row.
        for _ in range(NEW_FLOWS):
            number += 1
            endpoint.send(frame(number % HOSTS, 20_000 + number, 1_000))
        time.sleep(1)
    seconds = time.monotonic() - started
    samples_sent, bytes_sent, created = (after - before for after, before in zip((sent(), wire(), new()), before))
    get("/internal/force_flush", "127.0.0.1:8428")
    time.sleep(2)
    get("/internal/force_merge", "127.0.0.1:8428")
    time.sleep(5)
    page = get("/metrics")
    stored = metric("127.0.0.1:8428", "vm_rows", 'type="storage/')
    data = disk_bytes(pathlib.Path(folder, "store", "data"))
    index = sum(metric("127.0.0.1:8428", "vm_data_size_bytes", f'type="{kind}"') for kind in ("indexdb", "indexdb/file"))
    failed = metric("127.0.0.1:9090", "prometheus_remote_storage_samples_failed_total")
    dropped = metric("127.0.0.1:9090", "prometheus_remote_storage_samples_dropped_total")
    print(f"scrape: {len(samples(page))} samples, every {SCRAPE_SECONDS} s; {seconds:.0f} s, {NEW_FLOWS} new flows a second")
    print(f"sent: {samples_sent:.0f} samples, {samples_sent / seconds:.0f} per second, failed {failed:.0f}, dropped {dropped:.0f}")
    print(f"on the wire: {bytes_sent:.0f} bytes (snappy), {bytes_sent / samples_sent:.2f} per sample")
    print(f"on disk: {stored:.0f} rows, {data} bytes, {data / stored:.2f} per sample; index {index:.0f} bytes")
    print(f"new series: {created:.0f}, {created / seconds * 3600:.0f} per hour, {created / (NEW_FLOWS * seconds):.2f} per new flow")
    if failed or not stored:
        sys.exit("scaling: samples were lost on their way")


# ---- Recording rules --------------------------------------------------------------------------------------------------


RULES = pathlib.Path(__file__).resolve().parent.parent / "examples" / "recording.rules.yml"
INSTANCES = 200
MINUTES = 6


def blocks_of(page, folder):
    """Blocks of Prometheus as if INSTANCES had given this page each minute, each with addresses of its own."""
    now = int(time.time()) // 60 * 60 - 600
    by_name = {}
    for line in samples(page):
        name = line.split("{")[0].split(" ")[0]
        by_name.setdefault(name, []).append(line[len(name):].rsplit(" ", 1)[0].strip("{}"))
    text = pathlib.Path(folder, "samples.om")
    with text.open("w") as file:
        for name, rows in by_name.items():
            file.write(f"# TYPE {name} gauge\n")
            for number in range(INSTANCES):
                for row in rows:
                    own = re.sub(r'(source|destination|host)="(?!other")', rf'\1="{number}-', row)
                    labels = ",".join(filter(None, [own, f'instance="{number}",job="trafficmonitor",cluster="north"']))
                    for minute in range(MINUTES):
                        file.write(f"{name}{{{labels}}} {minute * 600} {now + 60 * minute}\n")
        file.write("# EOF\n")
    run("promtool", "tsdb", "create-blocks-from", "openmetrics", "--quiet", str(text),
        str(pathlib.Path(folder, "tsdb")))
    return now + 60 * (MINUTES - 1)


def expressions():
    """The expression of each rule, with its name."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [(group["name"], rule["record"], rule["expr"]) for group in groups for rule in group["rules"]]


def rules(binary):
    add_interfaces(1)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        with exporter(binary, folder, 1, 100, 50, "--metrics.seed=false"):
            page = full_page(100, 50)
        end = blocks_of(page, folder)
        pathlib.Path(folder, "prometheus.yml").write_text("")
        command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
                   "--storage.tsdb.retention.time=30d", "--web.listen-address=127.0.0.1:9090"]
        stack.enter_context(running(command, f"{folder}/prometheus.log"))
        wait_until(lambda: get("/-/ready", "127.0.0.1:9090"), "prometheus is not ready")
        cpu = lambda: metric("127.0.0.1:9090", "process_cpu_seconds_total")
        print(f"{INSTANCES} instances, {len(samples(page))} samples each")
        spent = {}
        for group, record, expression in expressions():
            # The sums of recorded series read few of them; here they have none.
            before = cpu()
            query(expression, "127.0.0.1:9090", end)
            spent[group] = spent.get(group, 0) + cpu() - before
        for group, seconds in spent.items():
            print(f"{group}: {seconds:.2f} s of CPU")
        found = query("count(rate(trafficmonitor_flow_bytes_total[5m]))", "127.0.0.1:9090", end)
        assert found >= INSTANCES * 100, f"only {found} rows of flows are in the blocks"


def main():
    kinds = {"series": series, "remote-write": remote_write, "rules": rules}
    if len(sys.argv) != 3 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    binary = str(pathlib.Path(sys.argv[2]).resolve())
    if os.environ.get("SCALING_NAMESPACE") != "1":
        os.environ["SCALING_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", "--net", sys.executable, __file__, sys.argv[1], binary])
    run("ip", "link", "set", "lo", "up")
    kinds[sys.argv[1]](binary)


if __name__ == "__main__":
    main()
