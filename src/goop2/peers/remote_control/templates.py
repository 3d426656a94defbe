"""Templates, for commands: the running peer plans, applies and takes back, and reads its scripts and settings anew at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Final

import msgspec

from goop2.config import SettingsError
from goop2.config.editing import SettingsConflictError
from goop2.control_socket import Answer, ControlError, Operation, Request
from goop2.folder.bundles import BundleError
from goop2.folder.file_switch import SwitchError
from goop2.services.templates.errors import TemplateError
from goop2.storage.errors import StorageError

if TYPE_CHECKING:
    from goop2.services.templates.service import Applied, TemplateService

REFUSALS: Final = (TemplateError, BundleError, SwitchError, StorageError, SettingsError, SettingsConflictError)
"""What says in a sentence why a template is not applied."""


def _told(work: Callable[[Request], Awaitable[Answer]]) -> Operation:
    @wraps(work)
    async def operation(request: Request) -> Answer:
        try:
            return await work(request)
        except REFUSALS as error:
            raise ControlError(error.code, str(error)) from None

    return operation


class TemplateRemote:
    """The operations, by the service of an open peer.

    `template` is a name of ours or an absolute path; `switches`: whether goop.json is to switch on what the scripts need.
    """

    def __init__(self, templates: TemplateService) -> None:
        self._templates = templates
        self.operations: Mapping[str, Operation] = {
            "template-list": _told(self.listed),
            "template-plan": _told(self.plan),
            "template-apply": _told(self.apply),
            "template-undo-plan": _told(self.plan_undo),
            "template-undo": _told(self.undo),
        }

    async def listed(self, _request: Request) -> Answer:
        """Return `templates`, each `{name, description}`, the `current` one's name, and `can_undo`."""
        found: Answer = msgspec.to_builtins(await self._templates.listed())
        return found

    async def plan(self, request: Request) -> Answer:
        """`template, switches` → `plan, sections, digest`."""
        return (await self._templates.plan(str(request.get("template")), switches=bool(request.get("switches", True)))).shown()

    async def apply(self, request: Request) -> Answer:
        """`template, switches, digest` → `name, notes`."""
        name, digest = str(request.get("template")), str(request.get("digest"))
        return applied_fields(await self._templates.apply(name, digest, switches=bool(request.get("switches", True))))

    async def plan_undo(self, _request: Request) -> Answer:
        """Return `plan, sections, digest` of taking back the last change."""
        return (await self._templates.plan_undo()).shown()

    async def undo(self, request: Request) -> Answer:
        """`digest` → `name, notes`."""
        return applied_fields(await self._templates.undo(str(request.get("digest"))))


def applied_fields(applied: Applied) -> Answer:
    """Return what was done as JSON holds it."""
    return {"name": applied.plan.name, "notes": list(applied.notes)}
