"""Site: the tree of its files, the editor's files, uploads, and a look at the site that follows what is saved.

GET  /site/files            {files: [{path, size, modified, folder}], site, more}
POST /site/read             {path} → {path, version, size, text | null, picture, why}
POST /site/save             {path, text, version} → {version}; version "" for a new file; 409 with what is there now when that is another
POST /site/rename           {path, new_path}
POST /site/delete           {path, version}
POST /site/upload?path=…    the file; `replace=1` in place of one that is there → {version}
POST /site/preview          {follow}: whether the owner's pages of the site load themselves anew from now on, when a file is saved
"""

from __future__ import annotations

from functools import partial
from http import HTTPStatus

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from goop2.folder import site_editing, threads
from goop2.folder.site_changes import SiteFileMissingError
from goop2.folder.site_editing import SiteConflictError
from goop2.folder.site_files import LISTED_MAX
from goop2.web.app import Web
from goop2.web.console.controls.replies import CONFLICT, refusal, reply, route, sent
from goop2.web.console.controls.templates import template_routes
from goop2.web.http.bodies import read_body
from goop2.web.limits import UPLOAD_MAX_BYTES


class SitePathSent(msgspec.Struct, frozen=True):
    """A request about one file of the site, by its path inside the site folder."""

    path: str


class SiteSaveSent(SitePathSent, frozen=True):
    """A text to save in place of a version."""

    text: str
    version: str


class SiteRenameSent(SitePathSent, frozen=True):
    """A request to give a file another path; what is there already is not replaced."""

    new_path: str


class SiteDeleteSent(SitePathSent, frozen=True):
    """A file to remove, as it was shown."""

    version: str | None = None


class SitePreviewSent(msgspec.Struct, frozen=True):
    """Whether the owner's pages of the site load themselves anew when a file is saved."""

    follow: bool


def routes(web: Web) -> list[BaseRoute]:
    """Return the routes of the controls of the site's files and its templates."""
    files = web.peer.files

    async def listed(_request: Request) -> Response:
        entries = await threads.SITE.run(partial(files.listing, folders=True))
        shown = [{"path": one.path, "size": one.size, "modified": one.modified, "folder": one.is_folder} for one in entries]
        return reply({"files": shown, "more": len(entries) >= LISTED_MAX})

    async def read(request: Request) -> Response:
        wanted = await sent(request, SitePathSent)
        return reply(await threads.SITE.run(site_editing.read, files, wanted.path))

    async def save(request: Request) -> Response:
        given = await sent(request, SiteSaveSent)
        try:
            version = await threads.SITE.run(site_editing.save, files, given.path, given.text.encode(), given.version)
        except SiteConflictError as error:
            try:
                now = await threads.SITE.run(site_editing.read, files, given.path)
            except SiteFileMissingError:
                return refusal(HTTPStatus.CONFLICT, CONFLICT, str(error), text=None, version="")
            return refusal(HTTPStatus.CONFLICT, CONFLICT, str(error), text=now.text, version=now.version)
        return reply({"version": version})

    async def rename(request: Request) -> Response:
        wanted = await sent(request, SiteRenameSent)
        await threads.SITE.run(site_editing.rename, files, wanted.path, wanted.new_path)
        return reply({})

    async def delete(request: Request) -> Response:
        wanted = await sent(request, SiteDeleteSent)
        await threads.SITE.run(site_editing.delete, files, wanted.path, wanted.version)
        return reply({})

    async def upload(request: Request) -> Response:
        content = await read_body(request.scope, request.receive, UPLOAD_MAX_BYTES)
        path, replacing = request.query_params.get("path", ""), request.query_params.get("replace") == "1"
        return reply({"version": await threads.SITE.run(site_editing.save, files, path, content, None if replacing else "")})

    async def preview(request: Request) -> Response:
        web.follow_saves((await sent(request, SitePreviewSent)).follow)
        return reply({})

    changes = {"read": read, "save": save, "rename": rename, "delete": delete, "upload": upload, "preview": preview}
    posts = (route(f"/site/{name}", control, methods=["POST"]) for name, control in changes.items())
    return [route("/site/files", listed), *posts, *template_routes(web.peer)]
