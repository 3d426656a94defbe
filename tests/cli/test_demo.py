"""`goop2 demo`: the first thing a newcomer sees."""

from __future__ import annotations

import re
import signal
import time
from pathlib import Path
from urllib.request import Request, urlopen

from tests.cli.command import PROMPT, Terminal, goop2

EXCHANGE = "> !hello Alice\nHello, Alice!\n"
END_SECONDS = 5.0
"""A third of a second on a machine that is free."""
SITE = re.compile(r"site: http://(k[0-9a-z]{61}\.localhost):(\d+)/p/12D3\w{48}/")


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


def test_a_new_demo_begins_with_posts_of_the_owner_and_an_older_one_gets_none(tmp_path: Path) -> None:
    import apsw

    for _ in range(2):
        goop2("demo", tmp_path / "x")
    with apsw.Connection(str(tmp_path / "x/data.db")) as database:
        posts = list(database.execute("SELECT count(*), count(DISTINCT slug), min(_owner), max(_owner) FROM posts"))
    owner = goop2("id", tmp_path / "x").stdout.strip()
    assert posts == [(6, 6, owner, owner)]


def test_on_a_terminal_its_pages_are_up_and_the_prompt_comes_after_the_exchange(tmp_path: Path) -> None:
    with Terminal(["demo", tmp_path / "x", "--no-browser"]) as terminal:
        terminal.wait_for("demo is up")
        terminal.wait_for("> !hello Alice\r\nHello, Alice!\r\n")
        terminal.wait_for("Ctrl-D ends.")
        terminal.wait_for(PROMPT)
        terminal.type("!hello Bob\r")
        terminal.wait_for("Hello, Bob!")
        for page, title in (("/", "what it can be"), ("/blog/", "Notes from here"), ("/quiz/", "A short quiz")):
            assert title in shown(terminal, page)
        terminal.wait_for(PROMPT)
        terminal.type("\x04")
        assert terminal.ended() == 0


def shown(terminal: Terminal, page: str) -> str:
    """A page of the demo, by the address the terminal shows."""
    site = SITE.search("".join(terminal.text.splitlines()))
    assert site is not None, terminal.text
    with urlopen(Request(f"http://127.0.0.1:{site[2]}{page}", headers={"Host": f"{site[1]}:{site[2]}"}), timeout=10) as answer:
        text: str = answer.read().decode()
    return text


def test_ctrl_c_ends_it_at_once_and_is_no_failure(tmp_path: Path) -> None:
    for end in ("\x03", signal.SIGINT):
        with Terminal(["demo", tmp_path / "x", "--no-browser"]) as terminal:
            terminal.wait_for("Ctrl-D ends.")
            terminal.wait_for(PROMPT)
            begun = time.monotonic()
            if isinstance(end, str):
                terminal.type(end)
            else:
                terminal.process.send_signal(end)
            assert terminal.ended() == 0
            assert time.monotonic() - begun < END_SECONDS
            assert "Traceback" not in terminal.text


def test_the_browser_is_opened_on_the_front_page_unless_it_is_not_wanted(tmp_path: Path) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {opened}\n')
    browser.chmod(0o755)
    for arguments, expected in ((["--no-browser"], 0), ([], 1)):
        with Terminal(["demo", tmp_path / "x", *arguments], env={"BROWSER": f"{browser} %s"}) as terminal:
            terminal.wait_for("Ctrl-D ends.")
            terminal.wait_for(PROMPT)
            deadline = time.monotonic() + 10
            while expected and not opened.exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            terminal.type("\x04")
            assert terminal.ended() == 0
        assert len(opened.read_text().split() if opened.exists() else []) == expected
    assert re.fullmatch(r"http://k[0-9a-z]{61}\.localhost:\d+/p/12D3\w{48}/\n", opened.read_text())
