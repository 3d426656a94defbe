"""Commands of the documentation, run in this process: a test runs dozens, and each would take a third of a second to start."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from tests.cli.command import GOOP2, PATIENCE_SECONDS, environment
from tests.in_process import taken_back

from goop2.cli import main
from goop2.cli.commands import goop2

PROMPT = "$ "
_NAME = re.compile(r"(?:^|[&|;] |-- |^/\S+/|sudo -u \S+ |docker exec \S+ |docker run .* goop2 )goop2 (.*)")
"""`goop2` where a shell, or what starts another program, takes it as a command."""
_ENDS = frozenset(("&&", "|", "||", ";", ">", "2>&1", "&"))


def commands(text: str) -> Iterator[list[str]]:
    """Yield the arguments of each `goop2` that a block of shell runs; lines that end in a backslash go on."""
    for line in text.replace("\\\n", " ").splitlines():
        for found in _NAME.finditer(line.removeprefix(PROMPT)):
            words = shlex.split(found[1], comments=True)
            end = next((place for place, word in enumerate(words) if word in _ENDS), len(words))
            yield words[:end]


def understood(arguments: Sequence[str]) -> None:
    """Check that there is such a command, with such options and as many arguments; nothing runs. Raises `click.UsageError`."""
    command: click.Command = goop2
    words, parent = list(arguments), None
    while isinstance(command, click.Group):
        parent = click.Context(command, info_name=command.name, parent=parent, resilient_parsing=True, **goop2.context_settings)
        # The group's own way, since some know a command that may be left out. It says what is left in two parts.
        command.parse_args(parent, words)
        words = [*parent._protected_args, *parent.args]
        if not words:
            return
        inner = command.commands.get(words[0])
        if inner is None:
            raise click.UsageError(f"{parent.command_path} has no command {words[0]}")
        command, words = inner, words[1:]
    parent = click.Context(command, info_name=command.name, parent=parent, **goop2.context_settings)
    values, words, _ = command.make_parser(parent).parse_args(args=words)
    asked_for_help = any(values.get(name) for name in ("help", "version"))
    missing = [
        each.name for each in command.params if isinstance(each, click.Argument) and each.required and not values.get(each.name or "")
    ]
    if missing and not asked_for_help:
        raise click.UsageError(f"{parent.command_path} lacks {', '.join(map(str, missing))}")
    if words:
        raise click.UsageError(f"{parent.command_path} takes no {' '.join(words)}")


def run(arguments: Sequence[str], folder: Path) -> tuple[int, str]:
    """Run the command in a folder; return its exit code and what it printed, on both streams."""
    printed = io.StringIO()
    here = Path.cwd()
    os.chdir(folder)
    try:
        with taken_back(), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            code = main._command(list(arguments))
    finally:
        os.chdir(here)
    return code, printed.getvalue()


def shell(line: str, folder: Path) -> tuple[int, str]:
    """Run a line of a shell in a folder, `goop2` in a process of its own."""
    path = f"{Path(GOOP2).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=environment({"PATH": path}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    # As a terminal shows them, where each line comes at once.
    return done.returncode, done.stdout + done.stderr


def done(line: str, folder: Path) -> tuple[int, str]:
    """Run a line that a reader types."""
    if line.startswith("goop2 ") and not re.search(r"[|&;<>$`]", re.sub(r"'[^']*'|\"[^\"]*\"", "", line)):
        return run(shlex.split(line, comments=True)[1:], folder)
    return shell(line, folder)
