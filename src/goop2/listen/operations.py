"""goop.listen as scripts have it: every failure a value (behaviour.md, "The goop table")."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import msgspec

from goop2.listen.listening import Listening, State, plain
from goop2.listen.session import ListenError
from goop2.sandbox.messages import Scalar
from goop2.scripting.invocation import HostAnswer, Invocation, PeerOperation

NOTHING = HostAnswer(b"v", (None,))


def operations(listening: Listening) -> Mapping[str, PeerOperation]:
    """Name → operation."""

    async def create(_invocation: Invocation, name: Scalar) -> HostAnswer:
        return await _value(listening.create(_text(name)), lambda state: group(state, listening.listeners()))

    async def state(_invocation: Invocation) -> HostAnswer:
        now = listening.state()
        return NOTHING if now is None else _json(group(now, listening.listeners()))

    async def load(_invocation: Invocation, path: Scalar) -> HostAnswer:
        return await _value(listening.load(_text(path)), plain)

    async def play(_invocation: Invocation) -> HostAnswer:
        return await _done(listening.play())

    async def pause(_invocation: Invocation) -> HostAnswer:
        return await _done(listening.pause())

    async def seek(_invocation: Invocation, seconds: Scalar) -> HostAnswer:
        return await _done(listening.seek(float(_text(seconds))))

    async def close(_invocation: Invocation) -> HostAnswer:
        return await _done(listening.close())

    return {f"listen.{each.__name__}": each for each in (create, state, load, play, pause, seek, close)}


def group(state: State, listeners: int) -> dict[str, object]:
    """A session for scripts and pages."""
    play_state = {"playing": state.playing, "position": state.position, "updated_at": state.updated_at}
    found: dict[str, object] = {"id": state.id, "name": state.name, "role": "host", "listeners": listeners, "play_state": play_state}
    return found if state.track is None else found | {"track": plain(state.track)}


async def _value(work: Awaitable[object], shown: Callable[..., object]) -> HostAnswer:
    try:
        return _json(shown(await work))
    except ListenError as error:
        return HostAnswer(b"vv", (None, str(error).encode()))


async def _done(work: Awaitable[None]) -> HostAnswer:
    try:
        await work
    except ListenError as error:
        return HostAnswer(b"v", (str(error).encode(),))
    return NOTHING


def _json(value: object) -> HostAnswer:
    return HostAnswer(b"j", (msgspec.json.encode(value),))


def _text(value: Scalar) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
