"""The error of a command: a fault that the parser of its arguments cannot see."""

from __future__ import annotations

from typing import ClassVar


class CommandError(Exception):
    """The command cannot do what was asked; the message is one sentence that says why and what to do. Exit code 2."""

    owner_code: ClassVar = "usage"
