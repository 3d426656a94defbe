"""go-, js- and py-libp2p hear a peer of ours leave, though it goes as soon as it was met, and though go-libp2p has no time to listen then.

Not js-libp2p: at the end of a connection it throws away what it has not read, and our peer waits for nobody longer than a moment.
"""

from __future__ import annotations

from contextlib import AsyncExitStack, nullcontext
from pathlib import Path

import pytest
from tests.interop.others import Build, go_peer, js_peer, py_peer, running
from tests.net.hosts import LOOPBACK

from goop2.app import join, open_peer
from goop2.protocols.presence import TOPIC


@pytest.mark.parametrize(
    ("build", "busy"),
    [(go_peer, False), (go_peer, True), (js_peer, False), (py_peer, False)],
    ids=["go-libp2p", "go-libp2p-busy", "js-libp2p", "py-libp2p"],
)
async def test_our_end_is_a_goodbye(build: Build, busy: bool, tmp_path: Path) -> None:
    (tmp_path / "goop.json").write_text("{}")
    async with running(build(tmp_path)) as other, open_peer(tmp_path, {}) as peer:
        async with AsyncExitStack() as here:
            network = await here.enter_async_context(join(peer, 0, listen_on=LOOPBACK, near_by=False))
            await other.subscribe(TOPIC)
            await other.connect(network.host.addresses[0])
            await other.came(TOPIC, b'"type":"online"')
            with other.frozen() if busy else nullcontext():
                await here.aclose()
        author, _ = await other.came(TOPIC, b'"type":"offline"')
        assert author == peer.identity.peer_id
