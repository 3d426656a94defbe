"""What is recorded of a host call besides its times: what its author needs to recognise it, and nothing that might be a secret.

Recorded are the text of an SQL statement (not its arguments), the name of a table, a key or a file, and of a request its method, its host
and its status. Not recorded are values, rows, headers, bodies, and the rest of an address.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from goop2.sandbox.messages import Scalar
from goop2.storage.run_record import DETAIL_MAX_CHARS

_FIRST_ARGUMENT: Final = ("db.", "schema.", "kv.", "site.", "listen.", "transform.load", "use.")
"""Begin of the operations whose first argument, when it is a text, is a statement or a name."""
_REQUESTS: Final = {"http.get": "GET", "http.post": "POST"}
_BYTES_MAX: Final = 4 * DETAIL_MAX_CHARS
"""Of UTF-8, which has four bytes for a character at most."""


class _About(msgspec.Struct):
    """The third value of an answer to a request (services/http_client/operations.py)."""

    status: int = 0


def detail_of(operation: str, arguments: tuple[Scalar, ...], values: tuple[Scalar, ...]) -> str:
    """Return what to record of a host call with these arguments, which was answered with `values`."""
    first = arguments[0] if arguments else None
    if not isinstance(first, bytes):
        return ""
    if operation.startswith(_FIRST_ARGUMENT):
        return first[:_BYTES_MAX].decode("utf-8", "replace")[:DETAIL_MAX_CHARS]
    method = _REQUESTS.get(operation)
    return "" if method is None else f"{method} {_host(first)}{_status(values)}"[:DETAIL_MAX_CHARS]


def _host(url: bytes) -> str:
    """Return the host of an address with its port, without user name, password, path and query, which may be secrets."""
    try:
        parts = urlsplit(url.decode("utf-8", "replace"))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "(no address)"
    return (f"{host}:{port}" if port else host) or "(no address)"


def _status(values: tuple[Scalar, ...]) -> str:
    """Return the status of an answer, "" where there was none."""
    about = values[2] if len(values) > 2 else None
    if not isinstance(about, bytes):
        return ""
    try:
        return f" {msgspec.json.decode(about, type=_About).status}"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""
