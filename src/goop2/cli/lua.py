"""`goop2 lua …`: make one call, list the scripts, and check whether they compile."""

from __future__ import annotations

import base64
import shlex
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from goop2.cli import logs, output, script_listing, session
from goop2.cli.completion import function_names
from goop2.cli.errors import CommandError
from goop2.cli.lua_test import lua_test
from goop2.cli.lua_types import lua_types
from goop2.cli.main import EXIT_FAILED, EXIT_OK
from goop2.cli.options import as_option, folder_argument, json_option
from goop2.cli.running_peer import ask_running
from goop2.cli.streams import StreamError
from goop2.scripting.command_text import command_of, is_command

if TYPE_CHECKING:
    from goop2.scripting.engine import Failure, Reply, Success
    from goop2.services.peer import Peer

REMOTE_MAX_BYTES: Final = 2 * 1024 * 1024
"""Parameters handed to a running peer: more than a call may have, so that the engine itself says how much they were."""
STDIN_MAX_BYTES: Final = 16 * 1024 * 1024
"""Read of stdin; the engine refuses a sixteenth of it and says how much it was."""


@click.group()
def lua() -> None:
    """The scripts of a peer: call, list and check them."""


@lua.command("chat")
@folder_argument
@click.argument("words", metavar="'!COMMAND ARGS'", nargs=-1, required=True, type=click.UNPROCESSED)
@as_option
@json_option
def lua_chat(folder: Path, words: tuple[str, ...], stranger: str | None, as_json: bool) -> int:
    """Run one chat command and print its reply.

    Example: goop2 lua chat mysite '!hello Alice'

    The reply goes to stdout, whatever it says; the exit code is 1 when it reports a failure. With --json it is
    {"ok": true, "reply": …} or {"ok": false, "code": …, "message": …, "reply": …}.
    """
    message = unicode(" ".join(words))
    if not is_command(message):
        raise CommandError(f"a chat command begins with \"!\": '!{output.one_line(message.lstrip(' !'), 60)}'")
    reply, hint = session.run(_chat(folder, message, stranger))
    if as_json:
        output.answer_json({**_failure_fields(reply.failure), "reply": reply.text})
    elif reply.text:
        output.answer(reply.text)
    if hint:
        output.note(hint)
    return EXIT_FAILED if reply.failure else EXIT_OK


@lua.command("call")
@folder_argument
@click.argument("function", metavar="FUNCTION", shell_complete=function_names)
@click.argument("params", metavar="[JSON]", default="{}")
@as_option
@json_option
def lua_call(folder: Path, function: str, params: str, stranger: str | None, as_json: bool) -> int:
    """Call a data function and print its result as JSON.

    Example: goop2 lua call mysite score-quiz '{"answers": ["B", "A"]}'

    JSON is the function's parameters, "-" reads them from stdin. An error is one line on stderr, "class: message", and
    exit code 1; with --json it is also {"ok": false, "code": …, "message": …, "script": …, "line": …} on stdout.
    """
    text = stdin() if params == "-" else params.encode("utf-8", "surrogateescape")
    outcome, hint = session.run(_call(folder, unicode(function), text, stranger))
    return _print_result(outcome, hint, as_json)


@lua.command("list")
@folder_argument
@json_option
def lua_list(folder: Path, as_json: bool) -> int:
    """List commands and functions.

    What they are for, how many calls a minute a stranger has, and whether they run.
    """
    listed = session.run(_listing(folder))
    if as_json:
        output.answer_json(listed.as_json())
    else:
        script_listing.print_list(listed)
    return EXIT_OK


@lua.command("check")
@folder_argument
@json_option
def lua_check(folder: Path, as_json: bool) -> int:
    """Compile every script; name the file and line of each mistake.

    Prints "file:line: message" for each on stdout, and as warnings what compiles and is odd: names nobody has defined, functions of goop
    that are not there or not for commands, annotations without effect. The exit code is 1 when a script is broken; warnings do not count.
    """
    listed = session.run(_listing(folder, checks=True))
    if as_json:
        output.answer_json(listed.findings_as_json())
    else:
        script_listing.print_findings(listed)
    return EXIT_FAILED if listed.broken else EXIT_OK


