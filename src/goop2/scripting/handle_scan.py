"""Whether the file of a data function seems to define the global `handle`, so that `!name` may run it.

By its text, since nothing runs before somebody calls it; the first run as a command shows whether it is so (catalog.py, `lacks_handle`).
"""

from __future__ import annotations

import re
from typing import Final

_NOT_CODE: Final = re.compile(
    rb"--\[(=*)\[.*?\]\1\]|--[^\n]*|\[(=*)\[.*?\]\2\]|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
    re.DOTALL,
)
"""Comments and strings, in which a definition is none."""
_DEFINED: Final = re.compile(
    rb"(?<![\w.:])(?<!local )function\s+handle\s*\(|(?<![\w.:])(?<!local )handle\s*=(?!=)|\b_G\s*\.\s*handle\s*=(?!=)"
)


def defines_handle(source: bytes) -> bool:
    """Return whether `source` seems to define a global function `handle`."""
    return b"handle" in source and _DEFINED.search(_NOT_CODE.sub(b" ", source)) is not None
