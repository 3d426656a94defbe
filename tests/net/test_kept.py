"""Streams kept for many questions: used where both sides have them, never for the answer to another question, and bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio
from tests.net.hosts import connect, loopback_host, two_hosts, until
from tests.peers.test_server import Pair, pair

from goop2.net import host as host_module
from goop2.net import negotiation, stream_pool
from goop2.net.faults import StreamBrokenError
from goop2.net.host import Host
from goop2.net.limits import QUESTIONS_AT_ONCE, HostLimits
from goop2.net.muxer import MuxedStream
from goop2.net.stream import Stream
from goop2.peers import server
from goop2.protocols import data
from goop2.protocols.data import SuccessAnswer
from goop2.protocols.line import LineReader

PLAIN, KEPT = "/test/line", "/test/line-keep"
SECONDS = 20


async def ask(caller: Host, callee: Host, question: bytes, seconds: float = SECONDS) -> bytes:
    return await caller.ask(callee.peer_id, PLAIN, question + b"\n", LineReader("the answer", 1000), seconds, kept=KEPT)


class Answerer:
    """Answers `x` by `x!`; what begins with `slow` when it is let, and what begins with `die` by a reset."""

    def __init__(self) -> None:
        self.questions: list[bytes] = []
        self.streams = 0
        self.let = asyncio.Event()
        self.questions_per_stream = 1000
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def plain(self, stream: Stream) -> None:
        self.streams += 1
        await stream.finish(await self.answer(await stream.line(LineReader("the question", 1000))))

    async def kept(self, stream: Stream) -> None:
        self.streams += 1
        for _ in range(self.questions_per_stream):
            line = await stream.next_line(LineReader("the question", 1000), SECONDS)
            if line is None:
                break
            await stream.write(await self.answer(line))
        await self.may_end.wait()
        await stream.finish()

    async def answer(self, line: bytes) -> bytes:
        self.questions.append(line)
        if line.startswith(b"slow"):
            await self.let.wait()
        if line.startswith(b"die"):
            raise OSError("killed")
        return line + b"!\n"


@contextlib.asynccontextmanager
async def answering(limits: HostLimits | None = None, *, kept: bool = True) -> AsyncIterator[tuple[Host, Host, Answerer]]:
    async with two_hosts(limits) as (caller, callee):
        answerer = Answerer()
        await callee.serve(PLAIN, answerer.plain)
        if kept:
            await callee.serve(KEPT, answerer.kept)
        yield caller, callee, answerer


def pools(host: Host) -> list[stream_pool.StreamPool]:
    return [connection.pool for connection in host.connections()]


def kept_by(host: Host) -> int:
    return sum(len(idle) for known in pools(host) for idle in known._idle.values())


def is_let_go(host: Host) -> bool:
    """Whether the other side has ended the kept stream that was used last."""
    (known,) = pools(host)
    (idle,) = known._idle.values() or ([],)
    return not idle or idle[-1][0].muxed.read_ended


async def test_one_question_after_another_goes_over_one_stream() -> None:
    async with answering() as (caller, callee, answerer):
        for number in range(10):
            assert await ask(caller, callee, b"%d" % number) == b"%d!" % number
        assert (answerer.streams, kept_by(caller)) == (1, 1)


async def test_many_at_once_get_each_its_own_answer_and_few_streams_are_kept() -> None:
    async with answering() as (caller, callee, _answerer):
        questions = [b"%d" % number for number in range(QUESTIONS_AT_ONCE + 10)]
        for _ in range(3):
            assert await asyncio.gather(*(ask(caller, callee, each) for each in questions)) == [each + b"!" for each in questions]
        assert kept_by(caller) == QUESTIONS_AT_ONCE
        await until(lambda: len(callee.admission._streams) == QUESTIONS_AT_ONCE)


async def test_more_at_once_than_a_peer_lets_us_ask_wait_for_each_other() -> None:
    async with answering() as (caller, callee, answerer):
        await ask(caller, callee, b"first")
        waiting = [asyncio.create_task(ask(caller, callee, b"slow %d" % number)) for number in range(2 * QUESTIONS_AT_ONCE)]
        await until(lambda: len(answerer.questions) == 1 + QUESTIONS_AT_ONCE)
        answerer.let.set()
        assert await asyncio.gather(*waiting) == [b"slow %d!" % number for number in range(2 * QUESTIONS_AT_ONCE)]


async def test_a_peer_without_it_is_asked_for_it_once_a_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    proposed: list[list[str]] = []
    choose = negotiation.choose

    async def counted(stream: MuxedStream, protocols: Sequence[str]) -> str | None:
        if PLAIN in protocols:  # and not those of the handshake and of identify
            proposed.append(list(protocols))
        return await choose(stream, protocols)

    monkeypatch.setattr(negotiation, "choose", counted)
    async with answering(kept=False) as (caller, callee, answerer):
        for _ in range(5):
            assert await ask(caller, callee, b"x") == b"x!"
        assert (proposed, answerer.streams, kept_by(caller)) == ([[KEPT, PLAIN]], 5, 0)
        await caller.disconnect(callee.peer_id)
        await callee.serve(KEPT, answerer.kept)
        await connect(caller, callee)
        assert await ask(caller, callee, b"x") == b"x!"
        assert (len(proposed), kept_by(caller)) == (2, 1)


async def test_a_stream_whose_answer_was_not_waited_for_is_never_used_again() -> None:
    async with answering() as (caller, callee, answerer):
        await ask(caller, callee, b"first")
        with pytest.raises(StreamBrokenError, match="is too slow"):
            await ask(caller, callee, b"slow one", 0.2)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(caller, callee, b"slow two"), 0.2)
        answerer.let.set()
        assert await ask(caller, callee, b"x") == b"x!"
        assert answerer.streams == 3
        await until(lambda: len(callee.admission._streams) == 1)


async def test_an_answer_nobody_asked_for_ends_its_stream() -> None:
    async with answering() as (caller, callee, answerer):

        async def twice(stream: Stream) -> None:
            answerer.streams += 1
            while await stream.next_line(LineReader("the question", 1000), SECONDS) is not None:
                await stream.write(b"true\nforged\n")

        await callee.serve(KEPT, twice)
        assert [await ask(caller, callee, b"x") for _ in range(3)] == [b"true"] * 3
        assert answerer.streams == 3


async def test_a_stream_the_other_side_let_go_is_replaced_within_the_call() -> None:
    async with answering() as (caller, callee, answerer):
        answerer.questions_per_stream = 2
        for number in range(7):
            assert await ask(caller, callee, b"%d" % number) == b"%d!" % number
        assert (answerer.streams, len(answerer.questions)) == (4, 7)


async def test_a_question_that_crosses_the_end_of_its_stream_is_asked_anew_and_carried_out_once() -> None:
    async with answering() as (caller, callee, answerer):
        answerer.questions_per_stream = 1
        answerer.may_end.clear()
        crossed: list[bool] = []

        class NotYetHeard(stream_pool.StreamPool):
            """Has not heard of the end when the question is sent."""

            def take(self, protocol: str) -> Any:
                idle = self._idle.get(protocol)
                stream = idle.pop()[0] if idle else None
                crossed.append(stream is not None and stream.muxed.read_ended)
                return stream

        await ask(caller, callee, b"first")
        (connection,) = caller.connections()
        known = connection.pool
        late = connection.pool = NotYetHeard()
        late.__dict__.update(known.__dict__)
        answerer.may_end.set()
        await until(lambda: known._idle[KEPT][0][0].muxed.read_ended)
        assert await ask(caller, callee, b"second") == b"second!"
        assert (crossed, answerer.questions) == ([True], [b"first", b"second"])


async def test_a_question_that_may_have_been_carried_out_is_not_asked_again() -> None:
    async with answering() as (caller, callee, answerer):
        await ask(caller, callee, b"first")
        with pytest.raises(StreamBrokenError):
            await ask(caller, callee, b"die")
        assert answerer.questions == [b"first", b"die"]


async def test_a_peer_that_comes_back_is_asked_over_a_new_stream() -> None:
    async with answering() as (caller, callee, answerer):
        await ask(caller, callee, b"first")
        await callee.disconnect(caller.peer_id)
        await until(lambda: caller.peers() == ())
        assert await ask(caller, callee, b"second") == b"second!"
        assert answerer.streams == 2


async def test_requests_are_counted_and_not_streams() -> None:
    async with answering(HostLimits(streams_per_minute_and_peer=20)) as (caller, callee, answerer):
        with contextlib.suppress(StreamBrokenError):
            for _ in range(25):
                await ask(caller, callee, b"x")
        assert 10 < len(answerer.questions) <= 20
        assert answerer.streams <= 2


async def test_a_stream_nobody_uses_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_pool, "KEPT_IDLE_SECONDS", 0.0)
    monkeypatch.setattr(host_module, "TIDY_SECONDS", 0.05)
    async with answering() as (caller, callee, _answerer):
        await ask(caller, callee, b"x")
        await until(lambda: kept_by(caller) == 0 and len(callee.admission._streams) == 0)


# As calls of functions use it.


@pytest_asyncio.fixture
async def two(tmp_path: Any) -> AsyncIterator[Pair]:
    pair_ = pair(tmp_path)
    async with pair_ as opened:
        yield opened


async def called(two: Pair) -> bool:
    return isinstance(await two.client.ask(two.callee.peer_id, data.DataRequest("lua-list")), SuccessAnswer)


async def test_calls_use_it(two: Pair) -> None:
    for _ in range(3):
        assert await called(two)
    assert kept_by(two.caller) == 1


async def test_a_broken_request_is_answered_and_the_next_is_too(two: Pair) -> None:
    async with await two.caller.open(two.callee.peer_id, data.KEPT_PROTOCOL) as stream:
        for question, answer in ((b"{\n", b'"ok":false'), (b'{"op":"lua-list"}\n', b'"ok":true')):
            assert answer in await stream.ask(question, data.answer_reader(), SECONDS)


async def test_a_request_before_the_answer_to_the_last_ends_the_stream(two: Pair) -> None:
    async with await two.caller.open(two.callee.peer_id, data.KEPT_PROTOCOL) as stream:
        with pytest.raises(StreamBrokenError):
            await stream.ask(b'{"op":"lua-list"}\n{"op":"lua-list"}\n', data.answer_reader(), SECONDS)


async def test_who_serves_lets_go_of_streams_without_requests_and_of_old_ones_between_two(
    two: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await called(two)
    monkeypatch.setattr(server, "KEPT_WAIT_SECONDS", 0.1)
    assert await called(two)
    await until(lambda: is_let_go(two.caller))
    monkeypatch.setattr(server, "KEPT_WAIT_SECONDS", 60.0)
    monkeypatch.setattr(server, "KEPT_LIFE_SECONDS", 0.0)
    for _ in range(3):
        assert await called(two)
        await until(lambda: is_let_go(two.caller))


async def test_who_serves_keeps_no_more_than_so_many_waiting(two: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "KEPT_WAITING_MAX", 1)
    assert all(await asyncio.gather(*(called(two) for _ in range(10))))
    (known,) = pools(two.caller)
    (idle,) = known._idle.values() or ([],)
    await until(lambda: sum(not stream.muxed.read_ended for stream, _since in idle) <= 1)
    assert await called(two)


async def test_a_request_on_a_kept_stream_that_comes_a_byte_a_second_is_given_up() -> None:
    async with loopback_host() as caller, loopback_host() as callee:

        async def handler(stream: Stream) -> None:
            await stream.next_line(LineReader("the question", 1000), SECONDS, 0.2)

        await callee.serve(KEPT, handler)
        await connect(caller, callee)
        async with await caller.open(callee.peer_id, KEPT) as stream:
            await stream.write(b"x")
            with pytest.raises(StreamBrokenError):
                await stream.read(SECONDS)
