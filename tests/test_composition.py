"""One composition root: app.py puts the rooms of a peer together, and nobody else does.

A room offers functions `open_…` (the web may call its own `serving`), which take finished parts and hold something open until their block
is left. Within its room anybody may call one. Across rooms only app.py may, and the few that EXCEPTIONS names.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

PACKAGE = Path(__file__).parent.parent / "src/goop2"
ROOT = "app"
SERVING = "serving"
"""What opens the web: it holds nothing open but its listeners, which are made before."""
EXCEPTIONS = {
    # A program of its own, of a server and a relay; a peer opens neither by itself.
    "cli.rendezvous": {"rendezvous.server.open_rendezvous"},
    "rendezvous.relay_server": {"net.host.open_host", "net.relay.open_relay"},
    # What the user runs is what app.py opens.
    "cli.session": {"app.open_peer"},
    "cli.doctor": {"app.open_peer"},
    "cli.lua_test": {"app.open_script_tests"},
    # What is heard over gossip goes to what discovery makes of it: the roster and the peers that are dialled.
    "peers.discovery.discovery": {"net.gossip.service.open_gossip"},
}


@cache
def modules() -> dict[str, ast.Module]:
    """Return the modules of the package by dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text("utf-8"))
    return found


@cache
def openers() -> frozenset[str]:
    """Return the dotted names of all functions that open something: asynchronous context managers with such a name."""
    return frozenset(
        f"{module}.{node.name}"
        for module, tree in modules().items()
        for node in tree.body
        if isinstance(node, ast.AsyncFunctionDef)
        and (node.name.startswith("open_") or node.name == SERVING)
        and any("asynccontextmanager" in ast.unparse(decorator) for decorator in node.decorator_list)
    )


def imported_openers(tree: ast.Module) -> Iterator[str]:
    """Yield the openers that a module imports, in functions too, and through a package that offers what a module of it has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("goop2."):
            source = (node.module or "").removeprefix("goop2.")
            yield from filter(None, (opener(source, alias.name) for alias in node.names))


def opener(source: str, name: str) -> str:
    """Return the dotted name of the opener that is imported from a module by a name; "" when it is none."""
    if f"{source}.{name}" in openers():
        return f"{source}.{name}"
    for node in modules().get(source, ast.Module([], [])).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("goop2."):
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    return opener((node.module or "").removeprefix("goop2."), alias.name)
    return ""


def across_rooms() -> dict[str, set[str]]:
    """Return module → the openers of other rooms that it calls."""
    found = {}
    for module, tree in modules().items():
        others = {name for name in imported_openers(tree) if name.split(".")[0] != module.split(".")[0]}
        if others and module != ROOT:
            found[module] = others
    return found


def test_nobody_but_the_composition_root_opens_another_room() -> None:
    assert across_rooms() == EXCEPTIONS, "open it in app.py and pass on what it gives"


def test_the_composition_root_opens_every_room_of_a_peer() -> None:
    opened = {name.split(".")[0] for name in imported_openers(modules()[ROOT])}
    assert opened >= {"services", "web", "peers", "rendezvous", "net"}


def test_an_opener_is_known_by_the_name_its_package_gives_it() -> None:
    assert opener("net.gossip", "open_gossip") == "net.gossip.service.open_gossip"
    assert opener("net.gossip", "Gossip") == ""


def test_an_opener_takes_finished_parts_and_no_context_managers() -> None:
    taken = [
        name
        for name in sorted(openers())
        for node in modules()[name.rpartition(".")[0]].body
        if isinstance(node, ast.AsyncFunctionDef) and node.name == name.rpartition(".")[2]
        for argument in (*node.args.args, *node.args.kwonlyargs)
        if argument.annotation is not None and "ContextManager" in ast.unparse(argument.annotation)
    ]
    assert taken == []


def test_the_openers_are_found() -> None:
    assert {"app.open_peer", "peers.network.open_network", "services.chat.service.open_chat"} <= openers()
