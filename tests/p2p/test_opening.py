"""The network of a peer, opened whole on the peer's own loop, and again."""

from __future__ import annotations

import json
from pathlib import Path

from tests.p2p.hosts import LOOPBACK

from goop2.p2p.address import parse
from goop2.p2p.opening import Network, Served, open_network
from goop2.p2p.serving import Received
from goop2.peer import Peer, open_peer
from goop2.site_files import SiteFiles


async def ignore(_message: Received) -> None:
    """Keeps nothing."""


def served(peer: Peer) -> Served:
    files = SiteFiles(peer.folder, [peer.settings.script_dir(peer.folder)])
    return Served(lambda: peer.settings.profile.label, files, peer.engine, peer.catalog, ignore)


async def test_a_peers_network_opens_closes_and_opens_again_with_the_same_id(tmp_path: Path) -> None:
    (tmp_path / "goop.json").write_text(json.dumps({"profile": {"label": "Alice"}}))
    async with open_peer(tmp_path, {}) as peer:
        for _ in range(2):
            async with open_network(peer.identity, 0, served(peer), listen_on=LOOPBACK) as network:
                assert network.host.peer_id == peer.identity.peer_id
                assert parse(network.host.addresses[0]).peer == peer.identity.peer_id
                assert isinstance(network, Network)
