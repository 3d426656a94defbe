"""The error of a command: something is wrong that the parser of its arguments cannot see."""

from __future__ import annotations

from typing import ClassVar


class CommandError(Exception):
    """The command cannot do what it is asked for; the message says why and what to do, in one sentence. Exit code 2."""

    owner_code: ClassVar = "usage"
