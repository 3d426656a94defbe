"""From start to exit code: usage, streams that are closed or full, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from tests.cli.command import GOOP2, PATIENCE_SECONDS, Terminal, environment, goop2, start
from tests.cli.conftest import Save

import goop2 as package

ENDLESS = "function handle() goop.log.info('running') while true do end end"


def test_the_version() -> None:
    assert goop2("--version").stdout == f"goop2 {package.__version__}\n"


@pytest.mark.parametrize("command", [[], ["lua"], ["lua", "chat"], ["lua", "call"], ["chat"], ["demo"], ["doctor"], ["id"], ["init"]])
def test_every_command_explains_itself(command: list[str]) -> None:
    done = goop2(*command, "--help")
    assert done.stdout.startswith(f"Usage: {' '.join(['goop2', *command])}")
    assert (done.stderr, done.returncode) == ("", 0)


@pytest.mark.parametrize("group", [[], ["lua"], ["data", "mysite"], ["group"], ["kv", "mysite", "hello"]], ids=" ".join)
def test_lists_of_commands_say_all_of_each_in_eighty_columns(group: list[str]) -> None:
    listed = goop2(*group, "--help", env={"COLUMNS": "80"}).stdout.partition("Commands:\n")[2]
    assert listed
    assert "..." not in listed


@pytest.mark.parametrize(
    "arguments", [["nosuch"], ["lua", "nosuch"], ["lua", "chat"], ["id"], ["doctor", "--nosuch"], ["id", "a", "b"]], ids=" ".join
)
def test_a_wrong_command_is_one_sentence_that_names_the_help(arguments: list[str]) -> None:
    done = goop2(*arguments)
    assert (done.stdout, done.returncode, done.stderr.count("\n")) == ("", 2, 1)
    assert '--help" says how it is used' in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["chta"], "No such command 'chta'; did you mean 'chat'? \"goop2 --help\" says how it is used"),
        (["per"], "No such command 'per'; did you mean 'peer' or 'peers'? \"goop2 --help\" says how it is used"),
        (["peer", "--lvie", "x"], "No such option '--lvie'; did you mean '--live' or '--quiet'? \"goop2 peer --help\" says how it is used"),
        (["lua", "chat", "x"], "Missing argument '!COMMAND ARGS'; \"goop2 lua chat --help\" says how it is used"),
        (["id"], 'no DIR is given, and neither the current folder nor one above it has a goop.json; "goop2 id --help" says how it is used'),
    ],
    ids=str,
)
def test_a_slip_is_met_with_what_was_meant(arguments: list[str], sentence: str) -> None:
    assert goop2(*arguments).stderr == f"error: {sentence}\n"


def test_a_wrong_command_as_json() -> None:
    done = goop2("id", "--json")
    assert (json.loads(done.stdout)["code"], done.returncode) == ("usage", 2)


@pytest.mark.parametrize("redirection", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_stream_closed_from_the_start_does_no_harm(folder: Path, redirection: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f"{GOOP2} lua chat {folder} '!hello' {redirection}"], capture_output=True, env=environment(), timeout=PATIENCE_SECONDS
    )
    assert done.stdout == (b"" if ">&- " in f"{redirection} " and not redirection.startswith("2") else b"Hello, world!\n")
    assert (done.stderr, done.returncode) == (b"", 0)


def test_a_reader_that_has_read_enough_ends_the_command_quietly(folder: Path) -> None:
    with start("chat", folder) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(b"!hello 1\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"Hello, 1!\n"
        process.stdout.close()
        process.stdin.write(b"!hello 2\n")
        process.stdin.close()
        assert process.stderr.read() == b""
        assert process.wait(PATIENCE_SECONDS) == 0


@pytest.mark.parametrize("command", [["lua", "list"], ["id"], ["chat"]], ids=" ".join)
def test_a_full_disk_behind_stdout_is_a_sentence(folder: Path, command: list[str]) -> None:
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        done = subprocess.run(
            [GOOP2, *command, folder], input=b"!hello\n", stdout=full, stderr=subprocess.PIPE, env=environment(), timeout=PATIENCE_SECONDS
        )
    assert done.stderr == b"error: stdin cannot be read, or stdout not be written: No space left on device\n"
    assert done.returncode == 2


END_SECONDS = 4.0
"""A fifth of a second on a machine that is free; by themselves the scripts here would end after five."""


def interrupted(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    """Exit code and stderr after Ctrl-C, which must end the command before it would end by itself."""
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert time.monotonic() - begun < END_SECONDS
    return process.returncode, stderr


def workers_of(process: subprocess.Popen[bytes]) -> list[str]:
    return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()


def test_ctrl_c_ends_a_running_script_at_once_and_leaves_no_process(folder: Path, save: Save) -> None:
    save("endless", ENDLESS)
    with start("lua", "chat", folder, "!endless") as process:
        end = time.monotonic() + PATIENCE_SECONDS
        while not (fork_server := workers_of(process)):
            assert time.monotonic() < end
            time.sleep(0.01)
        time.sleep(0.6)  # by now the script runs; where not, the end must be as clean
        assert interrupted(process) == (130, b"")
    assert not any(Path(f"/proc/{pid}").exists() for pid in fork_server)


def test_ctrl_c_ends_a_filter_that_waits_for_its_input(folder: Path) -> None:
    with start("chat", folder) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"!hello\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"Hello, world!\n"
        assert interrupted(process) == (130, b"")


@pytest.mark.parametrize("seconds", [0.05, 0.1, 0.15, 0.2, 0.3])
def test_ctrl_c_while_it_starts_is_as_quiet(folder: Path, seconds: float) -> None:
    with start("lua", "chat", folder, "!hello") as process:
        time.sleep(seconds)  # the moment is what is tried
        code, stderr = interrupted(process)
    # Python's own start, before our first line, knows no better than a traceback or death by the signal.
    pythons_own = b"site.py" in stderr or b"init_import_site" in stderr or stderr == b"KeyboardInterrupt\n" or code == -signal.SIGINT
    if not pythons_own:
        assert (code, stderr) in ((130, b""), (0, b""))


def test_no_colour_but_on_a_terminal_and_not_where_it_is_not_wanted(tmp_path: Path) -> None:
    assert "\x1b" not in goop2("id", tmp_path).stderr
    with Terminal(["id", tmp_path]) as terminal:
        assert terminal.ended() == 2
        assert "\x1b[31merror: " in terminal.raw
    with Terminal(["id", tmp_path], {"NO_COLOR": "1"}) as terminal:
        assert terminal.ended() == 2
        assert "\x1b" not in terminal.raw
        assert "error: " in terminal.raw


def test_a_mistake_of_ours_is_a_sentence_unless_the_traceback_is_asked_for(folder: Path, tmp_path: Path) -> None:
    # A module of that name in front of ours breaks the first import that needs it.
    (tmp_path / "uvloop.py").write_text("run = None")
    broken = {"PYTHONPATH": str(tmp_path)}
    done = goop2("lua", "list", folder, env=broken)
    assert done.returncode == 2
    assert done.stderr.startswith("error: goop2 made a mistake of its own, TypeError: ")
    asked = subprocess.run(
        [GOOP2, "lua", "list", folder], capture_output=True, env=environment({**broken, "GOOP2_TRACEBACK": "1"}), timeout=PATIENCE_SECONDS
    )
    assert b"Traceback" in asked.stderr


def test_a_refusal_of_the_system_is_a_sentence_unless_the_traceback_is_asked_for(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "uvloop.py").write_text("raise OSError(101, 'Network is unreachable')")
    broken = {"PYTHONPATH": str(tmp_path)}
    told = goop2("lua", "list", folder, env=broken).stderr
    assert told.splitlines()[0] == "error: the system refused what goop2 needs: Network is unreachable"
    asked = subprocess.run(
        [GOOP2, "lua", "list", folder], capture_output=True, env=environment({**broken, "GOOP2_TRACEBACK": "1"}), timeout=PATIENCE_SECONDS
    )
    assert b"Traceback" in asked.stderr


def test_text_a_terminal_cannot_encode_ends_nothing(folder: Path) -> None:
    done = goop2("lua", "chat", folder, "!hello Zoë ☃", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    assert (done.stdout, done.returncode) == ("Hello, Zoë ☃!\n", 0)
    assert os.linesep == "\n"


def test_the_version_and_help_are_found_however_one_asks() -> None:
    versions = {goop2(*words).stdout for words in (("--version",), ("-v",), ("version",))}
    assert len(versions) == 1
    assert versions.pop().startswith("goop2 ")
    assert goop2("help").stdout == goop2("--help").stdout
    assert goop2("help", "lua", "call").stdout == goop2("lua", "call", "--help").stdout
    wrong = goop2("help", "nosuch")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
