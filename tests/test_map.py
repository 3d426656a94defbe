"""Where each module is tested: in the file that mirrors it, or where the table says.

`src/goop2/<room>/<module>.py` is mirrored by `tests/<room>/test_<module>.py`. A package's own `__init__.py` counts when a
function or a class is in it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parent
PACKAGE = ROOT / "src/goop2"
COMMAND = "the command"
"""The test starts `goop2` as a user does."""
STARTS_COMMANDS = frozenset(("tests.cli.command", "tests.started.Started", "subprocess", "click.testing"))
"""A test that starts commands imports one of these, or a helper that does."""


class Elsewhere(NamedTuple):
    """Where a module is tested that has no file of its own."""

    file: str
    through: str = ""
    """Module by which the test reaches it, below `goop2`, or COMMAND; "" when the test imports it itself."""


ELSEWHERE: Mapping[str, Elsewhere] = {
    "__main__": Elsewhere("cli/test_main.py", COMMAND),
    "app": Elsewhere("hostile/test_stop.py"),
    "cli.commands": Elsewhere("test_readme.py"),
    "cli.conversations": Elsewhere("cli/test_chat.py", COMMAND),
    "cli.errors": Elsewhere("cli/test_main.py", COMMAND),
    "cli.lease": Elsewhere("cli/test_taking_over.py", COMMAND),
    "cli.logs": Elsewhere("cli/test_streams.py"),
    "cli.options": Elsewhere("cli/test_main.py", COMMAND),
    "cli.prompt": Elsewhere("cli/test_chat.py", COMMAND),
    "cli.running_peer": Elsewhere("cli/test_schedule.py", COMMAND),
    "cli.rows": Elsewhere("cli/test_data.py", COMMAND),
    "cli.script_listing": Elsewhere("cli/test_lua.py", COMMAND),
    "config.docs": Elsewhere("test_docs.py"),
    "config.loading": Elsewhere("test_config.py", "config"),
    "config.settings": Elsewhere("test_config.py", "config"),
    "config.types": Elsewhere("test_config.py", "config"),
    "folder.private_files": Elsewhere("folder/test_site_files.py", "folder.site_files"),
    "net.acceptor": Elsewhere("net/test_host_limits.py", "net.host"),
    "net.connection": Elsewhere("net/test_transport.py", "net.host"),
    "net.circuits": Elsewhere("net/test_relay.py"),
    "net.faults": Elsewhere("net/test_host.py"),
    "net.gossip.neighbour": Elsewhere("net/gossip/test_service.py"),
    "net.limits": Elsewhere("net/test_host_limits.py"),
    "net.requests": Elsewhere("net/test_kept.py", "net.host"),
    "net.stream": Elsewhere("net/test_host.py"),
    "protocols.diagnosis": Elsewhere("peers/test_go_requests.py", "peers.diagnosis"),
    "peers.client": Elsewhere("peers/test_server.py"),
    "peers.diagnosis": Elsewhere("peers/test_go_requests.py"),
    "peers.dispatch": Elsewhere("peers/test_network.py", "peers.network"),
    "peers.remote_control.chat": Elsewhere("cli/test_chat.py", COMMAND),
    "peers.remote_control.files": Elsewhere("cli/test_group_files.py", COMMAND),
    "services.owner": Elsewhere("services/groups/test_service.py", "app"),
    "services.script_settings": Elsewhere("services/test_live_settings.py", "app"),
    "services.services": Elsewhere("services/groups/test_service.py", "app"),
    "services.shared_files.errors": Elsewhere("peers/test_file_exchange.py"),
    "services.shared_files.service": Elsewhere("peers/test_file_exchange.py", "app"),
    "services.shared_files.transfer": Elsewhere("peers/test_file_exchange.py"),
    "peers.remote_control.groups": Elsewhere("cli/test_group.py", COMMAND),
    "peers.remote_control.operations": Elsewhere("cli/test_peers.py", COMMAND),
    "peers.remote_control.scripts": Elsewhere("cli/test_run_logs.py", COMMAND),
    "protocols.errors": Elsewhere("protocols/test_data.py"),
    "rendezvous.http": Elsewhere("rendezvous/test_server.py"),
    "rendezvous.limits": Elsewhere("rendezvous/test_registry.py"),
    "rendezvous.relay_server": Elsewhere("rendezvous/test_server.py", "rendezvous.server"),
    "sandbox.answers": Elsewhere("scripting/test_pool.py"),
    "sandbox.messages": Elsewhere("sandbox/test_framing.py"),
    "sandbox.orm_calls": Elsewhere("services/test_existing_sites.py"),
    "sandbox.worker_operations": Elsewhere("sandbox/test_data_calls.py", "sandbox.data_calls"),
    "sandbox.worker": Elsewhere("scripting/test_pool.py", "scripting.pool"),
    "scripting.api.declaration": Elsewhere("scripting/api/test_stubs.py", "scripting.api"),
    "scripting.api.functions": Elsewhere("scripting/api/test_docs.py", "scripting.api"),
    "scripting.api.site_functions": Elsewhere("scripting/api/test_docs.py", "scripting.api"),
    "scripting.idle_check": Elsewhere("scripting/test_pool.py", "scripting.pool"),
    "scripting.compile_groups": Elsewhere("scripting/test_catalog.py", "scripting.catalog"),
    "scripting.idle_workers": Elsewhere("scripting/test_sides.py", "scripting.pool"),
    "scripting.job": Elsewhere("scripting/test_pool.py", "scripting.pool"),
    "scripting.peer_operations": Elsewhere("scripting/test_pool.py", "scripting.pool"),
    "cluster.bus": Elsewhere("cluster/test_keys.py"),
    "cluster.far_call": Elsewhere("cluster/test_far_runner.py", "cluster.far_runner"),
    "cluster.kept_by_lease": Elsewhere("cli/test_taking_over.py", COMMAND),
    "cluster.lease_store": Elsewhere("cluster/test_lease_client.py"),
    "cluster.limits": Elsewhere("cluster/test_nodes.py"),
    "cluster.nats_bus": Elsewhere("cluster/test_owner.py"),
    "services.cluster_view": Elsewhere("web/console/controls/test_cluster.py"),
    "scripting.runner": Elsewhere("scripting/test_call_queue.py", "scripting.call_queue"),
    "scripting.outcomes": Elsewhere("scripting/test_pool.py", "scripting.pool"),
    "protocols.rooms": Elsewhere("services/rooms/test_rooms.py"),
    "scripting.api.testing": Elsewhere("services/script_tests/test_runner.py", "app"),
    "services.script_tests.folder_copy": Elsewhere("services/script_tests/test_runner.py", "app"),
    "services.script_tests.limits": Elsewhere("services/script_tests/test_runner.py", "app"),
    "services.script_tests.operations": Elsewhere("services/script_tests/test_runner.py", "app"),
    "services.script_tests.report": Elsewhere("services/script_tests/test_runner.py"),
    "services.script_tests.stubs": Elsewhere("services/script_tests/test_runner.py", "app"),
    "storage.clock": Elsewhere("services/script_tests/test_runner.py", "app"),
    "services.schedules.limits": Elsewhere("services/schedules/test_service.py"),
    "services.schedules.operations": Elsewhere("services/schedules/test_real_runs.py"),
    "services.schedules.state_file": Elsewhere("services/schedules/test_service.py"),
    "folder.bundle_limits": Elsewhere("folder/test_bundles.py"),
    "peers.remote_control.templates": Elsewhere("cli/test_template.py", COMMAND),
    "services.templates.change": Elsewhere("services/templates/test_service.py"),
    "services.templates.errors": Elsewhere("services/templates/test_service.py"),
    "services.templates.ground": Elsewhere("services/templates/test_service.py", "services.templates.change"),
    "services.templates.limits": Elsewhere("services/templates/test_service.py", "services.templates.change"),
    "services.templates.manifest": Elsewhere("services/templates/test_service.py", "services.templates.change"),
    "services.templates.plan": Elsewhere("services/templates/test_service.py"),
    "services.templates.recovery": Elsewhere("services/templates/test_service.py"),
    "services.templates.scripts": Elsewhere("services/templates/test_service.py", "services.templates.change"),
    "services.templates.sources": Elsewhere("services/templates/test_service.py", "services.templates.change"),
    "services.rooms.errors": Elsewhere("services/rooms/test_rooms.py"),
    "services.rooms.limits": Elsewhere("services/rooms/test_rooms.py"),
    "services.rooms.script_operations": Elsewhere("services/test_existing_sites.py", "app"),
    "services.rooms.service": Elsewhere("services/rooms/test_rooms.py"),
    "services.rooms.state": Elsewhere("services/rooms/test_rooms.py", "services.rooms.service"),
    "services.groups.from_host": Elsewhere("services/groups/test_state.py", "services.groups.state"),
    "services.groups.join_retries": Elsewhere("services/groups/test_state.py", "services.groups.state"),
    "services.groups.rows": Elsewhere("services/groups/test_go_peers.py", "services.groups.service"),
    "storage.shared_table": Elsewhere("storage/test_groups.py", "storage.groups"),
    "web.api.goop2_shapes": Elsewhere("web/api/test_goop2_groups.py", "app"),
    "services.backup.child": Elsewhere("cli/test_backup.py", COMMAND),
    "services.backup.limits": Elsewhere("services/backup/test_service.py"),
    "services.backup.litestream": Elsewhere("services/backup/test_service.py", "services.backup.service"),
    "services.backup.once": Elsewhere("cli/test_backup.py", COMMAND),
    "services.backup.restoring": Elsewhere("services/backup/test_service.py"),
    "services.backup.terms": Elsewhere("services/backup/test_service.py"),
    "services.chat.limits": Elsewhere("services/chat/test_service.py"),
    "services.chat.message_store": Elsewhere("services/chat/test_service.py", "services.chat.service"),
    "services.groups.errors": Elsewhere("services/groups/test_state.py"),
    "services.groups.limits": Elsewhere("services/groups/test_state.py"),
    "services.groups.closing": Elsewhere("services/test_existing_sites.py"),
    "services.groups.script_operations": Elsewhere("services/test_existing_sites.py"),
    "services.groups.records": Elsewhere("services/groups/test_state.py", "services.groups.state"),
    "services.http_client.disabled": Elsewhere("services/http_client/test_docs.py"),
    "services.http_client.errors": Elsewhere("services/http_client/test_body.py"),
    "services.http_client.failure_texts": Elsewhere("services/http_client/test_client.py", "services.http_client.client"),
    "services.http_client.limits": Elsewhere("services/http_client/test_client.py"),
    "services.http_client.request": Elsewhere("hostile/http/test_headers.py"),
    "sandbox.transform_calls": Elsewhere("services/test_transformations.py", "services.peer"),
    "services.app_messages": Elsewhere("web/remote/test_messages.py", "app"),
    "services.listen.cover": Elsewhere("services/listen/test_tracks.py", "services.listen.tracks"),
    "services.listen.file_start": Elsewhere("services/listen/test_tracks.py", "services.listen.tracks"),
    "services.listen.flac": Elsewhere("services/listen/test_boundaries.py", "services.listen.boundaries"),
    "services.listen.mpeg": Elsewhere("services/listen/test_tracks.py"),
    "services.listen.wav": Elsewhere("services/listen/test_boundaries.py", "services.listen.boundaries"),
    "services.peer": Elsewhere("services/chat/test_service.py"),
    "storage.columns": Elsewhere("storage/test_typed_tables.py", "storage.typed_tables"),
    "storage.error_masking": Elsewhere("storage/test_table_access.py", "storage.table_access"),
    "storage.errors": Elsewhere("storage/test_database.py"),
    "storage.limits": Elsewhere("storage/test_database.py"),
    "storage.messages": Elsewhere("services/chat/test_service.py"),
    "storage.desk_limits": Elsewhere("storage/test_table_browser.py"),
    "storage.import_limits": Elsewhere("storage/test_table_import.py"),
    "storage.import_plan": Elsewhere("storage/test_table_import.py", "storage.table_import"),
    "storage.import_source": Elsewhere("storage/test_table_import.py", "storage.table_import"),
    "storage.policy_sentences": Elsewhere("storage/test_table_design.py"),
    "storage.schema_file_edit": Elsewhere("storage/test_table_design.py", "storage.table_design"),
    "storage.expressions": Elsewhere("services/test_existing_sites.py"),
    "storage.orm_tables": Elsewhere("services/test_existing_sites.py"),
    "storage.policies": Elsewhere("storage/test_table_access.py"),
    "storage.request_parser": Elsewhere("storage/test_access_requests.py", "storage.table_access"),
    "storage.row_encoding": Elsewhere("storage/test_typed_tables.py", "storage.typed_tables"),
    "storage.run_limits": Elsewhere("storage/test_run_database.py"),
    "storage.schema_key_hints": Elsewhere("storage/test_schema_declarations.py", "storage.schema_declarations"),
    "storage.sqlite_errors": Elsewhere("storage/test_soundness.py"),
    "storage.database_files": Elsewhere("storage/test_database.py", "storage.database"),
    "storage.write_turn": Elsewhere("storage/test_write_queue.py"),
    "storage.statement": Elsewhere("storage/test_database.py", "storage.database"),
    "storage.target_table": Elsewhere("storage/test_table_access.py", "storage.table_access"),
    "web.api.avatars": Elsewhere("web/api/test_endpoints.py", "app"),
    "web.api.broadcasts": Elsewhere("web/http/test_event_stream.py", "app"),
    "web.api.chat": Elsewhere("web/http/test_event_stream.py", "app"),
    "web.api.mq": Elsewhere("web/remote/test_messages.py", "app"),
    "web.api.live_reload": Elsewhere("web/test_in_browser.py", "app"),
    "web.api.peers": Elsewhere("web/api/test_endpoints.py", "app"),
    "web.api.site": Elsewhere("web/test_sdk_input.py", "app"),
    "web.api.template": Elsewhere("web/api/test_endpoints.py", "app"),
    "web.console.controls.chat": Elsewhere("web/console/test_app.py", "app"),
    "web.console.controls.scripts": Elsewhere("web/test_console_editing.py", "app"),
    "web.console.controls.site": Elsewhere("web/test_console_site.py", "app"),
    "web.console.controls.templates": Elsewhere("web/test_console_site.py", "app"),
    "web.console.controls.settings": Elsewhere("web/test_console_states.py", "app"),
    "web.console.places": Elsewhere("web/test_console_shell.py", "app"),
    "web.console.events": Elsewhere("web/console/test_app.py", "app"),
    "web.console.families": Elsewhere("web/console/test_metrics.py", "app"),
    "web.http.assets": Elsewhere("web/test_app.py", "app"),
    "web.http.console_token": Elsewhere("web/test_app.py", "app"),
    "web.http.request_context": Elsewhere("web/api/test_endpoints.py", "app"),
    "web.http.responses": Elsewhere("web/test_in_browser.py"),
    "web.http.tls": Elsewhere("rendezvous/test_tls.py"),
    "web.http.saved_ports": Elsewhere("web/http/test_site_ports.py"),
    "web.limits": Elsewhere("web/http/test_files.py"),
    "web.server": Elsewhere("recording/test_http.py", "app"),
}
"""Module, below `goop2` → where it is tested."""


def modules() -> Iterator[str]:
    """Yield each module that has code, below `goop2`; a package by its own name."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[-1] != "__init__":
            yield ".".join(parts)
        elif parts[:-1] and has_code(path):
            yield ".".join(parts[:-1])


