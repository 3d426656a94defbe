"""The scripts of a peer: found, compiled, kept at their last good version. Here by hand (`scan`), in test_watch.py by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.scripting.catalog_peer import Compiler, Peer

from goop2.scripting import catalog as catalog_module
from goop2.scripting.catalog import BrokenScript, Catalog, CatalogChange, Script, ScriptProblem
from goop2.scripting.limits import COMPILE_TOGETHER_FROM, COMPILE_TOGETHER_MAX, COMPILES_AT_ONCE
from goop2.scripting.source_files import Snapshot, SourceFolder


@pytest.fixture
def peer(tmp_path: Path) -> Peer:
    return Peer(tmp_path)


async def test_scripts_are_found_by_name_and_kind(peer: Peer) -> None:
    peer.write("hello.lua", "--- Says hello\n--- @rate_limit 10\nreturn 1")
    peer.write("functions/hello.lua", "return 2")
    await peer.catalog.scan()
    command, function = peer.catalog.command("hello"), peer.catalog.function("hello")
    assert isinstance(command, Script)
    assert isinstance(function, Script)
    assert (command.kind, command.path, command.annotations.rate_limit) == ("command", "site/lua/hello.lua", 10)
    assert (function.kind, function.path, function.source) == ("function", "site/lua/functions/hello.lua", b"return 2")
    assert command.version != function.version


async def test_a_command_is_found_in_whatever_case_it_is_written_and_a_function_only_as_it_is(peer: Peer) -> None:
    peer.write("Hello.lua")
    peer.write("functions/Score.lua")
    await peer.catalog.scan()
    assert peer.source("hELLO") == b"return 1"
    assert peer.catalog.function("Score") is not None
    assert peer.catalog.function("score") is None


async def test_one_kind_is_not_found_as_the_other(peer: Peer) -> None:
    peer.write("hello.lua")
    peer.write("functions/score.lua")
    await peer.catalog.scan()
    assert peer.catalog.function("hello") is None
    assert peer.catalog.command("score") is None


@pytest.mark.parametrize("name", ["", "nosuch", "../hello", "functions/score", "hello.lua", "\x00", "x" * 10_000])
async def test_what_is_not_there_is_not_found(peer: Peer, name: str) -> None:
    peer.write("hello.lua")
    await peer.catalog.scan()
    assert peer.catalog.command(name) is None
    assert peer.catalog.function(name) is None


async def test_an_empty_peer_has_an_empty_catalog_that_fills_when_scripts_appear(peer: Peer) -> None:
    await peer.catalog.scan()
    assert peer.catalog.listing() == []
    peer.write("hello.lua")
    await peer.catalog.scan()
    assert peer.heard() == [("loaded", "hello")]


async def test_the_commands_that_answer_are_told_with_their_descriptions(peer: Peer) -> None:
    peer.write("weather.lua", "--- Tells the weather")
    peer.write("hello.lua")
    peer.write("broken.lua", "???")
    peer.write("functions/score.lua", "--- Scores")
    await peer.catalog.scan()
    assert peer.catalog.commands() == (("hello", ""), ("weather", "Tells the weather"))


async def test_the_list_shows_every_script_commands_first(peer: Peer) -> None:
    peer.write("hello.lua", "--- Says hello\n--- @rate_limit 10\n--- @colour red")
    peer.write("broken.lua", "\n???")
    peer.write("functions/api.lua")
    await peer.catalog.scan()
    assert [(listed.kind, listed.name, listed.state) for listed in peer.catalog.listing()] == [
        ("command", "broken", "broken"),
        ("command", "hello", "ok"),
        ("function", "api", "ok"),
    ]
    hello = peer.listed("hello")
    assert (hello.path, hello.description, hello.rate_limit) == ("site/lua/hello.lua", "Says hello", 10)
    assert [warning[:21] for warning in hello.warnings] == ["site/lua/hello.lua:3:"]


async def test_what_is_ignored_in_the_folder_is_said(peer: Peer) -> None:
    peer.write("my script.lua")
    with capture_logs() as logs:
        await peer.catalog.scan()
        await peer.catalog.scan()
    assert len(peer.catalog.warnings) == 1
    assert [line["warning"] for line in logs] == list(peer.catalog.warnings)


# Broken files and last good versions.


async def test_a_file_that_never_compiled_is_listed_as_broken_with_line_and_message(peer: Peer) -> None:
    peer.write("hello.lua", "--- Says hello\nlocal x\nreturn ???")
    await peer.catalog.scan()
    fault = ScriptProblem(3, "unexpected symbol near '?'")
    assert peer.catalog.command("hello") == BrokenScript("command", "hello", "site/lua/hello.lua", fault)
    assert fault.located("hello") == "hello:3: unexpected symbol near '?'"
    listed = peer.listed("hello")
    assert (listed.state, listed.fault, listed.older_runs, listed.description) == ("broken", fault, False, "Says hello")


async def test_a_syntax_error_keeps_the_last_good_version_running(peer: Peer) -> None:
    peer.write("hello.lua", "--- Good\nreturn 'good'")
    await peer.catalog.scan()
    peer.write("hello.lua", "--- Bad\n???")
    with capture_logs() as logs:
        await peer.catalog.scan()
    assert peer.source("hello") == b"--- Good\nreturn 'good'"
    listed = peer.listed("hello")
    assert (listed.state, listed.older_runs, listed.description) == ("broken", True, "Good")
    assert listed.fault == ScriptProblem(2, "unexpected symbol near '?'")
    assert peer.catalog.commands() == (("hello", "Good"),)
    (line,) = logs
    assert (line["event"], line["path"], line["line"], line["older_runs"]) == ("script broken", "site/lua/hello.lua", 2, True)


async def test_a_mended_script_runs_again(peer: Peer) -> None:
    peer.write("hello.lua", "???")
    await peer.catalog.scan()
    peer.write("hello.lua", "return 'mended'")
    await peer.catalog.scan()
    assert peer.source("hello") == b"return 'mended'"
    assert peer.listed("hello").state == "ok"
    assert peer.heard() == [("broken", "hello"), ("loaded", "hello")]


async def test_an_edit_that_is_taken_back_needs_no_compiler(peer: Peer) -> None:
    for source in ("return 1", "???", "return 1"):
        peer.write("hello.lua", source)
        await peer.catalog.scan()
    assert peer.compiler.asked == ["hello", "hello"]
    assert peer.listed("hello").state == "ok"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x" * 5 * 1024 * 1024, "hello.lua is 5.0 MB; the most is 1 MB"),
        (b"\xff", "hello.lua is not UTF-8: byte 0 is 0xff; save it as UTF-8"),
    ],
)
async def test_a_file_that_cannot_be_a_script_is_broken_and_keeps_the_last_good_version(peer: Peer, content: bytes, message: str) -> None:
    peer.write("hello.lua", content)
    peer.write("bye.lua")
    await peer.catalog.scan()
    broken = peer.catalog.command("hello")
    assert isinstance(broken, BrokenScript)
    assert (broken.message, broken.line) == (message, None)
    peer.write("bye.lua", content)
    await peer.catalog.scan()
    assert peer.source("bye") == b"return 1"
    assert peer.listed("bye").fault == ScriptProblem(None, message.replace("hello", "bye"))


async def test_a_compilers_message_cannot_command_a_terminal(peer: Peer) -> None:
    async def compile(name: str, source: bytes) -> str:
        return f"{name}:1: near '\x1b[2J" + "x" * 10_000

    catalog = Catalog(peer.folder, Path("site/lua"), compile)
    peer.write("hello.lua")
    await catalog.scan()
    broken = catalog.command("hello")
    assert isinstance(broken, BrokenScript)
    assert broken.line == 1
    assert broken.message.isprintable()
    assert len(broken.message) < 1000


async def test_a_deleted_file_is_gone_and_leaves_no_last_good_version(peer: Peer) -> None:
    path = peer.write("hello.lua")
    await peer.catalog.scan()
    path.unlink()
    await peer.catalog.scan()
    assert peer.catalog.command("hello") is None
    assert peer.catalog.commands() == ()
    path.write_text("???")
    await peer.catalog.scan()
    assert isinstance(peer.catalog.command("hello"), BrokenScript)
    assert peer.heard() == [("loaded", "hello"), ("removed", "hello"), ("broken", "hello")]


async def test_whoever_began_with_a_version_ends_with_it(peer: Peer) -> None:
    path = peer.write("hello.lua", "return 'old'")
    await peer.catalog.scan()
    script = peer.catalog.command("hello")
    path.unlink()
    await peer.catalog.scan()
    assert isinstance(script, Script)
    assert script.source == b"return 'old'"


async def test_when_the_winner_of_two_names_goes_the_other_takes_its_place(peer: Peer) -> None:
    winner = peer.write("Hello.lua", "return 'Hello'")
    peer.write("hello.lua", "return 'hello'")
    await peer.catalog.scan()
    assert peer.source("hello") == b"return 'Hello'"
    winner.unlink()
    await peer.catalog.scan()
    assert peer.source("hello") == b"return 'hello'"
    assert peer.catalog.warnings == ()


# Compiling: side by side, bounded, and without waiting for the slow ones.


async def test_nothing_happens_to_what_has_not_changed(peer: Peer) -> None:
    peer.write("hello.lua")
    await peer.catalog.scan()
    peer.heard()
    peer.write("hello.lua")
    await peer.catalog.scan()
    assert peer.compiler.asked == ["hello"]
    assert peer.heard() == []


async def test_files_are_compiled_side_by_side_but_only_a_few_at_once(peer: Peer) -> None:
    for number in range(20):
        peer.write(f"s{number}.lua")
    await peer.catalog.scan()
    assert peer.compiler.most_at_once == COMPILES_AT_ONCE
    assert len(peer.catalog.commands()) == 20


async def turn_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the catalog is asked from outside
            await asyncio.sleep(0.001)


async def test_a_file_that_is_slow_to_compile_delays_neither_another_nor_a_deletion(peer: Peer) -> None:
    doomed = peer.write("doomed.lua")
    await peer.catalog.scan()
    peer.compiler.slow[b"slow"] = asyncio.Event()
    peer.write("slow.lua", "slow")
    scanning = asyncio.create_task(peer.catalog.scan())
    await turn_until(lambda: peer.compiler.at_once == 1)
    peer.write("quick.lua")
    doomed.unlink()
    second = asyncio.create_task(peer.catalog.scan())
    await turn_until(lambda: peer.source("quick") is not None)
    assert peer.catalog.command("doomed") is None
    assert peer.catalog.command("slow") is None
    peer.compiler.slow[b"slow"].set()
    await asyncio.gather(scanning, second)
    assert peer.source("slow") == b"slow"


@pytest.mark.parametrize(
    ("then", "heard"),
    [
        ("edited", [("loaded", "hello")]),
        ("deleted", [("removed", "hello")]),
        ("deleted and made again", [("removed", "hello"), ("loaded", "hello")]),
    ],
)
async def test_a_verdict_that_comes_too_late_is_dropped(peer: Peer, then: str, heard: list[tuple[str, str]]) -> None:
    peer.compiler.slow[b"slow"] = asyncio.Event()
    path = peer.write("hello.lua", "slow")
    scanning = asyncio.create_task(peer.catalog.scan())
    await turn_until(lambda: peer.compiler.at_once == 1)
    if then != "edited":
        path.unlink()
        await peer.catalog._refresh()
    if then != "deleted":
        peer.write("hello.lua", "new")
        await peer.catalog._refresh()
        await turn_until(lambda: peer.source("hello") == b"new")
    peer.compiler.slow[b"slow"].set()
    await scanning
    assert peer.source("hello") == (None if then == "deleted" else b"new")
    assert peer.heard() == heard


async def test_a_version_being_compiled_is_not_compiled_a_second_time(peer: Peer) -> None:
    peer.compiler.slow[b"slow"] = asyncio.Event()
    peer.write("hello.lua", "slow")
    scans = [asyncio.create_task(peer.catalog.scan()) for _ in range(3)]
    await turn_until(lambda: peer.compiler.at_once == 1)
    peer.compiler.slow[b"slow"].set()
    await asyncio.gather(*scans)
    assert peer.compiler.asked == ["hello"]


async def test_when_nobody_can_compile_the_last_good_version_runs_and_the_list_says_so(peer: Peer) -> None:
    peer.write("hello.lua", "return 'old'")
    await peer.catalog.scan()
    peer.write("hello.lua", "return 'new'")
    peer.write("bye.lua")
    peer.compiler.unavailable = "no worker is ready"
    await peer.catalog.scan()
    assert peer.source("hello") == b"return 'old'"
    assert isinstance(peer.catalog.command("bye"), BrokenScript)
    sentence = "hello.lua could not be compiled: no worker is ready; it is tried again in a few seconds"
    assert peer.listed("hello").fault == ScriptProblem(None, sentence)


async def test_what_could_not_be_compiled_is_tried_again_and_told_once(peer: Peer) -> None:
    peer.write("hello.lua")
    peer.compiler.unavailable = "no worker is ready"
    await peer.catalog.scan()
    await peer.catalog.scan()
    peer.compiler.unavailable = ""
    await peer.catalog.scan()
    assert peer.source("hello") == b"return 1"
    assert peer.heard() == [("broken", "hello"), ("loaded", "hello")]


async def test_an_error_of_the_compiler_itself_is_logged_and_tried_again(peer: Peer) -> None:
    async def compile(name: str, source: bytes) -> str:
        raise ZeroDivisionError

    catalog = Catalog(peer.folder, Path("site/lua"), compile)
    peer.write("hello.lua")
    with capture_logs() as logs:
        await catalog.scan()
    assert isinstance(catalog.command("hello"), BrokenScript)
    assert "compiling failed" in [line["event"] for line in logs]


async def test_a_subscriber_that_fails_does_not_stop_the_catalog(peer: Peer) -> None:
    def fail(_: CatalogChange) -> None:
        raise LookupError

    peer.catalog.subscribe(fail)
    peer.write("hello.lua")
    peer.write("bye.lua")
    await peer.catalog.scan()
    assert len(peer.catalog.commands()) == 2


async def test_a_start_looks_at_each_of_many_scripts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten thousand took six seconds when the index was built anew for each."""
    functions = tmp_path / "site/lua/functions"
    functions.mkdir(parents=True)
    for number in range(200):
        (functions / f"f{number}.lua").write_text(f"-- {number}")
    asked = 0

    def counted(entry: catalog_module._CatalogRecord) -> catalog_module.Script | catalog_module.BrokenScript | None:
        nonlocal asked
        asked += 1
        return real(entry)

    async def compiles(_name: str, _source: bytes) -> str:
        return ""

    real = catalog_module._answer
    monkeypatch.setattr(catalog_module, "_answer", counted)
    catalog = Catalog(tmp_path, Path("site/lua"), compiles)
    await catalog.scan()
    assert len(catalog.listing()) == 200
    assert asked == 200


