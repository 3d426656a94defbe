"""`goop2 logs`: what ran, whether the peer runs or not."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tests.cli.command import goop2, on_any_port, start
from tests.cli.conftest import Save
from tests.storage.runs_made import run_of

from goop2.storage.run_database import FILE, RunDatabase
from goop2.storage.run_limits import RunLimits

FAILS = "function handle(args)\n  goop.log.warn('about to fail')\n  local x = nil\n  return x.y\nend"


@pytest.fixture
def ran(folder: Path, save: Save) -> Path:
    """Return a folder in which three calls have been made."""
    save("fails", FAILS)
    goop2("lua", "chat", folder, "!hello Alice")
    goop2("lua", "chat", folder, "!fails now", "--as", "12D3KooWOther")
    goop2("lua", "call", folder, "nope")
    return folder


def test_the_last_runs_are_printed_with_their_lines_the_newest_last(ran: Path) -> None:
    done = goop2("logs", ran)
    assert (done.stderr, done.returncode) == ("", 0)
    hello, failed, where, line, refused = done.stdout.splitlines()
    assert "  !hello  owner  ok  " in hello
    assert hello.endswith("  run 1")
    assert "  !fails  12D3KooWOther  script_error  line 4: attempt to index local 'x' (a nil value)  " in failed
    assert where == "    at fails:4: in function <fails:1>"
    assert line == "    warn: about to fail"
    assert "  nope  owner  not_found  unknown function: nope  run 3" in refused


@pytest.mark.parametrize(
    ("options", "runs"),
    [
        (["--failed"], [2]),
        (["--script", "!fails"], [2]),
        (["--script", "hello"], [1]),
        (["--script", "hello", "--failed"], []),
        (["--caller", "12D3KooWOther"], [2]),
        (["--caller", "12D3…ther"], [2]),
        (["--caller", "owner"], [1, 3]),
        (["--limit", "1"], [3]),
        (["--since", "1h"], [1, 2, 3]),
    ],
)
def test_runs_are_filtered(ran: Path, options: list[str], runs: list[int]) -> None:
    done = goop2("logs", ran, "--json", *options)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == runs
    assert done.stderr == ("" if runs else "no run is kept that this asks for\n")


def test_json_has_all_that_is_kept_of_a_run(ran: Path) -> None:
    (run,) = [json.loads(line) for line in goop2("logs", ran, "--failed", "--json").stdout.splitlines()]
    assert (run["argument"], run["line"], run["log"]) == ("now", 4, [{"level": "warn", "text": "about to fail"}])
    assert run["traceback"] == "fails:4: in function <fails:1>"
    assert len(run["version"]) == 32


def test_runs_before_since_are_left_out(folder: Path) -> None:
    (folder / "data").mkdir(exist_ok=True)
    database = RunDatabase(folder / FILE, RunLimits())
    database.add([run_of(1, started=time.time() - 7200), run_of(2, started=time.time() - 60)])
    database.close()
    done = goop2("logs", folder, "--since", "1h", "--json")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [2]


@pytest.mark.parametrize("span", ["", "1", "h", "1w", "-1h", "1 h", "99999999h"])
def test_a_span_that_is_none_is_said_with_the_remedy(folder: Path, span: str) -> None:
    done = goop2("logs", folder, "--since", span)
    assert (done.stdout, done.returncode) == ("", 2)
    assert "is no span of time; write a number and s, m, h or d, such as 90s, 30m, 1h or 2d" in " ".join(done.stderr.split())


def test_a_folder_in_which_nothing_ran_says_so(folder: Path) -> None:
    done = goop2("logs", folder)
    assert (done.stdout, done.stderr, done.returncode) == ("", "nothing has run here yet\n", 0)


def test_a_damaged_history_is_said_and_scripts_run_on(folder: Path) -> None:
    (folder / "data").mkdir(exist_ok=True)
    (folder / FILE).write_bytes(b"no database" * 1000)
    done = goop2("logs", folder)
    assert (done.stdout, done.returncode) == ("", 2)
    assert "cannot be read from" in done.stderr
    assert "move it away" in done.stderr
    called = goop2("lua", "chat", folder, "!hello Alice")
    assert (called.stdout, called.returncode) == ("Hello, Alice!\n", 0)
    assert called.stderr.startswith("warning: runs are not kept in ")


def test_history_that_is_switched_off_says_so(folder: Path) -> None:
    settings = json.loads((folder / "goop.json").read_text())
    (folder / "goop.json").write_text(json.dumps({**settings, "runs": {"keep_count": 0}}))
    goop2("lua", "chat", folder, "!hello")
    assert not (folder / FILE).exists()
    done = goop2("logs", folder)
    assert done.returncode == 2
    assert "runs are not kept here: set runs.keep_count in" in done.stderr


def test_beside_a_running_peer_calls_are_done_by_it_and_its_runs_are_followed(folder: Path, save: Save) -> None:
    save("fails", FAILS)
    on_any_port(folder)
    with start("peer", folder) as peer:
        assert peer.stdout is not None
        peer.stdout.readline()
        wait_until_it_answers(folder)
        save("fails", "this does not compile")
        with start("logs", folder, "-f", "--json") as following:
            time.sleep(1.0)  # the follower says nothing until there is something to follow
            called = goop2("lua", "chat", folder, "!fails now", "--as", "12D3KooWOther")
            assert called.stdout == "Script error: fails:4: attempt to index local 'x' (a nil value)\n"
            assert called.stderr == "fails: warn: about to fail\n"
            assert following.stdout is not None
            run = json.loads(following.stdout.readline())
            assert (run["script"], run["caller"], run["argument"]) == ("fails", "12D3KooWOther", "now")
            following.kill()
        broken = goop2("lua", "call", folder, "score-quiz", "-", stdin=b'{"answers": ["\xff"]}')
        assert broken.stderr.startswith("bad_request: params: ")
        scored = goop2("lua", "call", folder, "score-quiz", '{"answers": ["B"]}')
        assert "score" in json.loads(scored.stdout)
        unknown = goop2("lua", "call", folder, "hello", "--json")
        assert '"code": "not_found"' in unknown.stdout
        assert unknown.stderr == 'not_found: unknown function: hello; hello is a chat command, "!hello" calls it\n'
        peer.terminate()
        assert peer.stderr is not None
        said = peer.stderr.read().decode()
        assert "!fails 12D3KooWOther script_error line 4: attempt to index local 'x' (a nil value)" in said
        assert f"run {run['id']}" in said


def wait_until_it_answers(folder: Path) -> None:
    """Return when the peer that has just started answers commands."""
    end = time.monotonic() + 20
    while not (folder / "data/peer.sock").exists():
        assert time.monotonic() < end
        time.sleep(0.1)
