"""The site of another peer, at an origin of its own: its files stream through us, and its pages ask that peer as the owner of this one.

A page here may be a stranger's code: it reaches its own peer's files, functions and tables, the chat with that peer, and who its viewer
is; nothing else of ours. What cannot be reached is a page that says what was tried.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from http import HTTPStatus
from typing import Final

import msgspec

from goop2.folder.content_types import content_type
from goop2.folder.site_files import INDEX, UNREADABLE_RETRY_SECONDS
from goop2.net.faults import NetworkError, UnreachableError
from goop2.peers.client import AnswerTooLargeError, RequestRefusedError
from goop2.protocols import data, site
from goop2.protocols.errors import LocalProtocolError
from goop2.protocols.site import NOT_FOUND
from goop2.protocols.untrusted_json import Decoder, InvalidJsonError, decode
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.chat.service import ChatError, ChatRefusedError, ChatReply, ChatService
from goop2.services.tables import TABLE_OPERATIONS
from goop2.storage.errors import StorageError
from goop2.web.api.chat import CHAT, ConversationRequest, Send, shown
from goop2.web.api.data import PATHS, method_of, send_other_method
from goop2.web.http.bodies import ClientDisconnectedError, read_json
from goop2.web.http.event_log import Events
from goop2.web.http.files import Part, asked_part, send_page, send_to_folder, send_unmet
from goop2.web.http.preconditions import unmet
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.http.responses import send_failure, send_json
from goop2.web.limits import BODY_MAX_BYTES
from goop2.web.remote.network import NetworkView, RemoteNetwork

_MIME: Final = re.compile(r"([\w.+-]+/[\w.+-]+)(?:\s*;.*)?", re.ASCII)
_CHARSET: Final = re.compile(r""";\s*charset="?([\w-]+)"?""", re.ASCII | re.IGNORECASE)
"""A type another peer may name, and of what it says beside that the one thing that is told on; anything else is bytes."""
_UNTYPED: Final = "application/octet-stream"
_CODES: Final = {code.value: code for code in ErrorCode}
_NOT_UP: Final = "this peer is not on the network yet; try again in a moment"
_MEGABYTE: Final = 1024 * 1024
_NO_PAGE: Final = "This peer gives no page"
_REFUSALS: Final = {
    "not found": (HTTPStatus.NOT_FOUND, "There is nothing here", "The site of this peer has no {path}."),
    "bad request": (HTTPStatus.NOT_FOUND, "There is nothing here", "The peer knows no address like this."),
    "forbidden": (HTTPStatus.FORBIDDEN, "This file is not given away", "The peer gives nobody {path}; no peer gives files beyond 50 MB."),
    "site disabled": (HTTPStatus.NOT_FOUND, "This peer shows no site", "It is there, and its owner has switched its site off."),
    "unavailable": (HTTPStatus.SERVICE_UNAVAILABLE, "This file cannot be read now", "The peer cannot read it now: reload this page later."),
}
"""A peer's own word for why there is no file → status, title and text of the page."""

_send = Decoder(Send)
_which = Decoder(ConversationRequest)


def audience(peer: str) -> str:
    """Whom events are for that go to the pages of a visited peer."""
    return f"visit:{peer}"


