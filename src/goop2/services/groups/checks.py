"""What the owner may say of a group: each function returns its value as it is kept, or raises `InvalidGroupError` with a sentence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from goop2.protocols.topics import CONTEXT_MAX_CHARS, MEMBERS_MAX, ROLE_MAX_CHARS
from goop2.services.groups.errors import InvalidGroupError
from goop2.services.groups.limits import NAME_MAX_CHARS, ROLE_NAMES_MAX
from goop2.services.groups.records import GroupInfo
from goop2.storage.template_group import OWNER

_SHOWN_CHARS: Final = 80
"""Of a wrong value, in a sentence."""


def name(text: str) -> str:
    """Return the name of a group, each run of blanks as one. Raises `InvalidGroupError` for an empty or too long one."""
    return _name(text)


def kind(text: str) -> str:
    """Return the type of a group, any word: other programs have types of their own. Raises `InvalidGroupError`."""
    return _name(text)


def context(text: str) -> str:
    """Return what a group is for; "" for nothing."""
    return _words(text, "a group's context", CONTEXT_MAX_CHARS) if text.strip() else ""


def max_members(number: int) -> int:
    """Return how many members there may be; 0 for as many as the network allows."""
    if not 0 <= number <= MEMBERS_MAX:
        raise InvalidGroupError(f"max_members is {number}; allowed is 0, for as many as there may be, to {MEMBERS_MAX}")
    return number


def role(text: str, group: GroupInfo) -> str:
    """Return a role that a member of this group may have."""
    text = _words(text, "a role", ROLE_MAX_CHARS)
    allowed = tuple(dict.fromkeys((*group.role_names, group.default_role, OWNER)))
    if group.role_names and text not in allowed:
        raise InvalidGroupError(f"the group {group.name!r} has the roles {', '.join(allowed)}; {text!r} is none of them")
    return text


def role_names(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of a group's roles, each once."""
    found = tuple(dict.fromkeys(_words(one, "a role", ROLE_MAX_CHARS) for one in names))
    if len(found) > ROLE_NAMES_MAX:
        raise InvalidGroupError(f"a group has at most {ROLE_NAMES_MAX} roles; these are {len(found)}")
    return found


def _name(text: str) -> str:
    text = " ".join(text.split())
    if not 0 < len(text) <= NAME_MAX_CHARS:
        raise InvalidGroupError(f"a group's name and its type have 1 to {NAME_MAX_CHARS} characters")
    return text


def _words(text: str, what: str, most: int) -> str:
    text = " ".join(text.split())
    if not text:
        raise InvalidGroupError(f"{what} is empty; it has 1 to {most} characters")
    if len(text) > most:
        raise InvalidGroupError(f"{what} has {len(text)} characters, {text[:_SHOWN_CHARS]!r}…; the most is {most}")
    odd = next((character for character in text if not character.isprintable()), "")
    if odd:
        raise InvalidGroupError(f"{what} holds the character {odd!r}, which cannot be shown: leave it out")
    return text
