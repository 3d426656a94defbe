"""The prompt of `goop2 chat` on a terminal: it completes commands, and announces scripts when they are saved.

It is loaded only there, because prompt_toolkit takes as long to import as the rest of a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.patch_stdout import patch_stdout

from goop2.cli import output
from goop2.cli.chat import say

if TYPE_CHECKING:
    from goop2.scripting.catalog import CatalogChange
    from goop2.scripting.invocation import Caller
    from goop2.services.peer import Peer

PROMPT = "> "
COMPLETION_LINES = 6


class CommandCompleter(Completer):
    """Complete `!he` to `!hello`, with the description of each command."""

    def __init__(self, commands: Callable[[], Iterable[tuple[str, str]]]) -> None:
        self._commands = commands

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Return commands that begin with what is typed, `!` included; none once the name is complete."""
        typed = document.text_before_cursor
        if any(char.isspace() for char in typed):
            return
        for name, description in self._commands():
            if f"!{name}".startswith(typed.lower()):
                yield Completion(f"!{name}", start_position=-len(typed), display_meta=output.one_line(description))


async def prompt(peer: Peer, caller: Caller) -> None:
    """Answer what the user types until Ctrl-D."""
    session: PromptSession[str] = PromptSession(
        PROMPT,
        completer=CommandCompleter(peer.catalog.commands),
        complete_while_typing=False,  # while that looks, a Tab is lost
        reserve_space_for_menu=COMPLETION_LINES,
    )
    print(output.dim(_banner(peer, caller)))
    unsubscribe = peer.catalog.subscribe(_tell)
    try:
        while True:
            with patch_stdout(raw=True):  # our colours; what is a stranger's has lost its own
                line = await session.prompt_async()
            await say(peer, caller, line)
    except EOFError:
        pass  # Ctrl-D
    finally:
        unsubscribe()


def _banner(peer: Peer, caller: Caller) -> str:
    whom = "" if caller.owner else f", as {output.one_line(caller.id)}"
    commands = (
        "Tab shows the commands" if peer.catalog.commands() else f"no command yet, {peer.settings.lua.script_dir}/hello.lua makes !hello"
    )
    return f"{output.one_line(peer.owner.label)}{whom}: {commands}, Ctrl-D ends."


def _tell(change: CatalogChange) -> None:
    """Print that a script was saved; the log reports a broken one."""
    if change.what != "broken":
        output.note(f"{change.path} is {'live' if change.what == 'loaded' else 'gone'}")
