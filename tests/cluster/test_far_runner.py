"""Credit, placement and loss, with nodes that are played on a fake bus: who gets which call, and that each has one outcome."""

from __future__ import annotations

import asyncio

import pytest
from tests.cluster.fake_bus import Field
from tests.scripting.workshop import stranger

from goop2.cluster import messages
from goop2.cluster.far_runner import NODE_LIED, NODE_LOST
from goop2.cluster.messages import Asked, Call, Cancel, Ended, Farewell, HostAnswer, Logged, NodeSetup, Refused
from goop2.sandbox.messages import UNKNOWN_VERSION
from goop2.scripting.invocation import ErrorCode
from goop2.scripting.limits import CALLER_SHARE_OF_WORKERS


async def test_a_node_is_given_as_many_calls_as_it_has_slots() -> None:
    field = Field()
    field.beat(slots=2)
    tasks = [await field.call() for _ in range(4)]
    given = field.sent(Call)
    assert (len(given), len(field.calls.waiting)) == (2, 2)
    field.end("A", given[0])
    assert (await tasks[0]).payload == b"1"
    assert len(field.sent(Call)) == 3
    field.calls.stop()
    await asyncio.gather(*tasks)


async def test_a_source_is_sent_once_for_each_version_and_node() -> None:
    field = Field()
    field.beat(slots=8)
    tasks = [await field.call() for _ in range(3)]
    assert [call.source is None for call in field.sent(Call)] == [False, True, True]
    field.beat("B", slots=64)
    tasks += [await field.call()]
    assert field.sent(Call, "B")[0].source is not None
    field.calls.stop()
    await asyncio.gather(*tasks)


async def test_a_node_that_does_not_know_a_version_is_sent_it_again_once() -> None:
    field = Field()
    field.beat()
    task = await field.call()
    (first,) = field.sent(Call)
    field.end("A", first, UNKNOWN_VERSION, b"")
    again = field.sent(Call)[1]
    assert (again.id, again.source is not None) == (first.id, True)
    field.end("A", first, UNKNOWN_VERSION, b"")
    assert await task == NODE_LIED


async def test_calls_go_to_the_node_with_the_most_free_slots() -> None:
    field = Field()
    field.beat("A", slots=1)
    field.beat("B", slots=3)
    tasks = [await field.call() for _ in range(3)]
    assert (len(field.sent(Call, "A")), len(field.sent(Call, "B"))) == (1, 2) or len(field.sent(Call, "B")) == 3
    field.calls.stop()
    await asyncio.gather(*tasks)


async def test_a_stranger_holds_a_part_of_the_slots_and_the_owner_any() -> None:
    field = Field()
    field.beat(slots=2 * CALLER_SHARE_OF_WORKERS)
    tasks = [await field.call(stranger(1)) for _ in range(8)]
    assert len(field.sent(Call)) == 2
    tasks.append(await field.call(stranger(2)))
    assert len(field.sent(Call)) == 3
    tasks += [await field.call() for _ in range(5)]
    assert len(field.sent(Call)) == 8
    field.calls.stop()
    await asyncio.gather(*tasks)


async def test_a_node_is_not_used_before_its_workers_are_as_the_owner_says() -> None:
    field = Field()
    field.beat(digest=b"")
    task = await field.call()
    assert (len(field.sent(NodeSetup)), field.sent(Call)) == (1, [])
    field.beat()
    assert len(field.sent(Call)) == 1
    field.calls.stop()
    await task


async def test_a_lost_node_ends_its_calls_as_perhaps_carried_out() -> None:
    field = Field()
    field.beat(slots=2)
    tasks = [await field.call() for _ in range(3)]
    field.pass_silently(1.4)
    assert not tasks[0].done()
    field.pass_silently(0.6)
    assert [await task for task in tasks[:2]] == [NODE_LOST, NODE_LOST]
    assert not tasks[2].done()  # it was not handed over, so it waits for another
    field.beat("B")
    field.end("B", field.sent(Call, "B")[0])
    assert (await tasks[2]).code is ErrorCode.OK
    (node, _) = sorted(field.runner.nodes, key=lambda node: node.key)
    assert (node.state, node.losses) == ("lost", 2)


async def test_what_a_lost_node_says_later_changes_nothing_and_it_is_told_to_stop() -> None:
    field = Field()
    field.beat()
    task = await field.call()
    (call,) = field.sent(Call)
    field.pass_silently(2.0)
    assert await task == NODE_LOST
    field.end("A", call)
    field.beat()
    assert field.sent(Cancel) == [Cancel(call.id)]
    assert field.runner.credit == 2


async def test_the_loss_clock_stands_still_while_the_server_is_away() -> None:
    field = Field()
    field.beat()
    task = await field.call()
    field.runner.disconnected()
    field.clock.now += 3600.0
    field.echo()
    field.beat()
    field.pass_silently(1.0)
    assert not task.done()
    field.calls.stop()
    await task


async def test_without_a_connection_nothing_is_given_and_what_is_under_way_waits_for_its_deadline() -> None:
    field = Field()
    field.beat()
    task = await field.call(seconds=0.2)
    field.bus.connected = False
    field.runner.disconnected()
    waiting = await field.call(seconds=0.2)
    assert len(field.sent(Call)) == 1
    assert [(await each).code for each in (task, waiting)] == [ErrorCode.TIMEOUT] * 2


