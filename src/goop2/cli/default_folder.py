"""Which peer folder a command means when none is written: the current one, or the nearest above it.

    goop2 lua call mysite score    goop2 lua call score    goop2 lua call score --dir mysite

DIR is the first argument after a command's name. It may be left out: the first argument is DIR when it is a folder with a goop.json, has a
`/`, or is `.`; else the folder is looked for. What is written is put in order here, before click reads it, so that no command knows of
this. It must not know what a command does.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from goop2.cli.options import FOLDER_OPTION, FolderArgument
from goop2.folder import SETTINGS_FILE

NO_DEFAULT: Final = frozenset({"init"})
"""Commands that make the folder, so there is none to be found."""
_HELP: Final = frozenset({"-h", "--help"})
_ADDRESSES: Final = ("/ip4/", "/ip6/", "/dns")
"""How an address of a peer begins, which is no folder though it has a `/`."""
_TEXTS: Final = ("!", "{", "[")
"""How a chat command and JSON begin."""


def nearest() -> Path | None:
    """Return the current folder if it is a peer's, else the nearest one above it; None where there is none."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / SETTINGS_FILE).is_file():
            return Path() if folder == here else folder
    return None


def with_folder(root: click.Group, arguments: Sequence[str]) -> list[str]:
    """Return `arguments` with DIR in its place, for a command that takes one. Raises `click.UsageError` where no folder is meant."""
    command: click.Command = root
    place, path = 0, [root.name or ""]
    while isinstance(command, click.Group) and not _takes_folder(command):
        inner = command.commands.get(arguments[place]) if place < len(arguments) else None
        if inner is None:
            return list(arguments)
        command, place = inner, place + 1
        path.append(inner.name or "")
    if not _takes_folder(command):
        return list(arguments)
    before, rest = list(arguments[:place]), list(arguments[place:])
    if not _HELP.isdisjoint(rest):
        return _help_of(command, before, rest)
    rest, named = _without_option(rest, " ".join(path))
    places = _positionals(command, rest)
    if isinstance(command, click.Group) and not rest:
        return list(arguments)  # click shows its help
    if named is None and (command.name in NO_DEFAULT or _names_folder(command, [rest[each] for each in places])):
        return [*before, *rest]
    folder = named if named is not None else _found(path, command)
    at = places[0] if places else len(rest)
    return [*before, *rest[:at], folder, *rest[at:]]


def _help_of(command: click.Command, before: list[str], rest: list[str]) -> list[str]:
    """Return what asks for the help of a command, or of one below it, for which some folder must stand there."""
    words = [rest[place] for place in _positionals(command, rest)]
    others = sum(isinstance(each, click.Argument) and not isinstance(each, FolderArgument) for each in command.params)
    if isinstance(command, click.Group) and words and (words[0] in command.commands or _stands_for_command(command, words, others)):
        missing = ["."] if words[others : others + 1] and words[others] in command.commands else ["."] * (others + 1)
        return [*before, *missing, *rest]
    return [*before, *rest]


def _takes_folder(command: click.Command) -> bool:
    return any(isinstance(each, FolderArgument) for each in command.params)


def _found(path: Sequence[str], command: click.Command) -> str:
    folder = nearest()
    if folder is None:
        context = click.Context(command, info_name=" ".join(path))
        raise click.UsageError(f"no DIR is given, and neither the current folder nor one above it has a {SETTINGS_FILE}", context)
    return str(folder)


def _without_option(rest: list[str], command: str) -> tuple[list[str], str | None]:
    """Return what is left without `--dir DIR`, wherever it stands, and DIR."""
    ends = rest.index("--") if "--" in rest else len(rest)
    for place in range(ends):
        if rest[place].startswith(f"{FOLDER_OPTION}="):
            return [*rest[:place], *rest[place + 1 :]], rest[place].partition("=")[2]
        if rest[place] == FOLDER_OPTION:
            if place + 1 >= len(rest):
                raise click.UsageError(f'{FOLDER_OPTION} names no folder: "{command} {FOLDER_OPTION} DIR"')
            return [*rest[:place], *rest[place + 2 :]], rest[place + 1]
    return rest, None


def _positionals(command: click.Command, rest: Sequence[str]) -> list[int]:
    """Return the places of what is no option and no option's value; of a group only those before its command's own."""
    options = [each for each in command.params if isinstance(each, click.Option)]
    takes_value = {name: not (each.is_flag or each.count) for each in options for name in (*each.opts, *each.secondary_opts)}
    found: list[int] = []
    place = 0
    while place < len(rest):
        text = rest[place]
        if text == "--":
            return [*found, *range(place + 1, len(rest))]
        if text.startswith("-") and text != "-" and not (isinstance(command, click.Group) and found):
            place += 2 if takes_value.get(text, False) else 1
            continue
        found.append(place)
        place += 1
    return found


def _names_folder(command: click.Command, words: Sequence[str]) -> bool:
    """Return whether the first of these words is DIR."""
    if not words:
        return False
    first = words[0]
    if _is_folder(first):
        return True
    others = [each for each in command.params if isinstance(each, click.Argument) and not isinstance(each, FolderArgument)]
    if isinstance(command, click.Group):
        if _stands_for_command(command, words, len(others)):
            return nearest() is None
        # Neither a folder nor in front of a command: a command's name that is none, of which click says so.
        return others != [] or _looks_like_folder(first) or (words[1:2] != [] and words[1] in command.commands) or nearest() is None
    if _looks_like_folder(first):
        return True
    # More words than the command takes besides DIR, or no folder to be found: then DIR is written, if wrongly.
    most = None if any(each.nargs < 0 for each in others) else len(others)
    return (most is not None and len(words) > most) or nearest() is None


def _stands_for_command(group: click.Group, words: Sequence[str], others: int) -> bool:
    """Return whether the name of a command stands where it does when DIR is left out."""
    with_folder_too = len(words) > others + 1 and words[others + 1] in group.commands
    return len(words) > others and words[others] in group.commands and not (with_folder_too and (others or _looks_like_folder(words[0])))


def _is_folder(word: str) -> bool:
    return word in (".", "..") or (Path(word) / SETTINGS_FILE).is_file()


def _looks_like_folder(word: str) -> bool:
    return "/" in word and not word.startswith((*_ADDRESSES, *_TEXTS)) and not Path(word).is_file()
