"""`goop2 lua test` on a terminal: what it prints, its exit codes, --json, --junit, and --watch until Ctrl-C."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.cli.command import goop2, start
from tests.cli.conftest import Save

TESTS = """test("greets", function() expect(chat("!hello Ann")).equals("Hello, Ann!") end)
test("adds", function() expect(1 + 1).equals(3) end)
"""


def test_results_are_printed_and_written(folder: Path, save: Save, tmp_path: Path) -> None:
    save("hello", "function handle(args) return 'Hello, ' .. args .. '!' end")
    (folder / "tests/start_test.lua").unlink()
    nothing = goop2("lua", "test", folder)
    assert (nothing.returncode, nothing.stderr.count("\n")) == (2, 1)
    assert "has no file of tests" in nothing.stderr
    (folder / "tests/all_test.lua").write_text(TESTS)
    ended = goop2("lua", "test", folder, "--junit", tmp_path / "results.xml")
    assert (ended.returncode, ended.stderr) == (1, "")
    lines = ended.stdout.splitlines()
    assert lines[0] == "tests/all_test.lua"
    assert lines[1].startswith("  ok    greets  ")
    assert lines[2].startswith("  FAIL  adds  ")
    assert lines[3] == "        tests/all_test.lua:2: expected 3, got 2"
    assert lines[-1].startswith("2 tests, 1 failed  ")
    assert '<testsuites tests="2" failures="1"' in (tmp_path / "results.xml").read_text()
    picked = goop2("lua", "test", folder, "greets", "--json")
    answer = json.loads(picked.stdout)
    assert (picked.returncode, answer["ok"], [one["name"] for one in answer["results"]]) == (0, True, ["greets"])


def test_watch_runs_them_again_when_a_file_is_saved(folder: Path, save: Save) -> None:
    (folder / "tests/start_test.lua").unlink()
    (folder / "tests/all_test.lua").write_text("test('one', function() end)")
    with start("lua", "test", folder, "--watch") as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        assert [watching.stdout.readline()[:9] for _ in range(3)] == [b"tests/all", b"  ok    o", b"1 test, a"]
        assert watching.stderr.readline() == b"waiting for a change; Ctrl-C ends\n"
        (folder / "tests/all_test.lua").write_text("test('another', function() error('no') end)")
        assert [watching.stdout.readline()[:9] for _ in range(2)] == [b"tests/all", b"  FAIL  a"]
        watching.send_signal(signal.SIGINT)
        assert watching.wait() == 130
