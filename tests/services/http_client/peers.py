"""A real peer, workers and all, whose scripts reach the stage instead of the world."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from goop2.app import open_peer
from goop2.scripting.engine import Failure
from goop2.scripting.invocation import Caller
from goop2.services.http_client.client import Dependencies
from goop2.services.peer import Peer

STRANGER = Caller("stranger")


@asynccontextmanager
async def peer_with(
    folder: Path, world: Dependencies, commands: Mapping[str, str], functions: Mapping[str, str] | None = None, **lua: object
) -> AsyncIterator[Peer]:
    """A peer with these scripts, `lua` in its goop.json, and goop.http unless told otherwise."""
    settings = {"enabled": True, "http_enabled": True, "rate_limit_per_peer": 100_000, "rate_limit_global": 100_000, **lua}
    (folder / "goop.json").write_text(json.dumps({"lua": settings}))
    scripts = folder / "site/lua"
    (scripts / "functions").mkdir(parents=True)
    for name, source in commands.items():
        (scripts / f"{name}.lua").write_text(source)
    for name, source in (functions or {}).items():
        (scripts / f"functions/{name}.lua").write_text(source)
    async with open_peer(folder, {}, world=world) as peer:
        yield peer


async def said(peer: Peer, message: str, caller: Caller = STRANGER) -> str:
    """The reply to a command."""
    return (await peer.engine.command(caller, message)).text


async def given(peer: Peer, function: str, params: object = None, caller: Caller = STRANGER) -> object:
    """The result of a data function, or its failure's message."""
    result = await peer.engine.call(caller, function, json.dumps(params or {}).encode())
    return result.message if isinstance(result, Failure) else json.loads(result.json)
