"""The pictures of a folder: the owner's, and the cache of what other peers have sent."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.go_pictures import PNG, name_of

from goop2.services import avatars as module
from goop2.services.avatars import CACHE, INDEX, SET_MAX_BYTES, AvatarError, Avatars, open_avatars

ANN, BOB = "12D3KooWAnn", "12D3KooWBob"


@pytest.fixture
async def avatars(tmp_path: Path) -> Avatars:
    (tmp_path / "data").mkdir()
    async with open_avatars(tmp_path) as opened:
        return opened


async def test_the_own_picture_is_set_replaced_by_hand_and_removed(tmp_path: Path, avatars: Avatars) -> None:
    changes: list[str] = []
    avatars.subscribe(changes.append)
    assert (avatars.own, avatars.own_hash) == (None, "")
    await avatars.set(PNG)
    assert (avatars.own_hash, (tmp_path / "avatar.png").read_bytes()) == (name_of(PNG), PNG)
    (tmp_path / "avatar.png").write_bytes(PNG + b"more")
    await avatars.look()
    assert avatars.own_hash == name_of(PNG + b"more")
    await avatars.look()
    await avatars.remove()
    assert (avatars.own, avatars.own_hash, (tmp_path / "avatar.png").exists()) == (None, "", False)
    await avatars.remove()
    assert changes == ["", "", ""]


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"GIF89a", PNG + b"x" * SET_MAX_BYTES])
async def test_what_is_no_picture_or_too_large_is_not_set(tmp_path: Path, avatars: Avatars, content: bytes) -> None:
    with pytest.raises(AvatarError):
        await avatars.set(content)
    assert not (tmp_path / "avatar.png").exists()


async def test_setting_a_picture_writes_through_no_link(tmp_path: Path, avatars: Avatars) -> None:
    (tmp_path / "elsewhere").write_text("mine")
    (tmp_path / "avatar.png").symlink_to(tmp_path / "elsewhere")
    await avatars.set(PNG)
    assert ((tmp_path / "elsewhere").read_text(), (tmp_path / "avatar.png").is_symlink()) == ("mine", False)


async def test_a_named_pipe_is_no_picture_and_holds_nobody(tmp_path: Path, avatars: Avatars) -> None:
    os.mkfifo(tmp_path / "avatar.png")
    await avatars.look()
    assert avatars.own is None


async def test_a_picture_is_kept_only_under_the_hash_of_its_own_bytes(tmp_path: Path, avatars: Avatars) -> None:
    other = PNG + b"other"
    avatars.told(ANN, name_of(PNG))
    avatars.told(BOB, name_of(PNG))
    assert not await avatars.keep(BOB, other), "else it would be shown as Ann's"
    assert await avatars.picture(ANN) is None
    assert await avatars.keep(BOB, PNG)
    picture = await avatars.picture(ANN)
    assert picture is not None
    assert picture.content == PNG
    (tmp_path / CACHE / name_of(PNG)).write_bytes(other)
    assert await avatars.picture(ANN) is None, "whoever can write there cannot change it either"


async def test_a_hash_that_is_a_path_names_nothing(tmp_path: Path, avatars: Avatars) -> None:
    (tmp_path / "secret").write_bytes(PNG)
    for name in ("../../secret", "/etc/passwd", "", "x" * 16):
        avatars.told(ANN, name)
        assert (avatars.hash_of(ANN), await avatars.picture(ANN), await avatars.has(name)) == ("", None, False)


async def test_the_cache_is_bounded_and_outlives_a_restart(tmp_path: Path, avatars: Avatars, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CACHE_MAX_FILES", 3)
    pictures = [PNG + bytes([number]) for number in range(5)]
    for age, content in enumerate(pictures):
        avatars.told(ANN, name_of(content))
        assert await avatars.keep(ANN, content)
        os.utime(tmp_path / CACHE / name_of(content), (age, age))
    (tmp_path / CACHE / f".{name_of(PNG)}.left").write_text("by a crash")
    avatars.told(BOB, name_of(PNG))
    assert await avatars.keep(BOB, PNG)
    kept = {path.name for path in (tmp_path / CACHE).iterdir()}
    assert kept == {INDEX, name_of(PNG), name_of(pictures[3]), name_of(pictures[4])}
    async with open_avatars(tmp_path) as again:
        picture = await again.picture(ANN)
        assert picture is not None
        assert picture.content == pictures[4]


async def test_an_index_of_a_strangers_folder_names_no_other_files(tmp_path: Path) -> None:
    (tmp_path / CACHE).mkdir(parents=True)
    for text in (json.dumps({ANN: "../identity.key", BOB: name_of(PNG)}), "[1]", "{", json.dumps({ANN: 1})):
        (tmp_path / CACHE / INDEX).write_text(text)
        async with open_avatars(tmp_path) as avatars:
            assert avatars.hash_of(ANN) == ""


async def test_a_cache_that_is_a_link_is_neither_written_nor_emptied(tmp_path: Path) -> None:
    (tmp_path / "peer/data").mkdir(parents=True)
    (tmp_path / "home").mkdir()
    (tmp_path / "home/0123456789abcdef").write_text("a file of the owner's")
    (tmp_path / "peer" / CACHE).symlink_to(tmp_path / "home")
    async with open_avatars(tmp_path / "peer") as avatars:
        avatars.told(ANN, "0123456789abcdef")
        assert await avatars.picture(ANN) is None
        avatars.told(ANN, name_of(PNG))
        assert not await avatars.keep(ANN, PNG)
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["0123456789abcdef"]
