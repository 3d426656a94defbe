"""Chat: save each message, notify subscribers, and let the engine answer it when it begins with `!`.

Others' messages are bounded by rate (limits.py) and by bytes saved (quotas.py); a refused sender is told so.

There are three ways in. `say`: somebody on this machine or on a page writes to this peer. `send`: the owner writes to another peer.
`receive`: another peer has written, known by the id its connection proved. `Carry`, which is passed in, takes a message to another peer.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import msgspec
import structlog

from goop2.scripting.command_text import is_command
from goop2.scripting.engine import Engine, Reply
from goop2.scripting.invocation import Caller
from goop2.scripting.rate_limit import RateLimiter
from goop2.scripting.subscribers import Subscribers
from goop2.services.chat.limits import (
    BUSY_RETRY_SECONDS,
    OF_ALL_A_MINUTE,
    PER_CALLER_A_MINUTE,
    PER_ID_IN_A_CROWD_A_MINUTE,
    PER_ORIGIN_A_MINUTE,
    REFUSALS_TOLD_SECONDS,
)
from goop2.services.chat.message_store import MessageStore
from goop2.storage.errors import StorageError
from goop2.storage.messages import StoredMessage

CONTENT_MAX_BYTES: Final = 64 * 1024
"""One message. A command's arguments may be longer where they are not kept, on the command line."""
SENDING, SENT, DELIVERED, FAILED = "sending", "sent", "delivered", "failed"
SHOWN: Final = "shown"
"""State of a message that came in: a page of the owner's has it, and its sender was told."""
REPLY: Final = "reply"
"""State of what a script answers the owner: in the conversation of a peer with itself both sides have one id."""
ANSWERING_MAX: Final = 256
"""Commands of other peers under way; the pool's line is as long."""
RATE_LIMITED, UNAVAILABLE = "rate_limited", "unavailable"
_MILLISECONDS: Final = 1000

Carry = Callable[[str, str, str, int], Awaitable[None]]
"""(peer, wire id, content, timestamp) → taken by the peer, or raises `UndeliveredError`."""
TellShown = Callable[[str, Sequence[str]], None]
"""Tells a peer that a browser here has its messages with these wire ids."""


