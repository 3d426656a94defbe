"""Set up every test: default signals for what it starts, a state folder outside the user's home, and the markers of its file.

`make quick` leaves out the marked tests: `browser` (needs one), `interop` (needs other implementations), `slow` (starts processes, waits or
computes much). A single slow test in a quick file carries `@pytest.mark.slow` itself.
"""

from __future__ import annotations

import os
import re
from functools import cache
from pathlib import Path

import hypothesis
import pytest
from tests.started import take_back_signals

TESTS = Path(__file__).parent
SLOW_ROOMS = frozenset(("benchmarks", "cli", "docs", "e2e", "hostile", "installation", "kept"))
"""Rooms whose tests run whole peers, commands and attacks."""
SLOW_FILES = frozenset(
    (
        "cluster/test_owner.py",
        "net/gossip/test_bounds.py",
        "net/gossip/test_fuzzed.py",
        "net/gossip/test_service.py",
        "net/test_host.py",
        "net/test_host_limits.py",
        "net/test_kept.py",
        "net/test_muxer.py",
        "net/test_negotiation.py",
        "net/test_relay.py",
        "peers/discovery/test_a_day.py",
        "recording/test_commands.py",
        "recording/test_http.py",
        "sandbox/test_confinement.py",
        "sandbox/test_data_calls.py",
        "sandbox/test_memory.py",
        "sandbox/test_native.py",
        "sandbox/test_native_idle.py",
        "sandbox/test_stack_edge.py",
        "sandbox/test_syscalls.py",
        "scripting/test_annotations.py",
        "scripting/test_engine.py",
        "scripting/test_fair_queue.py",
        "scripting/test_fork_server.py",
        "scripting/test_pool.py",
        "scripting/test_sides.py",
        "scripting/test_watch.py",
        "scripting/test_worker.py",
        "scripting/test_worker_supply.py",
        "services/backup/test_service.py",
        "services/chat/test_service.py",
        "services/http_client/test_operations.py",
        "services/http_client/test_patience.py",
        "services/listen/test_boundaries.py",
        "services/listen/test_operations.py",
        "services/listen/test_service.py",
        "services/backup/test_standby.py",
        "services/rest_api/test_function.py",
        "services/schedules/test_real_runs.py",
        "services/script_tests/test_runner.py",
        "services/test_storage_health.py",
        "storage/test_access_fuzzed.py",
        "storage/test_crash.py",
        "storage/test_hidden_rows.py",
        "storage/test_manual.py",
        "storage/test_moved.py",
        "storage/test_write_queue.py",
        "test_docs.py",
        "test_dotted_names.py",
        "test_packaging.py",
        "test_readme.py",
        "web/http/test_timeout_protocol.py",
    )
)
"""Files whose tests start workers, wait, or compute for long: together more than about two seconds alone."""
STARTS_A_PEER = re.compile(
    r"^from tests\.(web\.served|net\.hosts|cli\.command|e2e\.peers)|^from tests\.started import Started", re.MULTILINE
)
NEEDS_A_BROWSER = re.compile(r"^(from|import) (playwright|selenium|tests\.web\.(browser|real)|tests\.e2e\.steps)", re.MULTILINE)

EXCLUDES_ALONE = re.compile(r"not \w+(?: and not \w+)*")
"""A marker expression that only excludes, such as that of `make quick`."""

take_back_signals()

# Hypothesis would fail an example that takes more than 200 ms, and data that comes slowly. On a busy machine both happen to correct code.
hypothesis.settings.register_profile("goop2", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("goop2")


@pytest.fixture(scope="session", autouse=True)
def _state_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Peers, and commands that tests start, keep the user's secret here (folder/user_secret.py), not in the home of whoever runs them."""
    state = tmp_path_factory.mktemp("state")
    os.environ["XDG_STATE_HOME"] = str(state)
    return state


PROMISED = re.compile(r"`(tests/[\w./-]+\.py)(::\w+)?`")
"""A test that a page of promises names."""


@cache
def marks(path: Path) -> tuple[str, ...]:
    """Return the markers of a whole test file."""
    relative = path.relative_to(TESTS)
    room, text = relative.parts[0], path.read_text("utf-8")
    slow = room in SLOW_ROOMS or str(relative) in SLOW_FILES or STARTS_A_PEER.search(text) is not None
    wanted = {"interop": room == "interop", "browser": NEEDS_A_BROWSER.search(text) is not None, "slow": slow}
    return tuple(name for name, holds in wanted.items() if holds)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip a file that the marker expression excludes as a whole: importing it only to deselect its tests takes half of the collection."""
    expression = str(config.getoption("markexpr"))
    if collection_path.suffix != ".py" or TESTS not in collection_path.parents or not EXCLUDES_ALONE.fullmatch(expression):
        return None
    return True if set(marks(collection_path)) & set(expression.split()) else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the promised tests that could not run here, with the reason: their promises are not shown on this machine."""
    pages = [(TESTS.parent / f"docs/{name}.md").read_text("utf-8") for name in ("security", "guarantees")]
    promised = {f"{file}{test}" for page in pages for file, test in PROMISED.findall(page)}
    skipped = {report.nodeid.partition("[")[0]: report.longrepr for report in terminalreporter.stats.get("skipped", ())}
    for test in sorted(promised & set(skipped)):
        why = skipped[test]
        terminalreporter.write_line(f"Not shown here: {test} ({why[-1] if isinstance(why, tuple) else why})")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test as its file is."""
    for item in items:
        if TESTS in item.path.parents:
            for name in marks(item.path):
                item.add_marker(name)
