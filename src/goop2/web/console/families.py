"""The numbers of a peer as Prometheus metric families.

The only module that imports prometheus_client; `metrics.py` loads it on the first request.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from goop2.peers.ways import DIRECT, RELAYED, way_of
from goop2.services.backup.service import BackupStatus
from goop2.services.cluster_view import NO_CLUSTER, NODE_STATES, ClusterView, LeaseView
from goop2.services.peer import Peer
from goop2.web.app import Web
from goop2.web.console.metering import BOUNDS_SECONDS, Histogram
from goop2.web.http.origins import Realm

_REALMS: Final = {
    Realm.CONSOLE: "console",
    Realm.OWN_SITE: "own_site",
    Realm.TEST_VISITOR: "test_visitor",
    Realm.OPEN_SITE: "open_site",
    Realm.VISITED_SITE: "visited_site",
}


class Families(Collector):
    """A collector that reads the peer's numbers at each scrape."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return every family as a scraper reads it."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family of the peer."""
        peer = self._web.peer
        yield self._runs()
        yield self._durations()
        http = CounterMetricFamily("goop2_http_requests", "Requests, by whose pages they were for", labels=["origin"])
        # Every realm, also one without requests: a series that appears later looks like a jump to a scraper.
        for realm, name in _REALMS.items():
            http.add_metric([name], self._web.requests[realm])
        yield http
        yield GaugeMetricFamily("goop2_workers", "Worker processes alive", len(peer.pool.worker_pids))
        yield GaugeMetricFamily("goop2_workers_max", "Worker processes at most", peer.settings.lua.max_workers)
        yield CounterMetricFamily(
            "goop2_worker_protocol_violations", "Workers ended because they broke the protocol", peer.pool.protocol_violations
        )
        yield GaugeMetricFamily("goop2_calls_waiting", "Calls that wait for a worker", peer.pool.waiting)
        yield _memory(peer)
        scripts = GaugeMetricFamily("goop2_scripts", "Scripts, by the state of their newest file", labels=["state"])
        states = Counter(listed.state for listed in peer.catalog.listing())
        for state in ("ok", "broken"):
            scripts.add_metric([state], states[state])
        yield scripts
        yield from self._network()
        yield from _backup(peer.backup.status)
        yield from _cluster(NO_CLUSTER if peer.cluster is None else peer.cluster.view())
        yield GaugeMetricFamily("goop2_uptime_seconds", "Since the peer started", time.monotonic() - self._web.started)

    def _network(self) -> Iterator[Metric]:
        network = self._web.remote.network
        connected = network.connected() if network is not None else {}
        ways = (
            Counter(way_of(connected.get(peer.id))["way"] or "none" for peer in network.roster.peers())
            if network is not None
            else Counter()
        )
        peers = GaugeMetricFamily("goop2_peers", "Peers that are here, by the way they are connected", labels=["way"])
        for way in (DIRECT, RELAYED, "none"):
            peers.add_metric([way], ways[way])
        yield peers
        answer = network.reach().reachable if network is not None else None
        reachable = GaugeMetricFamily("goop2_reachable", "1 for what is known: whether others can dial this peer", labels=["answer"])
        for name, value in (("yes", True), ("no", False), ("unknown", None)):
            reachable.add_metric([name], float(answer is value))
        yield reachable

    def _runs(self) -> Metric:
        runs = CounterMetricFamily("goop2_runs", "Runs of scripts that ended", labels=["kind", "status"])
        for (kind, status), histogram in sorted(self._web.meter.histograms.items()):
            runs.add_metric([kind, status], sum(histogram.counts))
        return runs

    def _durations(self) -> Metric:
        family = HistogramMetricFamily("goop2_run_seconds", "From accepting a call to its end", labels=["kind", "status"])
        for (kind, status), histogram in sorted(self._web.meter.histograms.items()):
            family.add_metric([kind, status], buckets=list(_cumulated(histogram)), sum_value=histogram.seconds)
        return family


