"""Two peers on a line that loses three packets of ten each way and takes 200 ms there and back: what can be said is, the rest is told."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.e2e.badline import Line, two_machines_on_a_line
from tests.e2e.lan import NamespaceError
from tests.e2e.peers import Running, running

LOSS, DELAY_SECONDS = 0.3, 0.1
TRIES = 6
PATIENCE_SECONDS = 120.0


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Running, Running, Line]]:
    try:
        with (
            two_machines_on_a_line() as (a, b, line),
            running(tmp_path / "a", "Alice", a) as alice,
            running(tmp_path / "b", "Bob", b) as bob,
        ):
            yield alice, bob, line
    except NamespaceError as missing:
        pytest.skip(f"two machines on a bad line: {missing}")


def test_on_a_bad_line_what_is_acknowledged_is_kept_once_and_the_rest_fails_with_a_sentence(parts: tuple[Running, Running, Line]) -> None:
    alice, bob, line = parts
    (bob.folder / "site/lua/functions/hello.lua").write_text('function call() return "Hello" end')
    line.loss, line.delay_seconds = LOSS, DELAY_SECONDS
    until(lambda: alice.goop2("connect", alice.folder, bob.address).returncode == 0)
    said: list[str] = []
    sent: list[bool] = []
    end = time.monotonic() + PATIENCE_SECONDS
    # TCP waits twice as long after each loss, so that such a line is silent for half a minute now and then.
    while len(said) < TRIES or not (any(sent) or time.monotonic() > end):
        said.append(f"message {len(said)}")
        # `goop2` of the tests ends what takes longer than 20 s: that is the stated time-out.
        sent.append(told(alice.goop2("send", bob.id, said[-1], "--dir", alice.folder)))
    called = [told(alice.goop2("call", bob.id, "hello", "--dir", alice.folder)) for _ in range(TRIES)]
    assert any(called), "a call has 65 s for its answer; none of them got through"
    assert any(sent), "none of the messages got through"
    line.loss = 0.0
    until(lambda: told(alice.goop2("send", bob.id, "the line is good again", "--dir", alice.folder)))
    rows = json.loads(bob.goop2("data", bob.folder, "query", "SELECT content FROM _chat_messages", "--json").stdout)
    kept = [row["content"] for row in rows]
    for text, acknowledged in zip(said, sent, strict=True):
        assert kept.count(text) <= 1
        assert text in kept or not acknowledged, f"{text} was acknowledged and is lost"


def told(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether it was done; if not, a sentence says why."""
    if done.returncode:
        assert done.returncode == 1
        assert done.stderr.startswith("unavailable: "), done.stderr
    return done.returncode == 0


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not done():
        assert time.monotonic() < end, "it never came"
