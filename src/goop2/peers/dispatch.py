"""Hand the requests and messages of other peers to the part of this peer that answers them.

A caller's id is the one its connection proved; its label comes from presence and is untrusted text. It must not know how a peer joins the
network (network.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from goop2.peers import followed_session
from goop2.peers.discovery.roster import Roster
from goop2.peers.key_exchange import KeyExchange
from goop2.peers.outbox import Outbox
from goop2.peers.payload_crypto import KeyRing
from goop2.peers.server import NOT_SAVED, MessageNotAcceptedError, Operation, PeerServer, Received, SaveMessage
from goop2.protocols import calls, data, mq, rooms, topics
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.scripting.subscribers import Subscribers
from goop2.services.app_messages import AppMessage
from goop2.services.chat.limits import BUSY_RETRY_SECONDS, STORAGE_RETRY_SECONDS
from goop2.services.chat.message_store import MessageStoreBusyError
from goop2.services.chat.service import ChatError, ChatRefusedError, Heard
from goop2.services.groups.records import Outgoing
from goop2.services.listen.operations import hosted
from goop2.services.rooms.errors import RoomFloodError
from goop2.services.tables import Tables
from goop2.storage.data_operations import TABLE_OPERATIONS
from goop2.storage.errors import BusyError, StorageError

if TYPE_CHECKING:
    from goop2.services.peer import Peer

_RAW_KEYS: Final = (
    *("data", "id", "where", "args", "columns", "column_defs", "column", "limit", "offset"),
    *("order", "fields", "expr", "group_by", "key_col"),
)
_TEXT_KEYS: Final = ("table", "name", "old_name", "new_name")


class CallerResolver:
    """Makes the caller of a connected peer: its id is proved, its label comes from presence."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster

    def __call__(self, peer_id: str) -> Caller:
        entry = self._roster.get(peer_id)
        # An e-mail address counts only if the peer itself announced it: the policy `email` reads it.
        return Caller(peer_id, entry.label, email=entry.email if entry.proved else "") if entry else Caller(peer_id)


def peer_server(peer: Peer, caller_of: CallerResolver, save: SaveMessage, key_ring: KeyRing) -> PeerServer:
    """Return the server that answers other peers: the site, data functions, tables and messages."""
    operations = {name: _on_tables(peer.tables, name) for name in TABLE_OPERATIONS}
    operations[followed_session.STATE] = _listen_state(peer)
    return PeerServer(
        label=lambda: peer.owner.label,
        files=peer.files,
        engine=peer.engine,
        catalog=peer.catalog,
        caller_of=caller_of,
        save=save,
        operations=operations,
        key_ring=key_ring,
    )


class MessageDispatcher:
    """Hands each message of another peer to the part of this peer that it is for."""

    def __init__(
        self,
        *,
        peer: Peer,
        roster: Roster,
        broadcasts: Subscribers[Heard],
        app_messages: Subscribers[AppMessage],
        key_exchange: KeyExchange,
        outbox: Outbox,
    ) -> None:
        self._peer = peer
        self._roster = roster
        self._broadcasts = broadcasts
        self._app_messages = app_messages
        self._key_exchange = key_exchange
        self._outbox = outbox

    async def dispatch_message(self, received: Received) -> None:
        """Handle a message; when this returns, it is acknowledged. Raises `MessageNotAcceptedError`."""
        try:
            await self._take(received)
        except ChatRefusedError as refusal:
            raise MessageNotAcceptedError(refusal.code, str(refusal), refusal.retry_after_seconds) from None
        except ChatError as refusal:
            raise MessageNotAcceptedError(mq.FORBIDDEN, str(refusal)) from None
        except StorageError as error:
            # Of a script's transaction or a full disk its sender need know no more than this.
            wait = BUSY_RETRY_SECONDS if isinstance(error, MessageStoreBusyError | BusyError) else STORAGE_RETRY_SECONDS
            raise MessageNotAcceptedError(mq.UNAVAILABLE, NOT_SAVED, wait) from None

    async def _take(self, received: Received) -> None:
        peer, sender, event = self._peer, received.sender, received.event
        if isinstance(event, topics.ChatPayload):
            if event.content.strip():
                await peer.chat.receive(sender, received.id, event.content, event.at, received.origin)
        elif isinstance(event, topics.Delivered):
            await peer.chat.delivered(sender, event.msg_id)
            self._app_messages.notify(AppMessage(sender, event.msg_id, topics.ACK, b"null"))
        elif isinstance(event, topics.Broadcast):
            peer.chat.admit_broadcast(sender, event.chat.content, received.origin)
            self._broadcasts.notify(Heard(sender, event.chat.content))
        elif isinstance(event, topics.Group):
            peer.grouping.received(sender, event)
        elif isinstance(event, topics.Invite):
            peer.grouping.invited(sender, event)
        elif isinstance(event, topics.WhoAreYou):
            self._key_exchange.asked(sender)
        elif isinstance(event, topics.IdentityPayload):
            self._key_exchange.heard(sender, event)
            # The connection proves the sender; the payload's own id is ignored.
            self._roster.introduced(sender, event.label, event.email, event.avatar_hash)
        else:
            self._take_room_message(sender, received.id, event)
            self._take_call(sender, event)
            self._app_messages.notify(AppMessage(sender, received.id, event.topic, event.json))

    def _take_call(self, sender: str, event: topics.Other) -> None:
        """Hang up a call, which would ring without end: calls are not supported yet."""
        offer = calls.offer(event.topic, event.json)
        if offer is not None and self._peer.missed_calls.offered(sender, offer):
            self._outbox.post([Outgoing(sender, event.topic, offer.hangup)])

    def _take_room_message(self, sender: str, wire_id: str, event: topics.Other) -> None:
        try:
            said = rooms.read(event.topic, event.json)
            if said is not None:
                self._peer.rooms.received(sender, *said, wire_id)
        except RoomFloodError as error:
            raise MessageNotAcceptedError(mq.RATE_LIMITED, str(error), error.retry_after_seconds) from None
        except RemoteProtocolError as error:
            raise MessageNotAcceptedError(mq.FORBIDDEN, str(error)) from None


def _listen_state(peer: Peer) -> Operation:
    async def state(_caller: Caller, _asked: data.DataRequest) -> data.Answer:
        return data.SuccessAnswer(msgspec.json.encode(hosted(peer.listening)))

    return state


def _on_tables(tables: Tables, name: str) -> Operation:
    async def operation(caller: Caller, asked: data.DataRequest) -> data.Answer:
        request: dict[str, object] = {key: value for key in _TEXT_KEYS if (value := getattr(asked, key))}
        try:
            request |= {key: decode(raw) for key in _RAW_KEYS if (raw := bytes(getattr(asked, key)))}
        except InvalidJsonError as error:  # such as a number out of range, which only a reader of the part meets
            return data.FailureAnswer(f"the request is no operation: {error}", ErrorCode.BAD_REQUEST.value)
        result = await tables.perform(name, caller, request)
        if isinstance(result, Failure):
            return data.FailureAnswer(result.message, result.code.value, result.retry_after_seconds)
        return data.SuccessAnswer(result.json)

    return operation
