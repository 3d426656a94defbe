"""Other peers, for commands: call, send, peers, connect; through an open network, whoever opened it.

The running peer offers these on its control socket; without one a command opens a network of its own (cli/peers.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from goop2.control_socket import Answer, ControlError, Operation, Request
from goop2.net.address import PeerAddress, named_peer, parse, peer_id, typed_id
from goop2.net.faults import AddressError, NetworkError
from goop2.peers.remote_control.chat import ChatRemote
from goop2.peers.remote_control.files import FileRemote
from goop2.peers.remote_control.groups import GroupRemote
from goop2.peers.remote_control.scripts import ScriptRemote
from goop2.peers.remote_control.templates import TemplateRemote
from goop2.peers.ways import way_of
from goop2.protocols import data
from goop2.protocols.errors import LocalProtocolError
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.sandbox.framing import WorkerProtocolError
from goop2.scripting.command_text import is_command
from goop2.services.chat.service import ChatError, ChatReply
from goop2.services.listen.operations import operations as listening
from goop2.storage.errors import StorageError

if TYPE_CHECKING:
    from goop2.peers.network import PeerNetwork
    from goop2.services.peer import Peer

REPLY_SECONDS: Final = 8.0
"""How long a command in a message waits for its reply: the scripts' own time, and the way."""
FIND_SECONDS: Final = 6.0
"""How long after we came somebody is looked for who is not known yet: two questions on the local network."""
FIND_LATER_SECONDS: Final = 2.0
"""The same when we have been here for long: somebody may have come just now."""
SETTLE_SECONDS: Final = 2.0
LATENCIES_SECONDS: Final = 1.0
"""How long the list of peers waits for their pings; one that has not answered by then has none in it."""


class Remote:
    """The operations, by an open network."""

    def __init__(self, peer: Peer, network: PeerNetwork) -> None:
        self._peer = peer
        self._network = network
        self._came = time.monotonic()
        self.operations: Mapping[str, Operation] = {
            "call": self.call,
            "send": self.send,
            "peers": self.peers,
            "connect": self.connect,
            "forget-address": self.forget,
            "self": self.this,
            "listen": self.listen,
            **ChatRemote(peer.chat, self._label).operations,
            **GroupRemote(peer.grouping, self._find, self._label).operations,
            **FileRemote(peer.shared_files, self._find, self._label).operations,
            **ScriptRemote(peer).operations,
            **TemplateRemote(peer.templates).operations,
        }

    async def call(self, request: Request) -> Answer:
        """Call `function` of `peer` with `params`, JSON text; return `result`."""
        params = _json(str(request.get("params", "{}")))
        peer = await self._find(str(request.get("peer")))
        try:
            answer = await self._network.client.call(peer, str(request.get("function")), params)
        except NetworkError as fault:
            raise ControlError("unavailable", str(fault)) from None
        except LocalProtocolError as fault:
            raise ControlError("bad_request", str(fault)) from None
        if isinstance(answer, data.FailureAnswer):
            where = {"script": answer.script, "line": answer.line, "detail": answer.detail, "retry_after": answer.retry_after}
            details = {name: value for name, value in where.items() if value is not None}
            raise ControlError(answer.code or "script_error", answer.error, details)
        return {"result": _result(answer.json)}

    async def send(self, request: Request) -> Answer:
        """Send `text` to `peer`; return its `state`, and to a command its `reply` if one comes."""
        peer, text = await self._find(str(request.get("peer"))), str(request.get("text"))
        replies: asyncio.Queue[str] = asyncio.Queue()

        def hear(said: ChatReply) -> None:
            if not said.changed and said.message.peer == peer and said.message.sender == peer:
                replies.put_nowait(said.message.content)

        end = self._peer.chat.subscribe(hear)
        try:
            message, failure = await self._peer.chat.deliver(peer, text)
            if failure is not None:
                details = {} if failure.retry_after_seconds is None else {"retry_after": failure.retry_after_seconds}
                raise ControlError(failure.code, str(failure), details)
            reply = await _within(replies, REPLY_SECONDS) if is_command(text) else None
        except ChatError as error:
            raise ControlError("bad_request", str(error)) from None
        except StorageError as error:
            raise ControlError("unavailable", str(error)) from None
        finally:
            end()
        return {"state": message.state, "to": peer, **({} if reply is None else {"reply": reply})}

    async def peers(self, _request: Request) -> Answer:
        """Return who is here, how this peer is reached, and `troubles`, sentences for the owner.

        `peers`: each `{id, label, email, avatar_hash, addresses, connected, proved}` and its way (peers/ways.py). `reach`: a sentence, ""
        where nothing is known.
        """
        measuring = self._network.measure_latencies()
        if measuring is not None:
            await asyncio.wait((measuring,), timeout=LATENCIES_SECONDS)
        connected = self._network.connected()
        reach = self._network.reach()
        return {
            "troubles": list(self._network.discovery.troubles.current.values()),
            "reach": "" if reach.reachable is None and not reach.dialled_at else reach.text,
            "peers": [
                {
                    "id": each.id,
                    "label": each.label,
                    "email": each.told_email or each.email,
                    "avatar_hash": self._peer.avatars.hash_of(each.id),
                    "addresses": each.addresses,
                    "connected": each.id in connected,
                    "proved": each.proved,
                    **way_of(connected.get(each.id)),
                }
                for each in self._network.roster.peers()
            ],
        }

    async def settle(self) -> None:
        """Give peers the time to be found, for who has just come."""
        await asyncio.sleep(SETTLE_SECONDS)

    async def this(self, _request: Request) -> Answer:
        """Return this peer's `id, label, addresses`, as others can dial it, and how it is reached: `reachable, dialled_at, text`."""
        return {
            "id": self._peer.identity.peer_id,
            "label": self._peer.owner.label,
            "addresses": self._network.addresses(),
            **msgspec.structs.asdict(self._network.reach()),
        }

    async def connect(self, request: Request) -> Answer:
        """Connect to `address`, and remember it for the next start; return `peer` and its `label`."""
        try:
            peer, label = await self._network.connect(str(request.get("address")))
            return {"peer": peer, "label": label}
        except AddressError as fault:
            raise ControlError("bad_request", str(fault)) from None
        except NetworkError as fault:
            raise ControlError("unavailable", str(fault)) from None

    async def forget(self, request: Request) -> Answer:
        """Forget the addresses of the peer that `address`, an address or an id, names; return `peer`."""
        try:
            peer = named_peer(str(request.get("address")))
            if not self._network.forget(peer):
                raise ControlError("not_found", f"no address of {peer} was typed in")
            return {"peer": peer}
        except AddressError as fault:
            raise ControlError("bad_request", str(fault)) from None
        except (NetworkError, OSError) as fault:
            raise ControlError("unavailable", str(fault)) from None

    async def listen(self, request: Request) -> Answer:
        """Do an `operation` of goop.listen with `arguments`, texts; return `shape` and `values` of its answer."""
        operation = listening(self._peer.listening).get(str(request.get("operation")))
        arguments = request.get("arguments")
        if operation is None or not isinstance(arguments, list):
            raise ControlError("bad_request", "goop.listen has no such operation")
        try:
            answer = await operation(None, *map(str, arguments))
        except (TypeError, WorkerProtocolError) as error:
            raise ControlError("bad_request", str(error)) from None
        shape, *values = answer
        return {"shape": shape.decode(), "values": [each.decode() if isinstance(each, bytes) else each for each in values]}

    async def _find(self, who: str) -> str:
        """Return the id of the peer meant: an id, an address, or the label exactly one peer here has."""
        if not who.strip():
            raise ControlError("bad_request", "which peer? Its id, its label, or an address of it")
        with contextlib.suppress(AddressError):
            who = typed_id(who)
        if who.startswith("/"):
            address = _address(who)
            self._network.host.knows([address])
            return self._another(address.peer)
        self._another(who)
        end = max(self._came + FIND_SECONDS, time.monotonic() + FIND_LATER_SECONDS)
        while True:
            found = self._known(who)
            if found or time.monotonic() > end:
                break
            await asyncio.sleep(0.1)
        if not found:
            if who == self._peer.owner.label:
                self._another(self._network.host.peer_id)
            raise ControlError("not_found", f"no peer {who[:80]!r} is here; goop2 peers lists who is, and an id or an address works too")
        return found

    def _known(self, who: str) -> str:
        here = self._network.roster.peers()
        if _is_id(who):
            return who if any(each.id == who for each in here) or self._network.host.is_known(who) else ""
        named = [each.id for each in here if each.label == who]
        if len(named) > 1:
            raise ControlError("bad_request", f"{len(named)} peers here are called {who[:80]!r}: name one by its id, {', '.join(named)}")
        return named[0] if named else ""

    def _label(self, peer: str) -> str:
        known = self._network.roster.get(peer)
        return known.label if known is not None and known.label != peer else ""

    def _another(self, peer: str) -> str:
        if peer == self._network.host.peer_id:
            raise ControlError("bad_request", f"{peer} is this peer itself; goop2 lua and goop2 chat speak with its scripts")
        return peer


