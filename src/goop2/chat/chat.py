"""Chat: what somebody says is kept, told to whoever listens, and answered by the engine when it begins with `!`.

Three ways in: `say`, somebody on this machine or on a page talks with this peer; `send`, the owner writes to another peer; `receive`,
another peer has written, known by the id its connection proved. Who carries a message to another peer is lent (`Carry`).
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

import msgspec
import structlog

from goop2.chat.keeper import Keeper
from goop2.scripting.engine import Engine, Reply
from goop2.scripting.invocation import Caller
from goop2.scripting.rate import RateLimiter
from goop2.scripting.subscribers import Subscribers
from goop2.storage.errors import StorageError
from goop2.storage.messages import Message

COMMAND: Final = "!"
CONTENT_MAX_BYTES: Final = 64 * 1024
"""One message. A command's arguments may be longer where they are not kept, on the command line."""
STRANGERS_MAX_CHARACTERS: Final = 256 * 1024 * 1024
"""When all messages are this long, nobody but the owner adds any: strangers fill no disk."""
PER_CALLER_A_MINUTE, OF_ALL_A_MINUTE = 60, 600
"""Messages of callers who are not the owner; commands have the engine's limits besides."""
SENDING, SENT, DELIVERED, FAILED = "sending", "sent", "delivered", "failed"
SHOWN: Final = "shown"
"""Of a message that came in: a page of the owner's has it, and its sender was told."""
ANSWERING_MAX: Final = 256
"""Commands of other peers under way; the pool's line is as long."""
_MILLISECONDS: Final = 1000

Carry = Callable[[str, str, str, int], Awaitable[None]]
"""(peer, wire id, content, timestamp) → taken by the peer, or raises `Undelivered`."""
TellShown = Callable[[str, Sequence[str]], None]
"""Tells a peer that a browser here has its messages with these wire ids."""


class Undelivered(Exception):
    """A message did not reach its peer; why, in a sentence."""


class ChatError(Exception):
    """A message was not taken; why, in a sentence."""


class Said(msgspec.Struct, frozen=True):
    """A message was kept, or its delivery stands otherwise (`changed`)."""

    message: Message
    changed: bool = False
    reply: bool = False
    """This peer's answer to somebody who talks with it here."""


class Heard(msgspec.Struct, frozen=True):
    """What another peer said to everybody. It is not kept."""

    sender: str
    content: str


async def no_network(_peer: str, _wire_id: str, _content: str, _timestamp: int) -> None:
    """Carries nothing."""
    raise Undelivered("this peer is not on the network")


