"""data/peers.json: the peers the owner typed in."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from tests.net.hosts import new_identity

from goop2.net.address import PeerAddress
from goop2.net.limits import ADDRESSES_MAX, REMEMBERED_MAX
from goop2.peers.discovery.peers_file import FILE, FILE_MAX_BYTES, KEYS_MAX, PeersFileError, RememberedPeers

ANN, BOB = new_identity().peer_id, new_identity().peer_id


def address(peer: str, port: int = 4001) -> PeerAddress:
    return PeerAddress(peer, f"/ip4/192.0.2.7/tcp/{port}")


def test_what_is_typed_in_is_there_at_the_next_start_the_last_first(tmp_path: Path) -> None:
    for each in (address(ANN), address(BOB), address(BOB, 4002)):
        RememberedPeers(tmp_path).add(each)
    assert RememberedPeers(tmp_path).addresses() == [address(BOB, 4002), address(BOB), address(ANN)]
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


def test_a_folder_without_the_file_knows_nobody(tmp_path: Path) -> None:
    assert RememberedPeers(tmp_path).addresses() == []
    assert not RememberedPeers(tmp_path).forget(ANN)


def test_a_peer_is_forgotten(tmp_path: Path) -> None:
    remembered = RememberedPeers(tmp_path)
    remembered.add(address(ANN))
    assert remembered.forget(ANN)
    assert remembered.addresses() == []


def test_peers_and_their_addresses_are_bounded(tmp_path: Path) -> None:
    remembered = RememberedPeers(tmp_path)
    for port in range(1, ADDRESSES_MAX + 5):
        remembered.add(address(ANN, port))
    assert len(remembered.addresses()) == ADDRESSES_MAX
    peers = ",".join(f'{{"id":"{number}"}}' for number in range(REMEMBERED_MAX + 10))
    (tmp_path / FILE).write_text(f'{{"peers":[{peers}]}}')
    remembered.add(address(BOB))
    assert (tmp_path / FILE).read_text().count('"id"') == REMEMBERED_MAX


def test_no_more_is_dialled_of_a_file_that_came_with_the_folder(tmp_path: Path) -> None:
    addresses = [f"/ip4/192.0.2.7/tcp/{port}" for port in range(1, ADDRESSES_MAX + 5)]
    (tmp_path / "data").mkdir()
    (tmp_path / FILE).write_text(json.dumps({"peers": [{"id": ANN, "addresses": addresses}] * (REMEMBERED_MAX + 1)}))
    assert len(RememberedPeers(tmp_path).addresses()) == REMEMBERED_MAX * ADDRESSES_MAX


@pytest.mark.parametrize("content", ["", "[]", '{"peers":7}', '{"peers":[{"id":"nobody","addresses":["/ip4/1.2.3.4/tcp/1"]}]}'])
def test_a_file_that_is_none_is_a_sentence_and_stays(tmp_path: Path, content: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / FILE).write_text(content)
    with pytest.raises(PeersFileError, match=r"peers\.json"):
        RememberedPeers(tmp_path).addresses()
    assert (tmp_path / FILE).read_text() == content


def test_a_file_beyond_bounds_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / FILE).write_bytes(b" " * (FILE_MAX_BYTES + 1))
    with pytest.raises(PeersFileError, match="make it shorter or delete it"):
        RememberedPeers(tmp_path).addresses()


def test_the_keys_of_peers_are_kept_beside_what_is_typed_in(tmp_path: Path) -> None:
    remembered = RememberedPeers(tmp_path)
    remembered.add(address(ANN))
    remembered.add_keys({BOB: "first", ANN: "a key"})
    remembered.add_keys({BOB: "second"})
    remembered.add(address(BOB))
    assert remembered.forget(ANN)
    assert remembered.keys() == {ANN: "a key", BOB: "second"}
    assert remembered.addresses() == [address(BOB)]


def test_keys_are_bounded_and_the_newest_stay(tmp_path: Path) -> None:
    remembered = RememberedPeers(tmp_path)
    remembered.add_keys({f"peer{number}": "a key" for number in range(KEYS_MAX)})
    remembered.add_keys({"new": "a key"})
    assert len(remembered.keys()) == KEYS_MAX
    assert "new" in remembered.keys()  # noqa: SIM118 - a method of ours, not of a mapping
    assert "peer0" not in remembered.keys()  # noqa: SIM118
