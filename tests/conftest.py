"""For every test, wherever it runs: what it starts has the signals of a process that a user starts."""

from __future__ import annotations

from tests.started import take_back_signals

take_back_signals()
