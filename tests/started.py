"""Processes that tests start: none outlives its test, and each has the signals of a process that a user starts."""

from __future__ import annotations

import signal
import subprocess
from types import TracebackType
from typing import AnyStr


class Started(subprocess.Popen[AnyStr]):
    """A process for `with`, which waits for its end and, when the block fails, kills it first: it may not know that it should end."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, error, trace)


def take_back_signals() -> None:
    """Let what is started here have the signals that a shell's background (SIGINT) or `nohup` (SIGHUP) ignores, which children inherit.

    A handler of ours is the default again in a child; a process that ignored the signal goes on doing so.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: None)


take_back_signals()
