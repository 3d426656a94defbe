"""goop.listen from scripts, the manual's example word for word, and the session over a restart."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.services.listen.sounds import wav

from goop2.app import open_peer
from goop2.sandbox.framing import WorkerProtocolError
from goop2.services.listen import tracks
from goop2.services.listen.operations import operations
from goop2.services.peer import Peer

MANUAL = """
function handle(path)
  local out = {}
  local group, err = goop.listen.create("My Session")
  local state = goop.listen.state()
  out.created = group and group.name .. " " .. group.role .. " " .. state.id
  local track, err = goop.listen.load(path)
  if not track then return err end
  goop.listen.play()
  goop.listen.pause()
  goop.listen.seek(30.5)
  local now = goop.listen.state()
  out.track = track.name .. " " .. track.format .. " " .. track.duration
  out.position, out.playing = now.play_state.position, now.play_state.playing
  goop.listen.close()
  out.closed = goop.listen.state() == nil
  return goop.json.encode(out)
end
"""
FAILURES = """
function handle()
  local out = {}
  out[1] = goop.listen.play()
  out[2] = goop.listen.pause()
  out[3] = goop.listen.seek(1)
  out[4] = goop.listen.close()
  out[5] = select(2, goop.listen.load("x.mp3"))
  out[6] = select(2, goop.listen.create(""))
  goop.listen.create("One")
  out[7] = select(2, goop.listen.create("Two"))
  out[8] = select(2, goop.listen.load("nothing.mp3"))
  out[9] = goop.listen.play()
  return goop.json.encode(out)
end
"""


@asynccontextmanager
async def opened(folder: Path, **scripts: str) -> AsyncIterator[Peer]:
    (folder / "site/lua").mkdir(parents=True, exist_ok=True)
    (folder / "goop.json").write_text(json.dumps({"lua": {"enabled": True}}))
    for name, source in scripts.items():
        (folder / f"site/lua/{name}.lua").write_text(source)
    async with open_peer(folder, {}) as peer:
        yield peer


async def test_the_manuals_example(tmp_path: Path) -> None:
    wav(tmp_path / "track.wav", 40)
    async with opened(tmp_path, listen=MANUAL) as peer:
        out = json.loads((await peer.engine.command(peer.owner, f"!listen {tmp_path}/track.wav")).text)
    assert out["created"].startswith("My Session host listen-")
    assert (out["track"], out["position"], out["playing"], out["closed"]) == ("track wav 40", 30.5, False, True)


async def test_every_failure_is_a_value(tmp_path: Path) -> None:
    async with opened(tmp_path, fail=FAILURES) as peer:
        reply = await peer.engine.command(peer.owner, "!fail")
    out = json.loads(reply.text)
    assert all("no session is open" in each for each in out[:5])
    assert "1 to 100 characters" in out[5]
    assert "the session One is open" in out[6]
    assert "nothing.mp3" in out[7]
    assert "no track is loaded" in out[8]


async def test_a_position_that_is_no_number_is_a_breach_by_the_worker(tmp_path: Path) -> None:
    async with opened(tmp_path) as peer:
        with pytest.raises(WorkerProtocolError, match=r"goop\.listen\.seek"):
            await operations(peer.listening)["listen.seek"](None, b"soon")


async def test_a_session_survives_a_restart_paused_where_it_was(tmp_path: Path) -> None:
    wav(tmp_path / "track.wav", 40)
    async with opened(tmp_path) as peer:
        created = await peer.listening.create("Evening")
        await peer.listening.load("track.wav")
        await peer.listening.seek(12)
        await peer.listening.play()
    async with opened(tmp_path) as peer:
        state = peer.listening.state()
        assert state is not None
        assert (state.id, state.name, state.playing) == (created.id, "Evening", False)
        assert state.track is not None
        assert state.position == pytest.approx(12, abs=2)
        await peer.listening.close()
    async with opened(tmp_path) as peer:
        assert peer.listening.state() is None


async def test_a_session_whose_track_is_gone_or_another_comes_back_as_far_as_it_can(tmp_path: Path) -> None:
    wav(tmp_path / "track.wav", 20)
    async with opened(tmp_path) as peer:
        await peer.listening.create("Evening")
        await peer.listening.load("track.wav")
        await peer.listening.seek(12)
    wav(tmp_path / "track.wav", 5)
    async with opened(tmp_path) as peer:
        state = peer.listening.state()
        assert state is not None
        assert state.track is not None
        assert (state.track.duration, state.position) == (5.0, 5.0)
    (tmp_path / "track.wav").unlink()
    async with opened(tmp_path) as peer:
        state = peer.listening.state()
        assert state is not None
        assert (state.name, state.track) == ("Evening", None)


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b'{"id": 5}', b'{"id": "x", "name": "y", "position": NaN}', b"\xff"])
async def test_a_file_that_holds_no_session_is_no_session(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/listen.json").write_bytes(kept)
    async with opened(tmp_path) as peer:
        assert peer.listening.state() is None


async def test_a_start_does_not_read_the_track_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours of MP3 take a second to count, and every command of `goop2` opens the folder."""
    wav(tmp_path / "track.wav", 20)
    async with opened(tmp_path) as peer:
        await peer.listening.create("Evening")
        await peer.listening.load("track.wav")
    monkeypatch.setattr(tracks, "_described", None)
    async with opened(tmp_path) as peer:
        state = peer.listening.state()
        assert state is not None
        assert state.track is not None
        assert state.track.duration == 20.0


