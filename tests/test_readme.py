"""README.md, and every command and example of docs/first-steps.md, run as a newcomer would."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import goop2, on_any_port, start
from tests.test_docs import promises_of

from goop2.folder.creation import create

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
FIRST_STEPS = (ROOT / "docs/first-steps.md").read_text()
COMMANDS = re.findall(r"^\| `goop2 ([^`]+)` \|", FIRST_STEPS, re.MULTILINE)
SCREEN_LINES = 40


def commands_of_the_command_line() -> Iterator[str]:
    from goop2.cli.commands import goop2 as group
    from goop2.cli.lua import lua

    yield from (name for name in group.commands if name != "lua")
    yield from (f"lua {name}" for name in lua.commands)


RUNS_UNTIL_TOLD = "peer DIR"
WITH_ANOTHER_PEER = ("call", "send", "connect", "console", "rendezvous", "worker", "backup", "restore", "standby")
"""Or another place: tests/cli/test_peers.py, test_console.py, test_cluster.py, test_backup.py and test_standby.py have them."""


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if command != RUNS_UNTIL_TOLD and not command.startswith(WITH_ANOTHER_PEER)]
)
def test_a_command_of_the_table_does_what_it_is_there_for(command: str, tmp_path: Path) -> None:
    if not command.startswith(("init", "demo")):
        create(tmp_path / "DIR")
    if command.startswith("data"):  # there is none before the first start
        goop2("lua", "list", "DIR", cwd=tmp_path)
    done = goop2(*shlex.split(command), cwd=tmp_path, stdin="!hello Alice\n")
    assert done.returncode == 0, done.stderr


def test_the_peer_of_the_table_runs_until_it_is_told_to_end(tmp_path: Path) -> None:
    create(tmp_path / "DIR")
    on_any_port(tmp_path / "DIR")
    with start("peer", tmp_path / "DIR") as peer:
        assert peer.stdout is not None
        assert b"http://127.0.0.1:" in peer.stdout.readline()
        peer.send_signal(signal.SIGINT)
        assert peer.wait(20) == 0


def test_the_table_leaves_no_command_out() -> None:
    shown = {re.sub(r"^(lua \S+|\S+).*", r"\1", command) for command in COMMANDS}
    assert shown == set(commands_of_the_command_line())


def test_the_script_shown_greets(tmp_path: Path) -> None:
    create(tmp_path)
    (source,) = re.findall(r"```lua\n(.*?)```", FIRST_STEPS, re.DOTALL)
    (tmp_path / "site/lua/hello.lua").write_text(source)
    assert "Save it, and the next `!hello Alice` answers `Hello, Alice!`" in FIRST_STEPS
    assert goop2("lua", "chat", tmp_path, "!hello Alice").stdout == "Hello, Alice!\n"
    assert "Says hello" in goop2("lua", "list", tmp_path).stdout


def test_the_make_targets_shown_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^make (\w+)", README, re.MULTILINE))
    assert targets == {"demo"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert re.search(r"^demo:.*\n\t@\$\(BIN\)/goop2 demo$", makefile, re.MULTILINE)


def test_the_filter_shown_answers(tmp_path: Path) -> None:
    create(tmp_path / "DIR")
    assert "`echo '!hello Alice' | goop2 chat DIR`" in FIRST_STEPS
    assert goop2("chat", "DIR", cwd=tmp_path, stdin="!hello Alice\n").stdout == "Hello, Alice!\n"


def test_the_readme_is_one_screen() -> None:
    assert len(README.splitlines()) <= SCREEN_LINES


def measured(section: str) -> str:
    """Return a section of docs/benchmarks.md, which `make bench` writes."""
    return (ROOT / "docs/benchmarks.md").read_text().partition(f"<!-- {section} -->")[2].partition(f"<!-- /{section} -->")[0]


def test_the_numbers_of_the_readme_are_those_that_were_measured() -> None:
    promises = promises_of((ROOT / "docs/security.md").read_text())
    assert "more than 100 promises" in README
    assert len(promises) > 100
    calls = [int(each.replace(",", "")) for each in re.findall(r"always asking \| \*\*([\d,]+)\*\*", measured("web"))]
    assert "About 5,000 calls a second over HTTP on two cores" in README
    assert 4900 < min(calls) < 5500
    waits = [float(each) for each in re.findall(r"^\| \d+ × \d+ \| [\d.]+ \| \*\*([\d.]+)\*\*", measured("fairness"), re.MULTILINE)]
    assert re.search(r"99 of 100 calls of others take less than\s+50 ms", README)
    assert waits
    assert max(waits) < 50
    memory = [float(each) for each in re.findall(r"^\| (?:the peer|its fork server[^|]*) \| ([\d.]+)", measured("footprint"), re.MULTILINE)]
    assert "less than 60 MB" in README
    assert len(memory) == 2
    assert sum(memory) < 60
    idle = [float(each) for each in re.findall(r"^\| (?:peer|fork server[^|]*) \| ([\d.]+)", measured("idle"), re.MULTILINE)]
    assert "a tenth of a percent of one core" in README
    assert 0 < sum(idle) <= 0.1
