"""Messages of groups: in order, however the network stutters, and given up in the end."""

from __future__ import annotations

import asyncio

import pytest
from tests.net.hosts import until

from goop2.net.faults import StreamBrokenError
from goop2.peers import outbox as module
from goop2.peers.client import MessageRejectedError
from goop2.peers.outbox import PATIENCE_SECONDS, WAITING_MAX, WAITING_MAX_BYTES, Outbox
from goop2.protocols import mq
from goop2.services.groups.records import Outgoing


class Net:
    """Takes messages, or breaks."""

    def __init__(self) -> None:
        self.broken = 0
        self.now = 0.0
        self.got: list[tuple[str, str]] = []
        self.lost: list[str] = []
        self.open = asyncio.Event()
        self.open.set()
        self.outbox = Outbox(self.send, self.lost.append, lambda: self.now)

    async def send(self, peer: str, topic: str, payload: bytes) -> None:
        await self.open.wait()
        await asyncio.sleep(0)
        if self.broken:
            self.broken -= 1
            self.now += 5
            raise StreamBrokenError(f"{peer} does not answer")
        self.got.append((peer, topic))

    def post(self, peer: str, *topics: str) -> None:
        self.outbox.post([Outgoing(peer, topic, b"null") for topic in topics])


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch) -> Net:
    monkeypatch.setattr(module, "AGAIN_AFTER_SECONDS", 0.0)
    return Net()


async def test_a_peer_gets_its_messages_in_order_also_when_one_must_be_sent_again(net: Net) -> None:
    net.broken = 2
    net.post("bob", "1", "2", "3")
    net.post("bob", "4")
    await until(lambda: len(net.got) == 4)
    assert net.got == [("bob", each) for each in "1234"]
    assert net.lost == []


async def test_a_peer_that_takes_nothing_is_lost_once_with_all_that_waits(net: Net) -> None:
    net.broken = 1 + int(PATIENCE_SECONDS / 5)
    net.post("bob", "1", "2", "3")
    await until(lambda: bool(net.lost))
    await net.outbox.flush(1)
    assert (net.got, net.lost) == ([], ["bob"])
    net.post("bob", "back")
    await until(lambda: net.got == [("bob", "back")])


async def test_one_peer_does_not_hold_up_another(net: Net) -> None:
    got: list[str] = []

    async def send(peer: str, topic: str, payload: bytes) -> None:
        if peer == "slow":
            await asyncio.Event().wait()
        got.append(topic)

    outbox = Outbox(send, net.lost.append)
    outbox.post([Outgoing("slow", "1", b""), Outgoing("quick", "2", b"")])
    await until(lambda: got == ["2"])
    await outbox.flush(0)


@pytest.mark.parametrize(("payload", "count"), [(b"null", WAITING_MAX + 2), (b"x" * 60_000, WAITING_MAX_BYTES // 60_000 + 2)])
async def test_what_waits_is_bounded_in_number_and_bytes(net: Net, payload: bytes, count: int) -> None:
    net.open.clear()
    net.outbox.post([Outgoing("bob", str(number), payload) for number in range(3 * count)])
    assert len(net.outbox._waiting["bob"]) == 0
    net.open.set()
    await until(lambda: net.lost == ["bob"])
    assert len(net.got) <= 1
    net.post("bob", "again")
    await until(lambda: ("bob", "again") in net.got)


async def test_the_last_messages_get_a_moment_and_no_more(net: Net) -> None:
    net.post("bob", "close")
    await net.outbox.flush(5)
    assert net.got == [("bob", "close")]
    net.open.clear()
    net.post("bob", "never")
    await net.outbox.flush(0.01)
    net.open.set()
    await asyncio.sleep(0)
    assert net.got == [("bob", "close")]


@pytest.mark.parametrize(
    ("code", "seconds", "sends"), [("rate_limited", 7.0, 2), ("rate_limited", PATIENCE_SECONDS, 1), ("forbidden", None, 1)]
)
async def test_a_refused_message_is_not_sent_again_before_its_time_and_loses_no_peer(
    monkeypatch: pytest.MonkeyPatch, code: str, seconds: float | None, sends: int
) -> None:
    waits: list[float] = []
    sent: list[str] = []

    async def no_sleep(wait: float) -> None:
        waits.append(wait)

    async def send(peer: str, topic: str, _payload: bytes) -> None:
        sent.append(topic)
        if sent == ["1"]:
            raise MessageRejectedError(peer, mq.MessageRefusedError(code, "no", seconds))

    monkeypatch.setattr("goop2.peers.outbox.asyncio.sleep", no_sleep)
    lost: list[str] = []
    outbox = Outbox(send, lost.append, lambda: 0.0)
    outbox.post([Outgoing("bob", "1", b"null"), Outgoing("bob", "2", b"null")])
    await outbox.flush(5)
    assert sent == ["1"] * sends + ["2"]
    assert waits == [seconds] * (sends - 1)
    assert lost == []
