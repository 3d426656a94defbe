"""What a command asks of the schedules, as JSON; the same whether the running peer does it or the command itself."""

from __future__ import annotations

from typing import Any

import msgspec

from goop2.services.schedules.service import NOT_RUN, Scheduler


async def perform(schedules: Scheduler, operation: str, name: str) -> dict[str, Any]:
    """Do `run`, `pause` or `resume` with the schedule `name`, or nothing for `list`; return `schedules`, and of a run how it went.

    Raises `NoSuchScheduleError` and `ScheduleBusyError`.
    """
    answer: dict[str, Any] = {}
    if operation == "run":
        run = await schedules.run_now(name)
        answer = {"run": run.id if run else None, "status": run.status if run else NOT_RUN, "message": run.message if run else ""}
        answer["log"] = [[run.script, level, text] for level, text in run.log] if run else []
        answer["answer"] = run.answer.decode("utf-8", "replace") if run else ""
        answer["milliseconds"] = run.milliseconds if run else 0.0
    elif operation == "pause":
        schedules.pause(name)
    elif operation == "resume":
        schedules.resume(name)
    return {**answer, "schedules": msgspec.to_builtins(schedules.listing())}
