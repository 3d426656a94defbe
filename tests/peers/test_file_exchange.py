"""Files shared in a group by peers of both kinds: ours, and one that is played from network.md alone (tests/go_files.py)."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from nacl.public import Box, PrivateKey, PublicKey
from tests.go_files import GoFiles, hash_of
from tests.net.hosts import connect, loopback_host, until
from tests.peers.test_network import Joined, joined
from tests.peers.test_payload_encryption import joined as joined_with_keys

from goop2.folder.shared_files import SharedFileError, SharedFileNotFoundError
from goop2.net.faults import NetworkError
from goop2.peers.file_exchange import NO_MEMBER
from goop2.protocols.shared_files import FILE_MAX_BYTES
from goop2.services.groups.records import GroupInfo
from goop2.services.shared_files import transfer as module
from goop2.services.shared_files.errors import FilesRefusedError
from goop2.services.shared_files.transfer import Transfer

GROUP = "0123456789abcdef"
CONTENT = os.urandom(300_000)


@dataclass
class Sharing:
    """Ours, hosting a group of type `files`, another of ours, and a Go peer that hosts GROUP."""

    ann: Joined
    bob: Joined
    gopher: GoFiles
    group: GroupInfo


@pytest.fixture
async def sharing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sharing]:
    monkeypatch.setattr(module, "RETRY_SECONDS", (0.01, 0.01))
    async with AsyncExitStack() as stack:
        ann, bob = [await joined(stack, tmp_path / name, name) for name in ("ann", "bob")]
        gopher = GoFiles(await stack.enter_async_context(loopback_host()))
        await gopher.open()
        gopher.hosts(GROUP)
        for one, other in ((bob.network.host, ann.network.host), (gopher.host, ann.network.host), (gopher.host, bob.network.host)):
            await connect(one, other)
        yield Sharing(ann, bob, gopher, await ann.peer.grouping.create("Papers", "files"))


async def share(of: Joined, group: GroupInfo, name: str, content: bytes = CONTENT) -> None:
    await of.peer.shared_files.share(group, name, BytesIO(content))


async def fetched(by: Joined, group: GroupInfo, name: str, peer: str = "") -> Transfer:
    transfer = await by.peer.shared_files.fetch(group, name, peer)
    await by.peer.shared_files.wait(transfer, 20)
    return transfer


async def go_group(sharing: Sharing) -> GroupInfo:
    return await sharing.bob.peer.grouping.join(sharing.gopher.id, GROUP)


async def test_a_go_peer_lists_and_gets_files_of_ours_as_a_member_alone(sharing: Sharing) -> None:
    ann, gopher, group = sharing.ann, sharing.gopher, sharing.group
    await share(ann, group, "notes.txt", b"hello")
    for request in ({"op": "list"}, {"op": "get", "file": "notes.txt"}, {"op": "get", "file": "nosuch"}):
        first, rest = await gopher.ask(ann.id, group_id=group.id, **request)
        assert (json.loads(first), rest) == ({"ok": False, "error": NO_MEMBER}, b""), "a stranger learns not even what there is"
    await gopher.join(ann.id, group.id)
    await until(lambda: bool(gopher.welcomes(group.id)))
    first, _ = await gopher.ask(ann.id, op="list", group_id=group.id)
    (listed,) = json.loads(first)["files"]
    assert (listed["name"], listed["size"], listed["hash"]) == ("notes.txt", 5, hash_of(b"hello"))
    assert isinstance(listed["mod_time"], int)
    assert await gopher.ask(ann.id, op="get", group_id=group.id, file="notes.txt") == (b"OK text/plain; charset=utf-8 5", b"hello")
    assert (await gopher.ask(ann.id, op="get", group_id=group.id, file="notes.txt", offset=2, length=2))[1] == b"ll"
    assert json.loads((await gopher.ask(ann.id, op="list", group_id="another"))[0]) == {"ok": False, "error": NO_MEMBER}
    await ann.peer.grouping.remove(group.id, gopher.id)
    first, _ = await gopher.ask(ann.id, op="get", group_id=group.id, file="notes.txt")
    assert json.loads(first)["ok"] is False


NOT_SHARED = ("../../goop.json", "/etc/passwd", "..", ".", "", ".hidden", "a/b", "nosuch", "\0", "x" * 300, "link", "hard")
BAD_REQUESTS = (b"", b"[]", b"{}", b'{"op":"list"}', b'{"op":"get","group_id":"x","offset":-1}', b"\xff", b"x" * 10_000, b"ENC:AAAA")


async def test_a_member_gets_nothing_but_shared_files(sharing: Sharing) -> None:
    ann, gopher, group = sharing.ann, sharing.gopher, sharing.group
    await share(ann, group, "notes.txt", b"hello")
    place = ann.peer.folder / "shared" / group.id
    (place / ".hidden").write_text("a file that is being written")
    (place / "link").symlink_to(ann.peer.folder / "goop.json")
    (place / "hard").hardlink_to(ann.peer.folder / "data/identity.key")
    await gopher.join(ann.id, group.id)
    await until(lambda: bool(gopher.welcomes(group.id)))
    for name in NOT_SHARED:
        first, rest = await gopher.ask(ann.id, op="get", group_id=group.id, file=name)
        assert (name, json.loads(first)["ok"], rest) == (name, False, b"")
    assert [one["name"] for one in json.loads((await gopher.ask(ann.id, op="list", group_id=group.id))[0])["files"]] == ["notes.txt"]


async def test_only_groups_of_type_files_share(sharing: Sharing) -> None:
    ann, gopher = sharing.ann, sharing.gopher
    other = await ann.peer.grouping.create("Board", "template")
    (ann.peer.folder / "shared" / other.id).mkdir(parents=True)
    (ann.peer.folder / "shared" / other.id / "notes.txt").write_text("hello")
    await gopher.join(ann.id, other.id)
    await until(lambda: bool(gopher.welcomes(other.id)))
    assert json.loads((await gopher.ask(ann.id, op="list", group_id=other.id))[0]) == {"ok": False, "error": NO_MEMBER}


async def test_a_bad_request_is_answered_with_a_reason(sharing: Sharing) -> None:
    for text in BAD_REQUESTS:
        async with await sharing.gopher.host.open(sharing.ann.id, "/goop/docs/1.0.0") as stream:
            await stream.finish(text + b"\n")
            answer = b""
            while piece := await stream.read():
                answer += piece
        assert json.loads(answer)["ok"] is False


async def test_ours_fetches_a_file_of_a_go_peer_and_its_hash_is_checked(sharing: Sharing) -> None:
    bob, gopher = sharing.bob, sharing.gopher
    gopher.files = {"paper.pdf": CONTENT, "empty": b"", "../../evil": b"x", ".ssh": b"x"}
    group = await go_group(sharing)
    own, theirs = await bob.peer.shared_files.everything(group)
    assert (own.peer, own.files, theirs.peer) == (bob.id, (), gopher.id)
    assert [file.name for file in theirs.files] == ["paper.pdf", "empty"], "names that nobody can keep are not shown"
    transfer = await fetched(bob, group, "paper.pdf")
    assert (transfer.state, transfer.problem, transfer.path.read_bytes()) == ("done", "", CONTENT)
    assert transfer.path == bob.peer.folder / "received" / GROUP / "paper.pdf"
    assert (await fetched(bob, group, "empty")).path.read_bytes() == b""
    gopher.listed = [{"name": "paper.pdf", "size": len(CONTENT), "mod_time": 1, "hash": hash_of(b"another one")}]
    wrong = await fetched(bob, group, "paper.pdf")
    assert (wrong.state, "is not the file that" in wrong.problem, wrong.received) == ("stopped", True, 0)
    assert transfer.path.read_bytes() == CONTENT, "what was here stays"
    with pytest.raises(SharedFileNotFoundError, match="nobody who is here shares a file 'evil' with that group"):
        await bob.peer.shared_files.fetch(group, "evil")


async def test_a_broken_transfer_goes_on_where_it_stopped(sharing: Sharing) -> None:
    bob, gopher = sharing.bob, sharing.gopher
    gopher.files = {"paper.pdf": CONTENT}
    gopher.breaks_after = [100_000, 200_000]
    group = await go_group(sharing)
    seen: list[int] = []
    bob.peer.shared_files.subscribe(lambda _: seen.extend(one.received for one in bob.peer.shared_files.transfers()))
    transfer = await fetched(bob, group, "paper.pdf")
    assert (transfer.state, transfer.path.read_bytes()) == ("done", CONTENT)
    gets = [one for one in gopher.asked if one["op"] == "get"]
    assert [one.get("offset", 0) for one in gets] == [0, 100_000, 200_000]
    assert seen == sorted(seen), "what is here is never less"
    assert {100_000, 200_000, len(CONTENT)} <= set(seen)


async def test_a_transfer_that_stopped_goes_on_after_a_new_start(sharing: Sharing) -> None:
    ann, bob, group = sharing.ann, sharing.bob, sharing.group
    await share(ann, group, "paper.pdf")
    joined_group = await bob.peer.grouping.join(ann.id, group.id)
    (file,) = await ann.peer.shared_files.own(group)
    place = bob.peer.folder / "received" / group.id
    place.mkdir(parents=True)
    (place / f".paper.pdf.{file.hash[7:23]}.part").write_bytes(CONTENT[:250_000])
    transfer = await bob.peer.shared_files.fetch(joined_group, "paper.pdf")
    assert transfer.received == 250_000
    await bob.peer.shared_files.wait(transfer, 20)
    assert (transfer.state, transfer.path.read_bytes()) == ("done", CONTENT)
    assert [path.name for path in place.iterdir()] == ["paper.pdf"]


@pytest.mark.parametrize("kind", ["link", "hard link"])
async def test_what_comes_is_written_to_no_other_file(sharing: Sharing, kind: str) -> None:
    """A folder of a stranger's may have a link where the pieces go."""
    ann, bob, group = sharing.ann, sharing.bob, sharing.group
    await share(ann, group, "paper.pdf")
    theirs = await bob.peer.grouping.join(ann.id, group.id)
    (file,) = await ann.peer.shared_files.own(group)
    victim = bob.peer.folder / "victim"
    victim.write_text("mine")
    part = bob.peer.shared_files.received.made(group.id) / f".paper.pdf.{file.hash[7:23]}.part"
    if kind == "link":
        part.symlink_to(victim)
    else:
        part.hardlink_to(victim)
    transfer = await fetched(bob, theirs, "paper.pdf")
    assert victim.read_text() == "mine"
    assert (transfer.state, transfer.problem.startswith("the file cannot be written")) in [("done", False), ("stopped", True)]


