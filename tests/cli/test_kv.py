"""`goop2 kv`: what scripts keep, on a terminal; no value is ever an argument."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.command import Terminal, goop2
from tests.cli.conftest import Save


@pytest.fixture
def scripts(folder: Path, save: Save) -> Path:
    settings = json.loads((folder / "goop.json").read_text())
    settings["lua"]["kv_enabled"] = True
    (folder / "goop.json").write_text(json.dumps(settings))
    (folder / "site/lua/functions").mkdir(exist_ok=True)
    save("Weather", "function handle() return tostring(goop.kv.get('api_key')) end")
    for name in ("functions/weather", "functions/score"):
        save(name, "function call() return goop.kv.get('best') end")
    return folder


def kv(folder: Path, *words: str, stdin: str = "") -> str:
    done = goop2("kv", folder, *words, stdin=stdin)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


def test_a_value_comes_from_stdin_and_the_script_has_it(scripts: Path) -> None:
    assert kv(scripts, "weather", "set", "api_key", stdin="secret123\n") == "kept  api_key\n"
    assert goop2("lua", "chat", scripts, "!weather").stdout == "secret123\n"
    assert kv(scripts, "weather", "get", "api_key") == "secret123\n"
    assert json.loads(kv(scripts, "weather", "list", "--json")) == [{"key": "api_key", "bytes": 11}]
    assert "secret123" not in kv(scripts, "weather", "list")
    assert kv(scripts, "weather", "del", "api_key") == "forgotten  api_key\n"
    assert goop2("lua", "chat", scripts, "!weather").stdout == "nil\n"


def test_a_command_and_a_function_of_one_name_are_told_apart(scripts: Path) -> None:
    kv(scripts, "WEATHER", "set", "k", stdin="of the command")
    kv(scripts, "functions/weather", "set", "k", stdin="of the function")
    assert kv(scripts, "weather", "get", "k") == "of the command\n"
    assert kv(scripts, "functions/weather", "get", "k") == "of the function\n"
    kv(scripts, "score", "set", "best", "--json", stdin='{"points": 5}')
    assert json.loads(goop2("lua", "call", scripts, "score").stdout) == {"points": 5}
    assert kv(scripts, "functions/score", "get", "best") == '{"points": 5}\n'


def test_on_a_terminal_a_value_is_asked_for_and_not_shown(scripts: Path) -> None:
    with Terminal(["kv", scripts, "weather", "set", "api_key"]) as terminal:
        terminal.wait_for("Value of api_key: ")
        terminal.type("hidden-value\n")
        terminal.wait_for("kept  api_key")
        assert terminal.ended() == 0
        assert "hidden-value" not in terminal.raw
    assert kv(scripts, "weather", "get", "api_key") == "hidden-value\n"


def test_keys_of_a_script_that_is_gone_can_still_be_seen_and_forgotten(scripts: Path) -> None:
    kv(scripts, "score", "set", "best", stdin="1")
    (scripts / "site/lua/functions/score.lua").unlink()
    assert kv(scripts, "functions/score", "get", "best") == "1\n"
    assert kv(scripts, "score", "del", "best") == "forgotten  best\n"


def test_what_is_not_there_is_a_sentence(scripts: Path) -> None:
    for words, stdin, sentence in (
        (("nosuch", "list"), "", "there is no script 'nosuch': it would be lua/nosuch.lua"),
        (("functions/nosuch", "set", "k"), "x", "it would be lua/functions/nosuch.lua"),
        (("weather", "get", "nope"), "", "weather keeps nothing under 'nope'"),
        (("weather", "del", "nope"), "", "weather keeps nothing under 'nope'"),
        (("weather", "set", "k", "--json"), "{", "the value is no JSON"),
        (("weather", "set", "k"), "x" * 70_000, "65536 bytes"),
        (("weather", "set", "k", "value"), "", "unexpected extra argument"),
    ):
        done = goop2("kv", scripts, *words, stdin=stdin)
        assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr
