"""Network: where this peer can be reached, who is here, and connecting by address.

GET  /network           {up, id, addresses, reach, peers: [{id, label, email, avatar, proved, addresses, site, way, address, relay,
                        latency_ms}], typed_in: [{peer, address}]}; avatar: the hash of its picture, "" when it has none
                        reach: {reachable, dialled_at: [{address, by, at, private}], text}, null while the network is not up
POST /network/connect   {address} → {peer, label}
POST /network/forget    {peer} → {typed_in}: the addresses of this peer that were typed in are dialled no more
"""

from __future__ import annotations

from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.net.faults import NetworkError
from goop2.peers.ways import way_of
from goop2.scripting.invocation import ErrorCode
from goop2.services.peer import Peer
from goop2.web.console.controls.replies import refusal, reply, route, sent
from goop2.web.remote.network import NetworkView, RemoteNetwork


class ConnectRequest(msgspec.Struct):
    """The request to connect to the peer at an address: `/ip4/192.0.2.7/tcp/4001/p2p/12D3Koo…`."""

    address: str


class ForgetAddressRequest(msgspec.Struct):
    """The request to forget the addresses of a peer that the owner typed in."""

    peer: str


def routes(peer: Peer, remote: RemoteNetwork) -> list[BaseRoute]:
    """Return the routes of the network page's controls."""
    own_id = peer.identity.peer_id

    async def overview(_request: Request) -> Response:
        network = remote.network
        if network is None:
            return reply({"up": False, "id": own_id, "addresses": [], "reach": None, "peers": [], "typed_in": []})
        # Nobody waits for it: an event says when it is done.
        network.measure_latencies()
        connected = network.connected()
        peers = [
            {
                "id": entry.id,
                "label": entry.label,
                "email": entry.told_email or entry.email,
                "avatar": peer.avatars.hash_of(entry.id),
                "proved": entry.proved,
                "addresses": entry.addresses,
                "site": f"/p/{entry.id}/",
                **way_of(connected.get(entry.id)),
            }
            for entry in network.roster.peers()
        ]
        reach, typed = network.reach(), _typed_in(network)
        return reply({"up": True, "id": own_id, "addresses": network.addresses(), "reach": reach, "peers": peers, "typed_in": typed})

    async def connect(request: Request) -> Response:
        address = (await sent(request, ConnectRequest)).address
        network = remote.network
        if network is None:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "this peer is not on the network yet")
        other, label = await network.connect(address)
        return reply({"peer": other, "label": label})

    async def forget(request: Request) -> Response:
        other = (await sent(request, ForgetAddressRequest)).peer
        network = remote.network
        if network is None:
            return refusal(HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "this peer is not on the network yet")
        network.forget(other)
        return reply({"typed_in": _typed_in(network)})

    return [
        route("/network/forget", forget, methods=["POST"]),
        route("/network", overview),
        # Where another peer is unavailable, this one is a gateway that got no answer.
        route("/network/connect", connect, methods=["POST"], statuses={ErrorCode.UNAVAILABLE: HTTPStatus.BAD_GATEWAY}),
    ]


def _typed_in(network: NetworkView) -> list[dict[str, str]]:
    """Return the addresses the owner typed in; [] where their file cannot be read, which Home says."""
    try:
        found = network.typed_in()
    except NetworkError:
        return []
    return [{"peer": peer, "address": address} for peer, address in found]
