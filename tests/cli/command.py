"""The real command, run as a user runs it: in a process of its own, through pipes or a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.started import Started

GOOP2 = str(Path(sys.executable).with_name("goop2"))
PROGRAM: tuple[str, ...] = (GOOP2,)
"""Of this commit; tests/interop/old_environment.py has another one's."""
PATIENCE_SECONDS = 60.0
PROMPT = ">"
"""As a terminal is sent it: the blank after it is a movement of the cursor."""
SIZE = (24, 120)
"""Rows and columns of a terminal."""
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, without what would change how the command behaves."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GOOP2_", "NO_COLOR", "PYTHON"))}
    return {**kept, "TERM": "xterm", **(changes or {})}


def on_any_port(folder: Path) -> None:
    """Let the peer of a folder have its pages on a port that is free: the usual one may be somebody's."""
    settings = json.loads((folder / "goop.json").read_text())
    (folder / "goop.json").write_text(json.dumps({**settings, "viewer": {"http_addr": "127.0.0.1:0"}}))


def goop2(
    *arguments: str | bytes | Path,
    stdin: str | bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    program: Sequence[str] = PROGRAM,
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end. What it wrote must be UTF-8, and never a traceback."""
    done = subprocess.run(
        [*program, *arguments],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        cwd=cwd,
        env=environment(env),
        timeout=PATIENCE_SECONDS,
    )
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def start(*arguments: str | Path, program: Sequence[str] = PROGRAM, **streams: int) -> Started[bytes]:
    """Start the command with pipes, for `with`; the block ends it, and a block that fails kills it."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    return Started([*program, *arguments], env=environment(), **pipes)  # type: ignore[call-overload,no-any-return]


class Terminal:
    """The command at a terminal of its own. Close it with `with`."""

    def __init__(self, arguments: Sequence[str | Path], env: Mapping[str, str] | None = None) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, SIZE)
        self.raw = ""
        self._seen = 0
        self.process = subprocess.Popen(
            [GOOP2, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, env=environment(env), start_new_session=True
        )
        os.close(theirs)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    @property
    def text(self) -> str:
        """All that was shown so far, without the escapes that place and colour it."""
        return ESCAPES.sub("", self.raw)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._ours, keys.encode())

    def wait_for(self, text: str) -> None:
        """Until the terminal has shown `text`, after what was waited for before."""
        end = time.monotonic() + PATIENCE_SECONDS
        while text not in self.text[self._seen :]:
            assert time.monotonic() < end, f"{text!r} never came, only: {self.text}"
            self._read()
        self._seen = self.text.index(text, self._seen) + len(text)

    def ended(self) -> int:
        """Wait for the end of the command; its exit code."""
        end = time.monotonic() + PATIENCE_SECONDS
        while self.process.poll() is None:
            assert time.monotonic() < end, f"it does not end: {self.text}"
            self._read()
        self._read()
        return self.process.returncode

    def _read(self) -> None:
        if select.select([self._ours], [], [], 0.1)[0]:
            try:
                self.raw += os.read(self._ours, 65536).decode("utf-8", "replace")
            except OSError:  # the other side is closed
                time.sleep(0.01)  # read again at once, it would be as closed, and the loop that waits for the end would spin
                return
        if "\x1b[6n" in self.raw:  # a terminal asked where its cursor is answers
            self.raw = self.raw.replace("\x1b[6n", "")
            os.write(self._ours, b"\x1b[1;1R")
