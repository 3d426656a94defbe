"""The one wrapper around handlers: check, method, body, decoding, errors → answers, one log line.

    endpoint(work, …)   an endpoint of `/api/`: `work` gets the decoded body and returns what to send
    answered(work)      the outermost guard of a listener's application: whatever nobody else has answered

What an exception means to a client follows from its class: `code` is an error class of behaviour.md, and `retry_after_seconds`, where it
has one, says when to try again. A new exception that carries `code` needs no change here. It must not know what an endpoint does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, Generic, TypeVar

import structlog
from starlette.types import Receive, Scope, Send

from goop2.folder.site_files import UnreadableError
from goop2.folder.threads import FolderHangsError
from goop2.protocols.untrusted_json import Decoder, InvalidJsonError
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.storage.errors import StorageError
from goop2.web.http.bodies import BodyTooLargeError, ClientDisconnectedError, read_body, read_json, refused
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.http.responses import CLOSE, send_failure, send_json, send_refusal
from goop2.web.limits import BODY_MAX_BYTES, FULL_HOLD_SECONDS

T = TypeVar("T")

Work = Callable[[RequestContext, T], Awaitable[bytes | Failure]]
"""Request and its decoded body → the JSON text of the answer, or why there is none."""
BodyReader = Callable[[RequestContext], Awaitable[bytes]]
"""Reads the body of a request. Raises `BodyTooLargeError` and `ClientDisconnectedError`, which `answered` answers."""
Check = Callable[[RequestContext], Failure | None]
"""Returns why a request is refused before its body is read, or None."""

CODES: Final = {code.value: code for code in ErrorCode}
"""Text of an error class, as exceptions and other peers have it → the class."""
_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.web")


def failure_of(error: Exception) -> Failure | None:
    """Return what a client is told of `error`, by the `code` of its class; None when the class has none: then it is a mistake of ours."""
    if isinstance(error, StorageError):
        # Statements of callers come back as a `Failure` of services/tables.py. One that fails here is the peer's own, so the caller is not
        # at fault, whatever the code says.
        return Failure(ErrorCode.UNAVAILABLE, str(error))
    code = CODES.get(str(getattr(error, "code", "")))
    if code is None or code is ErrorCode.OK:
        return None
    return Failure(code, str(error), retry_after_seconds=getattr(error, "retry_after_seconds", None))


class JsonBody(Generic[T]):
    """How the JSON of a body becomes a request: a value of `type_`.

    :param shape: what the body should look like, for the message; "" when the decoder's own words are enough.
    """

    def __init__(self, type_: type[T], shape: str = "") -> None:
        self._decoder = Decoder(type_)
        self._shape = shape

    def __call__(self, body: bytes) -> T:
        """Return the request in `body`. Raises `InvalidJsonError`."""
        try:
            return self._decoder.decode(body)
        except InvalidJsonError as error:
            if not self._shape:
                raise
            raise InvalidJsonError(f"the body should be {self._shape}: {error}") from None


def as_sent(body: bytes) -> bytes:
    """Return a body that is not decoded: it is a file, or nobody looks at it."""
    return body


async def no_body(_call: RequestContext) -> bytes:
    """Return b"" without reading anything."""
    return b""


def posted_json(max_bytes: int = BODY_MAX_BYTES) -> BodyReader:
    """Return a reader of the JSON of a POST, at most `max_bytes`; b"" for other methods."""

    async def read(call: RequestContext) -> bytes:
        return await read_json(call.scope, call.receive, max_bytes) if call.method == "POST" else b""

    return read


def any_json(max_bytes: int = BODY_MAX_BYTES) -> BodyReader:
    """Return a reader of JSON, at most `max_bytes`, whatever the method is."""

    async def read(call: RequestContext) -> bytes:
        return await read_json(call.scope, call.receive, max_bytes)

    return read


def any_bytes(max_bytes: int) -> BodyReader:
    """Return a reader of a body as it is, at most `max_bytes`."""

    async def read(call: RequestContext) -> bytes:
        return await read_body(call.scope, call.receive, max_bytes)

    return read


def endpoint(
    work: Work[T],
    decode: Callable[[bytes], T],
    *,
    read: BodyReader,
    method: str = "",
    name: str = "this",
    check: Check | None = None,
    closes: bool = False,
    holds: bool = False,
) -> Handler:
    """Return the handler of one endpoint.

    :param work: does what is asked. An exception whose class has a `code` is answered as that; others go on to `answered`.
    :param decode: body → what `work` is given: a `JsonBody`, or `as_sent`. Raises `InvalidJsonError`.
    :param read: reads the body within its limit.
    :param method: the only method taken; "" where none is checked. Others get 405, which names the endpoint by `name`.
    :param check: why a request is refused before its body is read.
    :param closes: after a refusal by `check` the connection is closed, so that a large body need not be read.
    :param holds: an answer that asks to come again later is held for FULL_HOLD_SECONDS.
    """

    async def handler(call: RequestContext) -> None:
        if method and call.method != method:
            allow = (b"allow", method.encode())
            await send_refusal(call.send, HTTPStatus.METHOD_NOT_ALLOWED, f"{name} is asked for with {method}", [allow, *call.headers])
            return
        if check is not None and (refusal := check(call)) is not None:
            await send_failure(call.send, refusal, [CLOSE, *call.headers] if closes else call.headers)
            return
        result: bytes | Failure
        try:
            result = await work(call, decode(await read(call)))
        except Exception as error:
            failure = failure_of(error)
            if failure is None:
                raise
            result = failure
        if not isinstance(result, Failure):
            await send_json(call.send, result, HTTPStatus.OK, call.headers)
            return
        if holds and result.code is ErrorCode.UNAVAILABLE and result.retry_after_seconds is not None:
            # Who asks again at once would take time from calls that have a place in the queue.
            await asyncio.sleep(FULL_HOLD_SECONDS)
        await send_failure(call.send, result, call.headers)

    return handler


async def answered(work: Callable[[Scope, Receive, Send], Awaitable[None]], scope: Scope, receive: Receive, send: Send) -> None:
    """Do `work`, which answers a request (ASGI); answer for it where it could not, and log what nobody foresaw, once.

    Raises what it has logged, so that the server ends the connection.
    """
    try:
        await work(scope, receive, send)
    except ClientDisconnectedError:
        # Nobody reads an answer.
        pass
    except (FolderHangsError, UnreadableError) as error:
        # Raised on the way to any page of a site, also outside of endpoints.
        failure = failure_of(error)
        assert failure is not None, "both classes carry a code"
        await send_failure(send, failure)
    except BodyTooLargeError as error:
        await refused(scope, receive, send, error)
    except Exception:
        _log.exception("a request failed", method=scope["method"], path=scope["path"])
        raise