async def test_the_list_of_commands_follows_each_change(tmp_path: Path) -> None:
    async def compiles(_name: str, _source: bytes) -> str:
        return ""

    (tmp_path / "site/lua").mkdir(parents=True)
    catalog = Catalog(tmp_path, Path("site/lua"), compiles)
    await catalog.scan()
    assert catalog.commands() == ()
    for name in ("b", "a"):
        (tmp_path / f"site/lua/{name}.lua").write_text(f"--- does {name}\n")
    await catalog.scan()
    assert catalog.commands() == (("a", "does a"), ("b", "does b"))
    (tmp_path / "site/lua/a.lua").unlink()
    await catalog.scan()
    assert catalog.commands() == (("b", "does b"),)


class Together:
    """Compiles many at a time, or says that it cannot tell."""

    def __init__(self, compiler: Compiler) -> None:
        self._compiler = compiler
        self.knows = True
        self.asked: list[int] = []

    async def __call__(self, sources: Sequence[tuple[str, bytes]]) -> list[str] | None:
        self.asked.append(len(sources))
        return [await self._compiler(name, source) for name, source in sources] if self.knows else None


@pytest.mark.parametrize("knows", [True, False])
async def test_a_start_with_many_scripts_has_them_compiled_some_at_a_time_and_each_has_its_verdict(tmp_path: Path, knows: bool) -> None:
    peer = Peer(tmp_path)
    together = Together(peer.compiler)
    together.knows = knows
    peer.catalog = Catalog(tmp_path, Path("site/lua"), peer.compiler, compile_many=together)
    for number in range(COMPILE_TOGETHER_FROM + COMPILE_TOGETHER_MAX):
        peer.write(f"s{number:03}.lua", "???" if number % 10 == 4 else f"return {number}")
    await peer.catalog.scan()
    assert sum(together.asked) == COMPILE_TOGETHER_FROM + COMPILE_TOGETHER_MAX
    assert max(together.asked) <= COMPILE_TOGETHER_MAX
    states = {listed.name: listed.state for listed in peer.catalog.listing()}
    assert states == {
        f"s{number:03}": "broken" if number % 10 == 4 else "ok" for number in range(COMPILE_TOGETHER_FROM + COMPILE_TOGETHER_MAX)
    }
    asked = len(together.asked)
    peer.write("s001.lua", "return 'new'")
    await peer.catalog.scan()
    assert peer.source("s001") == b"return 'new'"
    assert len(together.asked) == asked  # one by itself


