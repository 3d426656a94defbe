"""Chat rooms between real peers, and peers played from existing-sites.md alone, whose members hand on whatever they hear."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.go_peer import GoPeer
from tests.net.hosts import connect, loopback_host, until
from tests.services.groups.test_service import Joined, up

from goop2.protocols import rooms
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.mq import MESSAGE_MAX_BYTES
from goop2.protocols.rooms import HISTORY_MAX, TEXT_MAX_CHARS
from goop2.protocols.topics import MEMBERS_MAX
from goop2.services.groups.records import GroupInfo
from goop2.services.rooms.errors import InvalidRoomMessageError, UnknownRoomError
from goop2.services.rooms.limits import PER_MEMBER_A_MINUTE
from goop2.services.rooms.service import RoomService
from goop2.services.rooms.state import Room


class Chatter(GoPeer):
    """One that hands each room message to all others it knows, without a look at what it has handed on, up to three times."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.knows: list[str] = []
        self.rounds = 0

    async def says(self, group: str, text: str, id_: str, sender: str = "") -> None:
        message = {"id": id_, "from": sender or self.id, "from_name": "Kim", "text": text, "timestamp": 1764000000000}
        for peer in self.knows:
            await self.send(peer, f"chat.room:{group}:msg", {"action": "msg", "message": message})

    async def _took(self, sender: str, topic: str, payload: Any) -> None:
        await super()._took(sender, topic, payload)
        if topic.startswith("chat.room:") and topic.endswith(":msg") and self.rounds < 3:
            self.rounds += 1
            for peer in self.knows:
                if peer != sender:
                    await self.send(peer, topic, payload)

    def heard(self, group: str, action: str) -> list[Any]:
        return [payload for _, topic, payload in self.got if topic == f"chat.room:{group}:{action}"]


@pytest.fixture
async def four(tmp_path: Path) -> AsyncIterator[tuple[Joined, Joined, Chatter, Chatter]]:
    """A host, a member of ours, and two others."""
    async with AsyncExitStack() as stack:
        host, ann = [await stack.enter_async_context(up(tmp_path / name)) for name in ("host", "ann")]
        others = [Chatter(await stack.enter_async_context(loopback_host())) for _ in range(2)]
        for other in others:
            await other.open()
        every = [host.network.host, ann.network.host, *(other.host for other in others)]
        for index, one in enumerate(every):
            for another in every[index + 1 :]:
                await connect(one, another)
        for other in others:
            other.knows = [one.peer_id for one in every if one.peer_id != other.id]
        yield host, ann, others[0], others[1]


async def settled(work: Awaitable[None]) -> BaseException | None:
    (result,) = await asyncio.gather(work, return_exceptions=True)
    return result


def texts(service: RoomService, group: str) -> list[tuple[str, str]]:
    return [(message.sender, message.text) for message in service.room(group).messages]


async def test_a_message_in_a_room_of_both_kinds_is_shown_once_however_it_circles(four: tuple[Joined, Joined, Chatter, Chatter]) -> None:
    host, ann, kim, lee = four
    room = await host.peer.rooms.create("Lounge", "For all", context="clubhouse")
    group = room.group.id
    host.peer.rooms.send(group, "first")
    await ann.peer.rooms.join(host.id, group)
    for other in (kim, lee):
        await other.join(host.id, group)
        await until(lambda other=other: bool(other.heard(group, "history")))  # type: ignore[misc]
    assert [message["text"] for message in kim.heard(group, "history")[0]["messages"]] == ["first"]
    everybody = {host.id, ann.id, kim.id, lee.id}
    await until(lambda: {member["peer_id"] for member in (lee.heard(group, "members") or [{"members": []}])[-1]["members"]} == everybody)
    shown: list[str] = []
    ann.peer.rooms.subscribe(lambda event: shown.append(event.message.text) if event.message is not None else None)
    await kim.says(group, "hello", "1-12D3KooW")
    ann.peer.rooms.send(group, "hi Kim")
    await until(lambda: [one["message"]["text"] for one in lee.heard(group, "msg")].count("hi Kim") >= 1)
    await asyncio.sleep(0.5)  # the others hand on
    expected = [(host.id, "first"), (kim.id, "hello"), (ann.id, "hi Kim")]
    assert sorted(texts(host.peer.rooms, group)) == sorted(expected)
    assert sorted(texts(ann.peer.rooms, group)) == sorted(expected)
    assert sorted(shown) == ["hello", "hi Kim"]
    assert ann.peer.rooms.room(group).description == "For all"
    assert [one.group.name for one in ann.peer.rooms.rooms()] == ["Lounge"]
    await host.peer.rooms.end(group)
    await until(lambda: ann.peer.rooms.rooms() == ())
    with pytest.raises(UnknownRoomError, match=f"room not found: {group}"):
        ann.peer.rooms.send(group, "too late")