async def test_a_peer_that_ends_by_an_error_keeps_where_it_was(tmp_path: Path) -> None:
    wav(tmp_path / "track.wav", 20)

    async def fails() -> None:
        async with opened(tmp_path) as peer:
            await peer.listening.create("Evening")
            await peer.listening.load("track.wav")
            await peer.listening.seek(7)
            await peer.listening.play()
            await asyncio.sleep(0.2)  # so that it plays when the peer ends
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fails()
    kept = json.loads((tmp_path / "data/listen.json").read_text())
    assert kept["position"] == pytest.approx(7.2, abs=2)
    assert kept["position"] > 7


WRONG = """
function handle(args)
  local ok, message = pcall(load("return " .. args))
  return ok and "no error" or message
end
"""


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        ("goop.listen.create()", "bad argument #1 to 'goop.listen.create' (string expected, got no value)"),
        ("goop.listen.create({})", "bad argument #1 to 'goop.listen.create' (string expected, got table)"),
        ("goop.listen.load(true)", "bad argument #1 to 'goop.listen.load' (string expected, got boolean)"),
        ("goop.listen.seek()", "bad argument #1 to 'goop.listen.seek' (number expected, got no value)"),
        ("goop.listen.seek('30')", "bad argument #1 to 'goop.listen.seek' (number expected, got string)"),
        ("goop.listen.seek(function() end)", "bad argument #1 to 'goop.listen.seek' (number expected, got function)"),
    ],
)
async def test_a_wrong_type_raises(tmp_path: Path, call: str, complaint: str) -> None:
    async with opened(tmp_path, wrong=WRONG) as peer:
        assert complaint in (await peer.engine.command(peer.owner, f"!wrong {call}")).text


PLACES = """
function handle(args)
  local out = {}
  for _, seconds in ipairs({ -1, -math.huge, math.huge, 0/0, 1e300, 40.001, -1e-9 }) do
    out[#out + 1] = goop.listen.seek(seconds) or "none"
  end
  for _, seconds in ipairs({ 0, 40, 30.5 }) do
    out[#out + 1] = goop.listen.seek(seconds) or "none"
  end
  out[#out + 1] = goop.listen.state().play_state.position
  return goop.json.encode(out)
end
"""


async def test_only_a_second_of_the_track_is_sought(tmp_path: Path) -> None:
    wav(tmp_path / "track.wav", 40)
    async with opened(tmp_path, places=PLACES) as peer:
        await peer.listening.create("Evening")
        await peer.listening.load("track.wav")
        out = json.loads((await peer.engine.command(peer.owner, "!places")).text)
    assert all("the track has 40.0" in each for each in out[:7])
    assert out[7:] == ["none", "none", "none", 30.5]


ORDERS = """
local does = {
  create = function() return select(2, goop.listen.create("x")) end,
  load = function() return select(2, goop.listen.load("track.wav")) end,
  play = goop.listen.play, pause = goop.listen.pause, close = goop.listen.close,
  seek = function() return goop.listen.seek(1) end,
}
function handle(args)
  local failures = {}
  for name in args:gmatch("%a+") do
    if does[name]() then failures[#failures + 1] = name end
  end
  local state = goop.listen.state()
  local shown = state and (state.track and "track" or "open") or "none"
  return shown .. (state and state.play_state.playing and " playing" or "") .. ": " .. table.concat(failures, " ")
end
"""


async def test_every_order_of_three_is_a_value_each(tmp_path: Path) -> None:
    """The table is the manual's words: what needs a session, what needs a track."""
    wav(tmp_path / "track.wav", 40)
    names = ("create", "load", "play", "pause", "seek", "close")
    async with opened(tmp_path, orders=ORDERS) as peer:
        for order in itertools.product(names, repeat=3):
            shown, failures = "none", []
            for name in order:
                shown, failed = after(shown, name)
                failures += [name] if failed else []
            assert (await peer.engine.command(peer.owner, f"!orders {' '.join(order)}")).text == f"{shown}: {' '.join(failures)}"
            if shown != "none":
                await peer.listening.close()


def after(shown: str, name: str) -> tuple[str, bool]:
    """State and call → the state then, and whether it failed."""
    if name == "create":
        return ("open", False) if shown == "none" else (shown, True)
    if shown == "none":
        return shown, True
    if name == "close":
        return "none", False
    if name == "load":
        return "track", False
    if shown == "open":
        return shown, True
    return {"play": "track playing", "pause": "track"}.get(name, shown), False


async def test_a_file_that_is_gone_or_another_is_not_played(tmp_path: Path) -> None:
    wav(tmp_path / "track.wav", 40)
    async with opened(tmp_path, play="function handle() return goop.listen.play() or 'plays' end") as peer:
        await peer.listening.create("Evening")
        await peer.listening.load("track.wav")

        async def says() -> str:
            return (await peer.engine.command(peer.owner, "!play")).text

        assert await says() == "plays"
        wav(tmp_path / "track.wav", 30)
        assert await says() == "track.wav has changed since it was loaded: load it again"
        (tmp_path / "track.wav").unlink()
        assert await says() == "track.wav cannot be opened: No such file or directory"


async def test_a_load_that_takes_its_time_holds_up_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wav(tmp_path / "track.wav", 40)
    wav(tmp_path / "next.wav", 40)
    async with opened(tmp_path) as peer:
        await peer.listening.create("Evening")
        await peer.listening.load("track.wav")
        go_on, described = threading.Event(), tracks._described
        monkeypatch.setattr(tracks, "_described", lambda *given: (go_on.wait(30), described(*given))[1])
        loading = asyncio.create_task(peer.listening.load("next.wav"))
        await peer.listening.play()
        await peer.listening.pause()
        assert not loading.done()
        go_on.set()
        assert (await loading).name == "next"
        state = peer.listening.state()
        assert state is not None
        assert state.track == await loading