def unicode(text: str) -> str:
    """Return an argument as text; bytes that are not UTF-8 become U+FFFD, as in a message from the network."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


async def _chat(folder: Path, message: str, stranger: str | None) -> tuple[Reply, str]:
    session.require_lua(folder)
    running = await ask_running(folder, "lua-chat", {"message": message, "as": stranger})
    if running is not None:
        from goop2.scripting.engine import Reply

        reply = Reply(str(running["reply"]), _failure_of(running))
        name = next(iter((command_of(message) or "").split()), "")
        return reply, _command_hint(folder, name, running["known_as"]) if reply.failure else ""
    logs.set_up(logs.ABOUT_OTHER_SCRIPTS)
    async with session.open_for(folder, beside=True, history=True) as peer:
        reply = await peer.engine.command(session.caller(peer, stranger), message)
        name = next(iter((command_of(message) or "").split()), "")
        return reply, _command_hint(folder, name, _known_as(peer, name)) if reply.failure else ""


def _failure_of(answer: Any) -> Failure | None:
    from goop2.peers.remote_control.scripts import failure_from

    return failure_from(answer["failure"]) if "failure" in answer else None


def _known_as(peer: Peer, name: str) -> list[str]:
    found = {"command": peer.catalog.command(name), "function": peer.catalog.function(name)}
    return [kind for kind, script in found.items() if script is not None]


def _command_hint(folder: Path, name: str, known_as: Collection[str]) -> str:
    if "command" in known_as:
        return ""
    if "function" in known_as:
        return f"{name} is a data function: goop2 lua call {shlex.quote(str(folder))} {name} '{{}}'"
    return f'"goop2 lua list {shlex.quote(str(folder))}" names the commands there are'


async def _call(folder: Path, function: str, params: bytes, stranger: str | None) -> tuple[Success | Failure, str]:
    session.require_lua(folder)
    if len(params) <= REMOTE_MAX_BYTES:
        request = {"function": function, "params": base64.b64encode(params).decode(), "as": stranger}
        running = await ask_running(folder, "lua-call", request)
        if running is not None:
            from goop2.scripting.engine import Success

            outcome = _failure_of(running) or Success(str(running["result"]).encode())
            return outcome, _function_hint(folder, function, running["known_as"])
    logs.set_up(logs.ABOUT_OTHER_SCRIPTS)
    async with session.open_for(folder, beside=True, history=True) as peer:
        answer = await peer.engine.call(session.caller(peer, stranger), function, params)
        return answer, _function_hint(folder, function, _known_as(peer, function))


def _function_hint(folder: Path, function: str, known_as: Collection[str]) -> str:
    if "function" in known_as:
        return ""
    if "command" in known_as:
        return f'; {function} is a chat command, "!{function}" calls it'
    return f'; "goop2 lua list {shlex.quote(str(folder))}" names the functions there are'


def _print_result(outcome: Success | Failure, hint: str, as_json: bool) -> int:
    from goop2.scripting.engine import Success

    if isinstance(outcome, Success):
        output.result(outcome.json.decode())
        return EXIT_OK
    output.note(f"{outcome.code}: {outcome.message}{hint}")
    if as_json:
        output.answer_json(_failure_fields(outcome))
    return EXIT_FAILED


def _failure_fields(failure: Failure | None) -> dict[str, object]:
    """Return the fields of a failed call for `--json`: those of an HTTP error (behaviour.md, "HTTP"), and `ok`."""
    if failure is None:
        return {"ok": True}
    where = {"script": failure.script, "line": failure.line, "detail": failure.detail, "retry_after": failure.retry_after_seconds}
    known = {name: value for name, value in where.items() if value is not None}
    return {"ok": False, "code": str(failure.code), "message": failure.message, **known}


async def _listing(folder: Path, *, checks: bool = False) -> script_listing.ScriptListing:
    logs.set_up(logs.ABOUT_FILES)
    async with session.open_for(folder) as peer:
        return script_listing.checked(peer) if checks else script_listing.listing(peer)


def stdin() -> bytes:
    """Return the bytes of stdin, which `-` stands for."""
    try:
        return sys.stdin.buffer.read(STDIN_MAX_BYTES) if sys.stdin is not None else b""
    except OSError as error:
        raise StreamError(error.errno, error.strerror) from None


lua.add_command(lua_test)
lua.add_command(lua_types)
