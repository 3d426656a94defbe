"""The languages of the console and of the SDK: a file each in web/languages/, and which of them a browser asks for.

English is in the scripts themselves, and its file is what translators begin with. Sentences of the peer, such as errors, are English.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

import msgspec

ENGLISH: Final = "en"
_ENDING: Final = ".json"
_SAID: Final = re.compile(rb'(?<![\w.$])t\("([^"\\]*)"')
"""A text in a script of the SDK: `t("Page {0} of {1}", …)`."""
_WANTED: Final = re.compile(r"\s*(?P<code>[A-Za-z]{1,8})(?:-[A-Za-z0-9-]*)?\s*(?:;\s*q=(?P<weight>[0-9.]{1,5}))?\s*")


class Texts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The texts of the console or of the SDK in a language."""

    plain: dict[str, str] = {}
    """English → this language; {0}, {1} … stand for values."""
    plurals: dict[str, dict[str, str]] = {}
    """English form for several → category of Intl.PluralRules → this language."""


class Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of web/languages/."""

    language: str
    """Its own name for itself."""
    console: Texts
    sdk: Texts


@cache
def languages() -> Mapping[str, Language]:
    """Return code → language, for each file there is."""
    folder = resources.files("goop2.web").joinpath("languages")
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(_ENDING)), key=lambda entry: entry.name)
    return {entry.name.removesuffix(_ENDING): msgspec.json.decode(entry.read_bytes(), type=Language) for entry in files}


def console_files(index: bytes) -> dict[str, bytes]:
    """Return what the console serves for languages: a file each, and its first page `index`, which names them."""
    codes = " ".join(languages()).encode()
    files = {f"languages/{code}{_ENDING}": msgspec.json.encode(one.console) for code, one in languages().items() if code != ENGLISH}
    return {**files, "index.html": index.replace(b'data-languages="en"', b'data-languages="%s"' % codes)}


def texts_for(script: bytes, code: str) -> bytes:
    """Return the statement that gives a script of the SDK its texts in a language; b"" when it says none, or in English.

    Texts that the page has set before are kept.
    """
    plain = languages()[code].sdk.plain if code in languages() else {}
    said = {key: plain[key] for key in sorted({match.decode() for match in _SAID.findall(script)}) if key in plain}
    if not said or code == ENGLISH:
        return b""
    return b"(globalThis.Goop ||= {}).texts = { ...%s, ...globalThis.Goop.texts };\n" % json.dumps(said, ensure_ascii=False).encode()


def says_texts(script: bytes) -> bool:
    """Return whether a script of the SDK says any text."""
    return bool(_SAID.search(script))


def asked(accepted: str) -> str:
    """Return the code of the language that the header Accept-Language wants most; English when it names none of ours."""
    best, most = ENGLISH, 0.0
    for entry in accepted.split(",")[:_ENTRIES_MAX]:
        match = _WANTED.fullmatch(entry)
        if match is None or match["code"].lower() not in languages():
            continue
        weight = _weight(match["weight"])
        if weight > most:
            best, most = match["code"].lower(), weight
    return best


_ENTRIES_MAX: Final = 16
"""Of the header that are read; a browser sends a handful."""


def _weight(text: str | None) -> float:
    try:
        return 1.0 if text is None else float(text)
    except ValueError:
        return 0.0
