"""Cluster: the owner's other machines that run scripts for this peer.

GET  /cluster   {is_set_up, cluster: {server, connected, why, version, spill, under_way, calls, losses, put_back, breaches,
                 nodes: [{name, key, host, state, why, slots, under_way, calls, losses}],
                 lease: null or {held, holder, since, age_seconds, term, trouble, standbys: [{name, host, behind_seconds, trouble,
                 is_here}]}}}; cluster is null when it is not set up
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.services.peer import Peer
from goop2.web.console.controls.replies import reply, route


def routes(peer: Peer) -> list[BaseRoute]:
    """Return the route of the cluster page's control."""

    async def overview(_request: Request) -> Response:
        shown = peer.cluster
        return reply({"is_set_up": shown is not None, "cluster": None if shown is None else msgspec.to_builtins(shown.view())})

    return [route("/cluster", overview)]
