"""A peer's key file and id: the network's own forms, made once, never overwritten."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.started import Started

from goop2.folder.identity import FILE, Identity, IdentityError, _create, load_or_create

# Seed, public key, peer id. The ids were computed by py-libp2p 0.8.1, not by this code.
VECTORS = [
    (bytes(32), "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29", "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN"),
    (
        bytes(range(32)),
        "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8",
        "12D3KooWA4Xop1JaT3MHxwYMkCepYsv4iPVopMXwCz5iHYdBfeSB",
    ),
    (
        b"\xff" * 32,
        "76a1592044a6e4f511265bca73a604d90b0529d1df602be30a19a9257660d1f5",
        "12D3KooWHoSyTgntm77sXShoeX9uNkqKNMhHxKtskaHqnA54SrSG",
    ),
]
SEED, PUBLIC_KEY, PEER_ID = bytes(range(32)), bytes.fromhex(VECTORS[1][1]), VECTORS[1][2]

ROUNDS = 100
RACER = """
import sys, pathlib
from goop2.folder.identity import load_or_create
me, other, root = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
for folder in sorted(root.iterdir()):
    (folder / me).touch()
    while not (folder / other).exists():
        pass
    print(load_or_create(folder).peer_id)
"""


def with_key(folder: Path, content: bytes) -> Path:
    """A peer folder with this key file."""
    file = folder / FILE
    file.parent.mkdir()
    file.write_bytes(content)
    return file


def refusal(folder: Path) -> str:
    """The sentence with which a key is refused."""
    with pytest.raises(IdentityError) as refused:
        load_or_create(folder)
    return str(refused.value)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.mark.parametrize(("seed", "public_key", "peer_id"), VECTORS)
@pytest.mark.parametrize(("header", "copies"), [("08011220", 0), ("08011240", 1), ("08011260", 2)])
def test_every_form_of_the_file_gives_the_id_the_network_gives(
    seed: bytes, public_key: str, peer_id: str, header: str, copies: int, tmp_path: Path
) -> None:
    content = bytes.fromhex(header) + seed + bytes.fromhex(public_key) * copies
    file = with_key(tmp_path, content)
    assert load_or_create(tmp_path) == Identity(peer_id, seed)
    assert file.read_bytes() == content


def test_a_new_key_is_68_bytes_in_the_preferred_form(tmp_path: Path) -> None:
    identity = load_or_create(tmp_path)
    content = (tmp_path / FILE).read_bytes()
    assert len(content) == 68
    assert content[:36] == bytes.fromhex("08011240") + identity.seed


def test_a_new_key_is_read_again_as_it_was_made(tmp_path: Path) -> None:
    assert load_or_create(tmp_path) == load_or_create(tmp_path)


def test_two_folders_are_two_peers(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert load_or_create(tmp_path / "a").peer_id != load_or_create(tmp_path / "b").peer_id


def test_only_the_owner_may_read_the_key_and_its_folder(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        load_or_create(tmp_path)
    finally:
        os.umask(before)
    assert (mode(tmp_path / FILE), mode(tmp_path / "data")) == (0o600, 0o700)


def test_making_a_key_leaves_nothing_else_behind(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    assert [file.name for file in (tmp_path / "data").iterdir()] == ["identity.key"]


def test_two_processes_that_make_the_key_at_once_get_the_same_one(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        (tmp_path / str(number)).mkdir()
    with ExitStack() as stack:
        racers = [
            stack.enter_context(Started([sys.executable, "-c", RACER, me, other, str(tmp_path)], stdout=subprocess.PIPE, text=True))
            for me, other in (("left", "right"), ("right", "left"))
        ]
        left, right = (racer.communicate(timeout=60)[0].split() for racer in racers)
    assert left == right
    assert len(set(left)) == ROUNDS
    assert sorted(file.name for file in tmp_path.glob("*/data/*")) == ["identity.key"] * ROUNDS


def test_a_process_that_looked_before_the_key_was_made_does_not_overwrite_it(tmp_path: Path) -> None:
    # The narrow case of the race above, which that test meets only now and then.
    winner = load_or_create(tmp_path)
    _create(tmp_path / FILE)
    assert load_or_create(tmp_path) == winner


def test_the_seed_is_in_no_repr(tmp_path: Path) -> None:
    with_key(tmp_path, bytes.fromhex("08011220") + SEED)
    assert repr(load_or_create(tmp_path)) == f"Identity(peer_id='{PEER_ID}')"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it has 0 bytes where 36, 68 or 100 are expected"),
        (b"\x08\x01\x12\x40" + SEED + PUBLIC_KEY[:-1], "it has 67 bytes where 36, 68 or 100 are expected"),
        (bytes(5_000_000), "it has more than 100 bytes where 36, 68 or 100 are expected"),
        (b"\x08\x00\x12\x40" + SEED + PUBLIC_KEY, "it begins with 08 00 12 40 where an Ed25519 key of its size has 08 01 12 40"),
        (b"\x08\x01\x12\x20" + SEED + PUBLIC_KEY, "it begins with 08 01 12 20 where an Ed25519 key of its size has 08 01 12 40"),
        (b"\x08\x01\x12\x40" + SEED + bytes(32), "its public key does not belong to its seed"),
        (b"\x08\x01\x12\x60" + SEED + PUBLIC_KEY + bytes(32), "its public key does not belong to its seed"),
        (b"\x08\x01\x12\x60" + SEED + bytes(32) + PUBLIC_KEY, "its public key does not belong to its seed"),
    ],
)
def test_a_garbled_key_is_refused_and_kept(content: bytes, why: str, tmp_path: Path) -> None:
    file = with_key(tmp_path, content)
    remedy = "restore it from a copy, or move it away and the peer gets a new key and a new id"
    assert refusal(tmp_path) == f"{file} is not a peer's key, {why}: {remedy}"
    assert file.read_bytes() == content


@pytest.mark.parametrize("make", [lambda file: file.mkdir(), lambda file: os.mkfifo(file), lambda file: file.symlink_to("/dev/zero")])
def test_a_key_that_is_no_regular_file_is_refused_without_reading_it(make: Callable[[Path], None], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    make(tmp_path / FILE)
    assert "identity.key is not a peer's key, it is not a regular file: " in refusal(tmp_path)


def test_a_link_to_a_key_that_is_away_is_refused_and_makes_no_new_one(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    # As when the key lives on a stick that is not plugged in.
    (tmp_path / FILE).symlink_to("stick/identity.key")
    assert refusal(tmp_path).startswith(f"{tmp_path / FILE} cannot be read (No such file or directory): ")
    assert (tmp_path / FILE).is_symlink()


def test_a_folder_in_which_no_key_can_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    assert refusal(tmp_path).startswith(f"{tmp_path / FILE} cannot be made (File exists): ")


def test_a_key_nobody_may_look_at_is_not_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(_file: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "lstat", deny)
    assert refusal(tmp_path).startswith(f"{tmp_path / FILE} cannot be read (Permission denied): ")
    assert not (tmp_path / "data").exists()
