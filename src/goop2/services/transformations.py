"""The definitions of goop.transform: files `transformations/NAME.json` of the peer folder, read when a script asks for one."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, Final

from goop2.folder.regular_files import FileRefusedError, list_names, read_regular
from goop2.protocols.untrusted_json import InvalidJsonError, decode
from goop2.sandbox.answers import Answer, err, json
from goop2.sandbox.messages import Scalar
from goop2.scripting.invocation import Invocation, PeerOperation
from goop2.scripting.printable import printable

FOLDER: Final = "transformations"
ENDING: Final = ".json"
FILE_MAX_BYTES: Final = 64 * 1024
LISTED_MAX: Final = 200
_NAME: Final = re.compile(r"[\w-][\w.-]{0,63}\Z")
_SHOWN_CHARS: Final = 64


class Transformations:
    """The definitions in one peer folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.by_name: dict[str, PeerOperation] = {"transform.load": self._load, "transform.list": self._list}
        """The operations of goop.transform that the peer does."""

    async def _load(self, _invocation: Invocation, name: Scalar) -> Answer:
        text = name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
        found = await asyncio.to_thread(self._read, text)
        return err(found) if isinstance(found, str) else json({"name": text, **found})

    async def _list(self, _invocation: Invocation) -> Answer:
        return json(await asyncio.to_thread(self._listed))

    def _read(self, name: str) -> dict[str, Any] | str:
        """Return a definition, or why there is none."""
        shown = printable(name, _SHOWN_CHARS)
        if not _NAME.match(name):
            return f"{shown} is no name of a transformation: letters, digits, - and _"
        try:
            document: object = decode(read_regular(self._folder / FOLDER / f"{name}{ENDING}", self._folder, FILE_MAX_BYTES))
        except FileNotFoundError:
            return f"there is no transformation {shown}: {FOLDER}/{shown}{ENDING} does not exist"
        except FileRefusedError as error:
            return f"{FOLDER}/{shown}{ENDING} is not read: {error.strerror}"
        except (OSError, InvalidJsonError) as error:
            return f"{FOLDER}/{shown}{ENDING} cannot be read: {error}"
        return document if isinstance(document, dict) else f"{FOLDER}/{shown}{ENDING} is no object"

    def _listed(self) -> list[dict[str, Any]]:
        try:
            names = sorted(list_names(self._folder / FOLDER, self._folder))
        except OSError:
            return []
        listed = []
        for name in [each.removesuffix(ENDING) for each in names if each.endswith(ENDING)][:LISTED_MAX]:
            found = self._read(name)
            if isinstance(found, dict):
                fields = found.get("fields")
                count = len(fields) if isinstance(fields, list) else 0
                listed.append({"name": name, "description": str(found.get("description", "")), "field_count": count})
        return listed
