"""Numbers of templates, each with its reason."""

from __future__ import annotations

from typing import Final

MANIFEST_MAX_BYTES: Final = 256 * 1024
"""It is kept in data.db and given to scripts as goop.template."""
NAME_MAX_CHARS: Final = 100
"""It names the template group too, whose names have that bound on the network."""
TEXT_MAX_CHARS: Final = 300
"""Of a description that is shown."""
NAMED_MAX: Final = 8
"""Files, tables or scripts that a sentence names; the rest is counted."""
LISTED_MAX: Final = 60
"""Scripts or tables with a line of their own."""
COUNTED_MAX: Final = 20_000
"""Files of the old site that are counted before the plan says "more than"."""
LOCK_SECONDS: Final = 60.0
"""How long a switch may take with the tables, the copies of dropped ones included."""
