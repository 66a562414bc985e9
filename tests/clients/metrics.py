"""Reads the metrics of a node with the parser of OpenMetrics that Prometheus' own client has, and prints them as JSON.

metrics.py http://HOST:PORT/metrics
"""

import json
import sys
import urllib.request

from prometheus_client.openmetrics.parser import text_string_to_metric_families

with urllib.request.urlopen(sys.argv[1], timeout=120) as answer:
    kind = answer.headers["content-type"]
    text = answer.read().decode()
assert kind == "application/openmetrics-text; version=1.0.0; charset=utf-8", kind
families = list(text_string_to_metric_families(text))
assert all(family.documentation for family in families)
samples = [[sample.name, sample.labels, sample.value] for family in families for sample in family.samples]
print(json.dumps(samples))
