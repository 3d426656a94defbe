"""`goop2 demo`: the first thing a newcomer sees."""

from __future__ import annotations

from pathlib import Path

from tests.cli.command import PROMPT, Terminal, goop2

EXCHANGE = "> !hello Alice\nHello, Alice!\n"


def test_without_a_terminal_it_shows_one_exchange_and_answers_what_comes(tmp_path: Path) -> None:
    done = goop2("demo", cwd=tmp_path, stdin="!hello Bob\n")
    assert (done.stdout, done.returncode) == (f"{EXCHANGE}Hello, Bob!\n", 0)
    assert done.stderr == "made a peer in goop2-demo: its scripts are in goop2-demo/site/lua, edit them meanwhile\n"


def test_the_second_time_it_uses_the_folder_as_it_is(tmp_path: Path) -> None:
    goop2("demo", cwd=tmp_path)
    (tmp_path / "goop2-demo/site/lua/hello.lua").write_text("function handle() return 'mine' end")
    done = goop2("demo", cwd=tmp_path)
    assert (done.stdout, done.stderr) == ("> !hello Alice\nmine\n", "")


def test_the_folder_may_be_named(tmp_path: Path) -> None:
    assert goop2("demo", tmp_path / "x").stdout == EXCHANGE
    assert (tmp_path / "x/goop.json").exists()


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "letters").touch()
    done = goop2("demo", tmp_path)
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr.startswith(f"error: {tmp_path} is not empty and no peer folder")
    assert [path.name for path in tmp_path.iterdir()] == ["letters"]


def test_on_a_terminal_the_prompt_comes_after_the_exchange(tmp_path: Path) -> None:
    with Terminal(["demo", tmp_path / "x"]) as terminal:
        terminal.wait_for("> !hello Alice\r\nHello, Alice!\r\n")
        terminal.wait_for("Ctrl-D ends.")
        terminal.wait_for(PROMPT)
        terminal.type("!hello Bob\r")
        terminal.wait_for("Hello, Bob!")
        terminal.wait_for(PROMPT)
        terminal.type("\x04")
        assert terminal.ended() == 0
