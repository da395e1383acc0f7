"""Reads OpenMetrics on standard input with prometheus_client; writes a JSON line a sample: family, type, name, labels, value."""

import json
import sys

from prometheus_client.openmetrics.parser import text_fd_to_metric_families

for family in text_fd_to_metric_families(sys.stdin):
    for sample in family.samples:
        print(json.dumps([family.name, family.type, sample.name, sample.labels, sample.value]))