async def test_a_peer_of_ours_sends_pieces_and_members_share_with_each_other(sharing: Sharing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 65_536)
    ann, bob, gopher, group = sharing.ann, sharing.bob, sharing.gopher, sharing.group
    await gopher.join(ann.id, group.id)
    theirs = await bob.peer.grouping.join(ann.id, group.id)
    await share(bob, theirs, "of bob.bin")
    transfer = await fetched(ann, group, "of bob.bin", bob.id)
    assert (transfer.state, transfer.path.read_bytes()) == ("done", CONTENT)
    await until(lambda: gopher.id in bob.peer.grouping.groups.joined()[0].members)
    assert (await gopher.ask(bob.id, op="get", group_id=group.id, file="of bob.bin"))[1] == CONTENT, "a member gives to members"
    await bob.peer.shared_files.remove(theirs, "of bob.bin")
    with pytest.raises(SharedFileNotFoundError):
        await ann.peer.shared_files.fetch(group, "of bob.bin", bob.id)


async def test_another_group_with_the_same_id_gets_none_of_the_files(sharing: Sharing) -> None:
    """Its host chose the id, and would have this peer's files of another group by it."""
    ann, gopher = sharing.ann, sharing.gopher
    await share(ann, sharing.group, "secret.txt", b"for friends")
    gopher.hosts(sharing.group.id)
    trap = await ann.peer.grouping.join(gopher.id, sharing.group.id)
    first, rest = await gopher.ask(ann.id, op="get", group_id=sharing.group.id, file="secret.txt")
    assert (json.loads(first)["ok"], rest) == (False, b"")
    assert json.loads((await gopher.ask(ann.id, op="list", group_id=sharing.group.id))[0]) == {"ok": True, "files": []}
    with pytest.raises(NetworkError, match="would go to other people"):
        await share(ann, trap, "more.txt")
    folder = ann.peer.folder / "shared" / GROUP
    folder.mkdir()
    (folder / "from Go.txt").write_text("it was here before")
    before = await ann.peer.grouping.join(gopher.id, GROUP)
    assert await ann.peer.shared_files.own(before) == []
    with pytest.raises(NetworkError, match="was there before this group"):
        await share(ann, before, "more.txt")