def has_code(path: Path) -> bool:
    """Return whether a function or a class stands in a file."""
    body = ast.parse(path.read_text()).body
    return any(isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) for each in body)


def mirror(module: str) -> Path:
    """Return the test file that mirrors a module."""
    *rooms, name = module.split(".")
    folder = TESTS.joinpath(*rooms)
    inside = folder / name / f"test_{name}.py"
    return inside if (PACKAGE.joinpath(*rooms, name)).is_dir() else folder / f"test_{name}.py"


@cache
def imports(path: Path) -> Set[str]:
    """Return every name that a file imports, wherever in it: modules, what is taken from them, and modules it starts as programs."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{each.name}" for each in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith("goop2."):
            names.add(node.value)
    return names


def source(module: str) -> Path | None:
    """Return the file of one of our modules, None for a name that is none."""
    base = (ROOT if module.startswith("tests.") else ROOT / "src").joinpath(*module.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def helped(test: Path) -> Set[str]:
    """Return what a test file imports, and what the helpers it imports and its rooms' conftest.py import."""
    names: set[str] = set()
    waiting = [test, *(folder / "conftest.py" for folder in test.parents if TESTS in folder.parents)]
    while waiting:
        path = waiting.pop()
        new = (imports(path) if path.is_file() else set()) - names
        names |= new
        waiting += [found for name in new if name.startswith("tests.") and (found := source(name)) is not None]
    return names


