"""Write the size of each file of the SDK into docs/pages.md, as a browser gets it without compression. Run it after a change to a file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from goop2.web.http.assets import Assets
from goop2.web.http.languages import languages

PAGE: Final = Path(__file__).parents[1] / "docs/pages.md"
BLOCK: Final = re.compile(r"(?<=<!-- sizes -->\n).*?(?=<!-- end of sizes -->)", re.DOTALL)
_OURS: Final = "goop-live.js"
_KB: Final = 1024


def table() -> str:
    """Return the table of sizes: a script, its texts in the longest of the other languages, and the style that belongs to it."""
    assets = Assets("sdk")
    sizes = assets.sizes()
    most = {name: max(assets.sizes(code)[name] for code in languages()) for name in sizes}
    rows = [
        f"| `{name}` | {_shown(sizes[name])} | {_shown(most[name] - sizes[name]) if most[name] > sizes[name] else ''} "
        f"| {_shown(style) if (style := sizes.get(f'{name[:-3]}.css')) else ''} |\n"
        for name in sorted(sizes)
        if name.endswith(".js") and name != _OURS
    ]
    head = "| script | KB | KB more in another language | KB of its style |\n| --- | --- | --- | --- |\n"
    return head + "".join(rows)


def _shown(size: int) -> str:
    return f"{size / _KB:.1f}"


if __name__ == "__main__":
    PAGE.write_text(BLOCK.sub(lambda _: table(), PAGE.read_text()))
