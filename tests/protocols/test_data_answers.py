"""Every shape an answer was ever given in, read as the newest."""

from __future__ import annotations

import json
from typing import Any

import pytest

from goop2.protocols import data
from goop2.protocols.data_answers import code_of, newest

COLUMNS = [{"cid": 0, "name": "_id", "type": "INTEGER", "not_null": False, "default": None, "pk": True}]
SCHEMA = {"name": "posts", "columns": [{"name": "body", "type": "text"}], "access": {}, "system_key": True}


@pytest.mark.parametrize(
    ("operation", "older", "shape"),
    [
        ("describe", COLUMNS, {"mode": "classic", "columns": COLUMNS}),
        ("describe", {"mode": "classic", "columns": COLUMNS}, {"mode": "classic", "columns": COLUMNS}),
        ("describe", {"mode": "orm", "schema": SCHEMA, "columns": COLUMNS}, {"mode": "orm", "schema": SCHEMA}),
        ("describe", {"mode": "orm", "schema": SCHEMA}, {"mode": "orm", "schema": SCHEMA}),
        ("describe", "nonsense", "nonsense"),
        ("exists", True, {"exists": True}),
        ("exists", {"exists": False}, {"exists": False}),
        ("count", 7, {"count": 7}),
        ("count", {"count": 7}, {"count": 7}),
        ("count", True, True),
        ("update-where", {"status": "updated", "count": 2}, {"affected": 2}),
        ("update-where", {"affected": 2}, {"affected": 2}),
        ("delete-where", {"status": "deleted", "count": 2, "affected": 2}, {"affected": 2}),
        ("delete-where", 3, {"affected": 3}),
        ("role", {"role": "", "read": "all"}, {"role": "", "read": "all", "permissions": None}),
        ("role", {"role": "viewer", "permissions": {"read": True}}, {"role": "viewer", "permissions": {"read": True}}),
        ("query", None, []),
        ("pluck", None, []),
        ("tables", None, []),
        ("query", [{"a": 1}], [{"a": 1}]),
        ("query-one", None, None),
        ("insert", {"status": "inserted", "id": 1}, {"status": "inserted", "id": 1}),
    ],
)
def test_shapes(operation: str, older: Any, shape: Any) -> None:
    assert json.loads(newest(operation, json.dumps(older).encode())) == shape


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("rate limit exceeded", "rate_limited"),
        ("lua: Rate limit exceeded for peer", "rate_limited"),
        ("query-one is not available for remote peers yet", "forbidden"),
        ("no such game", ""),
        ("", ""),
    ],
)
def test_a_refusal_without_a_code_has_one_where_its_text_is_certain(text: str, code: str) -> None:
    assert code_of(text) == code
    answer = data.answered(json.dumps({"ok": False, "error": text}).encode())
    assert isinstance(answer, data.FailureAnswer)
    assert answer.code == code


def test_a_code_that_is_told_stays() -> None:
    answer = data.answered(b'{"ok":false,"error":"rate limit exceeded","code":"unavailable"}')
    assert isinstance(answer, data.FailureAnswer)
    assert answer.code == "unavailable"
