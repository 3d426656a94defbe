"""Every command and example of README.md, run as a newcomer would."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import goop2, on_any_port, start

from goop2.folder.creation import create

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^\| `goop2 ([^`]+)` \|", README, re.MULTILINE)


def commands_of_the_command_line() -> Iterator[str]:
    from goop2.cli.commands import goop2 as group
    from goop2.cli.lua import lua

    yield from (name for name in group.commands if name != "lua")
    yield from (f"lua {name}" for name in lua.commands)


RUNS_UNTIL_TOLD = "peer DIR"
WITH_ANOTHER_PEER = ("call", "send", "connect", "console", "rendezvous", "backup", "restore", "standby")
"""Or another place: tests/cli/test_peers.py, test_console.py, test_backup.py and test_standby.py have them."""


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
    (source,) = re.findall(r"```lua\n(.*?)```", README, re.DOTALL)
    (tmp_path / "site/lua/hello.lua").write_text(source)
    assert "Save it, and the next `!hello Alice` answers `Hello, Alice!`" in README
    assert goop2("lua", "chat", tmp_path, "!hello Alice").stdout == "Hello, Alice!\n"
    assert "Says hello" in goop2("lua", "list", tmp_path).stdout


def test_the_make_targets_shown_are_there() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^make (\w+)", README, re.MULTILINE))
    assert targets == {"demo", "test"}
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert re.search(r"^demo:.*\n\t@\$\(BIN\)/goop2 demo$", makefile, re.MULTILINE)


def test_the_filter_shown_answers(tmp_path: Path) -> None:
    create(tmp_path / "DIR")
    assert "`echo '!hello Alice' | goop2 chat DIR`" in README
    assert goop2("chat", "DIR", cwd=tmp_path, stdin="!hello Alice\n").stdout == "Hello, Alice!\n"
