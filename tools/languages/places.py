"""Where strings of a script stand that people read, and where they stand that nobody reads: the lists of places.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_LISTS: Final = tomllib.loads((Path(__file__).parent / "places.toml").read_text())
MAKERS: Final = frozenset[str](_LISTS["makers"])
READ: Final = frozenset[str](_LISTS["read"])
CODE: Final = frozenset[str](_LISTS["code"])
CODE_ASSIGNED: Final = frozenset[str](_LISTS["code_assigned"])
DEAF: Final = frozenset[str](_LISTS["deaf"])
SAME_EVERYWHERE: Final = frozenset[str](_LISTS["same_everywhere"])
SAYING: Final[Mapping[str, list[int]]] = _LISTS["saying"]