def reached(module: str) -> Set[str]:
    """Return every module of ours that is imported when one is, itself included."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        one = waiting.pop()
        path = source(one)
        if one in seen or path is None:
            continue
        seen.add(one)
        waiting += [name for name in imports(path) if name.startswith("goop2.")]
    return seen


def fault(module: str, entry: Elsewhere) -> str:
    """Return what is wrong with a line of the table, "" when nothing is."""
    path = TESTS / entry.file
    if not path.is_file():
        return f"tests/{entry.file} does not exist"
    if entry.through == COMMAND:
        return "" if helped(path) & STARTS_COMMANDS else f"tests/{entry.file} starts no command"
    if not entry.through:
        return "" if f"goop2.{module}" in imports(path) else f"tests/{entry.file} does not import it"
    if f"goop2.{entry.through}" not in helped(path):
        return f"tests/{entry.file} does not import goop2.{entry.through}"
    return "" if f"goop2.{module}" in reached(f"goop2.{entry.through}") else f"goop2.{entry.through} does not lead to it"


def test_every_module_is_tested_somewhere() -> None:
    untested = [module for module in modules() if not mirror(module).is_file() and module not in ELSEWHERE]
    assert untested == [], "write the test file that mirrors it, or say in ELSEWHERE which one tests it"


def test_the_table_names_nothing_that_is_not_there() -> None:
    there = set(modules())
    assert [module for module in ELSEWHERE if module not in there] == []
    assert [module for module in ELSEWHERE if mirror(module).is_file()] == [], "it has a file of its own now: take it from the table"


@pytest.mark.parametrize("module", sorted(ELSEWHERE))
def test_the_file_that_the_table_names_tests_the_module(module: str) -> None:
    assert fault(module, ELSEWHERE[module]) == ""


@pytest.mark.parametrize(
    ("module", "entry", "said"),
    [
        ("net.pinned", Elsewhere("net/" + "test_nosuch"), "does not exist"),
        ("net.pinned", Elsewhere("net/test_frames.py"), "does not import it"),
        ("net.pinned", Elsewhere("net/test_frames.py", "net.host"), "does not import goop2.net.host"),
        ("cli.demo", Elsewhere("net/test_frames.py", "net.frames"), "does not lead to it"),
        ("cli.demo", Elsewhere("net/test_frames.py", COMMAND), "starts no command"),
    ],
)
def test_a_wrong_line_of_the_table_is_told(module: str, entry: Elsewhere, said: str) -> None:
    assert said in fault(module, entry)
