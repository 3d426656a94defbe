"""`goop2 completion`: what a shell needs to complete goop2's commands, options, folders and names of scripts.

The shell calls goop2 again with COMPLETION_VARIABLE at each Tab (`answer`); so nothing here may print anything else, or fail.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click
from click.shell_completion import CompletionItem, ShellComplete, get_completion_class, shell_complete

COMPLETION_VARIABLE: Final = "_GOOP2_COMPLETE"
PROGRAM: Final = "goop2"
SHELLS: Final = ("bash", "zsh", "fish")
NAMES_MAX: Final = 1000
"""Scripts that are offered; nobody reads more, and a Tab must not take long."""
FUNCTIONS: Final = Path("site/lua/functions")


@click.command("completion")
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print the completion of a shell: bash, zsh or fish.

    \b
    bash  put  eval "$(goop2 completion bash)"  into ~/.bashrc
    zsh   put  eval "$(goop2 completion zsh)"  into ~/.zshrc, after compinit
    fish  put  goop2 completion fish | source  into ~/.config/fish/config.fish
    """
    click.echo(source(shell, click.get_current_context().find_root().command))


def source(shell: str, command: click.Command) -> str:
    """Return the code for `shell`, one of SHELLS."""
    made = get_completion_class(shell)
    assert made is not None
    # Not bash's own `source`, which starts bash to ask for its version.
    return ShellComplete.source(made(command, {}, PROGRAM, COMPLETION_VARIABLE))


def answer(command: click.Command, instruction: str) -> int:
    """Answer a shell that asks at a Tab; return the exit code."""
    return shell_complete(command, {}, PROGRAM, COMPLETION_VARIABLE, instruction)


def function_names(context: click.Context, _parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Return the data functions of the folder on the command line that begin so."""
    folder = context.params.get("folder")
    try:
        names = sorted(file.stem for file in (Path(folder or ".") / FUNCTIONS).iterdir() if file.suffix == ".lua")
    except OSError:
        return []
    return [CompletionItem(name) for name in names if name.startswith(begun) and name.isprintable()][:NAMES_MAX]
