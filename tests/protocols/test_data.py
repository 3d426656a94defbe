"""The data protocol: one object there, one object back."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protocols.nearly import nearly

from goop2.protocols import data, encrypted_payload
from goop2.protocols.data import Answer, DataRequest, FailureAnswer, SuccessAnswer
from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.line import LineReader

REQUESTS = [
    (b'{"op":"lua-list"}', DataRequest("lua-list")),
    (
        b'{"op":"lua-call","function":"score","params":{"a": [1]}}',
        DataRequest("lua-call", function="score", params=msgspec.Raw(b'{"a": [1]}')),
    ),
    (b'{"op":"query","table":"t","limit":5,"unknown":{}}', DataRequest("query", table="t", limit=msgspec.Raw(b"5"))),
    ('{"op":"insert","table":"å"}'.encode(), DataRequest("insert", table="å")),
]
BROKEN = [b"", b"[]", b"{}", b'{"op":7}', b'{"op":"x"', b'{"op":"x","params":"\xff"}', b'{"op":"x","params":' + b"[" * 50_000, b"\xff"]

ANSWERS: list[tuple[bytes, Answer]] = [
    (b'{"ok":true,"data":{"score":7}}', SuccessAnswer(b'{"score":7}')),
    (b'{"ok":true}', SuccessAnswer(b"null")),
    (b'{"ok":true,"data":null,"error":""}', SuccessAnswer(b"null")),
    (b'{"ok":false,"error":"no such table"}', FailureAnswer("no such table")),
    (b'{"ok":false}', FailureAnswer("the peer gives no reason")),
    (
        b'{"ok":false,"error":"x:3: bad","code":"script_error","retry_after":1.5,"script":"x","line":3}',
        FailureAnswer("x:3: bad", "script_error", 1.5, "x", 3),
    ),
    (b'{"ok":false,"error":{"a":1},"code":7,"retry_after":-1,"script":[],"line":"3"}', FailureAnswer("the peer gives no reason")),
]


def whole(reader: LineReader, sent: bytes, size: int) -> bytes:
    """The line in bytes that come in pieces."""
    for at in range(0, len(sent), size):
        line = reader.receive(sent[at : at + size])
        if line is not None:
            return line
    reader.end()
    raise AssertionError


@pytest.mark.parametrize(("sent", "request_"), REQUESTS)
@pytest.mark.parametrize("size", [1, 10_000])
def test_a_request_is_read_byte_by_byte_and_whole(sent: bytes, request_: DataRequest, size: int) -> None:
    assert data.requested(whole(data.request_reader(), sent + b"\n", size)) == request_


@pytest.mark.parametrize("sent", BROKEN)
def test_what_is_no_operation_is_the_callers_fault(sent: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="the request is no operation"):
        data.requested(sent)


@pytest.mark.parametrize(("sent", "answer"), ANSWERS)
@pytest.mark.parametrize("size", [1, 10_000])
def test_an_answer_is_read_byte_by_byte_and_whole(sent: bytes, answer: Answer, size: int) -> None:
    assert data.answered(whole(data.answer_reader(), sent + b"\n", size)) == answer


@pytest.mark.parametrize("sent", [b"", b"null", b"{}", b'{"ok":1}', b'{"ok":true,"data":}', b'{"ok":true,"data":"\xff"}'])
def test_what_is_no_answer_is_the_other_sides_fault(sent: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="the answer is invalid"):
        data.answered(sent)


def test_a_gigabyte_without_a_newline_is_refused_at_its_first_megabyte() -> None:
    reader = data.request_reader()
    piece = b"x" * 65536
    for _ in range(22):
        assert reader.receive(piece) is None
    with pytest.raises(RemoteProtocolError, match="the request is longer than 1485540 bytes"):
        reader.receive(piece)
    assert len(reader.rest()) <= encrypted_payload.line_size_of(data.REQUEST_MAX_BYTES) + len(piece)


def test_what_stands_on_several_lines_is_sent_on_one() -> None:
    asked = DataRequest("lua-call", function="f", params=msgspec.Raw(b'{\n  "a": [1,\r\n 2],\n  "b": "\\n x"\n}\n'))
    assert data.request(asked) == b'{"op":"lua-call","function":"f","params":{"a":[1,2],"b":"\\n x"}}\n'


def test_answers_as_they_are_sent() -> None:
    assert data.success(b'{"score":7}') == b'{"ok":true,"data":{"score":7}}\n'
    assert data.success(b"null") == b'{"ok":true}\n'
    assert json.loads(data.failure(FailureAnswer("no", "rate_limited", 2.0, "hello"))) == {
        "ok": False, "error": "no", "code": "rate_limited", "retry_after": 2.0, "script": "hello"}  # fmt: skip
    with pytest.raises(LocalProtocolError, match="the most is 4194304"):
        data.success(b'"' + b"x" * data.ANSWER_MAX_BYTES + b'"')


texts = st.text(max_size=20)


@pytest.mark.slow
@given(
    st.text(min_size=1, max_size=20),
    texts,
    st.recursive(st.none() | st.integers() | texts, lambda inner: st.lists(inner) | st.dictionaries(texts, inner)),
)
def test_a_request_arrives_as_it_was_sent(op: str, function: str, params: object) -> None:
    """Invariant: what `request` writes is one line, and `requested` reads the same from it."""
    asked = DataRequest(op, function=function, params=msgspec.Raw(json.dumps(params).encode()))
    line = data.request_reader().receive(data.request(asked))
    assert line is not None
    assert data.requested(line) == asked


@given(
    st.binary(max_size=100)
    | st.builds(lambda inner: b'{"op":"x","params":' + inner + b"}", st.binary(max_size=50))
    | nearly([sent for sent, _ in REQUESTS])
)
def test_any_line_is_an_operation_or_a_fault(sent: bytes) -> None:
    """Invariant: any bytes give a request whose values are JSON text, or RemoteFault, and nothing else."""
    try:
        request = data.requested(sent)
    except RemoteProtocolError:
        return
    json.loads(bytes(request.params) or b"null")


@given(st.binary(max_size=60) | nearly([sent for sent, _ in ANSWERS]))
def test_any_line_is_an_answer_or_a_fault(sent: bytes) -> None:
    """Invariant: any bytes give a result that is JSON text, a failure with a reason, or RemoteFault, and nothing else."""
    try:
        answer = data.answered(sent)
    except RemoteProtocolError:
        return
    if isinstance(answer, SuccessAnswer):
        json.loads(answer.json)
    else:
        assert answer.error
        assert answer.retry_after is None or answer.retry_after >= 0
        assert json.loads(data.failure(answer))["ok"] is False


@pytest.mark.parametrize(
    ("sent", "detail"),
    [
        ({"code": "no_stock"}, {"code": "no_stock"}),
        ({"code": "x" * 1000, "more": "let pass"}, {"code": "x" * 64}),
        ({"code": 5}, None),
        ("no_stock", None),
        (None, None),
    ],
)
def test_of_a_scripts_error_another_peer_tells_a_short_code_and_nothing_else(sent: object, detail: dict[str, str] | None) -> None:
    line = json.dumps({"ok": False, "error": "sold out", "code": "script_error", "detail": sent}).encode()
    assert data.answered(line) == data.FailureAnswer("sold out", "script_error", detail=detail)


def test_the_code_of_a_scripts_error_arrives_as_it_was_sent() -> None:
    failure = data.FailureAnswer("sold out", "script_error", None, "buy", 3, {"code": "no_stock"})
    assert data.answered(data.failure(failure).rstrip(b"\n")) == failure
