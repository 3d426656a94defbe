"""The files of the languages: which texts they should have, what is missing, and what the scripts no longer say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from tools.languages.texts import Texts, texts_of

WEB: Final = Path(__file__).parents[2] / "src/goop2/web"
FOLDER: Final = WEB / "languages"
ENGLISH: Final = "en"
PARTS: Final = {"console": WEB / "console/static", "sdk": WEB / "sdk"}
"""Part of a file → the folder whose scripts say its texts."""
_FOREIGN: Final = "vendor"


@cache
def scripts(part: str) -> tuple[tuple[Path, Texts], ...]:
    """Return each script of a part with its texts; read once."""
    return tuple((path, texts_of(path.read_text())) for path in sorted(PARTS[part].rglob("*.js")) if _FOREIGN not in path.parts)


def said(part: str) -> dict[str, Any]:
    """Return the texts of the scripts of a part, as the file of English has them: `plain` and `plurals`."""
    plain: dict[str, str] = {}
    plurals: dict[str, dict[str, str]] = {}
    for _, texts in scripts(part):
        for key, forms in texts.keys.items():
            if forms is None:
                plain[key] = key
            else:
                plurals[key] = {"one": forms[0], "other": forms[1]}
    return {"plain": dict(sorted(plain.items())), "plurals": dict(sorted(plurals.items()))}


def written(code: str) -> dict[str, Any]:
    """Return the file of a language."""
    file: dict[str, Any] = json.loads((FOLDER / f"{code}.json").read_text())
    return file


def codes() -> list[str]:
    """Return the codes of the languages that have a file."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def write_english() -> None:
    """Write the file of English anew, from the scripts."""
    file = {"language": "English", **{part: said(part) for part in PARTS}}
    (FOLDER / f"{ENGLISH}.json").write_text(json.dumps(file, ensure_ascii=False, indent=1) + "\n")


def faults() -> Iterator[str]:
    """Yield a sentence for each text that is bare in a script, missing in a language, or in a language and in no script."""
    for part in PARTS:
        for path, texts in scripts(part):
            source = path.read_text()
            for offset, _, text in texts.bare:
                place = f"{path.relative_to(WEB)}:{source.count(chr(10), 0, offset) + 1}"
                yield f"{place}: {text!r} is read by people: put it into t(…), many(…) or mix(…)"
        wanted = said(part)
        for code in codes():
            yield from _differences(code, part, wanted, written(code)[part])


def _differences(code: str, part: str, wanted: dict[str, Any], there: dict[str, Any]) -> Iterator[str]:
    for kind in ("plain", "plurals"):
        for key in wanted[kind].keys() - there[kind].keys():
            yield f"languages/{code}.json lacks {key!r} in {part}.{kind}"
        for key in there[kind].keys() - wanted[kind].keys():
            yield f"languages/{code}.json has {key!r} in {part}.{kind}, which no script says: remove it"
