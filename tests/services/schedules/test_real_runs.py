"""Schedules on a real peer: the owner is the caller, nobody calls `run`, and what fails is kept with its line."""

from __future__ import annotations

from pathlib import Path

from tests.storage.manual import peer_with

from goop2.scripting.engine import Failure
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.services.schedules.operations import perform
from goop2.storage.run_record import RunFilter

STRANGER = Caller("visitor-ann")
FUNCTIONS = {
    "tidy": "--- Tidies.\n--- @every 15m\n"
    "function run(event)\n  goop.log.info(event.by, event.missed, goop.peer.id == goop.self.id)\n"
    "  goop.kv.set('at', event.due)\n  return {done = true}\nend\n"
    "function call() return goop.kv.get('at') ~= nil end",
    "fails": "--- @cron 0 8 * * *\nfunction run()\n  error('no mail today')\nend",
    "endless": "--- @every 1h\nfunction run() while true do end end",
    "odd": "--- @every now\nfunction run() end\nfunction call() return 1 end",
    "without": "--- @every 1h\nfunction call() return 1 end",
}


async def test_a_schedule_runs_as_the_owner_and_has_the_keys_of_its_file(tmp_path: Path) -> None:
    async with peer_with(tmp_path, FUNCTIONS, {"hello": "--- @every 1h\nfunction handle() return 'Hello' end"}, timeout_seconds=1) as peer:
        shown = {one.name: one.schedule for one in peer.schedules.listing()}
        assert shown == {"endless": "every 1h", "fails": "cron 0 8 * * *", "tidy": "every 15m"}
        answer = await perform(peer.schedules, "run", "tidy")
        assert (answer["status"], answer["answer"]) == ("ok", '{"done":true}')
        assert answer["log"] == [["tidy", "info", "owner 0 true"]]
        # `call` has the same keys; and `run` is nothing a caller reaches.
        assert (await peer.engine.call(peer.owner, "tidy")).json == b"true"  # type: ignore[union-attr]
        refused = await peer.engine.call(STRANGER, "fails", b"{}")
        assert isinstance(refused, Failure)
        assert refused.message == "fails defines no function call(request)"
        failed = await perform(peer.schedules, "run", "fails")
        assert (failed["status"], failed["message"]) == ("script_error", "fails:3: no mail today")
        endless = await perform(peer.schedules, "run", "endless")
        assert endless["status"] == ErrorCode.TIMEOUT
        runs = await peer.history.find(RunFilter(kind="schedule"), 10)
        assert [(run.script, run.line, run.caller_kind) for run in runs] == [
            ("endless", None, "owner"),
            ("fails", 3, "owner"),
            ("tidy", None, "owner"),
        ]
        warnings = [warning for entry in peer.catalog.listing() for warning in entry.warnings]
        assert [warning.partition(": ")[0] for warning in warnings] == [
            "site/lua/hello.lua:1",
            "site/lua/functions/odd.lua:1",
            "site/lua/functions/without.lua:1",
        ]
        assert (await peer.engine.call(STRANGER, "odd")).json == b"1"  # type: ignore[union-attr]
