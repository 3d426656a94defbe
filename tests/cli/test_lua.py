"""`goop2 lua …` as a user and a program meet it: streams, exit codes, sentences."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.command import Terminal, goop2
from tests.cli.conftest import Save


def test_a_chat_command_replies_on_stdout(folder: Path) -> None:
    done = goop2("lua", "chat", folder, "!hello Alice")
    assert (done.stdout, done.stderr, done.returncode) == ("Hello, Alice!\n", "", 0)


def test_a_chat_command_may_be_given_as_separate_words(folder: Path) -> None:
    assert goop2("lua", "chat", folder, "!hello", "Alice", "and", "Bob").stdout == "Hello, Alice and Bob!\n"


@pytest.mark.parametrize(
    ("source", "reply"),
    [
        ("function handle() error('no luck') end", "Script error: it:1: no luck\n"),
        ("function handle() local x = nil; return x.y end", "Script error: it:1: attempt to index local 'x' (a nil value)\n"),
        ("\nx = = 1", "Script error: it:2: unexpected symbol near '='\n"),
        (b"return '\xff'", "Script error: it.lua is not UTF-8: byte 8 is 0xff; save it as UTF-8\n"),
        (b"-" * 5_000_000, "Script error: it.lua is 4.8 MB; the most is 1 MB\n"),
    ],
    ids=["raises", "indexes nil", "does not compile", "not UTF-8", "too large"],
)
def test_a_failing_script_says_why_on_stdout_and_exits_1(folder: Path, save: Save, source: str | bytes, reply: str) -> None:
    save("it", source)
    done = goop2("lua", "chat", folder, "!it")
    assert (done.stdout, done.stderr, done.returncode) == (reply, "", 1)


def test_an_unknown_command_is_a_reply_that_fails(folder: Path) -> None:
    done = goop2("lua", "chat", folder, "!nosuch")
    assert (done.stdout, done.returncode) == ("Unknown command: nosuch\n", 1)
    assert done.stderr == f'"goop2 lua list {folder}" names the commands there are\n'


@pytest.mark.parametrize("message", ["!score-quiz", " ! score-quiz", "！score-quiz"])
def test_a_function_called_as_a_command_is_unknown_with_a_hint_on_stderr(folder: Path, message: str) -> None:
    done = goop2("lua", "chat", folder, message)
    assert (done.stdout, done.returncode) == ("Unknown command: score-quiz\n", 1)
    assert done.stderr == f"score-quiz is a data function: goop2 lua call {folder} score-quiz '{{}}'\n"


def test_no_reply_prints_nothing(folder: Path, save: Save) -> None:
    save("quiet", "function handle() end")
    done = goop2("lua", "chat", folder, "!quiet")
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_a_message_that_is_no_command_is_the_users_mistake(folder: Path) -> None:
    done = goop2("lua", "chat", folder, "hello Alice")
    assert (done.stdout, done.stderr, done.returncode) == ("", "error: a chat command begins with \"!\": '!hello Alice'\n", 2)


@pytest.mark.parametrize("message", [" !hello Alice", "! hello Alice", "！hello Alice", " ！  hello Alice"])
def test_blanks_around_the_mark_and_the_mark_of_phone_keyboards_are_meant(folder: Path, message: str) -> None:
    assert goop2("lua", "chat", folder, message).stdout == "Hello, Alice!\n"


def test_arguments_that_are_not_utf_8_become_replacement_characters(folder: Path) -> None:
    assert goop2("lua", "chat", folder, b"!hello Zo\xeb").stdout == "Hello, Zo\N{REPLACEMENT CHARACTER}!\n"


def test_a_script_logs_on_stderr_in_short_lines(folder: Path, save: Save) -> None:
    save(
        "hello",
        "function handle() goop.log.info('text', 1) goop.log.warn('careful') goop.log.error('\\27[31mbad') print('p') return 'r' end",
    )
    done = goop2("lua", "chat", folder, "!hello")
    assert done.stdout == "r\n"
    assert done.stderr == "hello: info: text 1\nhello: warn: careful\nhello: error: \N{REPLACEMENT CHARACTER}[31mbad\nhello: info: p\n"


def test_the_owner_calls_unless_as_names_a_stranger(folder: Path, save: Save) -> None:
    save("who", "function handle() return goop.peer.id .. ' ' .. tostring(goop.peer.id == goop.self.id) end")
    own = goop2("id", folder).stdout.strip()
    assert goop2("lua", "chat", folder, "!who").stdout == f"{own} true\n"
    assert goop2("lua", "chat", folder, "!who", "--as", "12D3KooWStranger").stdout == "12D3KooWStranger false\n"


@pytest.mark.parametrize("stranger", ["", " ", "a\x1bb", "x" * 129], ids=["empty", "blank", "control", "long"])
def test_a_stranger_needs_a_name_one_can_print(folder: Path, stranger: str) -> None:
    done = goop2("lua", "chat", folder, "!hello", "--as", stranger)
    assert (done.stdout, done.returncode) == ("", 2)
    assert "a peer id is 1 to 128 printable characters" in done.stderr


def test_a_chat_command_as_json(folder: Path) -> None:
    good, bad = goop2("lua", "chat", folder, "!hello Zoë", "--json"), goop2("lua", "chat", folder, "!nosuch", "--json")
    assert (json.loads(good.stdout), good.returncode) == ({"ok": True, "reply": "Hello, Zoë!"}, 0)
    unknown = "Unknown command: nosuch"
    assert (json.loads(bad.stdout), bad.returncode) == ({"ok": False, "code": "not_found", "message": unknown, "reply": unknown}, 1)


def test_a_call_prints_the_result_as_json(folder: Path) -> None:
    done = goop2("lua", "call", folder, "score-quiz", '{"answers": ["B", "A"]}')
    assert (json.loads(done.stdout), done.stderr, done.returncode) == ({"score": 2, "total": 2}, "", 0)
    as_json = goop2("lua", "call", folder, "score-quiz", '{"answers": ["B", "A"]}', "--json")
    assert json.loads(as_json.stdout) == json.loads(done.stdout)


def test_parameters_may_come_from_stdin(folder: Path) -> None:
    done = goop2("lua", "call", folder, "score-quiz", "-", stdin='{"answers": ["B", "X"]}')
    assert json.loads(done.stdout) == {"score": 1, "total": 2}


def test_a_call_that_fails_is_one_line_with_its_class(folder: Path, save: Save) -> None:
    save("functions/it", "function call() error('game\\nnot found') end")
    done = goop2("lua", "call", folder, "it")
    assert (done.stdout, done.stderr, done.returncode) == ("", "script_error: it:1: game not found\n", 1)


def test_a_call_that_fails_as_json_names_script_and_line(folder: Path, save: Save) -> None:
    save("functions/it", "\nfunction call() error('no') end")
    done = goop2("lua", "call", folder, "it", "--json")
    assert json.loads(done.stdout) == {"ok": False, "code": "script_error", "message": "it:2: no", "script": "it", "line": 2}
    assert (done.stderr, done.returncode) == ("script_error: it:2: no\n", 1)


@pytest.mark.parametrize(
    ("function", "params", "sentence"),
    [
        ("score-quiz", "{bad", "bad_request: params: invalid JSON at line 1 column 2"),
        ("score-quiz", "7", "bad_request: params must be an object or an array, not a number"),
        ("score-quiz", '"' + "x" * 2_000_000 + '"', "bad_request: params are 2000002 bytes of JSON; the most is 1048576"),
        ("nosuch", "{}", 'not_found: unknown function: nosuch; "goop2 lua list {folder}" names the functions there are\n'),
        ("hello", "{}", 'not_found: unknown function: hello; hello is a chat command, "!hello" calls it\n'),
    ],
    ids=["not JSON", "not an object", "2 MB", "unknown", "a command"],
)
def test_bad_calls_have_their_sentence(folder: Path, function: str, params: str, sentence: str) -> None:
    done = goop2("lua", "call", folder, function, "-", stdin=params)
    assert (done.stdout, done.returncode) == ("", 1)
    assert done.stderr.startswith(sentence.replace("{folder}", str(folder)))
    assert done.stderr.count("\n") == 1


def test_a_result_that_cannot_be_json_names_the_place(folder: Path, save: Save) -> None:
    save("functions/it", "function call() return { f = print } end")
    done = goop2("lua", "call", folder, "it")
    assert done.stderr.startswith("script_error: it: result.f ")


def test_list_shows_every_script_with_its_limit_and_state(folder: Path, save: Save) -> None:
    save("bad", "\nx = = 1")
    save("free", "--- @rate_limit 0\n--- Free for all\nfunction handle() end")
    done = goop2("lua", "list", folder)
    assert done.stdout.splitlines()[:5] == [
        "script      state             calls a minute  what it is for",
        "!bad        broken at line 2  30",
        "!free       ok                unlimited       Free for all",
        "!hello      ok                30              Says hello: !hello Alice",
        "!weather    ok                10              The weather in a city: !weather Utrecht",
    ]
    assert (len(done.stdout.splitlines()), done.stderr, done.returncode) == (8, "", 0)


def test_list_as_json(folder: Path, save: Save) -> None:
    save("bad", "x = = 1")
    listed = json.loads(goop2("lua", "list", folder, "--json").stdout)
    assert [script["name"] for script in listed["commands"]] == ["bad", "hello", "weather"]
    assert [script["name"] for script in listed["functions"]] == ["game-move", "game-new", "score-quiz"]
    assert listed["commands"][0]["error"] == {"line": 1, "message": "unexpected symbol near '='"}
    assert listed["commands"][2]["rate_limit_per_minute"] == 10


def test_a_table_on_a_terminal_carries_nothing_of_a_strangers_that_steers_it(folder: Path, save: Save) -> None:
    save("evil", "--- \x1b]0;owned\x07 [red]not markup[/red]\nfunction handle() end")
    with Terminal(["lua", "list", folder], {"COLUMNS": "120"}) as terminal:
        assert terminal.ended() == 0
        assert "[red]not markup[/red]" in terminal.text
        assert "\x1b]" not in terminal.raw
        assert "what it is for" in terminal.text


def test_a_reply_on_a_terminal_keeps_its_lines_and_loses_what_steers(folder: Path, save: Save) -> None:
    save("evil", "function handle() return 'one\\n\\ttwo\\27]0;owned\\7' end")
    with Terminal(["lua", "chat", folder, "!evil"]) as terminal:
        assert terminal.ended() == 0
        assert "\x1b" not in terminal.raw
        assert "two\N{REPLACEMENT CHARACTER}]0;owned" in terminal.text
    assert goop2("lua", "chat", folder, "!evil").stdout == "one\n\ttwo\x1b]0;owned\x07\n"


def test_check_is_quiet_on_stdout_when_all_is_good(folder: Path) -> None:
    done = goop2("lua", "check", folder)
    assert (done.stdout, done.stderr, done.returncode) == ("", "5 scripts, all good\n", 0)


def test_check_names_file_and_line_and_exits_1(folder: Path, save: Save) -> None:
    save("bad", "\n\nx = = 1")
    save("functions/latin", b"return '\xff'")
    done = goop2("lua", "check", folder)
    assert done.stdout.splitlines() == [
        "site/lua/bad.lua:3: unexpected symbol near '='",
        "site/lua/functions/latin.lua: latin.lua is not UTF-8: byte 8 is 0xff; save it as UTF-8",
    ]
    assert (done.stderr, done.returncode) == ("7 scripts, 2 broken\n", 1)


def test_warnings_do_not_fail_a_check(folder: Path, save: Save) -> None:
    save("odd", "--- @rate_limit many\nfunction handle() end")
    done = goop2("lua", "check", folder)
    assert done.stdout.startswith("site/lua/odd.lua:1: @rate_limit wants a whole number")
    assert done.stdout.endswith("(warning)\n")
    assert done.returncode == 0


def test_names_that_goop_does_not_have_are_warnings_of_a_check(folder: Path, save: Save) -> None:
    save("functions/board", "local cards = goop.orm('cards')\nfunction call() return goop.omr, goop.route, goop.config end")
    save("odd", "function handle()\n  return goop.db.query('SELECT 1')\nend")
    done = goop2("lua", "check", folder)
    assert done.stdout.splitlines() == [
        "site/lua/odd.lua:2: goop.db.query is for data functions alone: in a chat command it is nil (warning)",
        "site/lua/functions/board.lua:2: goop.omr is not known here; goop.orm is (warning)",
    ]
    assert (done.stderr, done.returncode) == ("7 scripts, all good\n", 0)
    assert len(json.loads(goop2("lua", "check", folder, "--json").stdout)["warnings"]) == 2


def test_what_looks_wrong_is_a_warning_of_a_check(folder: Path, save: Save) -> None:
    save("odd", "--- Odd\nlocal x = 1\n--- @rate_limit 5\nfunction handle(args)\n  pritn(args)\nend\nfunction call() end")
    done = goop2("lua", "check", folder)
    assert done.stdout.splitlines() == [
        "site/lua/odd.lua:3: @rate_limit has no effect here: annotations stand at the top of the file, before code and -- comments"
        " (warning)",
        "site/lua/odd.lua:5: undefined global pritn; did you mean print? (warning)",
        "site/lua/odd.lua:7: call is not used in a chat command: a data function stands in functions/odd.lua (warning)",
    ]
    assert done.returncode == 0


def test_check_as_json(folder: Path, save: Save) -> None:
    save("bad", "x = = 1")
    done = goop2("lua", "check", folder, "--json")
    broken = [{"file": "site/lua/bad.lua", "line": 1, "message": "unexpected symbol near '='"}]
    assert json.loads(done.stdout) == {"ok": False, "files": 6, "broken": broken, "warnings": []}
    assert (done.stderr, done.returncode) == ("", 1)


def test_a_folder_without_scripts_says_how_to_make_one(folder: Path) -> None:
    (folder / "goop.json").write_text('{"lua": {"enabled": true, "script_dir": "scripts"}}')
    done = goop2("lua", "list", folder)
    assert (done.stdout, done.returncode) == ("", 0)
    assert done.stderr == "scripts holds no scripts: a file scripts/hello.lua makes the command !hello\n"
