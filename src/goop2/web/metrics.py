"""`/metrics` in Prometheus' text format, on the console's origin, so on loopback only.

A scraper shows a token of its own: `data/metrics.token` in the peer's folder, made at the first start, for its owner's eyes and the
same at every start, so that a scraper can be told once (`authorization: {credentials_file: …}`). It opens nothing else.
"""

from __future__ import annotations

import hmac
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Final

import structlog
from prometheus_client import generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry
from starlette.types import Receive, Scope, Send

from goop2.regular_files import read_regular
from goop2.web.answers import NO_HEADERS, send_refusal
from goop2.web.app import Parts
from goop2.web.metering import BOUNDS_SECONDS, Histogram, Meter
from goop2.web.origins import Realm
from goop2.web.tokens import TOKEN_BYTES, Token

TOKEN_FILE: Final = "data/metrics.token"
TOKEN_FILE_MAX_BYTES: Final = 4096
"""A token of the owner's own may be longer than ours; not longer than a header line."""
_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"
_REALMS: Final = {
    Realm.CONSOLE: "console",
    Realm.OWN_SITE: "own_site",
    Realm.TEST_VISITOR: "test_visitor",
    Realm.OPEN_SITE: "open_site",
    Realm.VISITED_SITE: "visited_site",
}
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.web")


class Metrics:
    """ASGI: what there is to count, for whoever shows the metrics token or the console's."""

    def __init__(self, parts: Parts, meter: Meter, requests: Counter[Realm], console: Token) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Peer(parts, meter, requests))
        self._console = console
        self._token = metrics_token(parts.folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        shown = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(shown) != 1 or not self._opens(shown[0]):
            await send_refusal(send, HTTPStatus.FORBIDDEN, f"metrics want the token in {TOKEN_FILE} as a bearer token", NO_HEADERS)
            return
        body = generate_latest(self._registry)
        headers = [(b"content-type", _TYPE), (b"cache-control", b"no-store"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _opens(self, authorization: bytes) -> bool:
        mine = bool(self._token) and hmac.compare_digest(authorization, b"Bearer " + self._token.encode())
        return mine or self._console.is_shown(authorization)


def metrics_token(folder: Path) -> str:
    """The token of the peer in `folder`, made when there is none; "" when it cannot be kept, and then none opens."""
    file = folder / TOKEN_FILE
    try:
        file.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "w") as out:
                out.write(secrets.token_urlsafe(TOKEN_BYTES) + "\n")
        except FileExistsError:
            pass
        token = read_regular(file, folder, TOKEN_FILE_MAX_BYTES).decode("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        _log.warning("no metrics token", file=TOKEN_FILE, why=error.strerror if isinstance(error, OSError) else str(error))
        return ""
    # A short one was made by hand, or half written: it could be guessed.
    return token if len(token) >= TOKEN_BYTES else ""


class _Peer(Collector):
    """The peer's numbers, read when somebody asks."""

    def __init__(self, parts: Parts, meter: Meter, requests: Counter[Realm]) -> None:
        self._parts = parts
        self._meter = meter
        self._requests = requests

    def collect(self) -> Iterator[Metric]:
        """Every family."""
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
