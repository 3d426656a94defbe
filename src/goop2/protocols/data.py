r"""`/goop/data/1.0.0`: one JSON object and `\n`; the answer is one JSON object and `\n`.

    {"op": "lua-call", "function": "score", "params": {…}}   →   {"ok": true, "data": …}   or   {"ok": false, "error": "…"}

Either line may be encrypted (encrypted_payload.py). Beside `error` ours has `code`, `retry_after` (seconds), `script`,
`line` and `detail`, which others ignore.
Which operation a caller may use is not decided here.
"""

from __future__ import annotations

from typing import Final

import msgspec

from goop2.protocols import data_answers, encrypted_payload, tolerant_json
from goop2.protocols.errors import LocalProtocolError, RemoteProtocolError
from goop2.protocols.line import NEWLINE, LineReader, line
from goop2.protocols.untrusted_json import InvalidJsonError

PROTOCOL: Final = "/goop/data/1.0.0"
KEPT_PROTOCOL: Final = "/goop/data-keep/1.0.0"
"""The same, ours alone: after an answer the next request, until either side ends the stream between two."""
ENVELOPE_MAX_BYTES: Final = 64 * 1024
"""Everything of a request or an answer but its largest value."""
REQUEST_MAX_BYTES: Final = 1024 * 1024 + ENVELOPE_MAX_BYTES
"""Parameters of a data function are at most 1 MB of JSON (behaviour.md)."""
ANSWER_MAX_BYTES: Final = 4 * 1024 * 1024
"""Ours are at most 1 MB; others do not say, so there is room, and an end to it."""
DETAIL_CODE_MAX_CHARS = 64
"""Of the code in a script's error that another peer tells."""
_NOTHING: Final = msgspec.Raw(b"")


class DataRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation with the keys it needs; values are JSON text for whoever carries it out."""

    op: str
    table: str = ""
    name: str = ""
    data: msgspec.Raw = _NOTHING
    id: msgspec.Raw = _NOTHING
    where: msgspec.Raw = _NOTHING
    args: msgspec.Raw = _NOTHING
    columns: msgspec.Raw = _NOTHING
    column_defs: msgspec.Raw = _NOTHING
    column: msgspec.Raw = _NOTHING
    limit: msgspec.Raw = _NOTHING
    offset: msgspec.Raw = _NOTHING
    old_name: str = ""
    new_name: str = ""
    function: str = ""
    params: msgspec.Raw = _NOTHING
    order: msgspec.Raw = _NOTHING
    fields: msgspec.Raw = _NOTHING
    expr: msgspec.Raw = _NOTHING
    group_by: msgspec.Raw = _NOTHING
    key_col: msgspec.Raw = _NOTHING
    policy: msgspec.Raw = _NOTHING


class SuccessAnswer(msgspec.Struct, frozen=True):
    """The answer's data as JSON text; `null` when there is none."""

    json: bytes


class FailureAnswer(msgspec.Struct, frozen=True):
    """The error of an operation. `code` is "" when the peer gives none."""

    error: str
    code: str = ""
    retry_after: float | None = None
    """Seconds."""
    script: str | None = None
    line: int | None = None
    detail: dict[str, str] | None = None
    """`{"code": …}` of the table a script raised."""


Answer = SuccessAnswer | FailureAnswer


class _Sent(msgspec.Struct, frozen=True, omit_defaults=True):
    """An answer on the wire. Keys of another type than ours come from other implementations and are accepted."""

    ok: bool
    data: msgspec.Raw = _NOTHING
    error: object = None
    code: object = None
    retry_after: object = None
    script: object = None
    line: object = None
    detail: object = None


def request_reader() -> LineReader:
    """Return a reader for a request, encrypted or not; then `requested`."""
    return LineReader("the request", encrypted_payload.line_size_of(REQUEST_MAX_BYTES))


def requested(content: bytes) -> DataRequest:
    """Return the request in a line. Raises `RemoteProtocolError`, whose message the peer may be told."""
    try:
        request = tolerant_json.decode(content, DataRequest)
    except InvalidJsonError as error:
        raise RemoteProtocolError(f"the request is no operation: {error}") from None
    return request


def request(asked: DataRequest) -> bytes:
    """Return a request as bytes. Raises `LocalProtocolError` when it is too long."""
    return line("the request", _encoded(asked), REQUEST_MAX_BYTES)


def answer_reader() -> LineReader:
    """Return a reader for an answer, encrypted or not; then `answered`."""
    return LineReader("the answer", encrypted_payload.line_size_of(ANSWER_MAX_BYTES))


def answered(content: bytes) -> Answer:
    """Return the answer in a line. Raises `RemoteProtocolError`."""
    try:
        sent = tolerant_json.decode(content, _Sent)
    except InvalidJsonError as error:
        raise RemoteProtocolError(f"the answer is invalid: {error}") from None
    if sent.ok:
        return SuccessAnswer(bytes(sent.data) or b"null")
    reason = _text(sent.error) or "the peer gives no reason"
    return FailureAnswer(
        reason,
        _text(sent.code) or data_answers.code_of(reason),
        _seconds(sent.retry_after),
        _text(sent.script),
        sent.line if type(sent.line) is int else None,
        _detail(sent.detail),
    )


def _detail(sent: object) -> dict[str, str] | None:
    """Return the detail of a script's error, or None: from another peer only a short `code` is accepted."""
    code = sent.get("code") if isinstance(sent, dict) else None
    return {"code": code[:DETAIL_CODE_MAX_CHARS]} if isinstance(code, str) else None


def success(json: bytes) -> bytes:
    """Return the answer with this JSON text as data, left out when empty. Raises `LocalProtocolError` when it is too long."""
    data = b"" if json == b"null" else b',"data":' + json
    return line("the answer", b'{"ok":true' + data + b"}", ANSWER_MAX_BYTES)


def failure(why: FailureAnswer) -> bytes:
    """Return the answer for a failure."""
    fields = {"ok": False, "error": why.error, "code": why.code or None, "script": why.script, "line": why.line, "detail": why.detail}
    fields["retry_after"] = why.retry_after
    kept = {name: value for name, value in fields.items() if value is not None}
    return line("the answer", msgspec.json.encode(kept), ANSWER_MAX_BYTES)


def _encoded(asked: DataRequest) -> bytes:
    try:
        encoded = msgspec.json.encode(asked)
    except msgspec.EncodeError as error:
        raise LocalProtocolError(f"the request cannot be written: {error}") from None
    # What somebody typed may stand on several lines.
    return msgspec.json.format(encoded, indent=-1) if NEWLINE in encoded else encoded


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e9 else None
