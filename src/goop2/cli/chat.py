"""`goop2 chat`: a prompt on a terminal (prompt.py), a filter for a program. Scripts that are saved meanwhile are live in both."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from goop2.cli import logs, output, session
from goop2.cli.main import EXIT_FAILED, EXIT_OK
from goop2.cli.options import as_option, folder_argument
from goop2.cli.stdin import lines
from goop2.scripting.command_text import is_command

if TYPE_CHECKING:
    from goop2.scripting.engine import Reply
    from goop2.scripting.invocation import Caller
    from goop2.services.peer import Peer

NOT_A_COMMAND = "only lines that begin with ! are commands, such as !hello Alice"


@click.command("chat")
@folder_argument
@as_option
@click.option("--conversations", is_flag=True, help="List the kept conversations and end.")
@click.option("--forget", metavar="PEER", help="Delete the conversation with PEER, an id or a label, and end.")
@click.option("--forget-strangers", is_flag=True, help="Delete every conversation in which you have written nothing, and end.")
def chat(folder: Path, stranger: str | None, conversations: bool, forget: str | None, forget_strangers: bool) -> int:
    """Talk to the scripts of a peer: a prompt, or a filter.

    Edit the scripts meanwhile: a saved change is live at once. With stdin not a terminal each line is answered in turn, without
    banner and prompt: echo '!hello Alice' | goop2 chat DIR. The exit code is then 1 when a reply reported a failure.
    """
    if conversations or forget is not None or forget_strangers:
        from goop2.cli import conversations as saved

        if forget is not None:
            return saved.forget(folder, forget)
        return saved.forget_strangers(folder) if forget_strangers else saved.show(folder)
    session.require_lua(folder)
    return session.run(_chat(folder, stranger))


async def _chat(folder: Path, stranger: str | None) -> int:
    logs.set_up()
    async with session.open_for(folder, watch=True, beside=True, history=True) as peer:
        return await converse(peer, session.caller(peer, stranger))


def at_a_terminal() -> bool:
    """Return whether a prompt can be shown, and typed at."""
    return output.is_terminal(sys.stdin) and output.is_terminal(sys.stdout)


async def converse(peer: Peer, caller: Caller) -> int:
    """Answer each line of stdin until it ends; return the exit code."""
    if at_a_terminal():
        from goop2.cli.prompt import prompt

        await prompt(peer, caller)
        return EXIT_OK
    return await _filter(peer, caller)


async def _filter(peer: Peer, caller: Caller) -> int:
    code = EXIT_OK
    if sys.stdin is None:  # started with stdin closed
        return code
    async for line in lines(sys.stdin.fileno()):
        reply = await say(peer, caller, line)
        if reply is not None and reply.failure is not None:
            code = EXIT_FAILED
    return code


async def say(peer: Peer, caller: Caller, line: str) -> Reply | None:
    """Answer one line on stdout. A line that is no command gets a hint on stderr, an empty one nothing."""
    if not is_command(line):
        if line.strip():
            output.note(NOT_A_COMMAND)
        return None
    reply = await peer.engine.command(caller, line)
    if reply.text:
        output.answer(reply.text)
    return reply
