"""What servers on a bus say to each other, written and read."""

from __future__ import annotations

import msgspec
import pytest
from tests.rendezvous.test_said_relay import RELAY

from goop2.rendezvous.bus_messages import BusHead, BusMessageError, messages, opened, speaker_of, subject
from goop2.rendezvous.limits import BUS_LINES_MAX, BUS_MESSAGE_BYTES, BUS_MESSAGE_MAX_BYTES

KEY = "U" * 56


def test_announcements_arrive_as_they_were_and_only_the_first_message_asks() -> None:
    said = [b"%d" % number for number in range(2 * BUS_LINES_MAX + 1)]
    heard = [opened(content) for content in messages(BusHead("x", "north", asks=True, relay=RELAY), said)]
    assert [line for _, lines in heard for line in lines] == said
    assert [(head.name, head.asks, head.relay) for head, _ in heard] == [("north", asks, RELAY) for asks in (True, False, False)]
    assert [opened(content) for content in messages(BusHead("x"))] == [(BusHead("x"), [])]


def test_long_announcements_go_in_more_messages() -> None:
    sent = list(messages(BusHead("x"), [b"x" * (BUS_MESSAGE_BYTES // 3)] * 7))
    assert [len(opened(content)[1]) for content in sent] == [3, 3, 1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b" " * (BUS_MESSAGE_MAX_BYTES + 1), "the most is 262144"),
        (b"{}" + b"\n" * (BUS_LINES_MAX + 1), "more than 256 announcements"),
        (b"[]", "Expected `object`"),
        (b'{"start":""}', "does not say its start"),
        (
            msgspec.json.encode(BusHead("x", relay=msgspec.structs.replace(RELAY, free=-1))),
            "its relay has addresses or numbers that cannot be",
        ),
    ],
    ids=["long", "many", "no head", "no start", "no relay"],
)
def test_what_is_no_message_is_told_why(content: bytes, says: str) -> None:
    with pytest.raises(BusMessageError, match=says):
        opened(content)


@pytest.mark.parametrize("place", ["goop2-rendezvous", "goop2-rendezvous.x.all", f"goop2-rendezvous.{KEY}.all.x"])
def test_a_subject_that_names_no_server_is_none(place: str) -> None:
    with pytest.raises(BusMessageError):
        speaker_of(place)
    assert speaker_of(subject(KEY)) == KEY