class RemoteSites:
    """The sites of other peers, fetched for the own browser."""

    def __init__(self, abroad: RemoteNetwork, chat: ChatService, events: Events) -> None:
        self._abroad = abroad
        self._chat = chat
        self._events = events
        named = {name: name for name in TABLE_OPERATIONS - {*PATHS.values()}}
        paths = {"lua/call": "lua-call", "lua/list": "lua-list", **PATHS, **named}
        self.api: dict[str, Handler] = {
            **{f"data/{path}": self._data(path, operation) for path, operation in paths.items()},
            "chat/send": self._with_body(self._say),
            "chat/messages": self._with_body(self._said),
        }
        """Path after `/api/` on a visited site's origin → what answers."""
        self.end: Callable[[], None] = chat.subscribe(self._tell)

    async def answer(self, call: RequestContext, path: str) -> None:
        """A file of the site at this origin; a folder is its index."""
        if call.method not in ("GET", "HEAD"):
            allow = [(b"allow", b"GET, HEAD")]
            await send_page(call, HTTPStatus.METHOD_NOT_ALLOWED, "This is a file", "It can be read, nothing else.", allow)
            return
        if not path and not call.scope["path"].endswith("/"):  # /p/<X>
            await send_to_folder(call)
            return
        network = self._abroad.network
        if network is None:
            await send_page(call, HTTPStatus.SERVICE_UNAVAILABLE, "Not on the network yet", _NOT_UP, [(b"retry-after", b"2")])
            return
        try:
            await self._stream(call, network, "/" + path.lstrip("/") + (INDEX if path.endswith("/") or not path else ""))
        except UnreachableError as fault:
            await send_page(
                call,
                HTTPStatus.BAD_GATEWAY,
                "This peer cannot be reached",
                f"{fault}. It may be away for a while: reload this page to try again.",
            )
        except LocalProtocolError:
            await send_page(call, HTTPStatus.NOT_FOUND, "There is nothing here", "No file has an address like this.")
        except AnswerTooLargeError:
            text = f"A visit shows files up to {site.BODY_MAX_BYTES // _MEGABYTE} MB, and this one is larger."
            await send_page(call, HTTPStatus.BAD_GATEWAY, "This file is too large", text)
        except RequestRefusedError as refused:
            await self._refused(call, network, path, refused)
        except NetworkError as fault:
            await send_page(call, HTTPStatus.BAD_GATEWAY, _NO_PAGE, f"{fault}. Reload this page to try again.")

    async def _stream(self, call: RequestContext, network: NetworkView, path: str) -> None:
        begun = False
        try:
            async with network.client.file(call.origin.peer_id, path) as file:
                begun = True
                if unmet(call, "", None) is HTTPStatus.PRECONDITION_FAILED:
                    await send_unmet(call)
                    return
                part = asked_part(call, "", file.size)
                await call.send({"type": "http.response.start", "status": part.status, "headers": _headers(call, file.mime, part)})
                if call.method == "GET" and part.size:
                    await _send_pieces(call, file.pieces, part)
                await call.send({"type": "http.response.body", "body": b""})
        except NetworkError as fault:
            if begun:  # the browser sees fewer bytes than were promised, and so that it is not whole
                raise ClientDisconnectedError from fault
            raise

    async def _refused(self, call: RequestContext, network: NetworkView, path: str, refused: RequestRefusedError) -> None:
        if refused.reason == NOT_FOUND and await self._is_folder(call, network, path):
            await send_to_folder(call)
            return
        status, title, text = _REFUSALS.get(refused.reason, (HTTPStatus.BAD_GATEWAY, _NO_PAGE, "{refused}."))
        later = [(b"retry-after", b"%d" % UNREADABLE_RETRY_SECONDS)] if status is HTTPStatus.SERVICE_UNAVAILABLE else None
        await send_page(call, status, title, text.format(path=path[:200] or "front page", refused=refused), later)

    async def _is_folder(self, call: RequestContext, network: NetworkView, path: str) -> bool:
        """Links to a folder without the last / work on its own peer, so they do here."""
        name = path.rpartition("/")[2]
        if not name or content_type(name) != content_type(""):  # v1.0 may be a folder; whether a picture is one is not asked
            return False
        try:
            async with network.client.file(call.origin.peer_id, f"/{path.lstrip('/')}/{INDEX}"):
                return True
        except NetworkError:
            return False

    def _data(self, path: str, operation: str) -> Handler:
        async def ask(call: RequestContext, body: bytes) -> bytes | Failure:
            network = self._abroad.network
            if network is None:
                return Failure(ErrorCode.UNAVAILABLE, _NOT_UP, retry_after_seconds=2.0)
            asked = _request(operation, body)
            if isinstance(asked, Failure):
                return asked
            try:
                answer = await network.client.ask(call.origin.peer_id, asked)
            except NetworkError as fault:
                return Failure(ErrorCode.UNAVAILABLE, str(fault))
            except LocalProtocolError as fault:
                return Failure(ErrorCode.BAD_REQUEST, str(fault))
            return answer.json if isinstance(answer, data.SuccessAnswer) else _failure(operation, answer)

        asking = self._with_body(ask)

        async def answer(call: RequestContext) -> None:
            await (asking(call) if call.method == method_of(path) else send_other_method(call, path))

        return answer

    async def _say(self, call: RequestContext, body: bytes) -> bytes | Failure:
        asked = _send.decode(body)
        if asked.peer not in ("", call.origin.peer_id):
            return Failure(ErrorCode.FORBIDDEN, "a page chats with the peer whose site it is, and nobody else")
        _, failure = await self._chat.deliver(call.origin.peer_id, asked.content)
        if failure is not None:
            code = _CODES.get(failure.code, ErrorCode.UNAVAILABLE)
            return Failure(code, str(failure), retry_after_seconds=failure.retry_after_seconds)
        return b'{"status":"sent"}'

    async def _said(self, call: RequestContext, body: bytes) -> bytes | Failure:
        asked = _which.decode(body)
        if asked.peer not in ("", call.origin.peer_id):
            return Failure(ErrorCode.FORBIDDEN, "a page sees what was said with the peer whose site it is, and nothing else")
        found = await self._chat.messages(call.origin.peer_id, asked.before)
        self._chat.shown(found)
        return msgspec.json.encode([shown(kept) for kept in found])

    def _tell(self, said: ChatReply) -> None:
        """What a peer says to us, to the pages of its site."""
        message = said.message
        if not said.changed and not said.reply and message.sender == message.peer:
            self._events.publish(CHAT, shown(message), audience(message.peer))
            if self._events.heard(audience(message.peer)):
                self._chat.shown([message])

    def _with_body(self, work: Callable[[RequestContext, bytes], Awaitable[bytes | Failure]]) -> Handler:
        async def answer(call: RequestContext) -> None:
            try:
                body = await read_json(call.scope, call.receive, BODY_MAX_BYTES) if call.method == "POST" else b""
                result = await work(call, body)
            except ChatRefusedError as refusal:
                result = Failure(_CODES[refusal.code], str(refusal), retry_after_seconds=refusal.retry_after_seconds)
            except (InvalidJsonError, ChatError) as error:
                result = Failure(ErrorCode.BAD_REQUEST, str(error))
            except StorageError as error:
                result = Failure(ErrorCode.UNAVAILABLE, str(error))
            if isinstance(result, Failure):
                await send_failure(call.send, result, call.headers)
            else:
                await send_json(call.send, result, headers=call.headers)

        return answer


