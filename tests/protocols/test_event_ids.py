"""Ids of events: which of them name a place in the log, and which are unknown."""

from __future__ import annotations

import pytest

from goop2.protocols.event_ids import UNKNOWN, place_of

START, LAST = "4f2a", 120


@pytest.mark.parametrize(
    ("last_id", "place"),
    [
        ("", LAST),
        ("4f2a-0", 0),
        ("4f2a-17", 17),
        ("4f2a-120", 120),
        ("4f2a-121", UNKNOWN),
        ("0000-17", UNKNOWN),
        ("4f2a", UNKNOWN),
        ("4f2a-", UNKNOWN),
        ("4f2a--1", UNKNOWN),
        ("4f2a-1.5", UNKNOWN),
        ("4f2a-" + "9" * 5000, UNKNOWN),
    ],
)
def test_an_id_names_its_event_or_none(last_id: str, place: int) -> None:
    assert place_of(last_id, START, LAST) == place
