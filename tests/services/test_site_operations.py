"""What scripts read of the site: what anybody may see, and in a sentence why not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from goop2.folder.site_files import SiteFiles
from goop2.sandbox.answers import FAILED, ok
from goop2.scripting.limits import SITE_READ_MAX_BYTES
from goop2.services.site_operations import site_read

NOBODY = cast("Any", None)
"""The operation does not look at who calls."""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("<h1>Hi</h1>")
    return tmp_path


async def read(site: Path, path: object) -> tuple[object, ...]:
    return await site_read(SiteFiles(site, []))(NOBODY, cast("Any", path))


async def test_a_file_of_the_site_is_read(site: Path) -> None:
    assert await read(site, b"index.html") == ok(b"<h1>Hi</h1>")


@pytest.mark.parametrize("path", [b"", b"nosuch.html", b"../goop.json", b"\xff"])
async def test_what_is_not_served_is_no_file_of_the_site(site: Path, path: bytes) -> None:
    shape, why = await read(site, path)
    assert shape == FAILED
    assert b"is no file of the site" in cast("bytes", why)


async def test_a_file_that_is_too_large_is_refused_in_a_sentence(site: Path) -> None:
    with (site / "site/large.bin").open("wb") as file:
        os.truncate(file.fileno(), SITE_READ_MAX_BYTES + 1)
    shape, why = await read(site, b"large.bin")
    assert shape == FAILED
    assert b"large.bin" in cast("bytes", why)
