"""goop.listen from scripts, the manual's example word for word, and the session over a restart."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.listen.sounds import wav

from goop2.peer import Peer, open_peer

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


async def test_a_session_whose_track_is_gone_is_forgotten(tmp_path: Path) -> None:
    wav(tmp_path / "track.wav", 2)
    async with opened(tmp_path) as peer:
        await peer.listening.create("Evening")
        await peer.listening.load("track.wav")
    (tmp_path / "track.wav").unlink()
    async with opened(tmp_path) as peer:
        assert peer.listening.state() is None
