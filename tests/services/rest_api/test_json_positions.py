"""Positions in a JSON text: of keys and elements, of keys that occur twice, and of what is nested too deeply."""

from __future__ import annotations

import pytest

from goop2.services.rest_api.json_positions import DuplicateKeyError, line_and_column, places, too_deep

TEXT = """{
  "posts": {"table": "a,b:{", "fields": ["x", [], {"y": -1.5e3}]},
  "n": null
}"""


def test_every_value_has_the_place_of_its_key_or_its_own() -> None:
    assert places(TEXT) == {
        (): (1, 1),
        ("posts",): (2, 3),
        ("posts", "table"): (2, 13),
        ("posts", "fields"): (2, 31),
        ("posts", "fields", 0): (2, 42),
        ("posts", "fields", 1): (2, 47),
        ("posts", "fields", 2): (2, 51),
        ("posts", "fields", 2, "y"): (2, 52),
        ("n",): (3, 3),
    }


@pytest.mark.parametrize("text", ["{}", "[]", '"a"', "5", " true ", "{ }", "[ ]"])
def test_a_text_of_one_value_has_one_place(text: str) -> None:
    assert list(places(text)) == [()]


def test_a_key_that_occurs_twice_is_told_with_its_second_place() -> None:
    with pytest.raises(DuplicateKeyError) as told:
        places('{"a": {"b": 1,\n "b": 2}}')
    assert (told.value.name, told.value.line, told.value.column) == ("b", 2, 2)
    assert places('{"a": {"b": 1}, "c": {"b": 2}}')


def test_nesting_is_counted_outside_of_texts() -> None:
    assert too_deep("[[[]]]", 3) == 0
    assert too_deep("[[[[]]]]", 3) == 3
    assert too_deep('["[[[[", [{"\\"[": []}]]', 4) == 0
    assert too_deep("[] [] [] []", 1) == 0


def test_lines_and_columns_begin_at_one() -> None:
    assert line_and_column("ab\ncd", 0) == (1, 1)
    assert line_and_column("ab\ncd", 4) == (2, 2)
