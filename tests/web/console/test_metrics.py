"""`/metrics` over real connections: what a scraper reads, and who may."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.web.served import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")


def _token(up: Served) -> str:
    return (up.folder / "data/metrics.token").read_text().strip()


async def _samples(up: Served, token: str) -> dict[tuple[str, ...], float]:
    answer = await up.ask("/metrics", host=up.console, authorization=f"Bearer {token}")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    families = text_string_to_metric_families(answer.body.decode())
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


async def test_a_scraper_reads_what_ran(up: Served) -> None:
    before = await _samples(up, _token(up))
    await up.call("hello")
    await up.call("fails")
    after = await _samples(up, _token(up))
    assert after["goop2_runs_total", "function", "ok"] == before.get(("goop2_runs_total", "function", "ok"), 0) + 1
    assert after["goop2_runs_total", "function", "script_error"] >= 1
    assert after["goop2_run_seconds_bucket", "function", "+Inf", "ok"] == after["goop2_runs_total", "function", "ok"]
    assert after["goop2_http_requests_total", "own_site"] == before["goop2_http_requests_total", "own_site"] + 2
    assert after["goop2_workers",] >= 1
    assert after["goop2_scripts", "broken"] == 1
    assert after["goop2_resident_memory_bytes", "peer"] > 1_000_000
    assert after["goop2_uptime_seconds",] > 0


async def test_every_metric_is_documented(up: Served) -> None:
    page = (Path(__file__).parents[3] / "docs/console.md").read_text()
    await up.call("hello")
    told = {name for row in re.findall(r"^\| (`goop2_.*?) \|", page, re.MULTILINE) for name in re.findall(r"`(goop2_[a-z_]+)`", row)}
    parts = re.compile(r"_(bucket|count|sum|created)$")
    assert {parts.sub("", name) for name, *_ in await _samples(up, _token(up))} == told


async def test_the_consoles_token_reads_too(up: Served) -> None:
    assert await _samples(up, up.web.token.text)


async def test_nobody_else_reads(up: Served) -> None:
    token = _token(up)
    for wrong in ("", "Bearer ", "Bearer x", f"Bearer {token}x", token):
        assert (await up.ask("/metrics", host=up.console, authorization=wrong)).status == 403
    assert (await up.ask("/metrics", host=up.console)).status == 403
    assert (await up.ask("/metrics", host=up.site, authorization=f"Bearer {token}")).status == 404


async def test_the_metrics_token_opens_nothing_else_and_is_for_its_owner(up: Served) -> None:
    assert (await up.ask("/api/console/home", host=up.console, authorization=f"Bearer {_token(up)}")).status == 403
    assert (up.folder / "data/metrics.token").stat().st_mode & 0o777 == 0o600
