"""Column types: what each allows and stores, and that pages and docs list the same types."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from goop2.storage.values import AUTOMATIC, TYPES, check, shown, stored, whole_number

ROOT = Path(__file__).parents[2]


def test_pages_are_told_the_types_there_are() -> None:
    declared = re.search(r"interface Column \{[^}]*?\btype: ([^;]+);", (ROOT / "src/goop2/web/sdk/goop.d.ts").read_text())
    assert declared is not None
    assert declared[1].split(" | ") == [f'"{name}"' for name in TYPES]


def test_authors_are_told_the_types_there_are() -> None:
    told = re.search(r"^Types: `([^`]+)`\. `auto` fills in (.+?)\. ", (ROOT / "docs/data.md").read_text(), re.MULTILINE)
    assert told is not None
    assert told[1].split() == list(TYPES)
    assert re.findall(r"`(\w+)`", told[2]) == list(AUTOMATIC)


ALLOWED: dict[str, list[object]] = {
    "text": ["", "a", "5"],
    "integer": [0, -5, 5.0, 2**63 - 1, -(2**63), "9007199254740993"],
    "real": [0, 1.5, -2.0, 2**53],
    "blob": ["text", b"\xff"],
    "guid": ["3f2504e0-4f89-41d3-9a0c-0305e82c3301", "3F2504E0-4F89-41D3-9A0C-0305E82C3301"],
    "datetime": ["2026-01-31", "2026-01-31 23:59", "2026-01-31T23:59:59.5Z", "2026-01-31T23:59:59+02:00", "2026-01-31 23:59:59,25"],
    "date": ["2026-01-31"],
    "time": ["23:59", "23:59:59", "23:59:59.5", "23:59:59Z"],
    "enum": ["red", "green"],
}
REFUSED: dict[str, list[object]] = {
    "text": [5, None, b"a", ["a"]],
    "integer": [True, 1.5, "5", 2**63, float(2**54), "9007199254740992", "99999999999999999999"],
    "real": [True, "1.5", float("nan"), float("inf"), 2**53 + 1, 10**400],
    "blob": [5, None],
    "guid": ["3f2504e04f8941d39a0c0305e82c3301", "", 5],
    "datetime": ["20260131", "2026-13-01", "2026-01-31 24:30", "yesterday", 5, "0001-01-01T00:00:00+14:00"],
    "date": ["20260131", "2026-02-30", "2026-01-31 00:00", 5],
    "time": ["24:30", "235959", "noon", 5],
    "enum": ["blue", 5],
}


def keys_of(kind: str) -> list[str]:
    return ["red", "green"] if kind == "enum" else []


def test_each_type_has_examples_here() -> None:
    assert ALLOWED.keys() == REFUSED.keys() == TYPES.keys()


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in ALLOWED.items() for value in values])
def test_a_value_of_its_type_is_allowed(kind: str, value: object) -> None:
    assert check(kind, keys_of(kind), value) == ""


@pytest.mark.parametrize(("kind", "value"), [(kind, value) for kind, values in REFUSED.items() for value in values])
def test_a_value_of_another_type_is_refused_with_what_is_allowed(kind: str, value: object) -> None:
    message = check(kind, keys_of(kind), value)
    assert message.startswith(("takes one of red, green, not ", f"takes {TYPES[kind].allowed}, not "))
    assert message.endswith(shown(value))


@pytest.mark.parametrize("kind", [kind for kind in AUTOMATIC if kind != "integer"])
def test_an_automatic_value_is_allowed_in_its_column(kind: str) -> None:
    make = TYPES[kind].automatic
    assert make is not None
    assert check(kind, [], make()) == ""


@pytest.mark.parametrize(
    ("kind", "value", "bound"),
    [
        ("datetime", "2026-01-31T23:59:59+02:00", "2026-01-31 21:59:59"),
        ("datetime", "2026-01-31T10:00:00.500Z", "2026-01-31 10:00:00.500"),
        ("datetime", "2026-01-31", "2026-01-31 00:00:00"),
        ("integer", 5.0, 5),
        ("integer", "9007199254740993", 9007199254740993),
        ("blob", "é", "é".encode()),
        ("real", 2**53, float(2**53)),
        ("text", "5", "5"),
    ],
)
def test_a_value_is_bound_so_that_sqlite_keeps_it(kind: str, value: object, bound: object) -> None:
    result = stored(kind, value)
    assert result == bound
    assert type(result) is type(bound)


@pytest.mark.parametrize(("value", "number"), [(5, 5), ("5", 5), (5.0, 5), ("9223372036854775807", 2**63 - 1), (0, 0)])
def test_an_id_or_limit_is_a_number_or_numeric_text(value: object, number: int) -> None:
    assert whole_number(value) == number


@pytest.mark.parametrize("value", [True, None, -1, "-1", 5.5, "5.0", "5 ", "", 2**63, "٥", [5]])
def test_another_value_is_no_id_or_limit(value: object) -> None:
    assert whole_number(value) is None


def test_a_number_below_the_minimum_is_none() -> None:
    assert whole_number(1, minimum=1) == 1
    assert whole_number(0, minimum=1) is None


def test_a_long_value_is_shown_shortened() -> None:
    assert shown("a" * 100) == '"' + "a" * 39 + "…"
    assert shown({"a": 1}) == "a dict"
    assert shown(b"\xff") == "a string that is not UTF-8"
