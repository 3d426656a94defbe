"""For every test, wherever it runs: what it starts has the signals of a process that a user starts, writes nothing into a home,
and is marked by what it needs.

`make quick` leaves out what is marked: `browser` (needs one), `interop` (needs other implementations), `slow` (starts processes or waits).
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import pytest
from tests.started import take_back_signals

TESTS = Path(__file__).parent
SLOW_ROOMS = frozenset(("benchmarks", "cli", "e2e", "hostile", "kept"))
"""Rooms whose tests run whole peers, commands and attacks."""
SLOW_FILES = frozenset(
    (
        "net/test_guest.py",
        "net/test_host.py",
        "net/test_host_limits.py",
        "net/test_kept.py",
        "net/test_relay.py",
        "net/gossip/test_service.py",
        "net/test_muxer.py",
        "net/test_negotiation.py",
        "peers/discovery/test_a_day.py",
        "recording/test_commands.py",
        "recording/test_http.py",
        "sandbox/test_confinement.py",
        "sandbox/test_native.py",
        "sandbox/test_native_idle.py",
        "sandbox/test_syscalls.py",
        "scripting/test_annotations.py",
        "scripting/test_engine.py",
        "scripting/test_fair_queue.py",
        "scripting/test_fork_server.py",
        "scripting/test_pool.py",
        "scripting/test_worker.py",
        "services/http_client/test_operations.py",
        "storage/test_access_fuzzed.py",
        "storage/test_crash.py",
        "storage/test_hidden_rows.py",
        "storage/test_write_queue.py",
        "test_docs.py",
        "test_dotted_names.py",
        "test_packaging.py",
        "test_readme.py",
    )
)
"""Files in which a test takes more than about two seconds alone."""
STARTS_A_PEER = re.compile(
    r"^from tests\.(web\.served|net\.hosts|cli\.command|e2e\.peers)|^from tests\.started import Started", re.MULTILINE
)
NEEDS_A_BROWSER = re.compile(r"^(from|import) (playwright|selenium|tests\.web\.(browser|real)|tests\.e2e\.steps)", re.MULTILINE)

take_back_signals()


@pytest.fixture(scope="session", autouse=True)
def _state_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Peers, and commands that tests start, keep the user's secret here (folder/user_secret.py), not in the home of whoever runs them."""
    state = tmp_path_factory.mktemp("state")
    os.environ["XDG_STATE_HOME"] = str(state)
    return state


@cache
def marks(path: Path) -> tuple[str, ...]:
    """Return the markers of a whole test file."""
    relative = path.relative_to(TESTS)
    room, text = relative.parts[0], path.read_text("utf-8")
    slow = room in SLOW_ROOMS or str(relative) in SLOW_FILES or STARTS_A_PEER.search(text) is not None
    wanted = {"interop": room == "interop", "browser": NEEDS_A_BROWSER.search(text) is not None, "slow": slow}
    return tuple(name for name, holds in wanted.items() if holds)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test as its file is."""
    for item in items:
        if TESTS in item.path.parents:
            for name in marks(item.path):
                item.add_marker(name)
