"""goop.http for scripts: check the arguments, count the requests, keep the deadline, and shape the answer.

The arguments come from a process that runs a stranger's code, so nothing in them is trusted. The peer counts the requests itself.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from typing import Final, Protocol

import msgspec

from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.sandbox.answers import Answer, err, raised, several
from goop2.sandbox.messages import Scalar
from goop2.scripting.invocation import Caller, Invocation, PeerOperation
from goop2.services.http_client.errors import OutboundError
from goop2.services.http_client.limits import ANSWER_SECONDS, REQUESTS_PER_INVOCATION
from goop2.services.http_client.request import HttpRequest, Response, checked_headers
from goop2.services.http_client.url import read_url

TOO_MANY: Final = err(f"http request limit ({REQUESTS_PER_INVOCATION}) exceeded")

SPENT: Final = "http"
"""Key of our count in `Invocation.spent`."""

CONTENT_TYPES: Final = {b"s": "application/x-www-form-urlencoded", b"j": "application/json"}
"""What sandbox/calls.lua puts before a body, a string or a table, → what it is sent as."""

OPTIONS_AT: Final = {"get": 2, "post": 3}
"""Where opts stand. What stands before them, sandbox/calls.lua has judged."""

_Headers = dict[str, str | int | float]


class _Options(msgspec.Struct, forbid_unknown_fields=True):
    headers: _Headers | list[object] = {}
    """An empty Lua table may come as an array."""
    full: bool = False
    """Whether the script wants status and headers too."""


class ArgumentError(Exception):
    """The script passed wrong arguments: an error is raised at its line, not returned."""


class Fetches(Protocol):
    """Where requests are answered: `Client`, or what a test has set."""

    async def fetch(self, request: HttpRequest, caller: Caller, seconds: float) -> Response:
        """Return the answer to `request`, within `seconds`. Raises `OutboundError`."""


class HttpOperations:
    """The peer's operations of `goop.http`."""

    def __init__(self, client: Fetches) -> None:
        self._client = client

    @property
    def by_name(self) -> Mapping[str, PeerOperation]:
        """Return name in the goop table → operation."""
        return {"http.get": self.get, "http.post": self.post}

    async def get(self, invocation: Invocation, url: Scalar = None, options: Scalar = None) -> Answer:
        """Do goop.http.get(url [, opts])."""
        return await self._answered(invocation, "get", url, options, None)

    async def post(self, invocation: Invocation, url: Scalar = None, body: Scalar = None, options: Scalar = None) -> Answer:
        """Do goop.http.post(url, body [, opts])."""
        return await self._answered(invocation, "post", url, options, body)

    async def _answered(self, invocation: Invocation, name: str, url: Scalar, options: Scalar, body: Scalar) -> Answer:
        spent = invocation.spent.get(SPENT, 0)
        if spent >= REQUESTS_PER_INVOCATION:
            return TOO_MANY
        # Counted before the arguments are read: refused requests count too, or a script could try endlessly.
        invocation.spent[SPENT] = spent + 1
        try:
            request = _get(url, options) if name == "get" else _post(url, body, options)
            # Earlier than the script's own deadline, so that the script gets the error and can answer its caller.
            seconds = invocation.deadline - time.monotonic() - ANSWER_SECONDS
            return _shaped(await self._client.fetch(request, invocation.caller, seconds), full=_given(options).full)
        except OutboundError as error:
            return err(str(error))
        except ArgumentError as error:
            return raised(f"bad argument #{OPTIONS_AT[name]} to 'goop.http.{name}' ({error})")


def _get(url: Scalar, options: Scalar) -> HttpRequest:
    target = read_url(_text(url, "url"))
    return HttpRequest("GET", target, _headers(options, target.credentials))


def _post(url: Scalar, body: Scalar, options: Scalar) -> HttpRequest:
    target = read_url(_text(url, "url"))
    if not isinstance(body, bytes) or body[:1] not in CONTENT_TYPES:
        raise ArgumentError("body must be a string or a table")
    headers = _headers(options, target.credentials)
    if not _has(headers, "content-type"):
        headers = (*headers, ("Content-Type", CONTENT_TYPES[body[:1]]))
    return HttpRequest("POST", target, headers, body[1:])


def _text(value: Scalar, name: str) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    raise ArgumentError(f"{name} must be a string")


def _headers(options: Scalar, credentials: str) -> tuple[tuple[str, str], ...]:
    headers = checked_headers((name, str(value)) for name, value in _given_headers(_given(options)).items())
    if credentials and not _has(headers, "authorization"):
        encoded = base64.b64encode(credentials.encode("utf-8", "surrogateescape")).decode()
        headers = (*headers, ("Authorization", f"Basic {encoded}"))
    return headers


def _given(options: Scalar) -> _Options:
    if options in (None, b"[]", b"null"):
        return _Options()
    try:
        return decode(options if isinstance(options, bytes) else b"", _Options)
    except InvalidJsonError as error:
        raise ArgumentError(f'opts must be a table such as {{headers = {{Accept = "text/plain"}}}}: {error}') from None


def _given_headers(options: _Options) -> _Headers:
    given = options.headers
    if given and not isinstance(given, dict):
        raise ArgumentError('opts.headers must have names, such as {Accept = "text/plain"}')
    return given if isinstance(given, dict) else {}


def _has(headers: tuple[tuple[str, str], ...], name: str) -> bool:
    return any(given.lower() == name for given, _ in headers)


def _shaped(response: Response, *, full: bool) -> Answer:
    # Two values, unless more is asked for: existing scripts take a third one for an error.
    if not full:
        return several(b"vv", response.body, None)
    about = msgspec.json.encode({"status": response.status, "headers": response.headers})
    return several(b"vvj", response.body, None, about)
