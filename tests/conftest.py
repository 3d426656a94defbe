"""Set up every test: default signals for what it starts, a state folder outside the user's home, and the markers of its file.

`make quick` leaves out the marked tests: `browser` (needs one), `interop` (needs other implementations), `slow` (starts processes, waits or
computes much). A single slow test in a quick file carries `@pytest.mark.slow` itself. `make test` leaves out what is `long`.
"""

from __future__ import annotations

import os
import re
from functools import cache
from itertools import combinations
from pathlib import Path

import hypothesis
import pytest
from _pytest.mark.expression import Expression, ExpressionMatcher
from tests.started import take_back_signals

TESTS = Path(__file__).parent
SLOW_ROOMS = frozenset(("benchmarks", "cli", "docs", "e2e", "hostile", "installation", "kept"))
"""Rooms whose tests run whole peers, commands and attacks."""
SLOW_FILES = frozenset(
    (
        "cluster/test_lease_client.py",
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
        "recording/test_names.py",
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
        "scripting/test_recorded_runs.py",
        "scripting/test_shared_code.py",
        "scripting/test_sides.py",
        "scripting/test_site_helpers.py",
        "scripting/test_watch.py",
        "scripting/test_worker.py",
        "scripting/test_worker_supply.py",
        "services/backup/test_service.py",
        "services/backup/test_standby.py",
        "services/chat/test_service.py",
        "services/http_client/test_operations.py",
        "services/http_client/test_patience.py",
        "services/listen/test_boundaries.py",
        "services/listen/test_operations.py",
        "services/listen/test_service.py",
        "services/rest_api/test_function.py",
        "services/schedules/test_real_runs.py",
        "services/script_tests/test_runner.py",
        "services/templates/test_service.py",
        "services/test_existing_sites.py",
        "services/test_live_settings.py",
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
LONGEST = (
    "web/console/test_app.py",
    "web/api/test_listen.py",
    "web/test_real_browsers.py",
    "web/test_console_states.py",
    "web/test_console_shell.py",
    "web/test_in_browser.py",
    "web/test_console_late.py",
    "cli/test_data.py",
    "web/test_console_workbench.py",
    "web/console/test_tables.py",
    "web/test_sdk_corpus.py",
    "test_readme.py",
    "e2e/test_hole_punching.py",
    "e2e/test_two_peers.py",
    "folder/templates/test_looks.py",
    "folder/templates/test_listening.py",
    "web/test_console_site.py",
    "e2e/test_listening.py",
    "hostile/test_worker_wear.py",
    "web/test_sdk_goop2.py",
    "folder/templates/test_tictactoe.py",
    "services/listen/test_operations.py",
    "e2e/test_relay.py",
    "services/backup/test_service.py",
    "interop/test_gossip.py",
    "interop/test_old.py",
    "e2e/test_ipv6.py",
    "interop/test_autonat.py",
    "kept/test_kept.py",
    "peers/test_hosted_session.py",
    "hostile/test_strangers.py",
    "recording/test_commands.py",
    "interop/test_go_punching.py",
    "e2e/test_bad_line.py",
    "interop/test_js_reach.py",
    "e2e/test_found.py",
    "web/test_sdk_components.py",
    "e2e/test_in_step.py",
    "e2e/test_paused.py",
    "web/console/controls/test_groups.py",
)
"""Files of half a minute and more, the longest first: a file is one worker's, so one begun late keeps the others waiting at the end."""
NEEDS_A_BROWSER = re.compile(r"^(from|import) (playwright|selenium|tests\.web\.(browser|real)|tests\.e2e\.steps)", re.MULTILINE)

MARKED_ALONE = re.compile(r"\b(?:mark\.|from tests\.)(browser|interop|long|slow)\b")
"""The marker of a single test, or of some of its parameters."""

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


def matcher(names: set[str]) -> ExpressionMatcher:
    """Tell pytest's expressions of a test that has these markers."""
    return lambda name, /, **_: name in names


@cache
def may_be_wanted(path: Path, expression: str) -> bool:
    """Tell whether the marker expression can hold for a test of this file."""
    some = sorted(set(MARKED_ALONE.findall(path.read_text("utf-8"))) - set(marks(path)))
    wanted = Expression.compile(expression)
    found = (set(marks(path)) | set(more) for count in range(len(some) + 1) for more in combinations(some, count))
    return any(wanted.evaluate(matcher(names)) for names in found)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Skip a file that the marker expression excludes as a whole: importing it only to deselect its tests takes half of the collection."""
    expression = str(config.getoption("markexpr"))
    if not expression or collection_path.suffix != ".py" or TESTS not in collection_path.parents:
        return None
    return None if may_be_wanted(collection_path, expression) else True


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List the promised tests that could not run here, with the reason: their promises are not shown on this machine."""
    pages = [(TESTS.parent / f"docs/{name}.md").read_text("utf-8") for name in ("security", "guarantees")]
    promised = {f"{file}{test}" for page in pages for file, test in PROMISED.findall(page)}
    skipped = {report.nodeid.partition("[")[0]: report.longrepr for report in terminalreporter.stats.get("skipped", ())}
    for test in sorted(promised & set(skipped)):
        why = skipped[test]
        terminalreporter.write_line(f"Not shown here: {test} ({why[-1] if isinstance(why, tuple) else why})")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test as its file is, and begin with the longest files."""
    rank = {TESTS / file: number for number, file in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))
    for item in items:
        if TESTS in item.path.parents:
            for name in marks(item.path):
                item.add_marker(name)
