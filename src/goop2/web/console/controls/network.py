"""Network: where this peer can be reached, who is here, and connecting by address.

GET  /network           {up, id, addresses, peers: [{id, label, proved, addresses, site}]}
POST /network/connect   {address} → {peer, label}
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.net.faults import AddressError, NetworkError
from goop2.web.app import Parts
from goop2.web.console.controls.replies import refusal, reply, route, sent


class Where(msgspec.Struct):
    """The address of a peer: `/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…`."""

    address: str


def routes(parts: Parts) -> list[BaseRoute]:
    """Return the routes of the network page's controls."""

    async def overview(request: Request) -> Response:
        network = parts.abroad.network
        if network is None:
            return reply({"up": False, "id": parts.peer_id, "addresses": [], "peers": []})
        peers = [
            {"id": one.id, "label": one.label, "proved": one.proved, "addresses": one.addresses, "site": f"/p/{one.id}/"}
            for one in network.roster.peers()
        ]
        return reply({"up": True, "id": parts.peer_id, "addresses": network.addresses(), "peers": peers})

    async def connect(request: Request) -> Response:
        where = await sent(request, Where)
        network = parts.abroad.network
        if network is None:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "this peer is not on the network yet")
        try:
            peer, label = await network.connect(where.address)
        except AddressError:
            raise
        except NetworkError as fault:
            # The address is well formed; what is behind it does not answer.
            return refusal(HTTPStatus.BAD_GATEWAY, "unavailable", str(fault))
        return reply({"peer": peer, "label": label})

    return [route("/network", overview), route("/network/connect", connect, methods=["POST"])]
