"""Arguments and options that several commands share, so that they have one meaning and one text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from goop2.folder.regular_files import shown

Command = TypeVar("Command", bound=Callable[..., Any])

CALLER_ID_MAX_CHARS = 128
"""Peer ids have 52; a visitor's is shorter."""


def _stranger(_context: click.Context, _option: click.Parameter, value: str | None) -> str | None:
    if value is None or (value.isprintable() and 0 < len(value.strip()) <= CALLER_ID_MAX_CHARS):
        return value
    raise click.BadParameter(f"a peer id is 1 to {CALLER_ID_MAX_CHARS} printable characters, such as 12D3Koo…")


class TextType(click.types.StringParamType):
    """Text that can be sent and saved. A path may have any bytes; other text may not."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return `value`, once it is checked to be text (click.ParamType)."""
        if isinstance(value, str) and shown(value) != value:
            self.fail(f"{shown(value)!r} is not UTF-8 text", param, ctx)
        return super().convert(value, param, ctx)


class _Folder(click.Path):
    """A path that is not empty. An empty one would mean the current folder: `goop2 init "$DIR"` reads so when DIR was never set."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the folder that `value` names (click.ParamType)."""
        if value == "":
            self.fail('an empty text names no folder; "." is the current one', param, ctx)
        return super().convert(value, param, ctx)


FOLDER = _Folder(path_type=Path)
FOLDER_OPTION: Final = "--dir"
"""Names the folder wherever it stands; default_folder.py puts it into the argument's place."""


class FolderArgument(click.Argument):
    """The peer folder of a command, which may be left out (default_folder.py)."""


def folder_argument(function: Command) -> Command:
    """Give a command the argument DIR, and the option that stands for it."""
    option = click.option(
        FOLDER_OPTION, metavar="DIR", type=FOLDER, expose_value=False, help="The peer folder; without it and DIR, the nearest."
    )
    return click.argument("folder", cls=FolderArgument, metavar="[DIR]", type=FOLDER)(option(function))


as_option = click.option(
    "--as",
    "stranger",
    metavar="PEER_ID",
    callback=_stranger,
    help="Call as this peer, with a stranger's rights and limits, not as the owner.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help='One JSON value on stdout; a failure is {"ok": false, "code": …, "message": …}.'
)
