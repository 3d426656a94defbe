"""goop.listen for scripts: every failure is a value (behaviour.md, "The goop table")."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

from goop2.sandbox.answers import Answer, err, json, ok
from goop2.sandbox.framing import WorkerProtocolError
from goop2.sandbox.messages import Scalar
from goop2.scripting.invocation import Invocation, PeerOperation
from goop2.services.listen.follower import Following
from goop2.services.listen.service import ListenService, State, plain
from goop2.services.listen.session import ListenError

Elsewhere = Callable[[str, Sequence[str]], Awaitable[Answer | None]]
"""Asks the peer that runs in this folder: an operation and its arguments → its answer; None when none runs. Raises `ListenError`."""


def operations(listening: ListenService) -> Mapping[str, PeerOperation]:
    """Return the operations of `goop.listen` by name."""

    async def create(_invocation: Invocation, name: Scalar) -> Answer:
        return await _value(listening.create(_text(name)), lambda state: group(state, listening.listeners()))

    async def state(_invocation: Invocation) -> Answer:
        found = hosted(listening) or followed(listening.following)
        return ok() if found is None else json(found)

    async def load(_invocation: Invocation, path: Scalar) -> Answer:
        return await _value(listening.load(_text(path)), plain)

    async def play(_invocation: Invocation) -> Answer:
        return await _done(listening.play())

    async def pause(_invocation: Invocation) -> Answer:
        return await _done(listening.pause())

    async def seek(_invocation: Invocation, seconds: Scalar) -> Answer:
        return await _done(listening.seek(_number(seconds)))

    async def close(_invocation: Invocation) -> Answer:
        return await _done(listening.close())

    return {f"listen.{each.__name__}": each for each in (create, state, load, play, pause, seek, close)}


def beside(own: Mapping[str, PeerOperation], elsewhere: Elsewhere) -> Mapping[str, PeerOperation]:
    """Return the operations for a process beside the running peer: they use that peer's session, or their own if none runs."""

    def asked(name: str, operation: PeerOperation) -> PeerOperation:
        async def ask(invocation: Invocation, *arguments: Scalar) -> Answer:
            try:
                answer = await elsewhere(name, [_text(each) for each in arguments])
            except ListenError as error:
                return err(str(error))
            return await operation(invocation, *arguments) if answer is None else answer

        return ask

    return {name: asked(name, operation) for name, operation in own.items()}


def hosted(listening: ListenService) -> dict[str, object] | None:
    """Return the session of this peer, for scripts and pages."""
    state = listening.state()
    return None if state is None else group(state, listening.listeners())


def group(state: State, listeners: int, role: str = "host") -> dict[str, object]:
    """Return a session for scripts and pages."""
    play_state = {"playing": state.playing, "position": state.position, "updated_at": state.updated_at}
    found: dict[str, object] = {"id": state.id, "name": state.name, "role": role, "listeners": listeners, "play_state": play_state}
    return found if state.track is None else found | {"track": plain(state.track)}


def followed(following: Following) -> dict[str, object] | None:
    """Return the session of another peer that has admitted us."""
    now = following.followed
    if now is None or not now.joined:
        return None
    session = now.session
    playing = session.playing and not following.ended()
    state = State(
        id=session.id, name=session.name, track=session.track, playing=playing, position=round(following.at(), 3), updated_at=time.time()
    )
    return {**group(state, now.listeners, "listener"), "host": now.host}


async def _value(work: Awaitable[object], shown: Callable[..., object]) -> Answer:
    try:
        return json(shown(await work))
    except ListenError as error:
        return err(str(error))


async def _done(work: Awaitable[None]) -> Answer:
    try:
        await work
    except ListenError as error:
        return err(str(error))
    return ok()


def _text(value: Scalar) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _number(value: Scalar) -> float:
    try:
        return float(_text(value))
    except ValueError:  # in a worker goop.listen.seek takes nothing else
        raise WorkerProtocolError("goop.listen.seek needs a number") from None
