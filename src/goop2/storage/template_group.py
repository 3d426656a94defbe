"""The template group: the one hosted group whose roles the policy `group` applies (behaviour.md, Changes, "Roles").

`_meta` names it and the template's default role, as other peers write them. It must not know who is in which group; the caller does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from goop2.protocols import untrusted_json
from goop2.protocols.topics import ROLE_MAX_CHARS
from goop2.storage.database import Database

TEMPLATE: Final = "template"
"""The type of the groups whose members the policy `group` means."""
VIEWER: Final = "viewer"
"""The role of a member where the template names no other."""
OWNER: Final = "owner"
"""The role that may do everything."""
Roles = Mapping[str, str | None]
"""Group of type `template` hosted here, the newest last → somebody's role in it: "" for the default one, None where they are no member."""


def template_group(database: Database, hosted: Roles) -> str:
    """Return the id of the template group among those hosted here, "" when there is none."""
    named = _meta(database, "template_group_id")
    return named if named in hosted else [*hosted, ""][len(hosted) - 1]


def role_in(database: Database, roles: Roles) -> str:
    """Return somebody's role in the template group, "" for who has none."""
    role = roles.get(template_group(database, roles))
    return "" if role is None else role or default_role(database)


def manifest(database: Database) -> dict[str, object]:
    """Return the manifest of the site's template, empty without one."""
    try:
        document: object = untrusted_json.decode(_meta(database, "template_manifest"))
    except untrusted_json.InvalidJsonError:
        return {}
    return document if isinstance(document, dict) else {}


def requires_email(database: Database) -> bool:
    """Return whether the template asks callers for their e-mail address."""
    return _meta(database, "template_require_email") == "1"


def default_role(database: Database) -> str:
    """Return the role that members have who were given none."""
    role = manifest(database).get("default_role")
    return role if isinstance(role, str) and 0 < len(role) <= ROLE_MAX_CHARS else VIEWER


def _meta(database: Database, key: str) -> str:
    value = database.scalar("SELECT value FROM _meta WHERE key = ?", (key,))
    return value if isinstance(value, str) else ""
