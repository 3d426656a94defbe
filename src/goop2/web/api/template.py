"""`/api/template/settings`: the manifest of the template that the own site was made of, for the owner's own pages."""

from __future__ import annotations

import msgspec

from goop2.services.tables import Tables
from goop2.web.http.handlers import as_sent, endpoint, no_body
from goop2.web.http.request_context import Handler, RequestContext


class TemplateApi:
    """Endpoint of the template of the site."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.api: dict[str, Handler] = {
            "template/settings": endpoint(self._settings, as_sent, read=no_body, method="GET", name="template/settings")
        }
        """Path after `/api/` → handler."""

    async def _settings(self, _call: RequestContext, _body: bytes) -> bytes:
        return msgspec.json.encode(await self._tables.template())
