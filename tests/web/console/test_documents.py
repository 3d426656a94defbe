"""The documentation of the console: all of it is in the package, and only the owner reads it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.web.served import served

from goop2.web.console.documents import INDEX, documentation, summaries
from goop2.web.http.local_users import LocalUsers

ROOT = Path(__file__).parents[3]


def test_every_page_of_the_documentation_is_in_the_package() -> None:
    there = contents(ROOT / "docs")
    assert contents(ROOT / "src/goop2/web/docs") == there, "ln -s ../../../../docs/NAME src/goop2/web/docs/NAME"
    assert documentation().joinpath("index.md").read_bytes() == there["index.md"]


def contents(folder: Path) -> dict[str, bytes]:
    """Return path → content of every file of the documentation, but for the pictures of the README."""
    files = [path for path in folder.rglob("*") if path.is_file() and "screenshots" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_the_index_lists_every_page_once_with_a_sentence_about_it() -> None:
    pages = {str(path.relative_to(ROOT / "docs").with_suffix("")) for path in (ROOT / "docs").rglob("*.md")}
    listed = [each.name for each in summaries()]
    assert sorted(listed) == sorted(pages - {INDEX})
    assert [each.name for each in summaries() if not each.about.endswith(".")] == []


async def test_it_is_for_the_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(tmp_path) as up:
        for path in ("/docs", "/docs/", "/docs/console", "/docs/console.md", "/docs/goop.lua"):
            assert (await up.ask(path, host=up.console)).status == 200, path
        with monkeypatch.context() as patch:
            patch.setattr(LocalUsers, "user_of", lambda *_: 4711)
            for path in ("/docs/", "/docs/console", "/docs/goop.lua", "/docs/nothing"):
                answer = await up.ask(path, host=up.console)
                assert (answer.status, b"The console" in answer.body) == (403, False), path


@pytest.mark.parametrize(
    "path", ["nothing", "../app.js", "%2e%2e/app.js", "..%2fapp.js", "console/..", "screenshots/../../app.js", "a" * 5000, "%00"]
)
async def test_what_is_no_page_is_not_found(tmp_path: Path, path: str) -> None:
    async with served(tmp_path) as up:
        assert (await up.ask(f"/docs/{path}", host=up.console)).status in (404, 400, 431)


async def test_a_page_has_the_policy_of_the_console_once(tmp_path: Path) -> None:
    async with served(tmp_path) as up:
        answer = await up.ask("/docs/console", host=up.console)
        policies = [value for name, value in answer.raw_headers if name == "content-security-policy"]
        assert len(policies) == 1
        assert "script-src 'self'; style-src 'self'" in policies[0]
        assert b"style=" not in answer.body
