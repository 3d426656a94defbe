"""Ask the peer that runs in a folder to do what a command wants with its scripts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from goop2.cli import output, session
from goop2.cli.errors import CommandError

ANSWER_SPARE_SECONDS: Final = 5.0
"""Beyond a script's own time, for a busy machine."""


async def ask_running(folder: Path, operation: str, request: Mapping[str, object]) -> Any:
    """Return the answer of the peer that runs in the folder, and print its script's log lines; None if none runs, or an older one."""
    from goop2.control_socket import ControlError, ask

    try:
        answer = await ask(folder, operation, request, session.RUNNING_SECONDS + ANSWER_SPARE_SECONDS)
    except ControlError as error:
        if error.code == "not_found":
            return None
        raise CommandError(str(error)) from None
    except TimeoutError:
        raise CommandError(f"the peer that runs in {folder} does not answer; its log may say why") from None
    for script, level, text in cast("list[tuple[str, str, str]]", answer.get("log", ())) if answer is not None else ():
        output.note(f"{script}: {level}: {text}")
    return answer
