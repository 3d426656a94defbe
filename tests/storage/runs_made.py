"""Runs for the tests of the history."""

from __future__ import annotations

from typing import Any

from goop2.storage.run_record import OK, Run

STARTED = 1_700_000_000.0


def run_of(number: int = 1, **changes: Any) -> Run:
    """Return a run of `hello` that went well, but for `changes`."""
    values: dict[str, Any] = {
        "id": number,
        "kind": "function",
        "script": "hello",
        "caller": "visitor-ann",
        "status": OK,
        "message": "",
        "line": None,
        "started": STARTED + number,
        "milliseconds": 1.5,
        "waited_milliseconds": 0.25,
        "memory_bytes": 40_000,
    }
    return Run(**values | changes)


def failed(number: int = 1, **changes: Any) -> Run:
    """Return a run that failed at line 17."""
    return run_of(number, status="script_error", message="hello:17: no such field", line=17, **changes)


def refused(number: int = 1, **changes: Any) -> Run:
    """Return a call that was turned away."""
    values = {"status": "rate_limited", "message": "rate limit exceeded", "refused": True}
    return run_of(number, **values | changes)
