"""Where the time of our exchanges between peers goes: samples of both processes' stacks, by layer.

Every few milliseconds of processor time (the system's tick) a signal looks which function runs, and gives it the time since the last
look; a call into C counts for the function that makes it, so `send` and `recv` are those of net/transport.py. What starting takes is left
out; what other threads took is told from the loop's.

`python -m benchmarks.layers peer FOLDER FILE` is a `goop2 peer` that is sampled from SIGUSR1 on and writes to FILE when it ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final

INTERVAL_SECONDS: Final = 0.001
STARTING: Final = "importlib"
LAYERS: Final = (
    ("encryption (Noise)", ("net/sodium.py", "net/noise.py", "net/packets.py")),
    ("sockets", ("net/transport.py",)),
    ("frames and streams (Yamux)", ("net/muxer.py", "net/frames.py", "net/stream.py", "net/upgrade.py", "net/notification.py")),
    ("limits", ("net/admission.py",)),
    ("messages, JSON", ("goop2/protocols/", "codecs")),
    ("scripts and their record", ("goop2/scripting/", "goop2/sandbox/", "goop2/storage/", "goop2/web/")),
    ("files", ("goop2/folder/",)),
    ("the event loop", ("asyncio/", "uvloop")),
)
"""Layer → parts of the names of its files; the first that fits."""
OTHER: Final = "exchanges: who asks whom for what"
THREADS: Final = "other threads: the record of runs on disk"


class Sampler:
    """Look now and then which layer of the program runs."""

    def __init__(self) -> None:
        self.layers: Counter[str] = Counter()
        """Microseconds of processor time."""
        self._here = self._everywhere = 0

    def start(self) -> None:
        """Begin to look, from now on."""
        self._pass()
        signal.signal(signal.SIGPROF, self._look)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_SECONDS, INTERVAL_SECONDS)

    def stop(self) -> None:
        """Stop looking; what was counted stays."""
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _look(self, _signal: int, frame: FrameType | None) -> None:
        here, elsewhere = self._pass()
        if frame is not None and not is_starting(frame):
            self.layers[layer_of(frame.f_code.co_filename)] += here
            self.layers[THREADS] += elsewhere

    def _pass(self) -> tuple[int, int]:
        """Return what this thread, and what others, took since the last time."""
        here, everywhere = time.thread_time_ns() // 1000, time.process_time_ns() // 1000
        took = here - self._here, max(0, everywhere - self._everywhere - (here - self._here))
        self._here, self._everywhere = here, everywhere
        return took


@contextmanager
def sampled() -> Iterator[Counter[str]]:
    """Gives what is counted while the block runs."""
    sampler = Sampler()
    sampler.start()
    try:
        yield sampler.layers
    finally:
        sampler.stop()


def is_starting(frame: FrameType | None) -> bool:
    """Whether a module is being loaded."""
    while frame is not None:
        if STARTING in frame.f_code.co_filename:
            return True
        frame = frame.f_back
    return False


def layer_of(file: str) -> str:
    """The layer a file belongs to."""
    return next((layer for layer, parts in LAYERS if any(part in file for part in parts)), OTHER)


def shares(counted: Counter[str]) -> dict[str, float]:
    """Return layer → its share of all that was counted, in per cent."""
    total = counted.total() or 1
    return {layer: 100 * counted[layer] / total for layer in (*(layer for layer, _ in LAYERS), OTHER, THREADS)}


def _peer(folder: str, file: str) -> None:
    from goop2.cli.main import main

    sampler, own = Sampler(), os.getpid()
    end: Callable[[int], None] = os._exit

    def write_and_end(code: int) -> None:
        if os.getpid() == own:
            sampler.stop()
            Path(file).write_text(json.dumps(sampler.layers), "utf-8")
        end(code)

    # It ends so, or by SystemExit.
    os._exit = write_and_end  # type: ignore[assignment]
    sys.argv = ["goop2", "peer", folder]
    signal.signal(signal.SIGUSR1, lambda _signal, _frame: sampler.start())
    try:
        main()
    finally:
        write_and_end(0)


if __name__ == "__main__":
    _peer(*sys.argv[2:])
