"""A proxy for the sites of other peers, each at an origin of its own.

Files are streamed from the other peer; what its pages call is sent to it in the name of this peer. A page here may be a stranger's code: it
reaches its own peer's files, functions and tables, the chat with that peer, and who its viewer is, and nothing else of ours. When a peer
cannot be reached, the answer is a page that says what was tried.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping
from http import HTTPStatus
from typing import Final

import msgspec

from goop2.folder.content_types import content_type
from goop2.folder.site_files import INDEX, UNREADABLE_RETRY_SECONDS
from goop2.net.faults import NetworkError, UnreachableError
from goop2.peers.client import AnswerTooLargeError, RequestRefusedError
from goop2.protocols import data, data_answers, site
from goop2.protocols.errors import LocalProtocolError
from goop2.protocols.site import NOT_FOUND
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.chat.service import ChatReply, ChatService
from goop2.storage.data_operations import DATA_OPERATIONS, FURTHER_PATHS, LUA_CALL, DataOperation
from goop2.web.api.chat import CHAT, CONVERSATION, SEND, SENT, ChatRequest, ConversationRequest, refusal_to_read, refusal_to_send, shown
from goop2.web.http.bodies import ClientDisconnectedError
from goop2.web.http.event_log import Events
from goop2.web.http.files import Compressed, Part, asked_part, is_icon, send_icon, send_page, send_to_folder, send_unmet
from goop2.web.http.handlers import CODES, as_sent, endpoint, failure_of, posted_json
from goop2.web.http.preconditions import unmet
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.remote.network import NetworkView, RemoteNetwork

_MIME: Final = re.compile(r"([\w.+-]+/[\w.+-]+)(?:\s*;.*)?", re.ASCII)
_CHARSET: Final = re.compile(r""";\s*charset="?([\w-]+)"?""", re.ASCII | re.IGNORECASE)
"""The content type another peer may name, and the one parameter that is passed on; anything else becomes `_UNTYPED`."""
_UNTYPED: Final = "application/octet-stream"
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
"""Reason that a peer gives for not sending a file → status, title and text of the page."""


def audience(peer: str) -> str:
    """Return the audience of the events for pages of a visited peer."""
    return f"visit:{peer}"


class RemoteSites:
    """Serves files and endpoints of the sites of other peers to the owner's browser."""

    def __init__(self, remote: RemoteNetwork, chat: ChatService, events: Events) -> None:
        self._remote = remote
        self._chat = chat
        self._events = events
        self._compressed = Compressed()
        self.api: dict[str, Handler] = {
            **{f"data/{operation.path}": self._data(operation) for operation in DATA_OPERATIONS},
            **{f"data/{path}": self._data(operation, rewrite) for path, (operation, rewrite) in FURTHER_PATHS.items()},
            "chat/send": endpoint(self._send, SEND, read=posted_json()),
            "chat/messages": endpoint(self._messages, CONVERSATION, read=posted_json()),
        }
        """Path after `/api/` on a visited site's origin → what answers."""
        self.unsubscribe: Callable[[], None] = chat.subscribe(self._publish)

    async def answer(self, call: RequestContext, path: str) -> None:
        """Send a file of the site at this origin; for a folder its index."""
        if call.method not in ("GET", "HEAD"):
            allow = [(b"allow", b"GET, HEAD")]
            await send_page(call, HTTPStatus.METHOD_NOT_ALLOWED, "This is a file", "It can be read, nothing else.", allow)
            return
        # `/p/<peer id>`: relative links on its page would resolve below /p/.
        if not path and not call.scope["path"].endswith("/"):
            await send_to_folder(call)
            return
        network = self._remote.network
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
                # Other peers name no version of a file, so no If-Match can be met.
                if unmet(call, "", None) is HTTPStatus.PRECONDITION_FAILED:
                    await send_unmet(call)
                    return
                part = asked_part(call, "", file.size)
                await call.send({"type": "http.response.start", "status": part.status, "headers": _headers(call, file.mime, part)})
                if call.method == "GET" and part.size:
                    await _send_pieces(call, file.pieces, part)
                await call.send({"type": "http.response.body", "body": b""})
        except NetworkError as fault:
            # The header is sent, so no error page is possible. The browser gets fewer bytes than announced, and reports a broken file.
            if begun:
                raise ClientDisconnectedError from fault
            raise

    async def _refused(self, call: RequestContext, network: NetworkView, path: str, refused: RequestRefusedError) -> None:
        if refused.reason == NOT_FOUND and await self._is_folder(call, network, path):
            await send_to_folder(call)
            return
        if refused.reason == NOT_FOUND and is_icon(path):
            await send_icon(call, self._compressed)
            return
        status, title, text = _REFUSALS.get(refused.reason, (HTTPStatus.BAD_GATEWAY, _NO_PAGE, "{refused}."))
        later = [(b"retry-after", b"%d" % UNREADABLE_RETRY_SECONDS)] if status is HTTPStatus.SERVICE_UNAVAILABLE else None
        await send_page(call, status, title, text.format(path=path[:200] or "front page", refused=refused), later)

    async def _is_folder(self, call: RequestContext, network: NetworkView, path: str) -> bool:
        """Return whether `path` is a folder of the site."""
        # On its own peer a link to a folder works without the last /, so it must work here.
        name = path.rpartition("/")[2]
        # A name with a known type is a file, and not asked for twice; `v1.0` may be a folder.
        if not name or content_type(name) != content_type(""):
            return False
        try:
            async with network.client.file(call.origin.peer_id, f"/{path.lstrip('/')}/{INDEX}"):
                return True
        except NetworkError:
            return False

    def _data(self, operation: DataOperation, rewrite: Callable[[Mapping[str, object]], Mapping[str, object]] | None = None) -> Handler:
        async def ask(call: RequestContext, body: bytes) -> bytes | Failure:
            network = self._remote.network
            if network is None:
                return Failure(ErrorCode.UNAVAILABLE, _NOT_UP, retry_after_seconds=2.0)
            answer = await network.client.ask(call.origin.peer_id, _request(operation, _rewritten(body, rewrite) if rewrite else body))
            if not isinstance(answer, data.SuccessAnswer):
                return _failure(operation, answer)
            return data_answers.newest(operation.name, answer.json)

        # The body is decoded in `ask`: without a network nothing is said of it.
        return endpoint(ask, as_sent, read=posted_json(), method=operation.method, name=operation.path)

    async def _send(self, call: RequestContext, request: ChatRequest) -> bytes | Failure:
        if (refusal := refusal_to_send(call, request)) is not None:
            return refusal
        _, error = await self._chat.deliver(call.origin.peer_id, request.content)
        if error is not None:
            return failure_of(error) or Failure(ErrorCode.UNAVAILABLE, str(error), retry_after_seconds=error.retry_after_seconds)
        return SENT

    async def _messages(self, call: RequestContext, request: ConversationRequest) -> bytes | Failure:
        if (refusal := refusal_to_read(call, request)) is not None:
            return refusal
        messages = await self._chat.messages(call.origin.peer_id, request.before)
        self._chat.shown(messages)
        return msgspec.json.encode([shown(message) for message in messages])

    def _publish(self, change: ChatReply) -> None:
        """Publish a message of a peer to the pages of its site."""
        # Not changes of delivery, nor our own messages: the page that sent one shows it already.
        message = change.message
        if not change.changed and not change.reply and message.sender == message.peer:
            self._events.publish(CHAT, shown(message), audience(message.peer))
            if self._events.has_reader(audience(message.peer)):
                self._chat.shown([message])


