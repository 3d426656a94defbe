"""What a peer counts, in the families of Prometheus.

The one module that loads its library; `metrics.py` does so when somebody asks, `goop2 peer` after the start.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from goop2.web.app import Parts
from goop2.web.console.metering import BOUNDS_SECONDS, Histogram, RunMeter
from goop2.web.http.origins import Realm

_REALMS: Final = {
    Realm.CONSOLE: "console",
    Realm.OWN_SITE: "own_site",
    Realm.TEST_VISITOR: "test_visitor",
    Realm.OPEN_SITE: "open_site",
    Realm.VISITED_SITE: "visited_site",
}


class Families(Collector):
    """The peer's numbers, read when somebody asks."""

    def __init__(self, parts: Parts, meter: RunMeter, requests: Counter[Realm]) -> None:
        self._parts = parts
        self._meter = meter
        self._requests = requests
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return every family as a scraper reads it."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family of the peer."""
        parts = self._parts
        yield self._runs()
        yield self._durations()
        http = CounterMetricFamily("goop2_http_requests", "Requests, by whose pages they were for", labels=["origin"])
        for realm, name in _REALMS.items():
            http.add_metric([name], self._requests[realm])
        yield http
        yield GaugeMetricFamily("goop2_workers", "Worker processes alive", len(parts.pool.worker_pids))
        yield GaugeMetricFamily("goop2_workers_max", "Worker processes at most", parts.settings.lua.max_workers)
        yield CounterMetricFamily(
            "goop2_worker_protocol_violations", "Workers ended because they broke the protocol", parts.pool.protocol_violations
        )
        yield GaugeMetricFamily("goop2_calls_waiting", "Calls that wait for a worker", parts.pool.waiting)
        yield _memory(parts)
        scripts = GaugeMetricFamily("goop2_scripts", "Scripts, by the state of their newest file", labels=["state"])
        states = Counter(listed.state for listed in parts.catalog.listing())
        for state in ("ok", "broken"):
            scripts.add_metric([state], states[state])
        yield scripts
        yield GaugeMetricFamily("goop2_uptime_seconds", "Since the peer started", time.monotonic() - parts.started)

    def _runs(self) -> Metric:
        runs = CounterMetricFamily("goop2_runs", "Runs of scripts that ended", labels=["kind", "status"])
        for (kind, status), histogram in sorted(self._meter.histograms.items()):
            runs.add_metric([kind, status], sum(histogram.counts))
        return runs

    def _durations(self) -> Metric:
        family = HistogramMetricFamily("goop2_run_seconds", "From accepting a call to its end", labels=["kind", "status"])
        for (kind, status), histogram in sorted(self._meter.histograms.items()):
            family.add_metric([kind, status], buckets=list(_cumulated(histogram)), sum_value=histogram.seconds)
        return family


def _cumulated(histogram: Histogram) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*map(str, BOUNDS_SECONDS), "+Inf"), histogram.counts, strict=True):
        total += count
        yield bound, total


def _memory(parts: Parts) -> Metric:
    family = GaugeMetricFamily("goop2_resident_memory_bytes", "Memory the kernel says a process holds", labels=["process"])
    family.add_metric(["peer"], _resident(os.getpid()))
    family.add_metric(["workers"], sum(map(_resident, parts.pool.worker_pids)))
    return family


def _resident(pid: int) -> int:
    """0 where the kernel does not say: no Linux, or the process has just ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
