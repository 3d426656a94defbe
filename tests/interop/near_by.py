"""Run inside a network of its own: a go peer and ours look for each other by mDNS alone. Prints {"ours", "go", "we_found", "go_found"}."""

from __future__ import annotations

import asyncio
import json
import sys

from tests.p2p.hosts import new_identity

from goop2.p2p.discovery.mdns import open_mdns
from goop2.p2p.guest import open_guest
from goop2.p2p.host import open_host

SECONDS = 6


async def main(go_peer: str) -> None:
    """Both look for SECONDS."""
    found: set[str] = set()
    async with open_guest() as guest, open_host(guest, new_identity()) as host:
        process = await asyncio.create_subprocess_exec(go_peer, "mdns", "goop-mdns", str(SECONDS), stdout=asyncio.subprocess.PIPE)
        async with open_mdns(host.peer_id, host.port, lambda addresses: found.update(address.peer for address in addresses)):
            out = (await process.communicate())[0].decode()
    own, *others = out.split()
    print(json.dumps({"ours": host.peer_id, "go": own, "we_found": sorted(found), "go_found": others}))


asyncio.run(main(sys.argv[1]))
