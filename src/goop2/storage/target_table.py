"""A table that somebody from outside named: its columns, its policies, and what of it they may know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from goop2.storage.columns import SYSTEM_COLUMNS, Table
from goop2.storage.database import Value
from goop2.storage.errors import AccessError, DeclarationError
from goop2.storage.policies import Rights, Visitor
from goop2.storage.values import shown


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTable:
    """A table resolved for the caller who asked for it."""

    name: str
    columns: tuple[str, ...]
    access: Mapping[str, str]
    typed: Table | None
    rights: Rights | None = None
    """What its roles may, of a typed table that has them."""
    computed: frozenset[str] = frozenset()
    """The columns that SQLite computes of others."""
    damage: str = ""
    """Why its declaration cannot be read; then it is the owner's alone, and nothing is written to it."""

    @property
    def mode(self) -> str:
        """Return which kind of table it is, as other peers call it."""
        return "orm" if self.typed else "classic"

    @property
    def declaration(self) -> dict[str, object]:
        """Return the declaration of a typed table; {} of another."""
        if self.typed is None:
            return {}
        columns = [column.plain() for column in self.typed.columns]
        roles = {"roles": self.typed.roles} if self.typed.roles is not None else {}
        return {"name": self.name, "columns": columns, "access": dict(self.access), **roles, "system_key": not self.typed.key_names}

    @property
    def blobs(self) -> tuple[str, ...]:
        """Return the columns that hold bytes, of a typed table."""
        return tuple(column.name for column in self.typed.columns if column.type == "blob") if self.typed else ()

    def visible_to(self, visitor: Visitor) -> bool:
        """Return whether the visitor may see its name."""
        return visitor.owner or self.access["read"] != "local"

    def known_to(self, visitor: Visitor) -> bool:
        """Return whether the visitor may do anything with it; a table that only accepts rows is not listed but can be named."""
        return visitor.owner or any(policy != "local" for policy in self.access.values())

    def need_declaration(self) -> None:
        """Raise `DeclarationError` if it is damaged."""
        if self.damage:
            raise DeclarationError(self.damage)

    def settable(self, data: Mapping[str, Value]) -> dict[str, Value]:
        """Return columns of a classic table and their new values. Raises `AccessError` for an unknown one."""
        for name in data:
            if name not in self.columns or name in SYSTEM_COLUMNS:
                raise AccessError("bad_request", f"{self.name} has no column {shown(name)} to set")
            if name in self.computed:
                raise AccessError("bad_request", f"{self.name}.{name} is computed of other columns: it cannot be set")
        return dict(data)