def _headers(call: RequestContext, mime: str, part: Part) -> list[tuple[bytes, bytes]]:
    own = [(b"content-type", _type(mime)), (b"cache-control", b"no-cache"), (b"accept-ranges", b"bytes")]
    return [*own, *part.headers, *call.headers]


async def _send_pieces(call: RequestContext, pieces: AsyncIterator[bytes], part: Part) -> None:
    """The part of a file that comes from its beginning: players ask for one to jump in a song. What is behind it is not waited for."""
    at, end = 0, part.first + part.size
    async for piece in pieces:
        wanted = piece[max(0, part.first - at) : max(0, end - at)]
        at += len(piece)
        if wanted:
            await call.send({"type": "http.response.body", "body": wanted, "more_body": True})
        if at >= end and part.status is HTTPStatus.PARTIAL_CONTENT:
            return


def _type(mime: str) -> bytes:
    found, charset = _MIME.fullmatch(mime), _CHARSET.search(mime)
    type_ = found[1] if found else _UNTYPED
    return f"{type_}; charset={charset[1]}".encode() if found and charset else type_.encode()


def _request(operation: str, body: bytes) -> data.DataRequest | Failure:
    try:
        keys = decode(body or b"{}", dict[str, msgspec.Raw])
        text = {**keys, "op": msgspec.Raw(msgspec.json.encode(operation))}
        return decode(msgspec.json.encode(text), data.DataRequest)
    except InvalidJsonError as error:
        return Failure(ErrorCode.BAD_REQUEST, f"the body should be an object of the operation's keys: {error}")


def _failure(operation: str, answer: data.FailureAnswer) -> Failure:
    """Peers that are not ours give no class: then what a script says is its own mistake, anything else what was asked."""
    code = _CODES.get(answer.code) or (ErrorCode.SCRIPT_ERROR if operation == "lua-call" else ErrorCode.BAD_REQUEST)
    if code is ErrorCode.OK:
        code = ErrorCode.BAD_REQUEST
    return Failure(code, answer.error, answer.script, answer.line, answer.retry_after, answer.detail)
