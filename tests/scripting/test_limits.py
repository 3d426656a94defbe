"""The numbers of scripting that depend on other numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from goop2.sandbox import host_calls
from goop2.scripting import limits
from goop2.scripting.limits import InvocationLimits


@pytest.mark.parametrize(("cores", "workers"), [(1, 4), (2, 8), (8, 32), (64, 32)])
def test_there_are_four_workers_a_core_and_at_most_thirty_two(monkeypatch: pytest.MonkeyPatch, cores: int, workers: int) -> None:
    monkeypatch.setattr(limits, "cores", lambda: cores)
    assert InvocationLimits().workers == workers


@pytest.mark.parametrize(("workers", "share"), [(1, 1), (3, 1), (4, 1), (8, 2), (256, 64)])
def test_one_caller_gets_a_quarter_of_the_workers_but_never_none(workers: int, share: int) -> None:
    assert InvocationLimits(workers=workers).workers_per_caller == share


def test_an_owner_who_sets_nothing_gets_the_limits_of_the_manual() -> None:
    default = InvocationLimits()
    assert (default.timeout_seconds, default.memory_bytes) == (5, 10 * 1024 * 1024)
    assert (default.rate_per_caller, default.rate_global) == (30, 120)
    assert not default.http_enabled
    assert not default.kv_enabled


def test_both_sides_of_the_wall_have_the_same_bounds() -> None:
    """The sandbox may import nothing of the peer, and Lua nothing at all: so the numbers stand there again."""
    function = (Path(host_calls.__file__).parent / "function.lua").read_text("utf-8")
    assert f"local RESULT_MAX_BYTES = {limits.RESULT_MAX_BYTES}\n" in function
    assert (host_calls.LOG_LINES_MAX, host_calls.LOG_MAX_BYTES) == (limits.LOG_LINES_MAX, limits.LOG_MAX_BYTES)
