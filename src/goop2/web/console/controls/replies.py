"""What controls answer, and what they are sent: JSON with its headers, refusals, bodies read within bounds.

It must not know what is asked.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.web.http.bodies import read_json
from goop2.web.http.responses import DATA_HEADERS
from goop2.web.limits import BODY_MAX_BYTES

T = TypeVar("T")
_HEADERS: Final = {name.decode(): text.decode() for name, text in DATA_HEADERS}


class BadRequestError(Exception):
    """The page sent what its control does not take; the message says what."""


def reply(value: object, status: int = HTTPStatus.OK) -> Response:
    """`value`, anything msgspec writes, as JSON."""
    return Response(msgspec.json.encode(value), status, _HEADERS)


def refusal(status: int, code: str, message: str, **more: object) -> Response:
    """Return why not: `{code, message, …}`."""
    return reply({"code": code, "message": message, **more}, status)


async def sent(request: Request, kind: type[T]) -> T:
    """Return the JSON body of `request` as a `kind`. Raises `BadRequestError`, `BodyTooLargeError` and `ClientDisconnectedError`."""
    body = await read_json(request.scope, request.receive, BODY_MAX_BYTES)
    try:
        return decode(body, kind)
    except InvalidJsonError as error:
        raise BadRequestError(str(error)) from None