def _backup(status: BackupStatus) -> Iterator[Metric]:
    """Yield how the backup goes; what is not known is not a number."""
    now, check = time.time(), status.check
    yield GaugeMetricFamily("goop2_backup_configured", "1 when a place for the backup is named", float(bool(status.place)))
    yield GaugeMetricFamily("goop2_backup_failing", "1 while the backup does not work", float(bool(status.problem)))
    copied = now - status.copied_at if status.copied_at is not None else math.nan
    yield GaugeMetricFamily("goop2_backup_age_seconds", "Since everything written had last arrived", copied)
    tested = now - check.at if check is not None else math.nan
    yield GaugeMetricFamily("goop2_backup_check_age_seconds", "Since restoring was tested", tested)
    yield GaugeMetricFamily("goop2_backup_check_failed", "1 when the last test of restoring failed", float(bool(check and check.problem)))


def _cumulated(histogram: Histogram) -> Iterator[tuple[str, float]]:
    total = 0
    for bound, count in zip((*map(str, BOUNDS_SECONDS), "+Inf"), histogram.counts, strict=True):
        total += count
        yield bound, total


def _cluster(cluster: ClusterView) -> Iterator[Metric]:
    yield GaugeMetricFamily("goop2_cluster_connected", "1 while the server between the machines is reached", float(cluster.connected))
    yield from _lease(cluster.lease)
    nodes = GaugeMetricFamily("goop2_cluster_nodes", "Machines that run scripts for this peer, by their state", labels=["state"])
    states = Counter(node.state for node in cluster.nodes)
    for state in NODE_STATES:
        nodes.add_metric([state], states[state])
    yield nodes
    slots = sum(node.slots for node in cluster.nodes if node.state == "ready")
    yield GaugeMetricFamily("goop2_cluster_slots", "Calls that the machines that are ready take at a time", slots)
    yield GaugeMetricFamily("goop2_cluster_calls_under_way", "Calls on other machines now", cluster.under_way)
    yield CounterMetricFamily("goop2_cluster_calls", "Calls given to other machines", cluster.calls)
    yield CounterMetricFamily("goop2_cluster_calls_lost", "Calls lost with a machine that went away or broke the protocol", cluster.losses)
    yield CounterMetricFamily("goop2_cluster_calls_put_back", "Calls that nobody was there to take and that waited again", cluster.put_back)
    yield CounterMetricFamily("goop2_cluster_protocol_violations", "Messages of machines that were none, or out of place", cluster.breaches)


def _lease(lease: LeaseView | None) -> Iterator[Metric]:
    """Yield how the lease is by which the peer serves, if it has one."""
    yield GaugeMetricFamily(
        "goop2_lease_held", "1 while this peer holds the lease by which it serves", float(lease is not None and lease.held)
    )
    age = lease.age_seconds if lease is not None and lease.age_seconds is not None else math.nan
    yield GaugeMetricFamily("goop2_lease_age_seconds", "Since the lease was renewed; NaN without one", age)
    here = [standby for standby in lease.standbys if standby.is_here] if lease is not None else []
    yield GaugeMetricFamily("goop2_standbys", "Standbys that were heard within the last seconds", len(here))
    behind = max((standby.behind_seconds for standby in here), default=math.nan)
    yield GaugeMetricFamily(
        "goop2_standby_behind_seconds", "For how long copied rows have not been with the standby that is most behind", behind
    )


def _memory(peer: Peer) -> Metric:
    family = GaugeMetricFamily("goop2_resident_memory_bytes", "Memory the kernel says a process holds", labels=["process"])
    family.add_metric(["peer"], _resident(os.getpid()))
    family.add_metric(["workers"], sum(map(_resident, peer.pool.worker_pids)))
    return family


def _resident(pid: int) -> int:
    """Return the resident memory of a process in bytes; 0 when the kernel does not say: no Linux, or the process has just ended."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except (OSError, IndexError):
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")