async def test_scripts_are_read_while_the_compiler_starts_and_compiled_when_it_has(peer: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    read = asyncio.Event()
    loop = asyncio.get_running_loop()
    real = SourceFolder.read

    def noticed(folder: SourceFolder, before: Snapshot) -> Snapshot:
        snapshot = real(folder, before)
        loop.call_soon_threadsafe(read.set)
        return snapshot

    monkeypatch.setattr(SourceFolder, "read", noticed)
    peer.write("hello.lua")
    starting: asyncio.Future[None] = loop.create_future()
    scanning = asyncio.create_task(peer.catalog.scan(starting))
    await asyncio.wait_for(read.wait(), 5)
    await asyncio.sleep(0.05)
    assert not scanning.done()
    assert not peer.compiler.asked
    starting.set_result(None)
    await scanning
    assert peer.compiler.asked == ["hello"]
    assert peer.source("hello") == b"return 1"


async def test_a_compiler_that_does_not_start_ends_the_scan_with_its_reason(peer: Peer) -> None:
    peer.write("hello.lua")
    starting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    starting.set_exception(ChildProcessError("no worker"))
    with pytest.raises(ChildProcessError, match="no worker"):
        await peer.catalog.scan(starting)
    await peer.catalog.scan()
    assert peer.source("hello") == b"return 1"
