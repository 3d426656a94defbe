"""Routes, answers and bodies of the console's controls: JSON with its headers, refusals, bodies within their limit.

It must not know what a control does.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from goop2.protocols.untrusted_json import decode
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.web.http.bodies import BodyTooLargeError, read_json, refused
from goop2.web.http.handlers import failure_of
from goop2.web.http.responses import DATA_HEADERS, STATUSES
from goop2.web.limits import BODY_MAX_BYTES

T = TypeVar("T")
CONFLICT: Final = "conflict"
"""The class of a change to something that was changed meanwhile. Only the console has it: pages and peers change nothing by version."""
ACTION_SHOWN_CHARS: Final = 40
"""Of an action that there is not, which the page made up."""
_HEADERS: Final = {name.decode(): text.decode() for name, text in DATA_HEADERS}


class BadRequestError(Exception):
    """The page sent something its control does not accept; the message says what."""

    code = "bad_request"


def action_of(actions: Mapping[str, T], asked: str, things: str) -> T:
    """Return the action of this name. Raises `BadRequestError`, which names those that `things` have."""
    action = actions.get(asked)
    if action is None:
        raise BadRequestError(f"{things} have no action {asked[:ACTION_SHOWN_CHARS]!r}; they have {', '.join(actions)}")
    return action


def route(
    path: str,
    control: Callable[[Request], Awaitable[Response]],
    methods: Sequence[str] = ("GET",),
    *,
    statuses: Mapping[ErrorCode, HTTPStatus] = STATUSES,
) -> Route:
    """Return the route of a control at `path` below `/api/console`.

    An exception whose class has a `code` is answered as that (web/http/handlers.py), `conflict` with 409; and so is a body that is too
    large. `statuses`: error class → status, where this control's differs from the usual one.
    """

    async def answer(request: Request) -> Response | ASGIApp:
        try:
            return await control(request)
        except BodyTooLargeError as error:
            return _too_large(error)
        except Exception as error:
            if getattr(error, "code", "") == CONFLICT:
                return refusal(HTTPStatus.CONFLICT, CONFLICT, str(error))
            failure = failure_of(error)
            if failure is None:
                raise
            return refusal(statuses.get(failure.code, STATUSES[failure.code]), failure.code, failure.message)

    return Route(path, answer, methods=list(methods))


def _too_large(error: BodyTooLargeError) -> ASGIApp:
    # An application, not a `Response`: what the page still sends is read behind the answer.
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await refused(scope, receive, send, error)

    return answer


def reply(value: object, status: int = HTTPStatus.OK) -> Response:
    """Return `value`, anything msgspec encodes, as a JSON answer."""
    return Response(msgspec.json.encode(value), status, _HEADERS)


def refusal(status: int, code: str, message: str, **more: object) -> Response:
    """Return a refusal: `{code, message}` and the keys of `more`."""
    return reply({"code": code, "message": message, **more}, status)


def failed(failure: Failure) -> Response:
    """Return why there is no result: `{code, message}`, with the status of its class."""
    return refusal(STATUSES[failure.code], failure.code, failure.message)


async def sent(request: Request, kind: type[T]) -> T:
    """Return the JSON body of `request` as a `kind`. Raises `InvalidJsonError`, `BodyTooLargeError` and `ClientDisconnectedError`."""
    return decode(await read_json(request.scope, request.receive, BODY_MAX_BYTES), kind)
