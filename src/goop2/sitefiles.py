"""The files of a site as they may be given away: what is under site/, never scripts, never dot-files.

One rule for goop.site.read, http and libp2p (behaviour.md, "A peer is a folder"). It decides by real
paths, so a link serves what it leads to only when that may be served itself.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

FOLDER: Final = "site"


class SiteFileError(Exception):
    """The file is not given away; the message says why in a few words, and nothing about what is there."""


class SiteFiles:
    """The site of the peer in `folder`, whose scripts are in `script_dir`."""

    def __init__(self, folder: Path, script_dir: Path) -> None:
        self._root = Path(os.path.realpath(folder / FOLDER))
        self._scripts = Path(os.path.realpath(script_dir))

    def find(self, path: str) -> Path:
        """The real file behind `path`, as `style/main.css`; a slash in front changes nothing. Raises `SiteFileError`."""
        missing = SiteFileError("not found")
        parts = path.lstrip("/").split("/")
        if not path or "\0" in path or any(part.startswith(".") for part in parts):
            raise missing
        real = Path(os.path.realpath(self._root.joinpath(*parts)))
        if not self._may_be_given(real):
            raise missing
        try:
            if not stat.S_ISREG(real.stat().st_mode):
                raise missing
        except OSError:
            raise missing from None
        return real

    def _may_be_given(self, real: Path) -> bool:
        """Inside the site, not inside the scripts, and no part of the way a dot-file."""
        if self._root not in real.parents or self._scripts == real or self._scripts in real.parents:
            return False
        return not any(part.startswith(".") for part in real.relative_to(self._root).parts)

    def read(self, path: str, bytes_max: int) -> bytes:
        """Its content. Raises `SiteFileError`, also when it is larger than `bytes_max`."""
        try:
            with self.find(path).open("rb") as file:
                content = file.read(bytes_max + 1)
        except OSError as error:
            raise SiteFileError(f"cannot be read ({error.strerror})") from None
        if len(content) > bytes_max:
            raise SiteFileError(f"larger than {bytes_max} bytes")
        return content
