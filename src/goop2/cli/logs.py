"""The log of a command: short plain lines on stderr, only what the user should know.

    hello: info: looking up Alice                          a script's own line
    warning: site/lua/hello.lua:3: '=' expected near 'x'   an event beside the answer

It must not decide what is logged, only what is shown and how.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, MutableMapping
from typing import Any, Final, NoReturn

from goop2.cli import output

Event = MutableMapping[str, Any]

SILENT: Final = frozenset({"run failed", "script loaded", "script removed"})
"""The reply has said it, or nobody asked."""
ABOUT_FILES: Final = frozenset({"script broken", "script annotation", "script folder"})
"""What `lua list` and `lua check` put into their answer."""
ABOUT_OTHER_SCRIPTS: Final = frozenset({"script broken", "script repaired", "script annotation"})
"""Whoever calls one script is told about that one, in the reply."""

ABOUT_TESTS: Final = frozenset({"script log", "script log cut", "script annotation"})
"""What a test that failed is told with; of others nobody wants to know."""

TOLD: Final = frozenset({"script log", "script repaired"})
"""No warnings: a script's own lines, and good news."""
REPEATED_SECONDS: Final = 60.0
"""So long the same warning is not said again."""
SAID_MAX: Final = 256
"""Warnings that are remembered for that."""
_SHORTAGE: Final = (os.strerror(errno.EMFILE), os.strerror(errno.ENFILE), "Too many open files", "too many open files")
_said: dict[str, float] = {}


def set_up(silent: frozenset[str] = frozenset()) -> None:
    """Show events from now on, except those named. Call it before a peer is opened: its parts create their loggers then."""
    import structlog

    hidden = SILENT | silent

    def show(_logger: object, method: str, event: Event) -> NoReturn:
        if event["event"] not in hidden:
            _show(method, event)
        raise structlog.DropEvent

    # From info on, because a script's own lines may be that.
    structlog.configure(
        processors=[show],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.ReturnLoggerFactory(),  # nothing comes that far; the usual one wants a stdout
    )
    _take_lines_of_libraries()


class _Libraries(logging.Handler):
    """Print log records of libraries, and Python's own warnings, in our form: a line, without a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        """Hand a record of a library to our log (logging.Handler)."""
        error = record.exc_info[1] if record.exc_info else None
        try:
            text = record.getMessage()
        except Exception:  # a library's mistake in its own line
            text = str(record.msg)
        first = text.strip().partition("\n")[0]
        warn(f"{record.name}: {first}" + (f" ({cause(error)})" if error is not None else ""))


def _take_lines_of_libraries() -> None:
    logging.basicConfig(handlers=[_Libraries(logging.WARNING)], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    threading.excepthook = lambda ended: warn(f"a thread ended: {cause(ended.exc_value)}")
    sys.unraisablehook = lambda ignored: warn(f"an error was passed over: {cause(ignored.exc_value)}")


def cause(error: BaseException | None) -> str:
    """Return an error in one line."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def warn(sentence: str) -> None:
    """Log a warning, but not the same one again and again: every part of a peer meets a shortage of descriptors, many times a second."""
    # Every part of a peer reports a shortage in its own words; one sentence stands for all.
    if any(text in sentence for text in _SHORTAGE):
        sentence = _no_descriptors()
    now = time.monotonic()
    if now - _said.get(sentence, -REPEATED_SECONDS) < REPEATED_SECONDS:
        return
    # Emptied at once: a warning may be repeated early, but the memory stays bounded.
    if len(_said) >= SAID_MAX:
        _said.clear()
    _said[sentence] = now
    output.warn(sentence)


def _no_descriptors() -> str:
    import resource

    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return f"no file descriptor is left, this process may have {most}: what needs one fails until others are closed; ulimit -n raises it"


def _show(method: str, event: Event) -> None:
    sentence = _SENTENCES.get(event["event"])
    if sentence is not None:
        output.note(sentence(method, event)) if event["event"] in TOLD else output.warn(sentence(method, event))
    elif method != "info":
        warn(_plain(event))


def _script_log(method: str, event: Event) -> str:
    return f"{event['script']}: {'warn' if method == 'warning' else method}: {event['text']}"


def _script_log_cut(_method: str, event: Event) -> str:
    return f"{event['script']} logged more than is kept; these were its first {event['kept_lines']} lines"


def _broken(_method: str, event: Event) -> str:
    place = event["path"] if event["line"] is None else f"{event['path']}:{event['line']}"
    return f"{place}: {event['message']}" + ("; the version before keeps answering" if event["older_runs"] else "")


def _repaired(_method: str, event: Event) -> str:
    return f"{event['path']} has no error any more and is live"


def _missed(_method: str, event: Event) -> str:
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(event["due"]))
    times = "once" if event["times"] == 1 else f"{event['times']:,} times"
    return f"{event['script']} should have run at {at} and did not (missed {times}): it is made up now, once"


def _warning(_method: str, event: Event) -> str:
    return str(event["warning"])


def _plain(event: Event) -> str:
    cause = sys.exc_info()[1] if event.pop("exc_info", None) else None
    details = [f"{key}={value}" for key, value in event.items() if key != "event"]
    return " ".join([event["event"], *details, *([f"({type(cause).__name__}: {cause})"] if cause else [])])


_SENTENCES: Final[dict[str, Callable[[str, Event], str]]] = {
    "script log": _script_log,
    "script log cut": _script_log_cut,
    "script broken": _broken,
    "script repaired": _repaired,
    "schedule missed": _missed,
    "schedules file": _warning,
    "script annotation": _warning,
    "script folder": _warning,
    "run history": _warning,
}
"""Event → how it is said."""
