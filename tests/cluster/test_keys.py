"""The keys of machines: as NATS writes them, and their files."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from nacl.signing import VerifyKey

from goop2.cluster.bus import ClusterError
from goop2.cluster.keys import ClusterKey, _seed, new_key, read_key, write_key

PUBLISHED_SECRET = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY"
PUBLISHED_PUBLIC = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4"
"""A pair that the documentation of NATS shows."""


def test_a_published_secret_gives_the_published_public_key() -> None:
    seed = _seed(PUBLISHED_SECRET)
    assert seed is not None
    key = ClusterKey("x", seed)
    assert (key.public, key.secret) == (PUBLISHED_PUBLIC, PUBLISHED_SECRET)


def test_a_key_signs_what_the_server_asks() -> None:
    key = new_key("attic")
    signature = base64.b64decode(key.signed("nonce"))
    seed = _seed(key.secret)
    assert seed == key.seed
    public = base64.b32decode(key.public + "=" * (-len(key.public) % 8))[1:33]
    VerifyKey(public).verify(b"nonce", signature)


def test_a_key_is_the_same_after_it_was_written_and_hidden_from_others(tmp_path: Path) -> None:
    key = new_key("attic", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    file = tmp_path / "new" / "attic.nk"
    write_key(file, key)
    assert (read_key(file), file.stat().st_mode & 0o777, repr(key.seed) in repr(key)) == (key, 0o600, False)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"SUAAA", PUBLISHED_SECRET[:-1].encode() + b"A", PUBLISHED_PUBLIC.encode(), b"SU" + b"A" * 56]
)
def test_what_is_no_key_is_refused_with_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.nk").write_bytes(content)
    with pytest.raises(ClusterError, match=r"x\.nk is no key for a cluster; goop2 cluster invite NAME DIR makes one"):
        read_key(tmp_path / "x.nk")


def test_a_missing_file_and_a_folder_are_refused_with_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ClusterError, match="the key for the cluster, cannot be read"):
            read_key(path)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "a" * 41, "ä", "a.b", "a\n"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ClusterError, match="is no name for a machine"):
        new_key(name)
