"""Writes the manual pages and the shell completions that a wheel installs: `python tools/manual_pages.py`.

They are made from the commands themselves, and committed; a test compares. Pages are in the format of man(7).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from goop2 import __version__
from goop2.cli.commands import goop2
from goop2.cli.completion import SHELLS, source

SHARE = Path(__file__).parent.parent / "deploy/data/share"
COMPLETIONS = {
    "bash": "bash-completion/completions/goop2",
    "zsh": "zsh/site-functions/_goop2",
    "fish": "fish/vendor_completions.d/goop2.fish",
}


LIST_INDENT = "    "
"""Before an example of a command's text. It is ours: Python 3.13 takes the margin of a docstring away, and older ones keep it."""


def files() -> dict[str, str]:
    """Return path below share/ → content, of every page and completion."""
    pages = {f"man/man1/{'-'.join(path)}.1": page(path, command) for path, command in commands((goop2.name or "goop2",), goop2)}
    return pages | {COMPLETIONS[shell]: f"{source(shell, goop2).rstrip()}\n" for shell in SHELLS}


def commands(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield this command and those under it, with their words."""
    yield path, command
    for name, inner in command.commands.items() if isinstance(command, click.Group) else ():
        yield from commands((*path, name), inner)


def page(path: tuple[str, ...], command: click.Command) -> str:
    """Return the manual page of one command."""
    # As a command has it from `goop2`: click keeps the help option that is made first.
    context = click.Context(command, info_name=" ".join(path), **goop2.context_settings)
    words, name = " ".join(path), "-".join(path)
    usage = " ".join(command.collect_usage_pieces(context))
    lines = [
        f'.TH "{name.upper()}" "1" "" "goop2 {__version__}" "goop2"',
        ".SH NAME",
        f"{name} \\- {escaped(command.get_short_help_str(200))}",
    ]
    lines += [
        ".SH SYNOPSIS",
        f".B {escaped(words)}",
        escaped(usage),
        ".SH DESCRIPTION",
        *paragraphs(inspect.cleandoc(command.help or ""), LIST_INDENT),
    ]
    options = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context)) and record[1]]
    lines += [".SH OPTIONS", *(line for option, text in options for line in (".TP", f"\\fB{escaped(option)}\\fR", escaped(text)))]
    if isinstance(command, click.Group):
        lines.append(".SH COMMANDS")
        for inner in command.commands.values():
            lines += [".TP", f"\\fB{'-'.join((*path, inner.name or ''))}\\fR(1)", escaped(inner.get_short_help_str(200))]
    if command.epilog:
        lines += [".SH EXIT STATUS", *paragraphs(command.epilog)]
    return "\n".join(lines) + "\n"


def paragraphs(text: str, indent: str = "") -> Iterator[str]:
    """Yield the lines of a text of click's: paragraphs, and lists that are not to be filled (\\b), with `indent` before each line."""
    for number, paragraph in enumerate(re.split(r"\n\s*\n", text.strip())):
        if number:
            yield ".PP"
        if paragraph.lstrip().startswith("\b"):
            yield from (".nf", *(escaped(indent + line) for line in paragraph.split("\n")[1:]), ".fi")
        else:
            yield escaped(" ".join(paragraph.split()))


def escaped(text: str) -> str:
    """Return text as man(7) has it: no line begins as a request, and a hyphen is one."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text.startswith((".", "'")) else text


if __name__ == "__main__":
    for name, content in files().items():
        path = SHARE / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
