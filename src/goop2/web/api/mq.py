"""`/api/mq/…`: messages between pages, as pages of Goop2 send and receive them. A page of another peer's site reaches only its host.

They are events of a log of their own, so a flood of them pushes no chat message out. If no page listens, nothing is stored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from goop2.net.faults import NetworkError
from goop2.protocols import topics
from goop2.protocols.mq import ID_MAX_CHARS, MESSAGE_MAX_BYTES, TOPIC_MAX_CHARS
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import ErrorCode
from goop2.services.app_messages import NARROW, AppMessage, is_of_this_program
from goop2.web.http.event_log import Events
from goop2.web.http.event_stream import send_events
from goop2.web.http.handlers import JsonBody, endpoint, failure_of, posted_json
from goop2.web.http.origins import Realm
from goop2.web.http.request_context import Handler, RequestContext
from goop2.web.limits import ENVELOPE_MAX_BYTES
from goop2.web.remote.network import NetworkView, RemoteNetwork

KIND: Final = "message"
_OPENING: Final = b"connected"
_OWN: Final = "mq"
_NOT_UP: Final = Failure(ErrorCode.UNAVAILABLE, "this peer is not on the network yet", retry_after_seconds=2.0)
_ONLY_HOST: Final = Failure(ErrorCode.FORBIDDEN, "a page writes to the peer whose site it is, and to nobody else")


class _Send(msgspec.Struct):
    peer_id: str
    topic: str
    payload: msgspec.Raw = msgspec.Raw(b"null")
    msg_id: str = ""


class _Ack(msgspec.Struct):
    msg_id: str
    from_peer_id: str


_SEND: Final = JsonBody(_Send, '{"peer_id": peer, "topic": topic, "payload": payload}')
_ACK: Final = JsonBody(_Ack, '{"msg_id": id, "from_peer_id": peer}')


class MessageApi:
    """Endpoints and events of messages between pages."""

    def __init__(self, remote: RemoteNetwork) -> None:
        self._remote = remote
        self._events = Events()
        read = posted_json(MESSAGE_MAX_BYTES + ENVELOPE_MAX_BYTES)
        self.api: dict[str, Handler] = {
            "mq/send": endpoint(self._send, _SEND, read=read, method="POST", name="mq/send"),
            "mq/ack": endpoint(self._acknowledge, _ACK, read=read, method="POST", name="mq/ack"),
            "mq/events": self._listen,
        }
        """Path after `/api/` → what answers. The same on the origin of another peer's site."""
        remote.on_join(self._follow)

    def stop(self) -> None:
        """End the event streams of all pages: the peer stops."""
        self._events.stop()

    async def _send(self, call: RequestContext, request: _Send) -> bytes | Failure:
        if (refusal := _refusal(call, request.peer_id, request.topic)) is not None:
            return refusal
        if not 0 < len(request.topic) <= TOPIC_MAX_CHARS or len(request.msg_id) > ID_MAX_CHARS:
            return Failure(ErrorCode.BAD_REQUEST, f"a topic has 1 to {TOPIC_MAX_CHARS} characters, a msg_id at most {ID_MAX_CHARS}")
        # In one line, as the network wants it.
        payload = msgspec.json.format(bytes(request.payload), indent=-1)
        sent = await self._sent(request.peer_id, request.topic, payload, request.msg_id)
        return sent if isinstance(sent, Failure) else msgspec.json.encode({"msg_id": sent, "status": "delivered"})

    async def _acknowledge(self, call: RequestContext, request: _Ack) -> bytes | Failure:
        """Tell the sender of a message that a page has it."""
        if _only_host(call) not in ("", request.from_peer_id):
            return _ONLY_HOST
        sent = await self._sent(request.from_peer_id, topics.ACK, msgspec.json.encode(topics.Delivered(request.msg_id[:ID_MAX_CHARS])))
        return sent if isinstance(sent, Failure) else msgspec.json.encode({"status": "ok"})

    async def _sent(self, peer: str, topic: str, payload: bytes, message_id: str = "") -> str | Failure:
        network = self._remote.network
        if network is None:
            return _NOT_UP
        try:
            return await network.client.send(peer, topic, payload, message_id)
        except NetworkError as error:
            failure = failure_of(error)
            # As Goop2 answers where a peer cannot be reached.
            unreachable = failure is None or failure.code is ErrorCode.UNAVAILABLE
            return Failure(ErrorCode.TIMEOUT, str(error)) if unreachable or failure is None else failure

    async def _listen(self, call: RequestContext) -> None:
        host = _only_host(call)
        await send_events(call, self._events, host or call.caller.tenant, [_audience(host)], opening=_OPENING)

    def _follow(self, network: NetworkView) -> Callable[[], None]:
        return network.app_messages.add(self._publish)

    def _publish(self, message: AppMessage) -> None:
        narrow = message.topic == topics.ACK or message.topic.startswith(NARROW)
        for audience in (_audience(""), *([_audience(message.sender)] if narrow else ())):
            if self._events.has_reader(audience):
                self._events.publish(KIND, _event(message), audience)


def _event(message: AppMessage) -> dict[str, object]:
    if message.topic == topics.ACK:
        return {"type": "delivered", "msg_id": message.id}
    sent = {"type": "msg", "id": message.id, "seq": 0, "topic": message.topic, "payload": msgspec.Raw(message.payload)}
    return {"type": "message", "msg": sent, "from": message.sender}


def _audience(host: str) -> str:
    """Return the audience of the pages of a visited peer; "": of the owner's own pages."""
    return f"{_OWN}:{host}"


def _only_host(call: RequestContext) -> str:
    """Return the one peer that this page may write to and hear; "" for the owner's own pages: any."""
    return call.origin.peer_id if call.origin.realm is Realm.VISITED_SITE else ""


def _refusal(call: RequestContext, peer: str, topic: str) -> Failure | None:
    host = _only_host(call)
    if host and host != peer:
        return _ONLY_HOST
    if host and not topic.startswith(NARROW):
        return Failure(ErrorCode.FORBIDDEN, f"a page of another peer's site sends under topics that begin with {' or '.join(NARROW)}")
    if is_of_this_program(topic):
        return Failure(ErrorCode.FORBIDDEN, f"the topic {topic[:TOPIC_MAX_CHARS]!r} is this program's own: use those of chat and groups")
    return None
