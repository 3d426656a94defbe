"""Problems with finding other peers, as sentences for the owner: current ones, and those since the start."""

from __future__ import annotations

from typing import Final

import structlog

NOTES_MAX: Final = 100
"""Sentences kept since the start. A server that comes and goes must not fill the memory."""

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("goop2.net")


class Troubles:
    """The problems of one peer. Each is logged once, and again when it is over."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        """What did not work since the start, a sentence each."""
        self.current: dict[str, str] = {}
        """What does not work now: subject → sentence, for `goop2 peers` and the console."""

    def note(self, sentence: str) -> None:
        """Log something that does not work while everything else goes on."""
        if len(self.notes) < NOTES_MAX:
            self.notes.append(sentence)
        _log.warning(sentence)

    def report(self, subject: str, sentence: str) -> None:
        """Note that `subject` does not work now; the same sentence again is ignored."""
        if self.current.get(subject) != sentence:
            self.current[subject] = sentence
            self.note(sentence)

    def resolve(self, subject: str, sentence: str) -> None:
        """Log `sentence` when `subject` works again; nothing when it never failed."""
        if self.current.pop(subject, None) is not None:
            _log.warning(sentence)
