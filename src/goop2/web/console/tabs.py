"""How a tab gets the console's token: with a one-time code of `goop2 console`, or, after a restart, with the code it was given before.

    GET  /tab                 {run}: new at each start, what a proof is made over
    POST /tab/enter  {code}   → {token}; the code is that of `goop2 console DIR --open`
    POST /tab/resume {id, proof} → {token}; tab_codes.py says what a proof is
    POST /tab/code            → {id, key}, or {} where tabs cannot be let in again; behind the token, as all other controls

The first three stand outside the token. Pages of other origins reach none of them (web/http/origins.py), as with every request.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.web.console.controls.replies import refusal, reply, route, sent
from goop2.web.console.tab_codes import TabCodes
from goop2.web.http.admission import user_of
from goop2.web.http.console_token import Token
from goop2.web.http.passes import ENTER, Passes


class EnterRequest(msgspec.Struct):
    """The request to exchange a one-time code for the token."""

    code: str


class ResumeRequest(msgspec.Struct):
    """The request of a tab that was open before the restart."""

    id: str
    proof: str


def open_routes(codes: TabCodes, passes: Passes, token: Token) -> list[BaseRoute]:
    """Return the routes that need no token, below `/api/console`."""

    async def run(_request: Request) -> Response:
        return reply({"run": codes.run})

    async def enter(request: Request) -> Response:
        asked = await sent(request, EnterRequest)
        if not passes.redeem(asked.code, ENTER):
            why = 'this link was used already, or is older than ten minutes; "goop2 console DIR --open" makes another'
            return refusal(HTTPStatus.FORBIDDEN, "forbidden", why)
        return reply({"token": token.text})

    async def resume(request: Request) -> Response:
        asked = await sent(request, ResumeRequest)
        if not await asyncio.to_thread(codes.redeem, asked.id, asked.proof, user_of(request.scope)):
            return refusal(HTTPStatus.FORBIDDEN, "forbidden", "this tab is not known here")
        return reply({"token": token.text})

    return [
        route("/api/console/tab", run),
        route("/api/console/tab/enter", enter, methods=["POST"]),
        route("/api/console/tab/resume", resume, methods=["POST"]),
    ]


def guarded_routes(codes: TabCodes) -> list[BaseRoute]:
    """Return the routes behind the token."""

    async def code(request: Request) -> Response:
        return reply(await asyncio.to_thread(codes.issue, user_of(request.scope)) or {})

    return [route("/tab/code", code, methods=["POST"])]
