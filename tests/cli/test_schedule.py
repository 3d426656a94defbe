"""`goop2 schedule`: the same with and without a running peer."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import goop2, on_any_port, start
from tests.cli.conftest import Save

TIDY = "--- Tidies.\n--- @every 15m\nfunction run(event)\n  goop.log.info('tidying')\n  return event.by\nend"
FAILS = "--- @cron 0 8 * * *\nfunction run()\n  error('no mail')\nend"


def test_schedules_are_listed_run_paused_and_resumed(folder: Path, save: Save) -> None:
    (folder / "site/lua/functions").mkdir(exist_ok=True)
    save("functions/tidy", TIDY)
    save("functions/fails", FAILS)
    listed = json.loads(goop2("schedule", folder, "list", "--json").stdout)
    assert [(one["name"], one["schedule"]) for one in listed] == [("fails", "cron 0 8 * * *"), ("tidy", "every 15m")]
    ran = goop2("schedule", folder, "run", "tidy")
    assert (ran.returncode, ran.stderr) == (0, "tidy: info: tidying\n")
    assert ran.stdout.startswith("tidy ran in ")
    failed = goop2("schedule", folder, "run", "fails")
    assert (failed.returncode, failed.stdout, failed.stderr) == (1, "", "fails: script_error: fails:3: no mail\n")
    assert goop2("schedule", folder, "pause", "tidy").stdout == "paused  tidy\n"
    unknown = goop2("schedule", folder, "run", "nosuch")
    assert (unknown.returncode, unknown.stderr) == (2, "error: there is no schedule 'nosuch'; there are: fails, tidy\n")
    on_any_port(folder)
    settings = json.loads((folder / "goop.json").read_text())
    settings["lua"] = {"enabled": True}
    (folder / "goop.json").write_text(json.dumps(settings))
    with start("peer", folder) as peer:
        assert peer.stdout is not None
        peer.stdout.readline()
        tidy = json.loads(goop2("schedule", folder, "list", "--json").stdout)[1]
        assert (tidy["paused"], tidy["last"]["status"]) == (True, "ok")
        assert goop2("schedule", folder, "run", "tidy").stderr == "tidy: info: tidying\n"
        assert goop2("schedule", folder, "resume", "tidy").stdout.startswith("resumed  tidy  next 20")
        peer.terminate()
        peer.wait()
    assert json.loads((folder / "data/schedules.json").read_text())["schedules"]["tidy"].get("paused") is None
