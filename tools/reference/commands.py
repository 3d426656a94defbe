"""docs/commands.md: every command with its arguments and options, from the commands themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

from goop2.cli.commands import goop2

HEAD = """# Commands

Every command of `goop2`, with its arguments and options. `goop2 COMMAND --help` and `man goop2-COMMAND` say the same. Made from the
commands; change those, then run `make pages`.

`--json` prints one JSON value for programs. Answers go to standard output, everything about them to standard error. What an exit code
means: 0 done, 1 a script or its input failed, 2 the command, the folder or the machine is at fault, 130 Ctrl-C.
[Errors](errors.md#errors-of-commands) lists the codes that `--json` gives.
"""


def commands(path: tuple[str, ...], command: click.Command) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield a command with its words, and those under it."""
    yield path, command
    for name, inner in command.commands.items() if isinstance(command, click.Group) else ():
        yield from commands((*path, name), inner)


def page() -> str:
    """Return the text of the page."""
    return "\n".join([HEAD, *(_entry(path, command) for path, command in commands(("goop2",), goop2))])


def _entry(path: tuple[str, ...], command: click.Command) -> str:
    # As a command has it from `goop2`: click keeps the help option that is made first.
    context = click.Context(command, info_name=" ".join(path), **goop2.context_settings)
    lines = [
        f"## {' '.join(path)}",
        "",
        f"`{' '.join([*path, *command.collect_usage_pieces(context)])}`",
        "",
        *_paragraphs(command.help or ""),
    ]
    records = [record for each in command.get_params(context) if (record := each.get_help_record(context)) and record[1]]
    if records:
        lines += [
            "| option | |",
            "| --- | --- |",
            *(f"| `{option.replace('|', chr(92) + '|')}` | {_cell(text)} |" for option, text in records),
            "",
        ]
    if isinstance(command, click.Group):
        inner = [f"[`{name}`](#{'-'.join([*path, name])})" for name in command.commands]
        lines += [f"Commands: {', '.join(inner)}.", ""]
    return "\n".join(lines)


def _paragraphs(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if paragraph.lstrip().startswith("\b"):
            yield "\n".join(["```text", *(line.rstrip() for line in paragraph.split("\n")[1:]), "```", ""])
        else:
            yield f"{_cell(' '.join(paragraph.split()))}\n"


def _cell(text: str) -> str:
    # Words of click's own texts that Markdown would take for markup.
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