class Chat:
    """The direct messages of one peer."""

    def __init__(self, self_id: str, engine: Engine, keeper: Keeper) -> None:
        self._self_id = self_id
        self._engine = engine
        self._keeper = keeper
        self._caller_of: Callable[[str], Caller] = Caller
        self._subscribers: Subscribers[Said] = Subscribers()
        self._answering: set[asyncio.Task[None]] = set()
        self._showing: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("goop2.chat").bind()
        self._rate = RateLimiter(PER_CALLER_A_MINUTE, OF_ALL_A_MINUTE, time.monotonic)
        self._carry_to: Carry = no_network
        self._tell_shown: TellShown | None = None

    def join(self, carry: Carry, caller_of: Callable[[str], Caller], tell_shown: TellShown | None = None) -> None:
        """From now on messages to other peers go by `carry`, and `caller_of` says who a peer is to the scripts."""
        self._carry_to, self._caller_of, self._tell_shown = carry, caller_of, tell_shown

    def part(self) -> None:
        """There is no network any more."""
        self._carry_to, self._caller_of, self._tell_shown = no_network, Caller, None

    def subscribe(self, callback: Callable[[Said], None]) -> Callable[[], None]:
        """Hear of every message from now on; gives the function that ends it."""
        return self._subscribers.add(callback)

    async def messages(self, peer: str, before: int | None = None) -> list[Message]:
        """The newest messages with a peer, older than the message `before`; oldest first. Raises `StorageError`."""
        return await self._keeper.page(peer, before)

    async def conversations(self) -> list[tuple[str, int, Message]]:
        """(peer, number of messages, the last one), the latest first. Raises `StorageError`."""
        return [(each.peer, each.messages, each.last) for each in await self._keeper.conversations()]

    async def say(self, caller: Caller, content: str) -> Reply:
        """Something `caller` says to this peer itself; the reply is a message too. Raises `ChatError`, `StorageError`."""
        check(content)
        if not caller.owner:
            self._check_stranger(caller.id, caller.address)
        await self._keep(caller.id, caller.id, content, _now())
        if not content.startswith(COMMAND):
            return Reply("")
        reply = await self._engine.command(caller, content)
        if reply.text:
            await self._keep(caller.id, self._self_id, reply.text, _now(), reply=True)
        return reply

    async def send(self, peer: str, content: str) -> Message:
        """Something the owner writes to another peer; how it went stands in its state. Raises `ChatError`, `StorageError`."""
        check(content)
        wire_id = str(uuid.uuid4())
        message = await self._keep(peer, self._self_id, content, _now(), wire_id=wire_id, state=SENDING)
        assert message is not None, "an id was drawn twice"
        return await self._carry(message, wire_id)

    async def receive(self, peer: str, wire_id: str, content: str, timestamp: int | None) -> bool:
        """Another peer has written; committed when this returns, then a command is answered. False when it was known already.

        Raises `ChatError`, `StorageError`; then it must not be acknowledged.
        """
        check(content)
        self._check_stranger(peer, "")
        if len(self._answering) >= ANSWERING_MAX:
            raise ChatError("too many commands are being answered; try again later")
        message = await self._keep(peer, peer, content, timestamp or _now(), wire_id=wire_id)
        if message is not None and content.startswith(COMMAND):
            task = asyncio.create_task(self._answer(peer, content))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        return message is not None

    def admit_broadcast(self, peer: str, content: str) -> None:
        """What another peer says to everybody, and nobody keeps, may be told. Raises `ChatError`; then it must not be acknowledged."""
        check(content)
        self._check_rate(peer, "")

    async def delivered(self, peer: str, wire_id: str) -> None:
        """The other side's browser has shown a message of ours."""
        message = await self._keeper.mark_by_wire_id(self._self_id, peer, wire_id, DELIVERED)
        if message is not None:
            self._subscribers.tell(Said(message, changed=True))

    def shown(self, messages: Iterable[Message]) -> None:
        """A page of the owner's has these, all with one peer; who wrote them is told, once each."""
        new = [each for each in messages if each.sender == each.peer and not each.state]
        if new and self._tell_shown is not None:
            task = asyncio.create_task(self._show(new, self._tell_shown))
            self._showing.add(task)
            task.add_done_callback(self._showing.discard)

    async def close(self) -> None:
        """End what is being answered, then keep what waits."""
        ending = self._answering | self._showing
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._keeper.close()

    def _check_stranger(self, caller: str, address: str) -> None:
        if self._keeper.size >= STRANGERS_MAX_CHARACTERS:
            raise ChatError("this peer keeps no more messages")
        self._check_rate(caller, address)

    def _check_rate(self, caller: str, address: str) -> None:
        if self._rate.check(caller, "", None, address) is not None:
            raise ChatError("too many messages; try again in a minute")

    async def _answer(self, peer: str, content: str) -> None:
        reply = await self._engine.command(self._caller_of(peer), content)
        if reply.text:
            try:
                await self.send(peer, reply.text)
            except Exception as error:
                self._log.warning("a reply was not kept", peer=peer, cause=str(error))

    async def _keep(
        self, peer: str, sender: str, content: str, timestamp: int, *, wire_id: str = "", state: str = "", reply: bool = False
    ) -> Message | None:
        message = await self._keeper.add(peer, sender, content, timestamp, wire_id=wire_id, state=state)
        if message is not None:
            self._subscribers.tell(Said(message, reply=reply))
        return message

    async def _show(self, messages: list[Message], tell: TellShown) -> None:
        try:
            ids = await self._keeper.mark_shown([each.id for each in messages], SHOWN)
        except StorageError as error:
            self._log.warning("nobody was told that a message is shown", cause=str(error))
        else:
            if ids:
                tell(messages[0].peer, ids)

    async def _carry(self, message: Message, wire_id: str) -> Message:
        try:
            await self._carry_to(message.peer, wire_id, message.content, message.timestamp)
        except Undelivered as error:
            message = replace(message, state=f"{FAILED}: {error}")
        else:
            message = replace(message, state=SENT)
        # Where a page over there is open, that it has the message may be known before that it was taken.
        if await self._keeper.mark(message.id, message.state, unless=DELIVERED):
            self._subscribers.tell(Said(message, changed=True))
        return message


def check(content: str) -> None:
    """Whether it is a message at all. Raises `ChatError`."""
    size = len(content.encode("utf-8", "replace"))
    if not content.strip():
        raise ChatError("the message is empty")
    if size > CONTENT_MAX_BYTES:
        raise ChatError(f"the message is {size} bytes, the most is {CONTENT_MAX_BYTES}")


def _now() -> int:
    return int(time.time() * _MILLISECONDS)
