"""`goop2 lua test`: run tests/*_test.lua of a folder on a copy of its files and its database."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from goop2.cli import logs, output, session
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_FAILED, EXIT_OK
from goop2.cli.options import folder_argument, json_option

if TYPE_CHECKING:
    from goop2.services.script_tests.report import TestReport, TestResult

LOOK_SECONDS: Final = 0.4
"""Between two looks at the files of `--watch`."""
WATCHED_MAX: Final = 5000
"""Files that are looked at."""
WATCHED: Final = ("tests", "schemas", "transformations", "goop.json")
"""What tests depend on, beside the folder of the scripts."""
LINE_MAX_CHARS: Final = 400
"""Of a line that a test that failed is told with."""


@click.command("test")
@folder_argument
@click.argument("name", metavar="[NAME]", default="")
@click.option("--watch", is_flag=True, help="Run them again when a file is saved, until Ctrl-C.")
@click.option("--junit", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False), help="Write the results as JUnit's XML too.")
@json_option
def lua_test(folder: Path, name: str, watch: bool, junit: Path | None, as_json: bool) -> int:
    """Run the tests of a folder, tests/*_test.lua.

    NAME picks a file, or the tests that have it in their names. Each test has a copy of the database, its own clock and no network but
    what it sets; nothing it does reaches the folder. The exit code is 1 when a test fails.
    """
    session.require_lua(folder)
    if watch and as_json:
        raise CommandError("--watch is for people and --json for programs: give one of them")
    logs.set_up(logs.ABOUT_TESTS)
    if not watch:
        return session.run(_once(folder, name, junit, as_json=as_json))
    session.run(_again_and_again(folder, name, junit))
    return EXIT_OK


async def _once(folder: Path, name: str, junit: Path | None, *, as_json: bool) -> int:
    from goop2.app import open_script_tests
    from goop2.services.script_tests.report import TestReport, as_junit

    begun, shown = time.monotonic(), ""
    results: list[TestResult] = []
    async with open_script_tests(folder) as bench:
        async for result in bench.results(folder, name):
            results.append(result)
            if not as_json:
                shown = _show(result, shown)
        report = TestReport(results=results, seconds=time.monotonic() - begun, notes=bench.notes)
    if junit is not None:
        _write(junit, as_junit(report))
    if as_json:
        output.answer_json({"ok": not report.failed, "failed": report.failed, **_fields(report)})
    else:
        for note in report.notes:
            output.note(note)
        _sum_up(report)
    return EXIT_FAILED if report.failed else EXIT_OK


def _fields(report: TestReport) -> dict[str, object]:
    import msgspec

    fields: dict[str, object] = msgspec.to_builtins(report)
    return fields


def _show(result: TestResult, file_before: str) -> str:
    """Print one result, under the name of its file; return that name."""
    from goop2.services.script_tests.report import difference_lines, located, run_lines

    if result.file != file_before:
        output.answer(result.file)
    name = output.one_line(result.name or "(the file)")
    output.answer(f"  {'ok  ' if result.ok else 'FAIL'}  {name}  {output.dim(f'{result.milliseconds:,.0f} ms')}")
    if not result.ok:
        runs = [line for run in result.runs for line in ("", *run_lines(run))]
        frames = result.traceback.splitlines()
        traceback = [f"  {line}" for line in frames] if len(frames) > 1 else []  # one frame is the line above
        for line in (located(result), *difference_lines(result.difference), *traceback, *result.log, *runs):
            inner = line[: len(line) - len(line.lstrip(" +-"))]
            output.answer(f"        {inner}{output.one_line(line[len(inner) :], LINE_MAX_CHARS)}".rstrip())
    return result.file


def _sum_up(report: TestReport) -> None:
    count = len(report.results)
    failed = f"{report.failed} failed" if report.failed else "all good"
    output.answer(f"{count:,} test{'' if count == 1 else 's'}, {failed}  {output.dim(f'{report.seconds:.1f} s')}")


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandError(f"{file} cannot be written: {error.strerror or error}") from None


async def _again_and_again(folder: Path, name: str, junit: Path | None) -> None:
    from goop2.services.script_tests.folder_copy import TestFolderError
    from goop2.services.script_tests.runner import NoTestsError

    while True:
        seen = await asyncio.to_thread(_stamps, folder)
        try:
            await _once(folder, name, junit, as_json=False)
        except (NoTestsError, TestFolderError) as error:
            output.note(str(error))
        output.note("waiting for a change; Ctrl-C ends")
        await _change(folder, seen)


async def _change(folder: Path, seen: dict[str, tuple[int, int]]) -> None:
    """Return when a file has changed; no event tells of every editor's way to save."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if await asyncio.to_thread(_stamps, folder) != seen:
            return


def _stamps(folder: Path) -> dict[str, tuple[int, int]]:
    """Return file → time of its last change and size, of what tests depend on."""
    found: dict[str, tuple[int, int]] = {}
    for path in _watched(folder):
        try:
            status = path.stat()
        except OSError:
            continue
        found[str(path)] = status.st_mtime_ns, status.st_size
        if len(found) >= WATCHED_MAX:
            break
    return found


def _watched(folder: Path) -> Iterator[Path]:
    settings = session.settings_of(folder)
    for name in (*WATCHED, settings.lua.script_dir):
        place = folder / name
        if place.is_file():
            yield place
        for here, _, names in os.walk(place):
            for each in names:
                yield Path(here, each)
