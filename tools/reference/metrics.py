"""docs/metrics.md: every metric family, from what declares them (src/goop2/web/console/families.py)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).parents[2] / "src/goop2/web/console/families.py"
KINDS = {"CounterMetricFamily": "counter", "GaugeMetricFamily": "gauge", "HistogramMetricFamily": "histogram"}
HEAD = """# Metrics

What `/metrics` on the console's port gives, in the format of Prometheus. A scraper shows the token in `data/metrics.token` of the peer's
folder; [the console's page](console.md#metrics) has the configuration, and [operating](operating.md#monitoring) a dashboard for Grafana.
Made from `src/goop2/web/console/families.py`; change that, then run `make pages`.

A counter's name ends in `_total`, and a histogram has `_bucket`, `_sum` and `_count`.

| metric | kind | labels | |
| --- | --- | --- | --- |
"""


class Family(NamedTuple):
    """A metric family as it is declared."""

    name: str
    kind: str
    labels: tuple[str, ...]
    about: str


def families() -> Iterator[Family]:
    """Yield every family that the file makes, in its order."""
    for node in ast.walk(ast.parse(FILE.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KINDS:
            name, about = (ast.literal_eval(argument) for argument in node.args[:2])
            labels = next((ast.literal_eval(keyword.value) for keyword in node.keywords if keyword.arg == "labels"), ())
            yield Family(name, KINDS[node.func.id], tuple(labels), about)


def page() -> str:
    """Return the text of the page."""
    rows = sorted(families())
    return HEAD + "".join(map(_line, rows))


def _line(row: Family) -> str:
    labels = ", ".join(f"`{label}`" for label in row.labels)
    return f"| `{row.name}{'_total' if row.kind == 'counter' else ''}` | {row.kind} | {labels} | {row.about} |\n"