async def test_what_is_shared_is_bounded_and_its_name_is_safe(sharing: Sharing, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, group = sharing.ann, sharing.group
    monkeypatch.setattr(type(ann.peer.shared_files), "quota_bytes", property(lambda _: 500_000))
    await share(ann, group, "first.bin")
    await share(ann, group, "first.bin")
    with pytest.raises(SharedFileError, match=r"larger than 500000 bytes .*storage\.shared_mb"):
        await share(ann, group, "second.bin")
    monkeypatch.setattr(type(ann.peer.shared_files), "quota_bytes", property(lambda _: 10**12))
    with pytest.raises(SharedFileError, match="the most that peers give each other"):
        await ann.peer.shared_files.share(group, "huge.bin", BytesIO(b"x" * (FILE_MAX_BYTES + 1)))
    for name in ("../x", "a/b", ".x", "", "x\ny", "x\u202ey", "con", "x.", " x", "x" * 201, "a\\b"):
        with pytest.raises(SharedFileError, match="no name for a shared file"):
            await share(ann, group, name)
    assert [path.name for path in (ann.peer.folder / "shared" / group.id).iterdir()] == ["first.bin"]


async def test_a_folder_that_is_a_link_is_neither_shared_nor_written(sharing: Sharing, tmp_path: Path) -> None:
    ann, group = sharing.ann, sharing.group
    (tmp_path / "private").mkdir()
    (tmp_path / "private/diary.txt").write_text("mine")
    (ann.peer.folder / "shared").mkdir(exist_ok=True)
    (ann.peer.folder / "shared" / group.id).symlink_to(tmp_path / "private")
    with pytest.raises((SharedFileError, NetworkError)):
        await share(ann, group, "x.txt")
    await sharing.gopher.join(ann.id, group.id)
    await until(lambda: bool(sharing.gopher.welcomes(group.id)))
    for request in ({"op": "list"}, {"op": "get", "file": "diary.txt"}):
        first, rest = await sharing.gopher.ask(ann.id, group_id=group.id, **request)
        assert b"mine" not in first + rest
        assert b"diary.txt" not in first or request["op"] == "get"
    assert [path.name for path in (tmp_path / "private").iterdir()] == ["diary.txt"]


async def test_a_refusal_is_said_at_once_and_not_asked_again(sharing: Sharing) -> None:
    bob, gopher = sharing.bob, sharing.gopher
    group = await go_group(sharing)
    gopher.forgets_members()
    with pytest.raises(FilesRefusedError, match="gives nothing: not a member"):
        await bob.peer.shared_files.fetch(group, "x", gopher.id)
    assert len(gopher.asked) == 1


async def test_files_are_sealed_both_ways_when_both_have_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE_BYTES", 100_000)
    async with AsyncExitStack() as stack:
        ann = await joined_with_keys(stack, tmp_path / "ann")
        bob = await joined_with_keys(stack, tmp_path / "bob")
        key = PrivateKey.generate()
        gopher = GoFiles(await stack.enter_async_context(loopback_host()))
        await gopher.open()
        gopher.hosts(GROUP)
        gopher.files = {"paper.pdf": CONTENT}
        for one, other in ((bob.network.host, ann.network.host), (gopher.host, ann.network.host)):
            await connect(one, other)
        assert ann.peer.payload_keys is not None
        gopher.box = Box(key, PublicKey(base64.b64decode(ann.peer.payload_keys.public_text)))
        said: dict[str, Any] = {"peerID": gopher.id, "content": "G", "publicKey": base64.b64encode(bytes(key.public_key)).decode()}
        await gopher.send(ann.id, "identity.response", {**said, "encryptionSupported": True})
        # Its messages of groups are plain in this test; what it shares is sealed.
        ann.network.client._key_ring._keys[gopher.id].supported = False
        group = await ann.peer.grouping.join(gopher.id, GROUP)
        ann.network.client._key_ring._keys[gopher.id].supported = True
        transfer = await fetched(ann, group, "paper.pdf")
        assert (transfer.state, transfer.problem, transfer.path.read_bytes()) == ("done", "", CONTENT)
        await share(ann, group, "mine.txt", b"hello")
        first, content = await gopher.ask(ann.id, op="get", group_id=GROUP, file="mine.txt")
        assert (first.split()[0], content) == (b"EOK", b"hello")
        listed, _ = await gopher.ask(ann.id, op="list", group_id=GROUP)
        assert [one["name"] for one in json.loads(listed)["files"]] == ["mine.txt"]
        ours = await ann.peer.grouping.create("Papers", "files")
        await share(ann, ours, "large.bin")
        with_ours = await bob.peer.grouping.join(ann.id, ours.id)
        counted = [0]
        original: Callable[..., Awaitable[bool]] = ann.peer.shared_files._source._send_encrypted  # type: ignore[union-attr]

        async def send_encrypted(*arguments: Any) -> bool:
            counted[0] += 1
            return await original(*arguments)

        monkeypatch.setattr(ann.peer.shared_files._source, "_send_encrypted", send_encrypted)
        await until(lambda: bob.network.client._key_ring.knows(ann.id) and ann.network.client._key_ring.knows(bob.id))
        done = await fetched(bob, with_ours, "large.bin")
        assert (done.state, done.path.read_bytes(), counted[0]) == ("done", CONTENT, 3)
