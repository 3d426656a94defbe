"""A peer folder with a catalog and a compiler that a test holds in its hand."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from goop2.scripting.catalog import Catalog, CatalogChange, CompileUnavailableError, Script, ScriptEntry


class Compiler:
    """Finds `???` to be an error, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.unavailable = ""
        self.slow: dict[bytes, asyncio.Event] = {}
        """Sources whose verdict comes only when the event is set."""
        self.at_once = 0
        self.most_at_once = 0

    async def __call__(self, name: str, source: bytes) -> str:
        self.asked.append(name)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await (self.slow[source].wait() if source in self.slow else asyncio.sleep(0))
        finally:
            self.at_once -= 1
        if self.unavailable:
            raise CompileUnavailableError(self.unavailable)
        error = re.search(rb"\?\?\?", source)
        return f"{name}:{source[: error.start()].count(10) + 1}: unexpected symbol near '?'" if error else ""


class Peer:
    """A peer folder, its catalog, and all it was heard to say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compiler = Compiler()
        self.catalog = Catalog(folder, Path("site/lua"), self.compiler)
        self.changes: list[CatalogChange] = []
        self.catalog.subscribe(self.changes.append)

    def write(self, name: str, content: str | bytes = "return 1") -> Path:
        path = self.folder / "site/lua" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def source(self, name: str) -> bytes | None:
        """Of the version of a command that runs."""
        found = self.catalog.command(name)
        return found.source if isinstance(found, Script) else None

    def listed(self, name: str) -> ScriptEntry:
        (listed,) = (listed for listed in self.catalog.listing() if listed.name == name)
        return listed

    def heard(self) -> list[tuple[str, str]]:
        heard: list[tuple[str, str]] = [(change.what, change.name) for change in self.changes]
        self.changes.clear()
        return heard
