"""Which messages are looked at, checked and handed on: each bound, and that what is cheap to refuse costs no check."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs
from tests.clock import Clock
from tests.net.gossip.authors import TOPIC, Author

from goop2.net.gossip import intake as module
from goop2.net.gossip.intake import Intake
from goop2.net.gossip.messages import GossipMessage
from goop2.net.limits import (
    AUTHOR_MESSAGES_PER_MINUTE,
    GOSSIP_FLOOD_TOLD_SECONDS,
    GOSSIP_FORGERY_COSTS_MESSAGES,
    GOSSIP_MESSAGE_MAX_BYTES,
    GOSSIP_SEEN_SECONDS,
)
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.protobuf import content

US = Author()
FORGED = b"x" * 64


class Hearing:
    """An intake, what was heard, and how many signatures were checked."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.heard: list[bytes] = []
        self.checks = 0
        self.intake = Intake(TOPIC, US.id, self.hear, clock)

    def hear(self, _author: str, payload: bytes) -> bool:
        self.heard.append(payload)
        return payload != b"no further"

    def take(self, message: GossipMessage | bytes, neighbour: str = "neighbour") -> bool:
        """Return whether it is handed on."""
        return self.intake.take(neighbour, message.write() if isinstance(message, GossipMessage) else message) is not None


@pytest.fixture
def hearing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hearing]:
    made = Hearing(Clock())
    check = GossipMessage.is_authentic

    def counted(message: GossipMessage) -> bool:
        made.checks += 1
        return check(message)

    monkeypatch.setattr(GossipMessage, "is_authentic", counted)
    return made  # type: ignore[return-value]


def forged(message: GossipMessage) -> bytes:
    return message.signed + content(5, FORGED)


def test_a_message_is_heard_and_handed_on_once(hearing: Hearing) -> None:
    message = Author().says(b"hello")
    assert hearing.take(message)
    assert not hearing.take(message, "another")
    assert hearing.heard == [b"hello"]
    assert hearing.checks == 1


def test_what_is_not_worth_it_is_heard_and_goes_no_further(hearing: Hearing) -> None:
    message = Author().says(b"no further")
    assert not hearing.take(message)
    assert not hearing.take(message)
    assert hearing.heard == [b"no further"]


def test_a_message_is_heard_again_when_it_is_forgotten(hearing: Hearing) -> None:
    message = Author().says(b"hello")
    hearing.take(message)
    hearing.clock.now += GOSSIP_SEEN_SECONDS
    assert hearing.take(message)


@pytest.mark.parametrize(
    "message",
    [
        Author().says(b"hello", "another topic").write(),
        Author().says(b"x" * (GOSSIP_MESSAGE_MAX_BYTES + 1)).write(),
        content(9, b"x" * GOSSIP_MESSAGE_MAX_BYTES) + Author().says(b"x" * 600).write(),
        US.says(b"our own words").write(),
        content(1, b"\x12\x20" + bytes(32)) + Author().says(b"hello").write()[40:],
        Author().says(b"hello").signed,
    ],
    ids=["topic", "data too long", "too long", "our own", "author without a key", "no signature"],
)
def test_what_cannot_be_taken_costs_no_check(hearing: Hearing, message: bytes) -> None:
    assert not hearing.take(message)
    assert (hearing.checks, hearing.heard) == (0, [])


def test_the_longest_message_is_taken(hearing: Hearing) -> None:
    assert hearing.take(Author().says(b"x" * GOSSIP_MESSAGE_MAX_BYTES))


def test_what_is_forged_does_not_hide_what_is_real(hearing: Hearing) -> None:
    message = Author().says(b"hello")
    assert not hearing.take(forged(message), "eve")
    assert hearing.take(message)


def test_what_cannot_be_read_breaks_the_protocol(hearing: Hearing) -> None:
    with pytest.raises(RemoteProtocolError):
        hearing.take(b"\xff\xff")


def test_an_author_is_heard_so_often_a_minute_whoever_hands_it_on(hearing: Hearing) -> None:
    ann, bob = Author(), Author()
    taken = [hearing.take(ann.says(b"ann"), f"neighbour {number}") for number in range(AUTHOR_MESSAGES_PER_MINUTE + 5)]
    assert taken == [True] * AUTHOR_MESSAGES_PER_MINUTE + [False] * 5
    assert hearing.take(bob.says(b"bob"))


def test_forgers_do_not_use_up_what_an_author_may_say(hearing: Hearing) -> None:
    ann = Author()
    for number in range(AUTHOR_MESSAGES_PER_MINUTE * 2):
        hearing.take(forged(ann.says(b"forged")), f"neighbour {number}")
    assert hearing.take(ann.says(b"ann"))


def test_a_neighbour_hands_on_so_much_a_minute_and_the_rest_costs_no_check(monkeypatch: pytest.MonkeyPatch, hearing: Hearing) -> None:
    monkeypatch.setattr(module, "NEIGHBOUR_MESSAGES_PER_MINUTE", 3)
    few = Hearing(hearing.clock)
    assert [few.take(Author().says(b"hello")) for _ in range(5)] == [True] * 3 + [False] * 2
    assert hearing.checks == 3
    assert few.take(Author().says(b"hello"), "another")


def test_a_forgery_costs_its_neighbour_more_than_a_message(monkeypatch: pytest.MonkeyPatch, hearing: Hearing) -> None:
    monkeypatch.setattr(module, "NEIGHBOUR_MESSAGES_PER_MINUTE", 10)
    few = Hearing(hearing.clock)
    for _ in range(10):
        few.take(forged(Author().says(b"forged")))
    # The last ones have taken what was left, one each.
    assert 10 // (GOSSIP_FORGERY_COSTS_MESSAGES + 1) <= hearing.checks <= 10 // (GOSSIP_FORGERY_COSTS_MESSAGES + 1) + 2


def test_all_together_are_checked_so_often_a_minute(monkeypatch: pytest.MonkeyPatch, hearing: Hearing) -> None:
    monkeypatch.setattr(module, "GOSSIP_MESSAGES_PER_MINUTE", 3)
    few = Hearing(hearing.clock)
    assert sum(few.take(Author().says(b"hello"), f"neighbour {number}") for number in range(6)) == 3
    assert hearing.checks == 3


def test_a_flood_is_one_line_a_minute(monkeypatch: pytest.MonkeyPatch, hearing: Hearing) -> None:
    monkeypatch.setattr(module, "NEIGHBOUR_MESSAGES_PER_MINUTE", 1)
    few = Hearing(hearing.clock)
    with capture_logs() as lines:
        for number in range(20):
            few.take(Author().says(b"hello"), f"neighbour {number % 2}")
        hearing.clock.now += GOSSIP_FLOOD_TOLD_SECONDS
        for _ in range(10):
            few.take(Author().says(b"hello"))
    assert [line["event"] for line in lines] == ["a neighbour floods gossip"] * 2


def test_a_mistake_above_is_told_and_ends_nothing() -> None:
    def hear(_author: str, _payload: bytes) -> bool:
        raise ValueError("a mistake")

    with capture_logs() as lines:
        assert Intake(TOPIC, US.id, hear, Clock()).take("neighbour", Author().says(b"hello").write()) is None
    assert len(lines) == 1