def _headers(call: RequestContext, mime: str, part: Part) -> list[tuple[bytes, bytes]]:
    own = [(b"content-type", _type(mime)), (b"cache-control", b"no-cache"), (b"accept-ranges", b"bytes")]
    return [*own, *part.headers, *call.headers]


async def _send_pieces(call: RequestContext, pieces: AsyncIterator[bytes], part: Part) -> None:
    """Send the part of a file that arrives from its beginning; stop reading after the part. Players ask for parts to jump in a song."""
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


def _request(operation: DataOperation, body: bytes) -> data.DataRequest:
    """Return the request that is sent to the peer. Raises `InvalidJsonError`."""
    try:
        keys = decode(body or b"{}", dict[str, msgspec.Raw])
        # The operation comes from the path, whatever the body says.
        text = {**keys, "op": msgspec.Raw(msgspec.json.encode(operation.name))}
        return decode(msgspec.json.encode(text), data.DataRequest)
    except InvalidJsonError as error:
        raise InvalidJsonError(f"the body should be an object of the operation's keys: {error}") from None


def _rewritten(body: bytes, rewrite: Callable[[Mapping[str, object]], Mapping[str, object]]) -> bytes:
    """Return the JSON of an operation's request, made of a page's. Raises `InvalidJsonError`."""
    return msgspec.json.encode(rewrite(decode(body or b"{}", dict[str, object])))


def _failure(operation: DataOperation, answer: data.FailureAnswer) -> Failure:
    """Return the failure that a peer answered."""
    # Other implementations give no class, and few have a text that tells it: an error of a script is a script_error then, anything else a
    # bad_request.
    code = CODES.get(answer.code) or (ErrorCode.SCRIPT_ERROR if operation is LUA_CALL else ErrorCode.BAD_REQUEST)
    if code is ErrorCode.OK:
        code = ErrorCode.BAD_REQUEST
    return Failure(code, answer.error, answer.script, answer.line, answer.retry_after, answer.detail)
