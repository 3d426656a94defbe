"""Run inside a network of its own: a go peer and ours look for each other by mDNS alone. Prints {"ours", "go", "we_found", "go_found"}."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterable

from tests.interop.others import running
from tests.net.hosts import new_identity

from goop2.net.address import PeerAddress
from goop2.net.host import open_host
from goop2.peers.discovery.mdns import open_mdns

TAG = "goop-mdns"


async def main(go_peer: str) -> None:
    """Both look until both have found the other."""
    found: set[str] = set()
    seen = asyncio.Event()

    async with open_host(new_identity()) as host, running([go_peer], listen_on="/ip4/0.0.0.0/tcp/0") as go:
        await go.mdns(TAG)

        def heard(addresses: Iterable[PeerAddress]) -> None:
            found.update(address.peer for address in addresses)
            if found:
                seen.set()

        async with open_mdns(host.peer_id, host.port, heard):
            _, address = await go.came("found")
            await asyncio.wait_for(seen.wait(), 60)
        others = [address, *(data for _, data in go.all_that_came("found"))]
    print(json.dumps({"ours": host.peer_id, "go": go.id, "we_found": sorted(found), "go_found": [each.decode() for each in others]}))


asyncio.run(main(sys.argv[1]))
