"""`goop2 logs`: print what ran, from the history in data/runs.db, whether the peer runs or not."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from goop2.cli import output, session
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_OK
from goop2.cli.options import folder_argument

if TYPE_CHECKING:
    from goop2.storage.run_record import Run, RunFilter

LIMIT: Final = 50
LIMIT_MAX: Final = 5000
FOLLOW_SECONDS: Final = 0.5
"""How often new runs are looked for; a run is on disk within a second."""
_SPAN: Final = re.compile(r"(\d{1,6})([smhd])")
_UNIT_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class Span(click.ParamType[float]):
    """A span of time such as 90s, 30m, 1h or 2d, as seconds."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds that `value` names (click.ParamType)."""
        if isinstance(value, float):
            return value
        match = _SPAN.fullmatch(str(value).strip())
        if match is None:
            self.fail(f"{str(value)[:40]!r} is no span of time; write a number and s, m, h or d, such as 90s, 30m, 1h or 2d", param, ctx)
        return float(int(match[1]) * _UNIT_SECONDS[match[2]])


@click.command("logs")
@folder_argument
@click.option("-f", "--follow", is_flag=True, help="Go on with each run that ends, until Ctrl-C.")
@click.option("--failed", is_flag=True, help="Only runs that failed.")
@click.option("--script", metavar="S", default="", help='Only runs of this script; "!name" is a chat command.')
@click.option("--caller", metavar="C", default="", help='Only calls of this caller: an id, also as it is shown here, or "owner".')
@click.option("--since", metavar="SPAN", type=Span(), help="Only what began in this span before now, such as 30m, 1h or 2d.")
@click.option("--limit", metavar="N", default=LIMIT, show_default=True, type=click.IntRange(1, LIMIT_MAX), help="The last N of them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with all that is kept of each run.")
def logs(folder: Path, follow: bool, failed: bool, script: str, caller: str, since: float | None, limit: int, as_json: bool) -> int:
    """Print what ran, the newest last, with log lines.

    Example: goop2 logs mysite --failed --since 1h

    A line has the time, script, caller, class, error, duration and number of a run; below it stand where it failed and what it logged.
    """
    from goop2.storage.run_record import FAILED, RunFilter

    settings = session.settings_of(folder)
    if not settings.runs.keep_count:
        raise CommandError(f"runs are not kept here: set runs.keep_count in {folder / 'goop.json'}, and start the peer anew")
    kind = "command" if script.startswith("!") else ""
    wanted = RunFilter(
        script=script.removeprefix("!"),
        kind=kind,
        status=FAILED if failed else "",
        caller=_caller(folder, caller),
        since=time.time() - since if since is not None else 0.0,
    )
    found = _read(folder, wanted, limit)
    for run in found:
        _print(run, as_json)
    if follow:
        _follow(folder, wanted, found, as_json)
    elif not found:
        output.note("no run is kept that this asks for" if _is_kept(folder) else "nothing has run here yet")
    return EXIT_OK


def _is_kept(folder: Path) -> bool:
    """Return whether there is a history."""
    from goop2.storage.run_database import FILE

    return (folder / FILE).exists()


def _caller(folder: Path, caller: str) -> str:
    """Return the id of the caller that is meant."""
    if caller != "owner":
        return caller
    from goop2.folder.identity import load_or_create

    return load_or_create(folder).peer_id


def _read(folder: Path, wanted: RunFilter, limit: int) -> list[Run]:
    """Return the last runs, the oldest first; none when there is no history yet."""
    from goop2.storage.run_database import FILE, ReadOnlyRunDatabase, RunFileError

    if not (folder / FILE).exists():
        return []
    try:
        database = ReadOnlyRunDatabase(folder / FILE)
        try:
            # The database gives the newest first; a terminal is read from top to bottom.
            return database.find(wanted, limit, whole=True)[::-1]
        finally:
            database.close()
    except RunFileError as error:
        raise CommandError(str(error).replace("are not kept in", "cannot be read from", 1)) from None


def _follow(folder: Path, wanted: RunFilter, found: list[Run], as_json: bool) -> None:
    """Print runs as they end, for ever. The file is opened anew each time, since it may be made or replaced meanwhile."""
    from msgspec.structs import replace

    newest = found[-1].id if found else 0
    # Nothing matched so far: begin behind the newest run of any kind, so that each look reads new rows only.
    if not found:
        everything = _read(folder, type(wanted)(), 1)
        newest = everything[-1].id if everything else 0
    while True:
        time.sleep(FOLLOW_SECONDS)
        for run in _read(folder, replace(wanted, after=newest), LIMIT_MAX):
            _print(run, as_json)
            newest = run.id


def _print(run: Run, as_json: bool) -> None:
    from goop2.cli.run_lines import details_of, line_of

    if as_json:
        output.answer_json(as_json_value(run))
        return
    print(line_of(run, dated=True), flush=True)
    for line in details_of(run):
        print(line, flush=True)


def as_json_value(run: Run) -> dict[str, object]:
    """Return a run as programs read it: bytes as text, host calls and log lines with names."""
    import msgspec

    fields = {name: getattr(run, name) for name in run.__struct_fields__}
    calls = [{name: getattr(call, name) for name in call.__struct_fields__} for call in run.calls]
    return fields | {
        "version": run.version.hex(),
        "argument": run.argument.decode("utf-8", "replace"),
        "answer": run.answer.decode("utf-8", "replace"),
        "calls": msgspec.to_builtins(calls),
        "log": [{"level": level, "text": text} for level, text in run.log],
    }
