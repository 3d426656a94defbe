"""docs/limits.md: every number that bounds something, with its reason, from the `limits.py` of each room."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/goop2"
KILOBYTE = 1024
OF_THE_SPECIFICATION = re.compile(r" \((?:behaviour|network|existing-sites)\.md[^)]*\)")
"""Where a reason names the specification, which readers do not have."""
HEAD = """# Limits, and why

Every number that bounds what a peer does. An owner may change those that are [settings](settings.md); the others are constants, and each
stands here with the reason for its value. Made from the `limits.py` of each part of goop2; change those, then run `make pages`.

What a caller gets when a limit is reached: [errors](errors.md).
"""
ROOMS = {
    "scripting": "Scripts and their workers",
    "storage": "The database",
    "web": "Browsers",
    "services/http_client": "goop.http",
    "services/chat": "Chat",
    "services/groups": "Groups",
    "services/rooms": "Chat rooms",
    "net": "The network",
    "rendezvous": "The rendezvous server",
}
"""Folder of a `limits.py` → heading; a folder without one here has its name."""


def files() -> list[Path]:
    """Return every file of limits, in the order of the page."""
    found = sorted(SOURCE.rglob("limits.py"))
    order = list(ROOMS)
    return sorted(found, key=lambda file: (order.index(_room(file)) if _room(file) in ROOMS else len(order), str(file)))


def page() -> str:
    """Return the text of the page."""
    return "\n".join([HEAD, *(_section(file) for file in files())])


def limits(file: Path) -> Iterator[tuple[str, object, str]]:
    """Yield name, value and reason of each constant of a file; constants in a row share the reason after the last."""
    module = import_module(".".join(("goop2", *file.relative_to(SOURCE).with_suffix("").parts)))
    waiting: list[str] = []
    for statement in ast.parse(file.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            waiting += [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name) and name.id.isupper()]
        elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) and waiting:
            reason = OF_THE_SPECIFICATION.sub("", " ".join(str(statement.value.value).split()))
            for name in waiting:
                yield name, getattr(module, name), reason
            waiting = []
    for name in waiting:
        yield name, getattr(module, name), ""


def shown(name: str, value: object) -> str:
    """Return a value with its unit, which its name ends in."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"`{value}`"
    if "BYTES" in name and value >= KILOBYTE:
        size, unit = (value / KILOBYTE**2, "MB") if value >= KILOBYTE**2 else (value / KILOBYTE, "KB")
        return f"{size:g} {unit}" if size == round(size, 2) else f"{value:,} bytes"
    unit = next((text for word, text in UNITS.items() if word in name.split("_")), "")
    return f"{value:,g}{unit}" if isinstance(value, float) else f"{value:,}{unit}"


UNITS = {"BYTES": " bytes", "SECONDS": " s", "CHARS": " characters", "MS": " ms", "MB": " MB", "DAYS": " days"}
"""Word of a name → what stands behind the number."""


def _room(file: Path) -> str:
    return str(file.parent.relative_to(SOURCE))


def _section(file: Path) -> str:
    rows = [f"| `{name}` | {shown(name, value)} | {why.replace('|', chr(92) + '|')} |" for name, value, why in limits(file) if why or value]
    return "\n".join(
        [f"## {ROOMS.get(_room(file), _room(file))}", "", "| limit | value | what it bounds, and why |", "| --- | --- | --- |", *rows, ""]
    )
