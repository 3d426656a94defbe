"""Where the owner can go: what Ctrl+K finds besides the console's pages and runs.

    GET /places   {scripts: [{kind, name, about}], tables: [name], settings: [{path, title}], documents: [{name, title}]}

Names alone, whatever their number: the page looks among them while the owner types.
"""

from __future__ import annotations

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.config.settings import declared
from goop2.scripting.engine import Failure
from goop2.services.peer import Peer
from goop2.web.console.controls.replies import reply, route
from goop2.web.console.documents import summaries


def place_routes(peer: Peer) -> list[BaseRoute]:
    """Return the route of the places."""

    async def places(_request: Request) -> Response:
        tables = await peer.tables.perform("tables", peer.owner, {})
        # A database that cannot be read hides its tables here; Home says why.
        names = [] if isinstance(tables, Failure) else [table["name"] for table in msgspec.json.decode(tables.json)]
        return reply(
            {
                "scripts": [{"kind": each.kind, "name": each.name, "about": each.description} for each in peer.catalog.listing()],
                "tables": names,
                "settings": [{"path": each.path, "title": each.title} for each in declared()],
                "documents": [{"name": each.name, "title": each.title} for each in await asyncio.to_thread(summaries)],
            }
        )

    return [route("/places", places)]
