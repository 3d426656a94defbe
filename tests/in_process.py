"""Commands that run in the process of a test: what they leave behind is taken back, for later tests of other rooms."""

from __future__ import annotations

import gc
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click
import structlog


@contextmanager
def taken_back() -> Iterator[None]:
    """Restore log, hooks, garbage collector, and what click has found out about options of help."""
    before, hooks = dict(structlog.get_config()), (threading.excepthook, sys.unraisablehook)
    handlers, level, collects = list(logging.root.handlers), logging.root.level, gc.isenabled()
    try:
        yield
    finally:
        structlog.configure(**before)
        threading.excepthook, sys.unraisablehook = hooks
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
        if collects:
            gc.enable()
        if "goop2.cli.commands" in sys.modules:
            _forget_help(sys.modules["goop2.cli.commands"].goop2)


def _forget_help(command: click.Command) -> None:
    # One that was called without its group has `--help` alone, and click remembers that.
    command._help_option = None
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _forget_help(inner)
