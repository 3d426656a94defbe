"""The manifest of a template: text from somebody else, read once and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from goop2.protocols import untrusted_json
from goop2.protocols.topics import ROLE_MAX_CHARS
from goop2.scripting.printable import printable
from goop2.services.templates.errors import TemplateError
from goop2.services.templates.limits import MANIFEST_MAX_BYTES, NAME_MAX_CHARS, TEXT_MAX_CHARS
from goop2.storage.policies import CLASSIC
from goop2.storage.template_group import VIEWER


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a template says of itself."""

    name: str
    text: str
    """As it is kept for scripts and pages: JSON."""
    description: str = ""
    require_email: bool = False
    default_role: str = VIEWER
    policies: Mapping[str, str] = field(default_factory=dict)
    """Table of schema.sql → who may add rows, of those that a policy is known for."""
    odd: tuple[str, ...] = ()


def read(content: bytes | None, name: str, description: str = "") -> Manifest:
    """Return a template's manifest; `name` and `description` where it has none. Raises `TemplateError`."""
    if content is None:
        text = json.dumps({"name": _line(name), "description": description}, ensure_ascii=False)
        return Manifest(name=_line(name), text=text, description=description)
    if len(content) > MANIFEST_MAX_BYTES:
        raise TemplateError(f"manifest.json is {len(content)} bytes; the most is {MANIFEST_MAX_BYTES}")
    try:
        document: Any = untrusted_json.decode(content.removeprefix(b"\xef\xbb\xbf"))
    except untrusted_json.InvalidJsonError as error:
        raise TemplateError(f"manifest.json is no JSON: {error}") from None
    if not isinstance(document, dict):
        raise TemplateError("manifest.json must be an object with a name")
    policies, odd = _policies(document.get("tables"))
    role = document.get("default_role")
    said = document.get("name")
    described = document.get("description")
    return Manifest(
        name=_line(said) if isinstance(said, str) and said.strip() else _line(name),
        text=json.dumps(document, ensure_ascii=False),
        description=_line(described, TEXT_MAX_CHARS) if isinstance(described, str) else "",
        require_email=document.get("require_email") is True,
        default_role=role if isinstance(role, str) and 0 < len(role) <= ROLE_MAX_CHARS else VIEWER,
        policies=policies,
        odd=tuple(odd),
    )


def name_in(text: str | None) -> str:
    """Return the name in a manifest that `_meta` keeps, "" without one."""
    try:
        return read(text.encode(), "").name if text else ""
    except TemplateError:
        return ""


def _policies(tables: object) -> tuple[dict[str, str], list[str]]:
    found: dict[str, str] = {}
    odd: list[str] = []
    for name, rules in tables.items() if isinstance(tables, dict) else ():
        policy = rules.get("insert_policy") if isinstance(rules, dict) else None
        if isinstance(policy, str) and policy in CLASSIC:
            found[str(name)] = policy
        elif policy is not None:
            found[str(name)] = "local"
            odd.append(f"manifest.json: the policy of {_line(str(name))} is not known, so that table is for you alone (local)")
    return found, odd


def _line(text: str, most: int = NAME_MAX_CHARS) -> str:
    return printable(" ".join(text.split()), most)
