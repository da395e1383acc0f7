#!/usr/bin/env python3
"""Checks the examples for log agents against real events: examples/vector.yaml, fluent-bit*.conf and clickhouse.sql.

    scripts/pipelines.py BINARY         needs the environment of scripts/pipelines.sh

BINARY writes the events of examples/cases.pcap. Vector's transform runs in Vector's own language on each of them, with its
unit tests. Neither agent is a package of Debian, so their keys are compared with the ones that their references list
(below), and the parser of Fluent Bit is followed by hand. Prints each complaint; status 1 if there is one.
"""

import datetime
import json
import pathlib
import re
import subprocess
import sys
import tempfile

import yaml
from vrl_python import VRLRuntime

ROOT = pathlib.Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
# Violations, suppressed packets and alerts: of sources inside, and of sources outside.
POLICIES = ["198.51.100.0/24", "10.20.0.0/16"]
AGENT = "agent-1"
# The field that both agents add.
ADDED = "host"
# One mistake can concern every event.
MOST_COMPLAINTS = 20

# The keys of each component that the file uses, by Vector's reference.
EVERY_SINK = {"type", "inputs", "buffer", "encoding", "acknowledgements", "healthcheck", "batch", "request", "tls"}
VECTOR_KEYS = {
    ("sources", "file"): {"type", "include", "exclude", "read_from", "ignore_older_secs", "fingerprint", "max_line_bytes",
                          "rotate_wait_secs", "host_key", "file_key", "data_dir"},
    ("transforms", "remap"): {"type", "inputs", "source", "file", "drop_on_error", "drop_on_abort", "reroute_dropped",
                              "timezone"},
    ("sinks", "kafka"): EVERY_SINK | {"bootstrap_servers", "topic", "key_field", "headers_key", "compression", "sasl",
                                      "librdkafka_options", "message_timeout_ms", "socket_timeout_ms"},
    ("sinks", "loki"): EVERY_SINK | {"endpoint", "path", "labels", "compression", "out_of_order_action", "tenant_id",
                                     "remove_timestamp", "remove_label_fields", "auth"},
    ("sinks", "clickhouse"): EVERY_SINK | {"endpoint", "database", "table", "auth", "compression", "format",
                                           "skip_unknown_fields", "date_time_best_effort", "insert_random_shard"},
}
NEEDED = {"file": {"include"}, "remap": {"source"}, "kafka": {"bootstrap_servers", "topic", "encoding"},
          "loki": {"endpoint", "labels", "encoding"}, "clickhouse": {"endpoint", "table"}}

# The keys of each section that the files use, by Fluent Bit's manual.
EVERY_OUTPUT = {"name", "match", "retry_limit", "storage.total_limit_size", "workers", "tls", "tls.verify", "tls.ca_file"}
FLUENT_BIT_KEYS = {
    "SERVICE": {"flush", "log_level", "parsers_file", "storage.path", "storage.sync", "storage.backlog.mem_limit", "grace"},
    "PARSER": {"name", "format", "time_key", "time_format", "time_keep"},
    "INPUT tail": {"name", "tag", "path", "parser", "db", "read_from_head", "refresh_interval", "rotate_wait",
                   "buffer_chunk_size", "buffer_max_size", "skip_long_lines", "storage.type", "mem_buf_limit"},
    "FILTER grep": {"name", "match", "regex", "exclude"},
    "FILTER record_modifier": {"name", "match", "record", "remove_key", "allowlist_key"},
    "OUTPUT kafka": EVERY_OUTPUT | {"brokers", "topics", "format", "timestamp_key", "timestamp_format", "message_key",
                                    "message_key_field", "rdkafka.compression.codec", "rdkafka.request.required.acks"},
    "OUTPUT loki": EVERY_OUTPUT | {"host", "port", "labels", "label_keys", "line_format", "tenant_id", "http_user",
                                   "http_passwd", "remove_keys"},
    "OUTPUT http": EVERY_OUTPUT | {"host", "port", "uri", "format", "json_date_key", "json_date_format", "http_user",
                                   "http_passwd", "compress", "header"},
}

complaints = []


def expect(condition, complaint):
    if not condition:
        complaints.append(complaint)


# ---- Events -----------------------------------------------------------------------------------------------------------


def events_of(binary):
    """The lines that the program writes about the capture of the examples."""
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for policy in POLICIES:
            path = pathlib.Path(folder, f"{len(lines)}.jsonl")
            command = [binary, "replay", str(EXAMPLES / "cases.pcap"), "--output", "none", "--policy.permitted", policy,
                       "--log-format", "jsonl", "--log-file", str(path)]
            subprocess.run(command, check=True)
            lines += path.read_text().splitlines()
    kinds = {json.loads(line)["event"] for line in lines}
    expect(kinds == {"violation", "suppressed", "alert"}, f"the capture gives only events {kinds}")
    return lines