async def test_nobody_speaks_in_anothers_name_or_from_outside(four: tuple[Joined, Joined, Chatter, Chatter]) -> None:
    host, ann, kim, lee = four
    group = (await host.peer.rooms.create("Lounge")).group.id
    await ann.peer.rooms.join(host.id, group)
    await kim.join(host.id, group)
    await until(lambda: len(host.peer.rooms.room(group).group.members) == 3)
    await lee.says(group, "from outside", "1-x")
    await kim.says(group, "in Ann's name", "2-x", sender=ann.id)
    await kim.send(ann.id, f"chat.room:{group}:members", {"action": "members", "members": [{"peer_id": lee.id, "name": "Ann"}]})
    await kim.send(
        ann.id, f"chat.room:{group}:history", {"action": "history", "messages": [{"id": "3-x", "from": ann.id, "text": "forged"}]}
    )
    await kim.says(group, "mine", "4-x")
    await until(lambda: texts(ann.peer.rooms, group) == [(kim.id, "mine")])
    assert texts(host.peer.rooms, group) == [(kim.id, "mine")]
    assert ann.peer.rooms.room(group).names.get(lee.id) is None


async def test_a_flood_and_what_is_none_are_refused(four: tuple[Joined, Joined, Chatter, Chatter]) -> None:
    host, _, kim, _ = four
    group = (await host.peer.rooms.create("Lounge")).group.id
    await kim.join(host.id, group)
    await until(lambda: len(host.peer.rooms.room(group).group.members) == 2)
    kim.knows = [host.id]
    with pytest.raises(AssertionError):  # a refusal, no acknowledgement
        await kim.says(group, "x" * (TEXT_MAX_CHARS + 1), "1-x")
    # At most two minutes begin within these.
    spam = (kim.says(group, "spam", f"{number}-y") for number in range(2 * PER_MEMBER_A_MINUTE + 2))
    refused = [isinstance(each, AssertionError) for each in [await settled(one) for one in spam]]
    assert any(refused)
    assert len(host.peer.rooms.room(group).messages) <= HISTORY_MAX
    with pytest.raises(InvalidRoomMessageError, match="a message has 2 characters"):
        host.peer.rooms.send(group, "  ")


async def test_a_room_of_another_program_is_joined_and_another_group_is_none(four: tuple[Joined, Joined, Chatter, Chatter]) -> None:
    _, ann, kim, _ = four
    kim.hosts("g")
    with pytest.raises(UnknownRoomError, match="the group 'Go board' is no chat room: its type is 'template'"):
        await ann.peer.rooms.join(kim.id, "g")
    assert ann.grouping.groups.joined() == ()
    kim.hosts("r", "Den")
    kim.groups["r"]["type"] = "chat"
    await ann.peer.rooms.join(kim.id, "r")
    kim.knows = [ann.id]
    kim.rounds = 3
    history = [{"id": f"{number}-k", "from": kim.id, "from_name": "Kim", "text": str(number), "timestamp": number} for number in range(3)]
    await kim.send(ann.id, "chat.room:r:history", {"action": "history", "messages": history})
    ann.peer.rooms.send("r", "hello there")
    await until(lambda: bool(kim.heard("r", "msg")))
    message = kim.heard("r", "msg")[0]["message"]
    assert (message["from"], message["text"], message["id"].endswith(f"-{ann.id[:8]}")) == (ann.id, "hello there", True)
    assert [text for _, text in texts(ann.peer.rooms, "r")] == ["0", "1", "2", "hello there"]
    await ann.peer.rooms.leave("r")
    assert ann.peer.rooms.rooms() == ()


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b'{"action":"msg"}', "has no message"),
        (b'{"message":{"id":""}}', "has an id of 0 characters"),
        (b'{"message":{"id":"1","text":7}}', "is none"),
        (b"[]", "is none"),
    ],
)
def test_what_is_no_room_message_is_said(payload: bytes, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        rooms.read("chat.room:g:msg", payload)


def test_what_goes_out_fits_into_a_message_however_long_the_messages_and_the_names() -> None:
    members = tuple(f"{number:052}" for number in range(MEMBERS_MAX))
    room = Room(group=GroupInfo(id="g", host="host", kind="chat", members=("host", *members)))
    for number in range(HISTORY_MAX):
        room.add(rooms.RoomMessage(str(number), "host", "n" * 200, "\u0001" * TEXT_MAX_CHARS, 1))
    (history,) = room.history("ann")
    said = rooms.read(history.topic, history.payload)
    assert said is not None
    assert [message.id for message in said[1].messages][-1] == str(HISTORY_MAX - 1)
    listed = room.listed([rooms.RoomMember(peer, "\u0001" * 5000) for peer in members])
    assert max(len(history.payload), *(len(one.payload) for one in listed)) < MESSAGE_MAX_BYTES


def test_other_topics_are_no_rooms() -> None:
    assert [rooms.read(topic, b"{}") for topic in ("chat", "chat.room:", "chat.room:g", "chat.room:g:typing", "realtime:x")] == [None] * 5
