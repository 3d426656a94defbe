"""What is recorded of a host call: enough to recognise it, and no secret."""

from __future__ import annotations

import json

import pytest

from goop2.sandbox.call_details import detail_of
from goop2.sandbox.messages import Scalar
from goop2.storage.run_record import DETAIL_MAX_CHARS

ANSWER: tuple[Scalar, ...] = (b"a secret body", None, json.dumps({"status": 204, "headers": {"set-cookie": "secret"}}).encode())
RECORDED: dict[str, tuple[str, tuple[Scalar, ...], tuple[Scalar, ...], str]] = {
    "a statement without its arguments": ("db.query", (b"SELECT * FROM t WHERE a = ?", b"secret"), (), "SELECT * FROM t WHERE a = ?"),
    "a table without the row": ("schema.insert", (b"posts", b"title", b"secret"), (), "posts"),
    "a key without its value": ("kv.set", (b"token", b'"secret"'), (), "token"),
    "a key without what it holds": ("kv.get", (b"token",), (b'"secret"',), "token"),
    "a file": ("site.read", (b"a/b.json",), (b"secret",), "a/b.json"),
    "method, host and status": ("http.get", (b"https://api.example.org/v1/secret?key=secret",), ANSWER, "GET api.example.org 204"),
    "a port": ("http.post", (b"http://box:8123/x", b"ssecret", b'{"headers": {"a": "secret"}}'), ANSWER, "POST box:8123 204"),
    "no user and no password": ("http.get", (b"https://me:secret@example.org/",), ANSWER, "GET example.org 204"),
    "a request without an answer": ("http.get", (b"https://example.org/",), (None, b"secret"), "GET example.org"),
    "an answer that is none": ("http.get", (b"https://example.org/",), (None, None, b"[]"), "GET example.org"),
    "an answer that is no JSON": ("http.get", (b"https://example.org/",), (None, None, b'"\xff'), "GET example.org"),
    "an address that is none": ("http.get", (b"secret",), (None, b"no"), "GET (no address)"),
    "an address that cannot be read": ("http.get", (b"http://[secret:99999/",), (None, b"no"), "GET (no address)"),
    "a port that is none": ("http.get", (b"http://x:secret/",), (None, b"no"), "GET (no address)"),
    "nothing of the others": ("commands", (b"secret",), (), ""),
    "nothing where there is nothing": ("db.begin", (), (), ""),
    "nothing of what is no text": ("listen.seek", (5,), (), ""),
}


@pytest.mark.parametrize(("operation", "arguments", "values", "expected"), RECORDED.values(), ids=RECORDED)
def test_recorded_is(operation: str, arguments: tuple[Scalar, ...], values: tuple[Scalar, ...], expected: str) -> None:
    assert detail_of(operation, arguments, values) == expected


@pytest.mark.parametrize("letter", ["x", "ä", "\U0001f3c1"])
def test_a_long_statement_is_cut(letter: str) -> None:
    assert detail_of("db.exec", ((letter * 5000).encode(),), ()) == (letter * 5000)[:DETAIL_MAX_CHARS]


def test_bytes_that_are_no_text_are_shown_all_the_same() -> None:
    assert detail_of("kv.get", (b"a\xff",), ()) == "a\N{REPLACEMENT CHARACTER}"
