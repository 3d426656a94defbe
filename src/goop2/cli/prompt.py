"""The prompt of `goop2 chat` on a terminal: it completes commands, and announces scripts when they are saved.

It is loaded only there, because prompt_toolkit takes as long to import as the rest of a command.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

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
    """Answer what the user types until Ctrl-D, `quit`, or Ctrl-C on an empty line, which raises KeyboardInterrupt."""
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
                try:
                    line = await session.prompt_async()
                except KeyboardInterrupt:
                    if not session.default_buffer.text:
                        raise
                    continue  # Ctrl-C clears a line, and on an empty one it ends
            if line.strip().lower() in QUIT:
                break
            own = OWN_WORDS.get(line.strip().lower())
            if own is not None:
                own(peer, session.history.get_strings())
            else:
                await say(peer, caller, line)
    except EOFError:
        pass  # Ctrl-D
    finally:
        unsubscribe()


def _help(peer: Peer, _typed: Sequence[str]) -> None:
    """Print what can be typed here."""
    commands = peer.catalog.commands()
    lines = [f"!{name:<{WORD_COLUMNS}} {output.one_line(description)}".rstrip() for name, description in commands[:COMMANDS_SHOWN]]
    if len(commands) > COMMANDS_SHOWN:
        lines.append(f"and {len(commands) - COMMANDS_SHOWN:,} more commands: Tab completes their names")
    if not commands:
        lines.append(f"no command yet: {peer.settings.lua.script_dir}/hello.lua makes !hello")
    lines += [f"{word:<{WORD_COLUMNS + 1}} {does}" for word, does in WORDS]
    for line in lines:
        print(line)


def _history(_peer: Peer, typed: Sequence[str]) -> None:
    """Print what was typed since the prompt began, the last line last."""
    for number, line in enumerate(typed[-HISTORY_SHOWN:], max(1, len(typed) - HISTORY_SHOWN + 1)):
        print(f"{number:>4}  {output.one_line(line)}")


QUIT: Final = frozenset({"quit", "exit"})
OWN_WORDS: Final[dict[str, Callable[[Peer, Sequence[str]], None]]] = {"help": _help, "?": _help, "history": _history}
"""Words that the prompt itself answers; whatever is for a script begins with `!`."""
WORDS: Final = (
    ("help", "says this"),
    ("history", "lists what you have typed; the arrow keys bring a line back"),
    ("quit", "ends, as Ctrl-D does"),
    ("Ctrl-C", "clears the line, and ends on an empty one; Tab completes a command"),
)
COMMANDS_SHOWN: Final = 50
"""A screen or two; Tab has the rest."""
HISTORY_SHOWN: Final = 200
WORD_COLUMNS: Final = 14


def _banner(peer: Peer, caller: Caller) -> str:
    whom = "" if caller.owner else f", as {output.one_line(caller.id)}"
    commands = (
        "Tab shows the commands" if peer.catalog.commands() else f"no command yet, {peer.settings.lua.script_dir}/hello.lua makes !hello"
    )
    return f"{output.one_line(peer.owner.label)}{whom}: {commands}, Ctrl-D ends. Type help for more."


def _tell(change: CatalogChange) -> None:
    """Print that a script was saved; the log reports a broken one."""
    if change.what != "broken":
        output.note(f"{change.path} is {'live' if change.what == 'loaded' else 'gone'}")