def documented_fields():
    """The fields that docs/event-logs.md lists."""
    text = (ROOT / "docs/event-logs.md").read_text().split("\n## Fields\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE)
    return [field for row in rows for field in re.findall(r"`(\w+)`", row)]


# ---- Vector -----------------------------------------------------------------------------------------------------------


def check_components(configuration):
    """Each component has keys that its type knows, and inputs that exist."""
    names = set(configuration["sources"]) | set(configuration["transforms"])
    for section in ("sources", "transforms", "sinks"):
        for name, component in configuration[section].items():
            kind = component["type"]
            keys = VECTOR_KEYS.get((section, kind))
            expect(keys, f"vector.yaml: {section}.{name}: no such type: {kind}")
            expect(set(component) <= (keys or set()), f"vector.yaml: {section}.{name}: unknown keys {set(component) - keys}")
            expect(NEEDED[kind] <= set(component), f"vector.yaml: {section}.{name}: without {NEEDED[kind] - set(component)}")
            expect(section == "sources" or set(component["inputs"]) <= names, f"vector.yaml: {section}.{name}: no such input")


def transformed(runtime, program, message):
    """The event that the transform makes of a line of the file, as the source `file` gives it; None if it is dropped."""
    event = {"message": message, "host": AGENT, "file": "/var/log/trafficmonitor/events.jsonl", "source_type": "file",
             "timestamp": "2026-01-02T03:04:05Z"}
    try:
        return runtime.execute(program, event).processed_event
    except RuntimeError as error:
        if "aborted" not in str(error):
            complaints.append(f"vector.yaml: {message}: {error}")
        return None


def check_transform(runtime, program, lines):
    for line in lines:
        event = json.loads(line)
        made = transformed(runtime, program, line) or {}
        timestamp = made.pop("timestamp", "")
        expect(made == {**event, ADDED: AGENT}, f"vector.yaml: {line} became {made}")
        # The binding gives times as text: 2026-01-02 03:04:05.1 UTC, perhaps without a fraction.
        seconds, _, fraction = timestamp.removesuffix(" UTC").replace(" ", "T").partition(".")
        expect(f"{seconds}.{fraction.ljust(9, '0')}Z" == event["ts"], f"vector.yaml: time {timestamp} of {line}")
    for torn in (lines[0][:-10], "[1]", "3", ""):
        expect(transformed(runtime, program, torn) is None, f"vector.yaml: {torn!r} is not dropped")


def check_unit_tests(runtime, program, tests):
    for test in tests:
        fields = test["inputs"][0]["log_fields"]
        conditions = [condition for output in test.get("outputs", []) for condition in output["conditions"]]
        try:
            runtime.execute("\n".join([program, *(condition["source"] for condition in conditions)]), dict(fields))
            passes = bool(conditions)
        except RuntimeError as error:
            passes = "no_outputs_from" in test and "aborted" in str(error)
        expect(passes, f"vector.yaml: the test {test['name']!r} fails")
    expect(any("no_outputs_from" in test for test in tests), "vector.yaml: no test of a line that was cut")


def check_sinks(sinks, lines, columns):
    events = [{**json.loads(line), ADDED: AGENT} for line in lines]
    for label, template in sinks["loki"]["labels"].items():
        for field in re.findall(r"{{ (\w+) }}", template):
            expect(all(field in event for event in events), f"vector.yaml: the label {label} has no value in some events")
    expect(sinks["kafka"]["key_field"] in columns, "vector.yaml: the key of Kafka is no field")
    clickhouse = sinks["clickhouse"]
    expect(f"{clickhouse['database']}.{clickhouse['table']}" == table()[0], "vector.yaml: another table than clickhouse.sql")
    for name, sink in sinks.items():
        once = sink.get("remove_timestamp") or sink["encoding"].get("except_fields") == ["timestamp"]
        expect(once, f"vector.yaml: {name} sends the time twice")


def check_vector(lines, columns):
    configuration = yaml.safe_load((EXAMPLES / "vector.yaml").read_text())
    check_components(configuration)
    program, runtime = configuration["transforms"]["parsed"]["source"], VRLRuntime()
    runtime.compile(program)
    check_transform(runtime, program, lines)
    check_unit_tests(runtime, program, configuration["tests"])
    check_sinks(configuration["sinks"], lines, columns)


# ---- Fluent Bit -------------------------------------------------------------------------------------------------------


def sections(name):
    """The sections of a file in the classic form: a name in brackets, then entries with one indentation."""
    found = []
    for number, line in enumerate((EXAMPLES / name).read_text().splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if section := re.fullmatch(r"\[([A-Z]+)\]", line):
            found.append((section[1], {}))
        elif (entry := re.fullmatch(r" {4}(\S+)\s+(\S.*)", line)) and found:
            expect(entry[1] not in found[-1][1], f"{name}:{number}: {entry[1]} is set twice")
            found[-1][1][entry[1]] = entry[2]
        else:
            complaints.append(f"{name}:{number}: neither a section nor an entry: {line}")
    for section, entries in found:
        kind = section if section in FLUENT_BIT_KEYS else f"{section} {entries.get('name')}"
        keys = FLUENT_BIT_KEYS.get(kind)
        expect(keys, f"{name}: no such section: {kind}")
        expect(set(entries) <= (keys or set()), f"{name}: {kind}: unknown keys {set(entries) - (keys or set())}")
    return found


def check_parser(parser, lines):
    """The time format fits the time of each event: %L is a fraction, %z may be Z."""
    for line in lines:
        text = json.loads(line)[parser["time_key"]]
        seconds, fraction = re.fullmatch(r"(.*)\.(\d{1,9})Z", text).groups()
        form = parser["time_format"]
        expect(form.endswith(".%L%z"), f"fluent-bit-parsers.conf: {form} does not fit {text}")
        parsed = datetime.datetime.strptime(seconds, form.removesuffix(".%L%z"))
        expect(parsed == datetime.datetime.fromisoformat(seconds), f"fluent-bit-parsers.conf: {text} is read as {parsed}")
    expect(parser["time_keep"] == "on", "fluent-bit-parsers.conf: the field of the time is lost")
    expect(parser["format"] == "json", "fluent-bit-parsers.conf: the log is JSON")


def check_fluent_bit(lines, columns):
    main = sections("fluent-bit.conf")
    service = next(entries for section, entries in main if section == "SERVICE")
    parsers = {entries["name"]: entries for _, entries in sections(service["parsers_file"])}
    source = next(entries for section, entries in main if section == "INPUT")
    expect(source["parser"] in parsers, "fluent-bit.conf: no such parser")
    check_parser(parsers[source["parser"]], lines)
    for section, entries in main:
        expect("match" not in entries or entries["match"] == source["tag"], f"fluent-bit.conf: {section} matches nothing")
    plugins = {f"{section} {entries.get('name')}": entries for section, entries in main}
    events = [{**json.loads(line), ADDED: AGENT} for line in lines]
    field, pattern = plugins["FILTER grep"]["regex"].split(" ", 1)
    expect(all(re.search(pattern, event.get(field, "")) for event in events), "fluent-bit.conf: the filter drops events")
    # A line that is no JSON has its text in the field `log`, and no other.
    expect(field not in {"log"} and not re.search(pattern, ""), "fluent-bit.conf: the filter keeps lines that were cut")
    expect(plugins["FILTER record_modifier"]["record"].split()[0] == ADDED, "fluent-bit.conf: no host is added")
    for label in plugins["OUTPUT loki"]["label_keys"].split(","):
        expect(all(label.removeprefix("$") in event for event in events), f"fluent-bit.conf: {label} is not in all events")
    expect(plugins["OUTPUT kafka"]["message_key_field"] in columns, "fluent-bit.conf: the key of Kafka is no field")
    database, name = table()[0].split(".")
    uri = plugins["OUTPUT http"]["uri"]
    expect(f"?database={database}&query=INSERT%20INTO%20{name}%20FORMAT%20JSONEachRow" in uri, "fluent-bit.conf: another table")
    expect(plugins["OUTPUT http"]["format"] == "json_lines", "fluent-bit.conf: JSONEachRow is one object per line")


# ---- ClickHouse -------------------------------------------------------------------------------------------------------


def table():
    """The name of the table, and the type of each column."""
    text = (EXAMPLES / "clickhouse.sql").read_text()
    name, columns = re.search(r"CREATE TABLE IF NOT EXISTS (\S+)\n\(\n(.*?)\n\)\n", text, re.DOTALL).groups()
    return name, dict(re.fullmatch(r"    (\w+) (.*?),?", line).groups() for line in columns.splitlines())


def holds(kind, value):
    """Whether a column of this type takes a value of JSON."""
    kind = re.sub(r"^(?:Nullable|LowCardinality)\((.*)\)$", r"\1", kind)
    if kind.startswith("UInt"):
        return isinstance(value, int) and 0 <= value < 1 << int(kind.removeprefix("UInt"))
    if kind == "Float64":
        return isinstance(value, (int, float))
    is_time = isinstance(value, str) and bool(re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{9}Z", value))
    return is_time if kind == "DateTime64(9, 'UTC')" else kind == "String" and isinstance(value, str) and not is_time


def check_table(lines):
    _, columns = table()
    fields = documented_fields()
    expect(len(fields) > 25, f"docs/event-logs.md lists only {fields}")
    expect(set(columns) == {ADDED, *fields}, f"clickhouse.sql: differs in {set(columns) ^ {ADDED, *fields}}")
    for line in lines:
        for field, value in json.loads(line).items():
            expect(holds(columns.get(field, ""), value), f"clickhouse.sql: {field} {columns.get(field)} does not take {value!r}")
    return columns


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lines = events_of(sys.argv[1])
    columns = check_table(lines)
    for check in (check_vector, check_fluent_bit):
        try:
            check(lines, columns)
        except (KeyError, ValueError) as error:
            complaints.append(f"{check.__name__}: {type(error).__name__}: {error}")
    for complaint in list(dict.fromkeys(complaints))[:MOST_COMPLAINTS]:
        print(complaint)
    sys.exit(bool(complaints))


if __name__ == "__main__":
    main()
