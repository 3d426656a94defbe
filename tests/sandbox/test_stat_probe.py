"""Which calls SQLite needs to learn a file's size, tried on the SQLite that is here."""

from __future__ import annotations

import pytest

from goop2.sandbox import stat_probe
from goop2.sandbox.stat_probe import CANDIDATES, needed_stat_calls


def test_sqlite_of_the_pinned_wheel_needs_fstat_alone() -> None:
    assert needed_stat_calls() == ()


def test_where_fstat_is_not_enough_it_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A SQLite that asks otherwise, imitated: what it asks here is refused as well."""
    monkeypatch.setattr(stat_probe, "STAT_CALLS", ("fstat", "newfstatat", "statx"))
    assert not stat_probe._is_enough(())
    assert stat_probe._is_enough(("fstat",))
    assert needed_stat_calls() == CANDIDATES[-1]
