"""What each transform makes of values, and what a definition makes of rows."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from goop2.sandbox.transforms import FIELDS_MAX, FUNCTIONS, RESULT_MAX_CHARS, ROWS_MAX, TEXT_MAX_CHARS, applied, transformation
from goop2.storage.errors import StorageError

MADE = [
    ("split", ["a,b,c"], [], ["a", "b", "c"]),
    ("split", ["a b"], [" ", 1], "b"),
    ("split", ["a b"], [" ", 7], None),
    ("join", ["a", "b"], ["-"], "a-b"),
    ("join", [["x", 1, True]], [], "x,1,true"),
    ("concat", ["a", None, 2.0], [], "a2"),
    ("length", ["äö"], [], 2),
    ("length", [[1, 2, 3]], [], 3),
    ("default", [None], ["x"], "x"),
    ("default", [0], ["x"], 0),
    ("coalesce", [None, "", "b"], ["c"], "b"),
    ("to_text", [1.5], [], "1.5"),
    ("to_text", [None], [], ""),
    ("lowercase", ["ÄB"], [], "äb"),
    ("uppercase", ["äb"], [], "ÄB"),
    ("trim", ["  a "], [], "a"),
    ("round", [2.456, 1], [2], 2.46),
    ("round", ["2.6"], [], 3),
    ("to_int", ["12.7"], [], 12),
    ("to_int", [""], [], None),
    ("to_float", ["1e3"], [], 1000.0),
    ("substring", ["abcdef"], [1, 3], "bcd"),
    ("substring", ["abc"], [9], ""),
    ("prefix", ["b"], ["a"], "ab"),
    ("suffix", ["a"], ["b"], "ab"),
    ("replace", ["a.b.c"], [".", "-"], "a-b-c"),
    ("replace", ["abc"], ["", "-"], "abc"),
    ("date", ["2026-11-30T14:00:00+02:00"], [], "2026-11-30"),
    ("time", ["2026-11-30T14:00:00+02:00"], [], "12:00:00"),
    ("datetime", ["2026-11-30"], [], "2026-11-30 00:00:00"),
]


def made(rows: list[Any], *fields: dict[str, Any]) -> list[dict[str, Any]]:
    return applied(transformation(msgspec.json.encode({"fields": fields})), rows)


@pytest.mark.parametrize(("name", "values", "args", "expected"), MADE)
def test_a_transform_makes_of_its_sources(name: str, values: list[Any], args: list[Any], expected: object) -> None:
    sources = [f"s{place}" for place in range(len(values))]
    row = dict(zip(sources, values, strict=True))
    assert made([row], {"target": "t", "sources": sources, "transform": name, "args": args}) == [{"t": expected}]


def test_every_transform_is_tried() -> None:
    assert {name for name, *_ in MADE} | {"guid", "now"} == set(FUNCTIONS)


def test_a_field_is_its_constant_or_its_first_source_and_columns_that_none_names_are_left_out() -> None:
    fields = ({"target": "a", "sources": ["x"]}, {"target": "b", "constant": "new"}, {"target": "c", "sources": ["no"], "constant": 1})
    assert made([{"x": 5, "secret": 1}], *fields) == [{"a": 5, "b": "new", "c": 1}]
    assert made([{}], {"target": "u", "constant": "abc", "transform": "uppercase"}) == [{"u": "ABC"}]
    first, second = made([{}, {}], {"target": "id", "transform": "guid"}, {"target": "at", "transform": "now"})
    assert first["id"] != second["id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", first["at"])


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ("[1]", "the transformation is not one"),
        ('{"fields": [{}]}', "the transformation is not one"),
        ('{"fields": [{"target": "t", "transform": "eval"}]}', "the transform 'eval', which is none"),
        ('{"fields": [' + ",".join(['{"target": "t"}'] * (FIELDS_MAX + 1)) + "]}", "101 fields; the most is 100"),
    ],
)
def test_a_definition_that_is_none_is_refused_in_a_sentence(definition: str, said: str) -> None:
    with pytest.raises(StorageError, match=re.escape(said)):
        transformation(definition.encode())


@pytest.mark.parametrize(
    ("rows", "field", "said"),
    [
        ([{"a": "x"}], {"transform": "to_int"}, "row 1, field 't': 'x' is no number"),
        ([{"a": 1}, {"a": "nan"}], {"transform": "to_float"}, "row 2, field 't': 'nan' is no finite number"),
        ([{"a": "soon"}], {"transform": "date"}, "'soon' is no date or time in ISO form"),
        ([{"a": "x"}], {"transform": "substring", "args": ["y"]}, "the start is 'y', and should be a whole number"),
        ([{"a": "x" * (TEXT_MAX_CHARS + 1)}], {"transform": "trim"}, "is too long"),
        ([{"a": "x" * TEXT_MAX_CHARS}], {"transform": "replace", "args": ["x", "yy"]}, "the replaced text is longer"),
        ([{"a": "x" * TEXT_MAX_CHARS}] * (RESULT_MAX_CHARS // TEXT_MAX_CHARS + 1), {}, "transform fewer rows"),
        ([{}] * (ROWS_MAX + 1), {}, "at most 1000"),
        ({"a": 1}, {}, "rows should be a list"),
        (["x"], {}, "row 1 is no table"),
    ],
)
def test_what_cannot_be_transformed_is_said_with_row_and_field(rows: Any, field: dict[str, Any], said: str) -> None:
    with pytest.raises(StorageError, match=re.escape(said)):
        made(rows, {"target": "t", "sources": ["a"], **field})


@pytest.mark.parametrize("definition", [b'{"name":"\xff"}', b'{"fields":[{"target":"a","constant":' + b"[" * 5000])
def test_a_definition_that_is_not_utf_8_or_nested_too_deeply_is_refused_in_a_sentence(definition: bytes) -> None:
    with pytest.raises(StorageError, match=r"the transformation is not one: (it is not UTF-8|it is nested too deeply)"):
        transformation(definition)
