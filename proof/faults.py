"""`python -m proof.faults [PART OF A NAME …]` (`make faults`): what fails, when, and what whoever is there sees then.

One function a fault: its docstring is the row of the table, it raises `AssertionError` when something else happens, and `NotHereError` when
this machine cannot make the fault. After each fault the peer has to answer again. What concerns NATS and Litestream is in `make chaos`.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import psutil

from proof.faulty_peer import FaultyPeer, make_folder, running

PAGE_BYTES: Final = 4096
TOLD_SECONDS: Final = 10.0
SMALL_DISK: Final = "8m"


class NotHereError(Exception):
    """The fault cannot be made on this machine; the message says why."""


Fault = Callable[[Path], str]
"""Folder that is free → what was seen."""
FAULTS: Final[list[Fault]] = []


def fault(function: Fault) -> Fault:
    """Add a fault to the table of those that are tried."""
    FAULTS.append(function)
    return function


def expect(answer: tuple[int, str], status: int, words: str) -> str:
    """Return what was answered. Raises `AssertionError` when it is something else."""
    assert answer[0] == status, f"{status} expected, got {answer}"
    assert words in answer[1], f"{words!r} expected, got {answer}"
    return answer[1][:160]


@fault
def worker_killed(folder: Path) -> str:
    """worker | killed during a call | that call alone is `unavailable`, and says that it may have been carried out"""
    with running(make_folder(folder)) as peer, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(peer.call, "wait")
        peer.busy_worker().kill()
        seen = expect(asked.result(), 503, "may have been carried out")
        peer.works_again()
        return seen


@fault
def worker_frozen(folder: Path) -> str:
    """worker | frozen during a call | that call times out at its deadline; others are answered meanwhile"""
    with running(make_folder(folder)) as peer, ThreadPoolExecutor(1) as pool:
        begun = time.monotonic()
        asked = pool.submit(peer.call, "wait")
        peer.busy_worker().suspend()
        assert peer.works_again() < 2, "another call waits"
        seen = expect(asked.result(), 504, "timed out")
        assert time.monotonic() - begun < 7, "later than its deadline"
        return seen


@fault
def fork_server_killed(folder: Path) -> str:
    """fork server | killed | calls go on, a new one is there"""
    with running(make_folder(folder)) as peer:
        peer.works_again()
        before = peer.fork_server.pid
        peer.fork_server.kill()
        seconds = peer.works_again()
        assert peer.fork_server.pid != before
        return f"answered again after {seconds:.2f} s"


@fault
def fork_server_frozen(folder: Path) -> str:
    """fork server | frozen | workers that are there go on answering"""
    with running(make_folder(folder)) as peer:
        peer.works_again()
        server = peer.fork_server
        server.suspend()
        try:
            return f"answered after {peer.works_again():.2f} s"
        finally:
            server.resume()


@fault
def peer_frozen(folder: Path) -> str:
    """peer | frozen for three seconds | whoever waits gets an answer afterwards"""
    with running(make_folder(folder)) as peer, ThreadPoolExecutor(1) as pool:
        peer.works_again()
        peer.process.send_signal(signal.SIGSTOP)
        asked = pool.submit(peer.call, "hello")
        time.sleep(3)
        peer.process.send_signal(signal.SIGCONT)
        return expect(asked.result(), 200, "hello")


@fault
def peer_killed(folder: Path) -> str:
    """peer | killed 200 times under write load | every acknowledged write is there (tests/hostile/test_kill.py)"""
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "tests/hostile/test_kill.py", "-k", "killed_at_any_moment", "-s"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    assert done.returncode == 0, done.stdout[-500:]
    return done.stdout.strip().splitlines()[-1]


@fault
def disk_full(folder: Path) -> str:
    """disk | full | writes are refused in a sentence, reading goes on, and room is enough to go on"""
    with _small_disk(folder, f"size={SMALL_DISK}"), running(make_folder(folder / "peer")) as peer:
        expect(peer.call("write", number=1), 200, "1")
        ballast = folder / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb") as file:
            while True:
                file.write(b"\0" * 65536)
        seen = ""
        for _ in range(10):  # pages that are free are used first
            status, seen = peer.call("fill")
            if status != http.HTTPStatus.OK:
                break
        assert "disk is full" in seen, seen
        assert int(expect(peer.call("count"), 200, "")) >= 1
        ballast.unlink()
        _until(lambda: peer.call("write", number=2)[0] == http.HTTPStatus.OK)
        return seen[:160]


@fault
def no_inodes(folder: Path) -> str:
    """disk | out of inodes | the peer goes on answering"""
    with _small_disk(folder, f"size={SMALL_DISK},nr_inodes=300"), running(make_folder(folder / "peer")) as peer:
        count = 0
        with contextlib.suppress(OSError):
            while True:
                (folder / f"empty{count}").touch()
                count += 1
        return f"{count} empty files, answered after {peer.works_again():.2f} s; a write: {peer.call('write', number=1)[0]}"


@fault
def disk_read_only(folder: Path) -> str:
    """disk | read-only | the peer does not start, and one sentence says why"""
    with _small_disk(folder, f"size={SMALL_DISK}"):
        made = make_folder(folder / "peer")
        with running(made) as peer:
            peer.works_again()
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        command = [sys.executable, "-m", "goop2", "peer", str(made)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=TOLD_SECONDS)
        assert done.returncode, "it ended as if all were well"
        assert "Traceback" not in done.stdout, done.stdout
        assert len(done.stdout.splitlines()) == 1, done.stdout
        return done.stdout.replace(str(made), "DIR")


@fault
def no_descriptors(folder: Path) -> str:
    """descriptors | none left | connections wait or are refused, nothing ends, and all goes on afterwards"""
    with running(make_folder(folder)) as peer:
        peer.works_again()
        pid = peer.process.pid
        usual = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (psutil.Process(pid).num_fds(), usual[1]))
        with ThreadPoolExecutor(20) as pool:
            outcomes = list(pool.map(lambda _: _outcome(peer), range(20)))
        resource.prlimit(pid, resource.RLIMIT_NOFILE, usual)
        assert peer.process.poll() is None, "the peer has ended"
        return f"{outcomes.count('200')} of 20 answered, then again after {peer.works_again():.2f} s"


@fault
def database_held(folder: Path) -> str:
    """database | another program holds the write lock | a write fails in a sentence that names the remedy; reading goes on"""
    with running(make_folder(folder)) as peer:
        expect(peer.call("write", number=1), 200, "1")
        with contextlib.closing(sqlite3.connect(folder / "data.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert peer.call("count") == (200, "1")
            status, seen = peer.call("write", number=2)
            other.execute("ROLLBACK")
        assert status == http.HTTPStatus.SERVICE_UNAVAILABLE, seen
        assert "another program" in seen, seen
        expect(peer.call("write", number=3), 200, "")
        return seen[:160]


@fault
def database_replaced(folder: Path) -> str:
    """database | replaced while the peer runs | `/healthz` and the owner are told; nothing is written into either unseen"""
    with running(make_folder(folder)) as peer:
        expect(peer.call("write", number=1), 200, "1")
        with contextlib.closing(sqlite3.connect(folder / "other.db")) as other:
            other.execute("CREATE TABLE t (x)")
        (folder / "other.db").replace(folder / "data.db")
        _until(lambda: peer.ask("GET", "/healthz")[0] == http.HTTPStatus.SERVICE_UNAVAILABLE)
        return peer.ask("GET", "/healthz")[1][:160]


@fault
def database_damaged(folder: Path) -> str:
    """database | pages overwritten | what reads them fails in a sentence, and the peer goes on"""
    with running(make_folder(folder)) as peer:
        for number in range(50):
            peer.call("fill", number=number)
    size = (folder / "data.db").stat().st_size
    with (folder / "data.db").open("r+b") as file:
        file.seek(size // 2 // PAGE_BYTES * PAGE_BYTES)
        file.write(b"\xff" * PAGE_BYTES * 20)
    with running(folder) as peer:
        peer.works_again()
        status, seen = peer.call("total")
        assert "damaged" in seen, seen
        return f"{status} {seen[:120]}"


@fault
def ten_thousand_changes(folder: Path) -> str:
    """site | 10,000 files changed at once | calls are answered meanwhile"""
    with running(make_folder(folder)) as peer:
        peer.works_again()
        begun, worst = time.monotonic(), 0.0
        with ThreadPoolExecutor(1) as pool:
            writing = pool.submit(_write_files, folder / "site/many", 10_000)
            while not writing.done() or time.monotonic() - begun < 2:
                asked = time.monotonic()
                expect(peer.call("hello"), 200, "hello")
                worst = max(worst, time.monotonic() - asked)
        assert worst < 2, f"a call took {worst:.1f} s"
        return f"the slowest call took {worst:.2f} s"


@fault
def fifty_thousand_files(folder: Path) -> str:
    """site | 50,000 files | the peer starts, serves, and answers"""
    make_folder(folder)
    _write_files(folder / "site/many", 50_000)
    begun = time.monotonic()
    with running(folder) as peer:
        started = time.monotonic() - begun
        expect(peer.ask("GET", "/many/49999.txt"), 200, "49999")
        peer.works_again()
        assert started < TOLD_SECONDS, f"it starts after {started:.1f} s"
        return f"up after {started:.2f} s"


@contextlib.contextmanager
def _small_disk(place: Path, options: str) -> Iterator[None]:
    if os.geteuid():
        raise NotHereError("only root may mount a small disk")
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], stderr=subprocess.PIPE, text=True)
    if done.returncode:
        raise NotHereError(f"no small disk: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def _outcome(peer: FaultyPeer) -> str:
    try:
        return str(peer.ask("POST", "/api/data/lua/call", {"function": "hello", "params": {}}, 2.0)[0])
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__


def _write_files(folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(count):
        (folder / f"{number}.txt").write_text(f"{number}\n")


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + TOLD_SECONDS
    while not true():
        assert time.monotonic() < end, f"not within {TOLD_SECONDS:.0f} s"
        time.sleep(0.1)


def main(wanted: list[str]) -> int:
    """Make the faults whose names hold one of `wanted`, all when there is none; print the table."""
    failed = 0
    print("| what | when | what should happen | seen |\n| --- | --- | --- | --- |")
    for each in FAULTS:
        if wanted and not any(word in each.__name__ for word in wanted):
            continue
        with tempfile.TemporaryDirectory() as name:
            try:
                seen = each(Path(name) / "there" if not _mounts(each) else Path(name))
            except NotHereError as error:
                seen = f"not shown here: {error}"
            except (AssertionError, OSError, TimeoutError, subprocess.SubprocessError) as error:
                seen, failed = f"**not as it should be**: {error}", failed + 1
        print(f"| {each.__doc__} | {' '.join(seen.split())} |", flush=True)
    print(f"{failed} not as they should be")
    return 1 if failed else 0


def _mounts(each: Fault) -> bool:
    return each.__name__ in ("disk_full", "no_inodes", "disk_read_only")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