async def test_a_call_that_provably_never_arrived_waits_again() -> None:
    field = Field()
    field.beat()
    task = await field.call()
    (call,) = field.sent(Call)
    field.nobody("A", call)
    assert (field.runner.put_back, len(field.calls.waiting), field.runner.credit) == (1, 1, 0)
    field.beat("B")
    field.end("B", field.sent(Call, "B")[0])
    assert (await task).code is ErrorCode.OK


async def test_a_call_a_node_has_spoken_of_is_not_carried_out_again() -> None:
    field = Field()
    field.beat()
    task = await field.call()
    (call,) = field.sent(Call)
    field.tell("A", call.id, Logged("info", "begun"))
    field.nobody("A", call)
    assert await task == NODE_LOST


async def test_a_call_past_its_deadline_is_stopped_there() -> None:
    field = Field()
    field.beat()
    task = await field.call(seconds=0.1)
    assert (await task).code is ErrorCode.TIMEOUT
    assert len(field.sent(Cancel)) == 1
    assert field.runner.credit == 2


async def test_a_node_that_leaves_is_given_nothing_more_and_told_so() -> None:
    field = Field()
    field.beat(slots=2)
    first = await field.call()
    field.beat(slots=2, leaving=True)
    second = await field.call()
    assert (len(field.sent(Call)), len(field.sent(Farewell))) == (1, 1)
    field.end("A", field.sent(Call)[0])
    assert (await first).code is ErrorCode.OK
    field.pass_silently(2.0)
    assert list(field.runner.nodes) == []
    field.calls.stop()
    await second


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"version": "9.9"}, "it runs goop2 9.9 and this peer"),
        ({"flavours": ("lua51",)}, "it has lua51 and this peer runs scripts with luajit21"),
        ({"flavours": ()}, "it has no Lua"),
    ],
)
async def test_a_node_of_another_kind_is_refused_with_a_sentence(other: dict[str, object], says: str) -> None:
    field = Field()
    field.beat(**other)  # type: ignore[arg-type]
    task = await field.call()
    assert (field.sent(Call), says in field.sent(Refused)[0].why) == ([], True)
    field.calls.stop()
    await task


async def test_two_programs_with_one_key_are_two_nodes() -> None:
    field = Field()
    field.beat(slots=1, boot=b"aaaaaaaa")
    field.beat(slots=1, boot=b"bbbbbbbb")
    tasks = [await field.call() for _ in range(2)]
    calls = [subject for subject, content, _ in field.bus.sent if isinstance(messages.to_node.decode(content), Call)]
    assert len(set(calls)) == 2
    field.calls.stop()
    await asyncio.gather(*tasks)


async def test_a_node_says_nothing_of_anothers_call() -> None:
    field = Field()
    field.beat("A")
    task = await field.call()
    field.beat("B")
    (call,) = field.sent(Call)
    field.end("B", call, payload=b'"forged"')
    field.nobody("B", call)
    assert not task.done()
    field.end("A", call)
    assert (await task).payload == b"1"


@pytest.mark.parametrize(
    "message",
    [
        b"nonsense",
        messages.encode(Ended("no such code", b"1", 0, 0.0)),
        messages.encode(Ended("ok", b"x" * (1024 * 1024 + 1), 0, 0.0)),
        messages.encode(Ended("ok", b"1\n2", 0, 0.0)),
        messages.encode([7, "ok", b"1", -5, 0.0]),
        messages.encode([7, "ok", b"1", 5, -1.0]),
        messages.encode([9, 1, "x" * 5000, []]),
    ],
)
async def test_a_node_that_lies_ends_its_calls_and_is_not_used_again(message: bytes) -> None:
    field = Field()
    field.beat(slots=1)
    task = await field.call()
    (call,) = field.sent(Call)
    field.runner.hear(messages.call_subject("A", call.id), message, False)
    assert await task == NODE_LIED
    field.beat(slots=1)
    assert (field.runner.credit, field.runner.breaches, len(field.sent(Refused)) >= 1) == (0, 1, True)
    field.beat(slots=1, boot=b"newstart")
    assert field.runner.credit == 1


async def test_a_beat_that_is_none_ends_the_use_of_its_node() -> None:
    field = Field()
    field.beat()
    task = await field.call()
    field.runner.hear(messages.beat_subject("A"), messages.encode([6, 1, "v", [], b"12345678", 100_000, "host"]), False)
    assert (await task, field.runner.credit) == (NODE_LOST, 0)


async def test_the_peer_answers_what_a_far_script_asks_it_for() -> None:
    field = Field()
    field.beat()
    task = await field.call()
    (call,) = field.sent(Call)
    field.tell("A", call.id, Asked(1, "site.read", (b"index.html",)))
    assert field.sent(HostAnswer) == [HostAnswer(call.id, 1, b"v", (b"site.read",))]
    field.tell("A", call.id, Logged("warn", "careful"))
    field.end("A", call)
    assert (await task).code is ErrorCode.OK


async def test_an_answer_larger_than_the_server_carries_is_an_error_of_the_script() -> None:
    field = Field()
    field.beat()
    task = await field.call()
    field.bus.max_bytes = 150
    (call,) = field.sent(Call)
    field.tell("A", call.id, Asked(1, "x" * 300, ()))
    (answer,) = field.sent(HostAnswer)
    assert answer.shape == b"!"
    assert isinstance(answer.values[0], bytes)
    assert b"max_payload" in answer.values[0]
    field.calls.stop()
    await task


async def test_a_stopped_runner_has_its_nodes_stop() -> None:
    field = Field()
    field.beat()
    task = await field.call()
    field.runner.stop()
    assert len(field.sent(Cancel)) == 1
    field.calls.stop()
    assert (await task).payload == b"the peer is stopping"
