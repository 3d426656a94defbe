"""Listening from a terminal: the commands of the template, in the running peer and without one alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_SECONDS, goop2, on_any_port, start
from tests.cli.test_peers import on_the_network
from tests.services.listen.sounds import wav

from goop2.folder.creation import create

LINES = "!np\n!pause\n!play nothing.mp3\n!play song.wav\n!np\n!pause\n!np\n!play\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create(tmp_path / "peer", "Fred", "listening")
    wav(tmp_path / "peer/song.wav", 60)
    on_any_port(tmp_path / "peer")
    return tmp_path / "peer"


def right(answers: list[str]) -> None:
    assert answers[0] == "Nothing plays"
    assert "no session is open" in answers[1]
    assert answers[2:4] == ["nothing.mp3 is no file here", "Playing song"]
    assert answers[4].startswith("song, playing at 0:0")
    assert answers[5] == "Paused"
    assert answers[6].startswith("song, paused at 0:0")
    assert answers[7:] == ["Playing song"]


def test_without_a_running_peer_the_session_is_there_the_next_time(folder: Path) -> None:
    done = goop2("chat", folder, stdin=LINES)
    assert done.stderr == ""
    right(done.stdout.splitlines())
    assert goop2("lua", "chat", folder, "!np").stdout.startswith("song, paused at 0:0")


def test_beside_the_running_peer_it_is_that_ones_session(folder: Path) -> None:
    with start("peer", folder) as peer:
        try:
            on_the_network(folder)
            done = goop2("chat", folder, stdin=LINES)
            assert done.stderr == ""
            right(done.stdout.splitlines())
            assert goop2("lua", "chat", folder, "!np").stdout.startswith("song, playing at 0:0"), "it plays on in the peer"
        finally:
            peer.terminate()
            assert peer.wait(PATIENCE_SECONDS) == 0
    assert goop2("lua", "chat", folder, "!np").stdout.startswith("song, paused at 0:")
