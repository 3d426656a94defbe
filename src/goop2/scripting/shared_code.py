"""goop.use: the text of shared code, from the catalog, where the last version that compiles is. It must not know how code is run."""

from __future__ import annotations

import re
from typing import Final

from goop2.sandbox.answers import Answer, ok, raised
from goop2.sandbox.messages import Scalar
from goop2.scripting.catalog import BrokenScript, Catalog
from goop2.scripting.invocation import Invocation, PeerOperation
from goop2.scripting.printable import printable
from goop2.scripting.source_files import LIBRARY_FOLDER

OPERATION: Final = "use.source"
NAME_SHOWN_CHARS: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")


def shared_code(catalog: Catalog) -> PeerOperation:
    """Return the operation that gives shared code by its name; a script names no path, so nothing outside of `lib` can be meant."""

    async def source(_invocation: Invocation, name: Scalar) -> Answer:
        wanted = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        if not _NAME.fullmatch(wanted):
            return raised(
                f'goop.use takes the name of a file in {LIBRARY_FOLDER}, without its ending, not "{printable(wanted, NAME_SHOWN_CHARS)}"'
            )
        found = catalog.library(wanted)
        if found is None:
            return raised(f"goop.use: there is no {LIBRARY_FOLDER}/{printable(wanted, NAME_SHOWN_CHARS)}.lua in the folder of the scripts")
        if isinstance(found, BrokenScript):
            return raised(f"{LIBRARY_FOLDER}/{found.message}")
        return ok(found.source)

    return source
