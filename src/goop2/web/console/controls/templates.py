"""Templates for the site: ours and an uploaded .tar.gz, what one would do, applying it with consent, and taking it back.

GET  /templates                 {templates: [{name, description}], current, can_undo}
POST /templates/upload?name=…   a .tar.gz, which is checked and kept until another comes → {name}
POST /templates/plan            {name | null for the uploaded one, switches} → {plan, sections, digest}
POST /templates/apply           {name, switches, digest} → {name, notes}
POST /templates/undo/plan       → {plan, sections, digest}
POST /templates/undo            {digest} → {name, notes}
"""

from __future__ import annotations

import asyncio
import io
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.folder.bundle_limits import ARCHIVE_MAX_BYTES
from goop2.folder.bundles import read_archive
from goop2.services.peer import Peer
from goop2.services.templates.errors import TemplateError
from goop2.services.templates.service import Applied, TemplateService
from goop2.services.templates.sources import Source, builtin, open_source
from goop2.web.console.controls.replies import reply, route, sent
from goop2.web.http.bodies import read_body

NAME_SHOWN_CHARS: Final = 80
"""Of the name of a file that is uploaded."""


class TemplateWanted(msgspec.Struct, frozen=True):
    """A template of ours by its name; None for the one that was uploaded last."""

    name: str | None = None
    switches: bool = True


class TemplateAgreed(TemplateWanted, frozen=True):
    """A template to apply, and the digest of the plan that was agreed to."""

    digest: str = ""


class UndoAgreed(msgspec.Struct, frozen=True):
    """The digest of the plan of taking back that was agreed to."""

    digest: str


class _Templates:
    """The controls, by the service of an open peer."""

    def __init__(self, templates: TemplateService) -> None:
        self._templates = templates
        self._uploaded: Source | None = None
        """The one that was uploaded last, checked, in memory."""

    async def _source(self, name: str | None) -> Source:
        if name is None:
            if self._uploaded is None:
                raise TemplateError("no template was uploaded since this peer started: upload it again")
            return self._uploaded
        # Not a path: a page must not name files of this machine.
        if name not in builtin():
            raise TemplateError(f"there is no template {name[:NAME_SHOWN_CHARS]!r}; ours are {', '.join(builtin())}")
        return await asyncio.to_thread(open_source, name)

    async def listed(self, _request: Request) -> Response:
        return reply(await self._templates.listed())

    async def upload(self, request: Request) -> Response:
        self._uploaded = None
        content = await read_body(request.scope, request.receive, ARCHIVE_MAX_BYTES)
        name = request.query_params.get("name", "").removesuffix(".gz").removesuffix(".tgz").removesuffix(".tar")[:NAME_SHOWN_CHARS]
        self._uploaded = Source(await asyncio.to_thread(read_archive, io.BytesIO(content), name or "template"), False)
        return reply({"name": self._uploaded.bundle.name})

    async def plan(self, request: Request) -> Response:
        wanted = await sent(request, TemplateWanted)
        plan = await self._templates.plan_of(await self._source(wanted.name), switches=wanted.switches)
        return reply(plan.shown())

    async def apply(self, request: Request) -> Response:
        agreed = await sent(request, TemplateAgreed)
        source = await self._source(agreed.name)
        return _told(await self._templates.apply_source(source, agreed.digest, switches=agreed.switches))

    async def plan_undo(self, _request: Request) -> Response:
        return reply((await self._templates.plan_undo()).shown())

    async def undo(self, request: Request) -> Response:
        return _told(await self._templates.undo((await sent(request, UndoAgreed)).digest))


def template_routes(peer: Peer) -> list[BaseRoute]:
    """Return the routes of the templates' controls."""
    controls = _Templates(peer.templates)
    changes = {
        "upload": controls.upload,
        "plan": controls.plan,
        "apply": controls.apply,
        "undo/plan": controls.plan_undo,
        "undo": controls.undo,
    }
    posts = (route(f"/templates/{name}", control, methods=["POST"]) for name, control in changes.items())
    return [route("/templates", controls.listed), *posts]


def _told(applied: Applied) -> Response:
    return reply({"name": applied.plan.name, "notes": applied.notes})
