"""Which calls may leave: what the last runs of a version took, and whether they touched data."""

from __future__ import annotations

import asyncio
import time

import msgspec
import pytest
from tests.scripting.workshop import OWNER, invocation_of, script_of

from goop2.cluster.limits import RUNS_LOOKED_AT, VERSIONS_JUDGED_MAX
from goop2.cluster.placement import DATA_OPERATIONS, Placement
from goop2.sandbox.messages import Compile
from goop2.scripting.catalog import Script
from goop2.scripting.invocation import Outcome
from goop2.scripting.job import Job
from goop2.storage.run_record import HostCallRecord, Run

SCRIPT = script_of("function call(request) return 1 end", "function", "score")


def job_of(script: Script = SCRIPT) -> Job:
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    return Job("tenant", invocation_of(script), future, time.monotonic(), time.monotonic() + 5)


def run_of(milliseconds: float, operation: str = "", waited: float = 0.0, version: bytes = SCRIPT.version) -> Run:
    calls = (HostCallRecord(operation, 0.0, 0.1),) if operation else ()
    return Run(1, "function", "score", OWNER.id, "ok", "", None, 0.0, milliseconds + waited, waited, 0, calls, version=version)


async def test_an_unknown_version_stays_near() -> None:
    assert not Placement("auto").may_leave(job_of())


@pytest.mark.parametrize(("milliseconds", "leaves"), [(0.49, False), (0.5, True), (100.0, True)])
async def test_a_version_leaves_when_its_median_is_worth_it(milliseconds: float, leaves: bool) -> None:
    placement = Placement("auto")
    for _ in range(3):
        placement.learn(run_of(milliseconds, waited=50.0))
    placement.learn(run_of(0.01))
    placement.learn(run_of(10.0))
    assert placement.may_leave(job_of()) is leaves


async def test_only_the_last_runs_count() -> None:
    placement = Placement("auto")
    for _ in range(RUNS_LOOKED_AT):
        placement.learn(run_of(100.0))
    for _ in range(RUNS_LOOKED_AT):
        placement.learn(run_of(0.1))
    assert not placement.may_leave(job_of())


@pytest.mark.parametrize("operation", ["db.query", "schema.insert", "kv.get", "db.begin"])
async def test_a_version_that_touches_data_stays_near(operation: str) -> None:
    assert operation in DATA_OPERATIONS
    placement = Placement("auto")
    placement.learn(run_of(100.0))
    placement.learn(run_of(100.0, operation))
    placement.learn(run_of(100.0))
    assert not placement.may_leave(job_of())


async def test_what_asks_the_peer_alone_may_leave() -> None:
    assert not {"http.get", "site.read", "log"} & DATA_OPERATIONS
    placement = Placement("auto")
    placement.learn(run_of(100.0, "http.get"))
    assert placement.may_leave(job_of())


async def test_off_sends_nothing_and_all_sends_every_call_but_ours() -> None:
    off, every = Placement("off"), Placement("all")
    off.learn(run_of(100.0))
    assert not off.may_leave(job_of())
    assert every.may_leave(job_of())
    assert not every.may_leave(job_of(msgspec.structs.replace(SCRIPT, builtin=True)))
    compiling = job_of()
    compiling.work = Compile("score", b"")
    assert not every.may_leave(compiling)


async def test_no_more_versions_are_remembered_than_the_limit() -> None:
    placement = Placement("auto")
    placement.learn(run_of(100.0))
    for number in range(VERSIONS_JUDGED_MAX):
        placement.learn(run_of(100.0, "db.query", version=number.to_bytes(16, "big")))
    assert not placement.may_leave(job_of())  # the oldest was forgotten, so it is unknown
