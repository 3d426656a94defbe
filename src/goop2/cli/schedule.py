"""`goop2 schedule DIR list|run|pause|resume`: the data functions that run by themselves."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from goop2.cli import logs, output, rows, session
from goop2.cli.errors import CommandError
from goop2.cli.main import EXIT_FAILED, EXIT_OK
from goop2.cli.options import folder_argument, json_option
from goop2.cli.running_peer import ask_running


@click.group("schedule")
@folder_argument
@click.pass_context
def schedule(context: click.Context, folder: Path) -> None:
    """Data functions that run by themselves.

    A file in site/lua/functions that begins with "--- @every 15m" or "--- @cron 0 8 * * *" and defines run(event) runs at these times
    while the peer runs, as the owner. What was missed meanwhile is made up once.
    """
    context.obj = folder


@schedule.command("list")
@click.pass_obj
@json_option
def list_schedules(folder: Path, as_json: bool) -> None:
    """List the schedules: when each runs next, and how it ran last."""
    found = session.run(_perform(folder, "list", ""))["schedules"]
    if as_json:
        output.answer_json(found)
        return
    lines = [(one["name"], one["schedule"], _next(one), _last(one)) for one in found]
    rows.print_table(["name", "schedule", "next", "last"], iter(lines))
    if not found:
        output.note('no schedule yet: begin a file in site/lua/functions with "--- @every 15m" and define run(event) in it')


@schedule.command("run")
@click.argument("name", metavar="NAME")
@click.pass_obj
@json_option
def run_now(folder: Path, name: str, as_json: bool) -> int:
    """Run one now, paused or not. The exit code is 1 when it fails."""
    answer = session.run(_perform(folder, "run", name))
    if as_json:
        output.answer_json({key: answer[key] for key in ("status", "message", "answer", "milliseconds", "run")})
    elif answer["status"] == "ok":
        output.answer(f"{name} ran in {answer['milliseconds']:,.0f} ms: {output.one_line(answer['answer'])}")
    else:
        output.note(f"{name}: {answer['status']}: {output.one_line(answer['message'])}")
    return EXIT_OK if answer["status"] == "ok" else EXIT_FAILED


@schedule.command("pause")
@click.argument("name", metavar="NAME")
@click.pass_obj
def pause(folder: Path, name: str) -> None:
    """Have one not run by itself until it is resumed."""
    session.run(_perform(folder, "pause", name))
    print(f"paused  {output.one_line(name)}")


@schedule.command("resume")
@click.argument("name", metavar="NAME")
@click.pass_obj
def resume(folder: Path, name: str) -> None:
    """Have a paused one run again, from its next time on."""
    found = session.run(_perform(folder, "resume", name))["schedules"]
    following = next((_next(one) for one in found if one["name"] == name), "")
    print(f"resumed  {output.one_line(name)}  next {following}")


async def _perform(folder: Path, operation: str, name: str) -> Any:
    session.require_lua(folder)
    running = await ask_running(folder, "schedule", {"operation": operation, "name": name})
    if running is not None:
        return running
    from goop2.services.schedules.operations import perform
    from goop2.services.schedules.service import NoSuchScheduleError, ScheduleBusyError

    logs.set_up(logs.ABOUT_OTHER_SCRIPTS)
    async with session.open_for(folder, beside=True, history=True) as peer:
        try:
            return await perform(peer.schedules, operation, name)  # its log is told by the log
        except (NoSuchScheduleError, ScheduleBusyError) as error:
            raise CommandError(str(error)) from None


def _next(one: Any) -> str:
    if one["paused"]:
        return "paused"
    return "never" if one["next"] is None else _time(one["next"])


def _last(one: Any) -> str:
    last = one["last"]
    if last is None:
        return "running" if one["running"] else ""
    missed = f", {last['missed']} missed before" if last.get("missed") else ""
    message = f": {output.one_line(last['message'], 80)}" if last.get("message") else ""
    return f"{_time(last['at'])} {last['status']}{missed}{message}"


def _time(at: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
