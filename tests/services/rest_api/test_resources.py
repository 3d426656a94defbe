"""api.json, read strictly: every mistake has its line and column."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goop2.services.rest_api.json_positions import places
from goop2.services.rest_api.resources import ApiFileError, Pairs, Resource, ResourcePage, decoded, parse

MANUAL = """{
"posts": {
"table": "posts",
"slug": "slug",
"filter": "published = 1",
"get": true,
"list": {"order": "_id DESC", "limit": 50}
}
}"""


def test_the_manuals_example() -> None:
    assert parse(MANUAL) == {
        "posts": Resource(table="posts", slug="slug", filter="published = 1", get=True, list=ResourcePage("_id DESC", 50))
    }


def test_what_is_not_said_is_not_allowed() -> None:
    assert parse('{"a": {"table": "b"}}') == {"a": Resource(table="b")}
    full = '{"a": {"table": "b", "fields": ["c"], "list": true, "insert": true, "map": {"key": "c", "value": "d"}}}'
    assert parse(full) == {"a": Resource(table="b", fields=("c",), list=ResourcePage(), insert=True, map=Pairs("c", "d"))}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1, column 1: Expecting value"),
        ('{\n  "a": }', "line 2, column 8: Expecting value"),
        ("[]", "line 1, column 1: should be an object"),
        ('{"a": 5}', "line 1, column 2: a should be an object"),
        ('{"a": {}}', "line 1, column 2: a has no table"),
        ('{"a": {"table": ""}}', "line 1, column 8: a.table should be a text"),
        ('{"a": {"table": "b",\n"gets": true}}', "line 2, column 1: a.gets is not known"),
        ('{"a": {"table": "b",\n "get": "yes"}}', "line 2, column 2: a.get should be true or false"),
        ('{"a": {"table": "b", "fields": ["x", 5]}}', "a.fields should be a list of columns"),
        ('{"a": {"table": "b", "list": {"limit": 0}}}', "a.list.limit should be a whole number from 1"),
        ('{"a": {"table": "b", "list": {"limit": true}}}', "a.list.limit should be"),
        ('{"a": {"table": "b", "list": {"size": 5}}}', "a.list.size is not known"),
        ('{"a": {"table": "b", "list": 50}}', "a.list should be an object"),
        ('{"a": {"table": "b", "map": {"key": "x"}}}', "a.map has no value"),
        ('{"a": {"table": "b"},\n  "a": {"table": "c"}}', 'line 2, column 3: "a" is there twice'),
        ('{"a": {"table": "b", "table": "c"}}', 'line 1, column 22: "table" is there twice'),
        ('{"[[[[[[[[[[[[": \n' + "[" * 100_000, "line 2, column 8: it is nested too deep"),
    ],
)
def test_a_mistake_says_where_it_is(text: str, message: str) -> None:
    with pytest.raises(ApiFileError) as raised:
        parse(text)
    assert message in str(raised.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(VALUES, st.sampled_from([None, 0, 2, "\t"]))
def test_every_value_has_its_place_however_it_is_written(value: object, indent: int | str | None) -> None:
    text = json.dumps(value, indent=indent)
    found = places(text)
    lines = text.split("\n")

    def check(inner: object, path: tuple[str | int, ...]) -> None:
        line, column = found[path]
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        expected = path[-1] if path and isinstance(path[-1], str) else inner
        assert json.JSONDecoder().raw_decode(rest)[0] == expected
        for key, each in inner.items() if isinstance(inner, dict) else enumerate(inner) if isinstance(inner, list) else ():
            check(each, (*path, key))

    check(value, ())


def test_a_text_that_is_not_utf_8_is_said_with_its_place() -> None:
    with pytest.raises(ApiFileError, match=r"^line 2, column 3: it is not UTF-8$"):
        decoded(b'{\n "\xff": 1}')


def test_the_mark_some_editors_put_before_a_text_does_no_harm() -> None:
    assert parse(decoded(b"\xef\xbb\xbf{}")) == {}
