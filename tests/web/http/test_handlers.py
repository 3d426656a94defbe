"""The wrapper around handlers: what is refused before a handler runs, and what its errors become."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
import pytest
import structlog

from goop2.folder.threads import FolderHangsError
from goop2.net.faults import AddressError, NetworkError
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.services.chat.service import ChatError, ChatRefusedError
from goop2.storage.errors import StorageError
from goop2.web.http import handlers
from goop2.web.http.bodies import BodyTooLargeError, ClientDisconnectedError
from goop2.web.http.handlers import JsonBody, answered, any_bytes, any_json, as_sent, endpoint, failure_of, no_body, posted_json
from goop2.web.http.origins import Origin, Realm
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.limits import FULL_HOLD_SECONDS


class Order(msgspec.Struct):
    tea: int


class Sent:
    """What an application sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    async def __call__(self, message: Any) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.messages[0]["headers"])

    @property
    def json(self) -> Any:
        return json.loads(b"".join(message.get("body", b"") for message in self.messages[1:]))


def scope_of(method: str, body: bytes) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": "/api/x", "headers": [(b"content-length", b"%d" % len(body))]}


async def ask(handler: Handler, method: str = "POST", body: bytes = b'{"tea": 1}', owner: bool = True) -> Sent:
    """Send a request to a handler."""
    sent = Sent()

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    call = RequestContext(
        origin=Origin(Realm.OWN_SITE, "peer", "http://peer"),
        caller=Caller("ann", owner=owner),
        scope=scope_of(method, body),
        receive=receive,
        send=sent,
        headers=[(b"x", b"y")],
    )
    await handler(call)
    return sent


async def brew(_call: RequestContext, order: Order) -> bytes:
    return msgspec.json.encode({"cups": order.tea})


def raising(error: Exception) -> Handler:
    async def work(_call: RequestContext, _body: bytes) -> bytes:
        raise error

    return endpoint(work, as_sent, read=no_body)


async def test_the_body_is_decoded_and_the_answer_carries_the_headers_of_the_call() -> None:
    sent = await ask(endpoint(brew, JsonBody(Order), read=posted_json()))
    assert (sent.status, sent.json) == (200, {"cups": 1})
    assert sent.headers[b"x"] == b"y"


async def test_a_body_of_another_shape_is_refused_with_the_shape() -> None:
    sent = await ask(endpoint(brew, JsonBody(Order, '{"tea": cups}'), read=posted_json()), body=b"{")
    assert (sent.status, sent.json["code"]) == (400, "bad_request")
    assert sent.json["message"].startswith('the body should be {"tea": cups}: ')


@pytest.mark.parametrize(("read", "status"), [(posted_json(), 400), (any_json(), 200)])
async def test_the_body_of_a_put_is_read_only_where_the_endpoint_says_so(read: handlers.BodyReader, status: int) -> None:
    assert (await ask(endpoint(brew, JsonBody(Order), read=read), method="PUT")).status == status


@pytest.mark.parametrize("read", [posted_json(4), any_json(4), any_bytes(4)])
async def test_a_body_beyond_the_limit_is_not_given_to_the_endpoint(read: handlers.BodyReader) -> None:
    with pytest.raises(BodyTooLargeError, match="larger than 4 bytes"):
        await ask(endpoint(brew, JsonBody(Order), read=read))


async def test_another_method_is_refused_by_the_name_of_the_endpoint() -> None:
    sent = await ask(endpoint(brew, JsonBody(Order), read=posted_json(), method="POST", name="brew"), method="GET")
    assert (sent.status, sent.json["message"], sent.headers[b"allow"]) == (405, "brew is asked for with POST", b"POST")


@pytest.mark.parametrize("closes", [True, False])
async def test_a_check_refuses_before_the_body_is_read(closes: bool) -> None:
    def check(call: RequestContext) -> Failure | None:
        return None if call.caller.owner else Failure(ErrorCode.FORBIDDEN, "not yours")

    async def read(_call: RequestContext) -> bytes:
        raise AssertionError

    sent = await ask(endpoint(brew, JsonBody(Order), read=read, check=check, closes=closes), owner=False)
    assert (sent.status, sent.json) == (403, {"code": "forbidden", "message": "not yours"})
    assert (sent.headers.get(b"connection") == b"close") is closes


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (AddressError("no address"), 400, "bad_request"),
        (NetworkError("away"), 503, "unavailable"),
        (ChatError("empty"), 400, "bad_request"),
        (ChatRefusedError("too many", "rate_limited", 7.2), 429, "rate_limited"),
        (StorageError("a statement of ours"), 503, "unavailable"),
    ],
)
async def test_an_error_is_answered_by_the_code_of_its_class(error: Exception, status: int, code: str) -> None:
    sent = await ask(raising(error))
    assert (sent.status, sent.json) == (status, {"code": code, "message": str(error)})
    assert sent.headers.get(b"retry-after") == (b"8" if status == 429 else None)


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("code"), SystemError()])
async def test_an_error_without_a_code_is_a_mistake_of_ours_and_goes_on(error: Exception) -> None:
    assert failure_of(error) is None
    with pytest.raises(type(error)):
        await ask(raising(error))


async def test_an_answer_that_asks_to_come_again_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[float] = []

    async def sleep(seconds: float) -> None:
        held.append(seconds)

    async def full(_call: RequestContext, _body: bytes) -> Failure:
        return Failure(ErrorCode.UNAVAILABLE, "full", retry_after_seconds=1.0)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    for holds in (True, False):
        assert (await ask(endpoint(full, as_sent, read=no_body, holds=holds))).status == 503
    assert held == [FULL_HOLD_SECONDS]


async def run_answered(error: Exception) -> Sent:
    sent = Sent()

    async def work(*_: object) -> None:
        raise error

    await answered(work, scope_of("POST", b""), asyncio.Event().wait, sent)  # type: ignore[arg-type]
    return sent


async def test_a_hung_folder_is_answered_and_a_client_that_has_gone_is_not() -> None:
    sent = await run_answered(FolderHangsError("the site does not answer"))
    assert (sent.status, sent.json["code"], sent.headers[b"retry-after"]) == (503, "unavailable", b"10")
    assert (await run_answered(ClientDisconnectedError())).messages == []


async def test_what_nobody_foresaw_is_logged_once_and_raised() -> None:
    with structlog.testing.capture_logs() as logs, pytest.raises(ZeroDivisionError):
        await run_answered(ZeroDivisionError())
    assert [(each["event"], each["method"], each["path"]) for each in logs] == [("a request failed", "POST", "/api/x")]