class UndeliveredError(Exception):
    """A message did not reach its peer, or was refused there; the message says why. `code` is an error class of behaviour.md."""

    def __init__(self, message: str, code: str = "unavailable", retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class ChatError(Exception):
    """A message was not accepted; the message says why. `code` is an error class of behaviour.md."""

    code = "bad_request"


class ChatRefusedError(ChatError):
    """A valid message is not accepted now. `code` is rate_limited or unavailable."""

    def __init__(self, message: str, code: str, retry_after_seconds: float) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_seconds = retry_after_seconds


class ChatReply(msgspec.Struct, frozen=True):
    """A message that was saved, or whose delivery state has changed (`changed`)."""

    message: StoredMessage
    changed: bool = False
    reply: bool = False
    """This peer's answer to somebody who talks with it here."""


class Heard(msgspec.Struct, frozen=True):
    """A broadcast of another peer. It is not saved."""

    sender: str
    content: str


class Refusals(msgspec.Struct):
    """Others' messages that were refused since the start, for Home and the log."""

    count: int = 0
    last_at: float = 0.0
    """Seconds since 1970."""
    last_reason: str = ""


async def no_network(_peer: str, _wire_id: str, _content: str, _timestamp: int) -> None:
    """Raise `UndeliveredError`, since the peer is not on the network."""
    raise UndeliveredError("this peer is not on the network")


class ChatService:
    """The direct messages of one peer."""

    def __init__(self, self_id: str, engine: Engine, store: MessageStore, problem: str = "") -> None:
        self.problem = problem
        """Why messages cannot be kept, as it was found at the start; "" when they can."""
        self._self_id = self_id
        self._engine = engine
        self._store = store
        self._caller_of: Callable[[str], Caller] = Caller
        self._subscribers: Subscribers[ChatReply] = Subscribers()
        self._answering: set[asyncio.Task[None]] = set()
        self._showing: set[asyncio.Task[None]] = set()
        self._log = structlog.get_logger("goop2.services.chat").bind()
        self._rate = RateLimiter(PER_CALLER_A_MINUTE, OF_ALL_A_MINUTE, time.monotonic)
        self._origin_rate = RateLimiter(PER_ORIGIN_A_MINUTE, OF_ALL_A_MINUTE, time.monotonic)
        self._crowd_rate = RateLimiter(PER_ID_IN_A_CROWD_A_MINUTE, OF_ALL_A_MINUTE, time.monotonic)
        self.refusals = Refusals()
        self._told_at = -REFUSALS_TOLD_SECONDS
        self._carry_to: Carry = no_network
        self._tell_shown: TellShown | None = None

    def attach(self, carry: Carry, caller_of: Callable[[str], Caller], tell_shown: TellShown | None = None) -> None:
        """Send messages to other peers with `carry` from now on; `caller_of` makes the caller of a peer for scripts."""
        self._carry_to, self._caller_of, self._tell_shown = carry, caller_of, tell_shown

    def detach(self) -> None:
        """Forget the network, which has closed."""
        self._carry_to, self._caller_of, self._tell_shown = no_network, Caller, None

    def subscribe(self, callback: Callable[[ChatReply], None]) -> Callable[[], None]:
        """Call `callback` with every message from now on; return the function that unsubscribes."""
        return self._subscribers.add(callback)

    async def messages(self, peer: str, before: int | None = None) -> list[StoredMessage]:
        """Return the newest messages with a peer, older than the message `before`; oldest first. Raises `StorageError`."""
        return await self._store.page(peer, before)

    async def conversations(self) -> list[tuple[str, int, StoredMessage]]:
        """Return (peer, number of messages, the last one), the latest first. Raises `StorageError`."""
        return [(each.peer, each.messages, each.last) for each in await self._store.conversations()]

    @property
    def removed(self) -> int:
        """Return how many messages of others were removed since the start, to make room for newer ones."""
        return self._store.removed

    async def forget(self, peer: str) -> int:
        """Remove the conversation with a peer; return how many messages it had. Raises `StorageError`."""
        return await self._store.forget(peer)

    async def forget_strangers(self) -> int:
        """Remove every conversation in which the owner has written nothing; return how many messages these had. Raises `StorageError`."""
        return await self._store.forget_strangers()

    async def say(self, caller: Caller, content: str) -> Reply:
        """Save what `caller` says to this peer, and answer it; the reply is a message too. Raises `ChatError`, `StorageError`."""
        check(content)
        charged = None if caller.owner else (caller.id, caller.address)
        with self._counting_refusals(owner=caller.owner):
            if not caller.owner:
                self._check_rate(caller.id, caller.address)
            await self._save(caller.id, caller.id, content, _now(), charged=charged)
        if not is_command(content):
            return Reply("")
        reply = await self._engine.command(caller, content)
        if reply.text:
            state = REPLY if caller.owner else ""
            await self._save(caller.id, self._self_id, reply.text, _now(), state=state, charged=charged, reply=True)
        return reply

    async def send(self, peer: str, content: str) -> StoredMessage:
        """Send a message of the owner to another peer; its state says how that went. Raises `ChatError`, `StorageError`."""
        return (await self.deliver(peer, content))[0]

    async def deliver(
        self, peer: str, content: str, charged: tuple[str, str] | None = None
    ) -> tuple[StoredMessage, UndeliveredError | None]:
        """Send as `send` does; also return why the message was not delivered. `charged`: whose budget pays, None for the owner's own
        messages.
        """
        check(content)
        wire_id = str(uuid.uuid4())
        message = await self._save(peer, self._self_id, content, _now(), wire_id=wire_id, state=SENDING, charged=charged)
        assert message is not None, "an id was drawn twice"
        return await self._carry(message, wire_id)

    async def receive(self, peer: str, wire_id: str, content: str, timestamp: int | None, origin: str = "") -> bool:
        """Save a message of another peer; it is committed when this returns. Then answer a command. Return False if it was known already.

        `origin`: the network its connection comes from. Raises `ChatError`, `StorageError`; then it must not be acknowledged.
        """
        check(content)
        with self._counting_refusals():
            self._check_rate(peer, origin)
            # Refused before it is saved, so the sender tries again; a saved command without an answer would be lost.
            if is_command(content) and len(self._answering) >= ANSWERING_MAX:
                raise ChatRefusedError("too many commands are being answered; try again later", UNAVAILABLE, BUSY_RETRY_SECONDS)
            message = await self._save(peer, peer, content, timestamp or _now(), wire_id=wire_id, charged=(peer, origin))
        if message is None:
            # Of an earlier start; one of this start is dropped, and logged, before it comes here (peers/dedup_cache.py).
            self._log.info("a repeated message is dropped", peer=peer, id=repr(wire_id))
        elif is_command(content):
            task = asyncio.create_task(self._answer(peer, content, origin))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
        return message is not None

    def admit_broadcast(self, peer: str, content: str, origin: str = "") -> None:
        """Check that a broadcast of another peer may be shown. Raises `ChatError`; then it must not be acknowledged."""
        check(content)
        with self._counting_refusals():
            self._check_rate(peer, origin)

    async def delivered(self, peer: str, wire_id: str) -> None:
        """Note that the other side's browser has shown a message of this peer."""
        message = await self._store.mark_by_wire_id(self._self_id, peer, wire_id, DELIVERED)
        if message is not None:
            self._subscribers.notify(ChatReply(message, changed=True))

    def shown(self, messages: Iterable[StoredMessage]) -> None:
        """Note that a page of the owner's shows these messages, all with one peer; their writer is told of each once."""
        # A message with a state was reported before; each is reported once.
        new = [each for each in messages if each.sender == each.peer and not each.state]
        if new and self._tell_shown is not None:
            task = asyncio.create_task(self._show(new, self._tell_shown))
            self._showing.add(task)
            task.add_done_callback(self._showing.discard)

    async def close(self) -> None:
        """End the answers under way, then save the waiting messages."""
        # Cancelled before the store is closed: an answer under way would otherwise find it closed and be lost without a log
        # line.
        ending = self._answering | self._showing
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        await self._store.close()

    def _check_rate(self, caller: str, origin: str) -> None:
        """Count a message of `caller` and of its network. Raises `ChatRefusedError`."""
        wait = self._rate.check(caller, "", None)
        if wait is None and origin:
            wait = self._origin_rate.check(origin, "", None)
            # A flood from the same network used up its share. A caller who writes rarely still has a small one of its own.
            if wait is not None and self._crowd_rate.check(caller, "", None) is None:
                wait = None
        if wait is not None:
            raise ChatRefusedError("too many messages; try again in a minute", RATE_LIMITED, wait)

    @contextlib.contextmanager
    def _counting_refusals(self, *, owner: bool = False) -> Iterator[None]:
        """Count a message that was not accepted, for the owner, whoever sent it; one log line for many."""
        try:
            yield
        except (ChatRefusedError, StorageError) as refusal:
            if not owner:
                self.refusals.count += 1
                self.refusals.last_at, self.refusals.last_reason = time.time(), str(refusal)
                if time.monotonic() - self._told_at >= REFUSALS_TOLD_SECONDS:
                    self._told_at = time.monotonic()
                    self._log.warning("messages of others are refused", refused=self.refusals.count, cause=str(refusal))
            raise

    async def _answer(self, peer: str, content: str, origin: str) -> None:
        reply = await self._engine.command(self._caller_of(peer).coming_from(origin), content)
        if reply.text:
            try:
                await self.deliver(peer, reply.text, charged=(peer, origin))
            except Exception as error:
                self._log.warning("a reply was not saved", peer=peer, cause=str(error))

    async def _save(
        self,
        peer: str,
        sender: str,
        content: str,
        timestamp: int,
        *,
        wire_id: str = "",
        state: str = "",
        charged: tuple[str, str] | None = None,
        reply: bool = False,
    ) -> StoredMessage | None:
        message = await self._store.add(peer, sender, content, timestamp, wire_id=wire_id, state=state, charged=charged)
        if message is not None:
            self._subscribers.notify(ChatReply(message, reply=reply))
        return message

    async def _show(self, messages: list[StoredMessage], tell: TellShown) -> None:
        try:
            ids = await self._store.mark_shown([each.id for each in messages], SHOWN)
        except StorageError as error:
            self._log.warning("a read receipt was not sent", cause=str(error))
        else:
            if ids:
                tell(messages[0].peer, ids)

    async def _carry(self, message: StoredMessage, wire_id: str) -> tuple[StoredMessage, UndeliveredError | None]:
        failure = None
        try:
            await self._carry_to(message.peer, wire_id, message.content, message.timestamp)
        except UndeliveredError as error:
            failure = error
        message = replace(message, state=SENT if failure is None else f"{FAILED}: {failure}")
        # Where a page over there is open, that it has the message may be known before that it was taken.
        if await self._store.mark(message.id, message.state, unless=DELIVERED):
            self._subscribers.notify(ChatReply(message, changed=True))
        return message, failure


def check(content: str) -> None:
    """Check that `content` is a valid message. Raises `ChatError`."""
    size = len(content.encode("utf-8", "replace"))
    if not content.strip():
        raise ChatError("the message is empty")
    if size > CONTENT_MAX_BYTES:
        raise ChatError(f"the message is {size} bytes, the most is {CONTENT_MAX_BYTES}")


def _now() -> int:
    return int(time.time() * _MILLISECONDS)


@contextlib.asynccontextmanager
async def open_chat(self_id: str, engine: Engine, store: MessageStore) -> AsyncIterator[ChatService]:
    """Open `store` and the chat of the peer `self_id` on it, until the block is left. `ChatService.problem` says what prevents it."""
    chat = ChatService(self_id, engine, store, await store.open())
    try:
        yield chat
    finally:
        await chat.close()
