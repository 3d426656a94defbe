"""For every test, wherever it runs: what it starts has the signals of a process that a user starts, and writes nothing into a home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.started import take_back_signals

take_back_signals()


@pytest.fixture(scope="session", autouse=True)
def _state_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Peers, and commands that tests start, keep the user's secret here (folder/user_secret.py), not in the home of whoever runs them."""
    state = tmp_path_factory.mktemp("state")
    os.environ["XDG_STATE_HOME"] = str(state)
    return state
