"""Pictures between a peer of ours and one that is played from network.md alone (tests/go_pictures.py)."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from nacl.public import Box, PrivateKey, PublicKey
from tests.go_pictures import PNG, GoPicture, name_of
from tests.net.hosts import connect, loopback_host, until
from tests.peers.test_network import Joined, joined
from tests.peers.test_payload_encryption import joined as joined_with_keys

from goop2.net.address import parse
from goop2.peers.avatar_exchange import AGAIN_SECONDS
from goop2.peers.discovery.roster import HEARTBEAT_SECONDS, DiscoverySource
from goop2.peers.remote_control.operations import Remote
from goop2.protocols.avatar import PICTURE_MAX_BYTES
from goop2.protocols.presence import Presence


@pytest.fixture
async def two(tmp_path: Path) -> AsyncIterator[tuple[Joined, GoPicture]]:
    async with AsyncExitStack() as stack:
        ours = await joined(stack, tmp_path / "ours", "Ours")
        gopher = GoPicture(await stack.enter_async_context(loopback_host()))
        await gopher.open()
        await connect(gopher.host, ours.network.host)
        yield ours, gopher


async def shown(ours: Joined, peer: str) -> bytes | None:
    picture = await ours.peer.avatars.picture(peer)
    return picture.content if picture else None


async def settled(gopher: GoPicture, times: int) -> None:
    """Until it was asked so many times, and a moment more in which it may be asked once too often."""
    await until(lambda: gopher.asked >= times)
    await asyncio.sleep(0.2)  # a question too many would be here by now
    assert gopher.asked == times


async def test_a_picture_is_asked_for_once_for_each_hash(two: tuple[Joined, GoPicture]) -> None:
    ours, gopher = two
    gopher.has(PNG)
    for _ in range(3):
        await gopher.says(ours.id, name_of(PNG))
    await settled(gopher, 1)
    assert await shown(ours, gopher.id) == PNG
    gopher.has(PNG + b"new")
    await gopher.says(ours.id, name_of(PNG + b"new"))
    await settled(gopher, 2)
    assert await shown(ours, gopher.id) == PNG + b"new"
    entry = ours.network.roster.get(gopher.id)
    assert entry is not None
    assert (entry.label, entry.avatar_hash) == ("Gopher", name_of(PNG + b"new"))


async def test_a_picture_of_ours_is_sent_and_told_of(two: tuple[Joined, GoPicture]) -> None:
    ours, gopher = two
    assert await gopher.ask(ours.id) == b"NONE\n"
    announcer = ours.network.discovery.announcer
    before, at = announcer._last_ts, time.monotonic()
    await ours.peer.avatars.set(PNG)
    await until(lambda: announcer._last_ts > before)
    assert time.monotonic() - at < HEARTBEAT_SECONDS / 2, "presence tells of it at once"
    assert await gopher.ask(ours.id) == b"OK %d\n" % len(PNG) + PNG
    await gopher.send(ours.id, "identity", {})
    await until(lambda: any(topic == "identity.response" for _, topic, _ in gopher.got))
    assert gopher.got[-1][2]["avatarHash"] == name_of(PNG)
    assert announcer._says().avatar_hash == name_of(PNG)
    await ours.peer.avatars.remove()
    assert await gopher.ask(ours.id) == b"NONE\n"
    assert announcer._says().avatar_hash == ""


async def test_two_peers_of_ours_have_each_others_pictures_by_presence(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        ann, bob = [await joined(stack, tmp_path / name, name) for name in ("ann", "bob")]
        await ann.network.discovery.connect(parse(bob.network.host.addresses[0]))
        await ann.peer.avatars.set(PNG)
        await until(lambda: bob.peer.avatars.hash_of(ann.id) == name_of(PNG))
        assert await shown(bob, ann.id) == PNG
        listed = await Remote(bob.peer, bob.network).peers({})
        assert [(one["email"], one["avatar_hash"]) for one in listed["peers"]] == [("", name_of(PNG))]  # type: ignore[attr-defined]


HOSTILE: dict[str, tuple[bytes, bytes]] = {
    "html by another name": (b"<!doctype html><script>alert(1)</script>", b""),
    "svg by another name": (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", b""),
    "another one than it told of": (PNG + b"!", b""),
    "too large": (PNG, b"OK %d\n" % (PICTURE_MAX_BYTES + 1) + PNG),
    "shorter than it says": (PNG, b"OK %d\n" % (len(PNG) + 1) + PNG),
    "a number that is none": (PNG, b"OK 1e3\n" + PNG),
    "a line without an end": (PNG, b"OK " + b"1" * 100_000),
    "sealed with nobody's key": (PNG, b"EOK 8\nAAAAAAAA"),
    "nothing": (PNG, b""),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_picture_is_never_shown_and_harms_nothing(two: tuple[Joined, GoPicture], kind: str) -> None:
    ours, gopher = two
    content, answer = HOSTILE[kind]
    gopher.answer = answer or b"OK %d\n" % len(content) + content
    if kind == "nothing":
        gopher.answer = b""
    told = PNG if kind.startswith("another") else content
    await gopher.says(ours.id, name_of(told))
    await settled(gopher, 1)
    assert await shown(ours, gopher.id) is None
    assert gopher.asked == 1, "nobody is asked again at once"
    assert not any((ours.peer.folder / "data/avatars").glob("*"))


async def test_more_bytes_than_it_says_are_not_read(two: tuple[Joined, GoPicture]) -> None:
    ours, gopher = two
    gopher.answer = b"OK %d\n" % len(PNG) + PNG + b"x" * 3_000_000
    gopher.finishes = False
    await gopher.says(ours.id, name_of(PNG))
    await settled(gopher, 1)
    assert await shown(ours, gopher.id) == PNG


async def test_a_path_for_a_hash_is_none(two: tuple[Joined, GoPicture]) -> None:
    ours, gopher = two
    await gopher.says(ours.id, "../../../../etc/passwd")
    await until(lambda: (entry := ours.network.roster.get(gopher.id)) is not None and entry.label == "Gopher")
    assert (ours.peer.avatars.hash_of(gopher.id), gopher.asked) == ("", 0)


async def test_what_a_rendezvous_says_of_a_picture_counts_for_nothing(two: tuple[Joined, GoPicture]) -> None:
    """Neither does anybody ask for it, nor is the picture of a friend forgotten who is away."""
    ours, gopher = two
    stranger, friend = f"{gopher.id[:-4]}AAAA", f"{gopher.id[:-4]}BBBB"
    ours.peer.avatars.told(friend, name_of(PNG))
    for peer, told in ((stranger, name_of(PNG)), (friend, "")):
        ours.network.roster._here(Presence("online", peer, "Somebody", avatar_hash=told), DiscoverySource.HEARSAY)
    assert (ours.peer.avatars.hash_of(stranger), ours.peer.avatars.hash_of(friend), gopher.asked) == ("", name_of(PNG), 0)


async def test_after_a_failure_a_page_may_ask_again_a_minute_later(two: tuple[Joined, GoPicture], monkeypatch: pytest.MonkeyPatch) -> None:
    ours, gopher = two
    await gopher.says(ours.id, name_of(PNG))
    await settled(gopher, 1)
    gopher.has(PNG)
    assert await shown(ours, gopher.id) is None
    monkeypatch.setattr("goop2.peers.avatar_exchange.AGAIN_SECONDS", 0.0)
    assert AGAIN_SECONDS >= 60
    assert await shown(ours, gopher.id) == PNG


async def test_pictures_are_sealed_both_ways_when_both_have_keys(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        ours = await joined_with_keys(stack, tmp_path / "ours")
        key = PrivateKey.generate()
        assert ours.peer.payload_keys is not None
        box = Box(key, PublicKey(base64.b64decode(ours.peer.payload_keys.public_text)))
        gopher = GoPicture(await stack.enter_async_context(loopback_host()))
        gopher.identity = {"publicKey": base64.b64encode(bytes(key.public_key)).decode(), "encryptionSupported": True}
        await gopher.open()
        await connect(gopher.host, ours.network.host)
        gopher.has(PNG, box)
        await gopher.says(ours.id, name_of(PNG))
        await settled(gopher, 1)
        assert await shown(ours, gopher.id) == PNG
        await ours.peer.avatars.set(PNG)
        header, _, text = (await gopher.ask(ours.id)).partition(b"\n")
        assert header == b"EOK %d" % len(text)
        assert box.decrypt(base64.b64decode(text, validate=True)) == PNG
