"""The templates that `goop2 init` starts from, and the demo that joins all of them in one peer.

A template is a folder here, laid out as the peer folder it becomes; `shared/` goes into each. Code puts the demo together: each site moves
into a folder of its own, with a link back, while scripts, tables and api.json stay where a peer looks for them. It must not know what paths
and texts mean.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

DEFAULT: Final = "start"
TEMPLATES: Final = {
    DEFAULT: "a front page and the manual's scripts",
    "blank": "an empty page",
    "blog": "posts under tags, by the REST API, without a line of Lua",
    "quiz": "a function that scores answers nobody can look up",
    "tictactoe": "two players, a lobby, and whoever watches",
    "guestbook": "visitors sign, and change what is theirs",
    "listening": "you play, everybody hears the same second",
    "todo": "a list that you keep and everybody reads",
    "poll": "questions, one answer a peer, and what all said",
    "rooms": "chat rooms, with who is there",
    "kanban": "cards that are dragged, and move for everybody",
    "photos": "pictures you upload, and look at large",
}
"""Name → what it shows."""

DEMO: Final = "demo"
DEMO_SITES: Final = ("blog", "quiz", "tictactoe", "guestbook", "listening", "todo", "poll", "rooms", "kanban", "photos")
"""What the demo's front page links to, each under its own name."""
DEMO_COMMAND: Final = "site/lua/hello.lua"
"""Of the template `start`: the demo has a chat command too."""

_SHARED: Final = "shared"
_PORTABLE: Final = "portable"
"""What goes into the templates whose pages load the SDK by LOADER, so that they work in other programs' viewers too."""
_LOADER: Final = '"./sdk.js"'
_SITE: Final = PurePosixPath("site")
_STAY: Final = (PurePosixPath("site/lua"), PurePosixPath("site/api.json"), PurePosixPath("schemas"))
"""What a peer looks for at one place, whichever page it is for."""


_PAGE: Final = '<main class="page">\n'
_WAY_BACK: Final = '      <p class="small"><a href="../">← All of the demo</a></p>\n'
"""On the pages of the demo, which are not at the root of their site."""


class TemplateClashError(Exception):
    """Two templates of the demo have a file of the same name."""


def files_of(name: str) -> dict[str, str]:
    """Return path inside the new folder → content, of a template of `TEMPLATES` or of the `DEMO`."""
    return _demo() if name == DEMO else _template(name)


def _template(name: str) -> dict[str, str]:
    own = _read(name)
    portable = _read(_PORTABLE) if any(_LOADER in text for text in own.values()) else {}
    return {**_read(_SHARED), **portable, **own}


def _demo() -> dict[str, str]:
    found = _template(DEMO)
    found[DEMO_COMMAND] = _read(DEFAULT)[DEMO_COMMAND]
    for site in DEMO_SITES:
        for path, text in _template(site).items():
            place = _in_demo(PurePosixPath(path), site)
            if place is None:
                continue
            if place in found:
                raise TemplateClashError(f"{place} is in {site} and in another template")
            found[place] = text.replace(_PAGE, _PAGE + _WAY_BACK) if place.endswith(".html") else text
    return found


def _in_demo(path: PurePosixPath, site: str) -> str | None:
    """Return the place of a template's file in the demo; None for settings and README, of which the demo has its own."""
    if any(path.is_relative_to(staying) for staying in _STAY):
        return str(path)
    return str(_SITE / site / path.relative_to(_SITE)) if path.is_relative_to(_SITE) else None


def _read(name: str) -> dict[str, str]:
    from importlib import resources  # late: every command imports the names above

    return dict(_files(resources.files(__name__).joinpath(name), PurePosixPath()))


def _files(here: Traversable, path: PurePosixPath) -> Iterator[tuple[str, str]]:
    for entry in here.iterdir():
        if entry.is_dir():
            yield from _files(entry, path / entry.name)
        else:
            yield str(path / entry.name), entry.read_text(encoding="utf-8")