class WithoutNetwork(Remote):
    """The operations while this peer is not on the network, and `why`: what needs none works, the others say so."""

    def __init__(self, peer: Peer, why: str) -> None:
        self._peer = peer
        self._why = why
        self.operations = {
            **dict.fromkeys(("call", "send", "peers", "connect", "self"), self._refuse),
            "listen": self.listen,
            **ChatRemote(peer.chat, self._label).operations,
            **GroupRemote(peer.grouping, self._find, self._label).operations,
            **FileRemote(peer.shared_files, self._find, self._label).operations,
            **ScriptRemote(peer).operations,
            **TemplateRemote(peer.templates).operations,
        }

    async def _refuse(self, _request: Request) -> Answer:
        raise self._not_up()

    async def _find(self, _who: str) -> str:
        raise self._not_up()

    def _label(self, _peer: str) -> str:
        return ""

    def _not_up(self) -> ControlError:
        return ControlError("unavailable", f"this peer is not on the network: {self._why}")


async def _within(replies: asyncio.Queue[str], seconds: float) -> str | None:
    try:
        async with asyncio.timeout(seconds):
            return await replies.get()
    except TimeoutError:
        return None


def _address(text: str) -> PeerAddress:
    try:
        return parse(text)
    except AddressError as fault:
        raise ControlError("bad_request", str(fault)) from None


def _result(text: bytes) -> object:
    try:
        return decode(text)
    except InvalidJsonError as error:
        raise ControlError("unavailable", f"the other peer's answer cannot be read: {error}") from None


def _json(text: str) -> bytes:
    """Return JSON text as bytes; a mistake is shown here, in its own text. What a function takes is for its peer to say."""
    try:
        decode(text)
    except InvalidJsonError as error:
        raise ControlError("bad_request", f"the parameters {text[:80]!r} are no JSON: {error}") from None
    return text.encode()


def _is_id(text: str) -> bool:
    try:
        peer_id(text)
    except AddressError:
        return False
    return True
