"""`goop2 chat`: the filter a program uses, and the prompt a person has."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from tests.cli.command import PATIENCE_SECONDS, PROMPT, Terminal, goop2, start
from tests.cli.conftest import Save

from goop2.app import open_peer
from goop2.cli.chat import NOT_A_COMMAND
from goop2.folder.creation import create


def test_a_filter_answers_line_by_line_in_order_and_ends_with_its_input(folder: Path) -> None:
    lines = "".join(f"!hello {number}\n" for number in range(200))
    done = goop2("chat", folder, stdin=lines)
    assert done.stdout == "".join(f"Hello, {number}!\n" for number in range(200))
    assert (done.stderr, done.returncode) == ("", 0)


def test_a_last_line_without_its_newline_is_answered(folder: Path) -> None:
    assert goop2("chat", folder, stdin="!hello\r\n!hello Bob").stdout == "Hello, world!\nHello, Bob!\n"


def test_a_filter_reads_a_file_too(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "lines").write_text("!hello a\n!hello b\n")
    with (tmp_path / "lines").open("rb") as file, start("chat", folder, stdin=file.fileno()) as process:
        assert process.stdout
        assert process.stdout.read() == b"Hello, a!\nHello, b!\n"


def test_a_filter_answers_each_line_before_the_next_comes(folder: Path) -> None:
    with start("chat", folder) as process:
        assert process.stdin
        assert process.stdout
        for name in (b"a", b"b"):
            process.stdin.write(b"!hello " + name + b"\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"Hello, " + name + b"!\n"
        process.stdin.close()
        assert process.wait(PATIENCE_SECONDS) == 0


def test_a_line_that_is_no_command_is_a_hint_and_no_failure(folder: Path) -> None:
    done = goop2("chat", folder, stdin="hello\n\n   \n!hello\n")
    assert (done.stdout, done.stderr, done.returncode) == ("Hello, world!\n", f"{NOT_A_COMMAND}\n", 0)


def test_input_that_is_not_utf_8_is_answered(folder: Path) -> None:
    assert (
        goop2("chat", folder, stdin=b"!hello Zo\xeb\n\xff\xfe\n!hello\n").stdout == "Hello, Zo\N{REPLACEMENT CHARACTER}!\nHello, world!\n"
    )


def test_a_failed_reply_shows_in_the_exit_code_and_the_rest_is_answered(folder: Path) -> None:
    done = goop2("chat", folder, stdin="!nosuch\n!hello\n")
    assert (done.stdout, done.stderr, done.returncode) == ("Unknown command: nosuch\nHello, world!\n", "", 1)


def test_a_line_of_megabytes_is_answered_and_so_is_the_next(folder: Path, save: Save) -> None:
    save("size", "function handle(args) return tostring(#args) end")
    done = goop2("chat", folder, stdin="!size " + "x" * 3_000_000 + "\n!hello\n")
    assert done.stdout.splitlines() == [str(1024 * 1024 - len("!size ")), "Hello, world!"]


def test_strangers_are_limited_and_the_owner_is_not(folder: Path) -> None:
    lines = "!hello\n" * 40
    assert goop2("chat", folder, stdin=lines).stdout.count("Hello, world!") == 40
    done = goop2("chat", folder, "--as", "12D3KooWStranger", stdin=lines)
    assert (done.stdout.count("Hello, world!"), done.stdout.count("Rate limit exceeded. Try again later.")) == (30, 10)


def test_a_saved_script_is_live_under_a_filter(folder: Path, save: Save) -> None:
    with start("chat", folder) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"!hello\n")
        process.stdin.flush()
        assert process.stdout.readline() == b"Hello, world!\n"
        save("hello", "function handle() return 'new' end")
        end, reply = time.monotonic() + PATIENCE_SECONDS, b""
        while reply != b"new\n":
            assert time.monotonic() < end
            process.stdin.write(b"!hello\n")
            process.stdin.flush()
            reply = process.stdout.readline()
            time.sleep(0.05)
        process.stdin.close()


def test_the_prompt_completes_answers_tells_of_saved_scripts_and_ends_with_ctrl_d(folder: Path, save: Save) -> None:
    with Terminal(["chat", folder]) as terminal:
        terminal.wait_for("Ctrl-D ends.")
        terminal.wait_for(PROMPT)
        terminal.type("!he\t")
        terminal.wait_for("llo")
        terminal.type(" Alice\r")
        terminal.wait_for("Hello, Alice!")
        terminal.wait_for(PROMPT)
        terminal.type("!\t")
        terminal.wait_for("Says hello")
        terminal.type("\x15what\r")  # Ctrl-U: what is typed goes
        terminal.wait_for(NOT_A_COMMAND)
        terminal.wait_for(PROMPT)
        save("fresh", "--- A new one\nfunction handle() return 'fre' .. 'sh!' end")
        terminal.wait_for("site/lua/fresh.lua is live")
        save("hello", "function (")
        terminal.wait_for("the version before keeps answering")
        terminal.wait_for(PROMPT)
        terminal.type("!hello again\r")
        terminal.wait_for("Hello, again!")
        terminal.wait_for(PROMPT)
        save("hello", "function handle() return 'mended' end")
        terminal.wait_for("site/lua/hello.lua has no error any more and is live")
        terminal.wait_for(PROMPT)
        terminal.type("!fresh\r")
        terminal.wait_for("fresh!")
        terminal.wait_for(PROMPT)
        terminal.type("\x04")
        assert terminal.ended() == 0


def test_ctrl_c_ends_the_prompt(folder: Path) -> None:
    with Terminal(["chat", folder]) as terminal:
        terminal.wait_for("Ctrl-D ends.")
        terminal.wait_for(PROMPT)
        terminal.type("\x03")
        assert terminal.ended() == 130
        assert "Traceback" not in terminal.text


def test_the_prompt_knows_words_of_its_own_and_ctrl_c_clears_a_line(folder: Path) -> None:
    with Terminal(["chat", folder]) as terminal:
        terminal.wait_for("Type help for more.")
        terminal.wait_for(PROMPT)
        terminal.type("help\r")
        terminal.wait_for("Says hello")
        terminal.wait_for("ends, as Ctrl-D does")
        terminal.wait_for(PROMPT)
        terminal.type("!hello typed in vain\x03")
        terminal.wait_for(PROMPT)
        terminal.type("!hello Ann\r")
        terminal.wait_for("Hello, Ann!")
        terminal.wait_for(PROMPT)
        terminal.type("history\r")
        terminal.wait_for("2  !hello Ann")
        terminal.wait_for(PROMPT)
        terminal.type("quit\r")
        assert terminal.ended() == 0
        assert "Hello, typed" not in terminal.text


def test_a_prompt_is_not_written_into_a_pipe(folder: Path) -> None:
    ours, theirs = os.openpty()
    with start("chat", folder, stdin=theirs) as process:
        os.close(theirs)
        os.write(ours, b"!hello\n\x04")
        assert process.stdout
        assert process.stdout.read() == b"Hello, world!\n"
    os.close(ours)


def test_where_no_command_is_the_prompt_says_how_to_make_one(tmp_path: Path) -> None:
    create(tmp_path / "mine", "Mine", "quiz")
    with Terminal(["chat", tmp_path / "mine"]) as terminal:
        terminal.wait_for("Mine: no command yet, site/lua/hello.lua makes !hello, Ctrl-D ends.")


def keep(folder: Path, *senders: str) -> None:
    """Messages that came to a peer before."""
    create(folder)

    async def main() -> None:
        async with open_peer(folder, {}) as peer:
            for sender in senders:
                await peer.chat.receive(sender, f"id of {sender}", "hi", 1)

    asyncio.run(main())


def test_conversations_are_listed_and_deleted_from_the_terminal(tmp_path: Path) -> None:
    folder = tmp_path / "mysite"
    keep(folder, "12D3KooAnn", "12D3KooBob", "visitor-1")
    listed = goop2("chat", folder, "--conversations")
    assert listed.stdout.splitlines() == ["visitor-1  1 message", "12D3KooBob  1 message", "12D3KooAnn  1 message"]
    done = goop2("chat", folder, "--forget", "12D3KooBob")
    assert (done.stderr, done.returncode) == ("deleted the conversation with 12D3KooBob, 1 message\n", 0)
    assert "12D3KooBob" not in goop2("chat", folder, "--conversations").stdout
    done = goop2("chat", folder, "--forget", "nobody")
    assert (done.returncode, done.stderr) == (
        1,
        "not_found: there is no conversation with 'nobody'; goop2 chat DIR --conversations lists them\n",
    )
    assert goop2("chat", folder, "--forget-strangers").returncode == 0
    assert goop2("chat", folder, "--conversations").stderr == "there are no conversations\n"
