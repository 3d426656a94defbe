"""Write the size of each file of the SDK into docs/pages.md, as a browser gets it without compression. Run it after a change to a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from goop2.web.http.assets import Assets

PAGE: Final = Path(__file__).parents[1] / "docs/pages.md"
BLOCK: Final = re.compile(r"(?<=<!-- sizes -->\n).*?(?=<!-- end of sizes -->)", re.DOTALL)
_OURS: Final = "goop-live.js"
_KB: Final = 1024


def table() -> str:
    """Return the table of sizes: a script, and the style that belongs to it."""
    sizes = Assets("sdk").sizes()
    rows = [
        f"| `{name}` | {_shown(sizes[name])} | {_shown(style) if (style := sizes.get(f'{name[:-3]}.css')) else ''} |\n"
        for name in sorted(sizes)
        if name.endswith(".js") and name != _OURS
    ]
    return "| script | KB | KB of its style |\n| --- | --- | --- |\n" + "".join(rows)


def _shown(size: int) -> str:
    return f"{size / _KB:.1f}"


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda _: table(), PAGE.read_text()))
