"""Standard error that nobody reads holds up, fails and ends nothing; stdout that cannot be written is an error that says so."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import GOOP2, PATIENCE_SECONDS, environment, on_any_port, start
from tests.cli.conftest import Save
from tests.started import Started

from goop2.cli import logs, output
from goop2.cli.streams import WAITING_MAX_BYTES, PatientWriter

NOISY = "for i = 1, 150 do goop.log.info(string.rep('x', 300)) end"
"""More than a pipe holds when it runs twice."""
LOW_LIMIT = 100


class Pipe:
    """A pipe whose reader is us, and does not read."""

    def __init__(self) -> None:
        self.reader, self.descriptor = os.pipe()
        os.set_blocking(self.reader, False)
        self.writer = PatientWriter(self.descriptor)

    def read(self) -> bytes:
        content = b""
        ends = time.monotonic() + 5
        while time.monotonic() < ends:
            try:
                content += os.read(self.reader, 1 << 20)
            except BlockingIOError:
                if not self.writer._waiting and not self.writer._dropped:
                    break
                time.sleep(0.01)
        return content


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.writer.close()
    os.close(made.descriptor)
    os.close(made.reader)


def test_what_is_read_is_passed_on_at_once_and_in_order(pipe: Pipe) -> None:
    for number in range(100):
        pipe.writer.write(b"%d\n" % number)
    assert pipe.read() == b"".join(b"%d\n" % number for number in range(100))


def test_a_pipe_nobody_reads_takes_what_it_can_then_memory_does_and_the_rest_is_counted(pipe: Pipe) -> None:
    line = b"x" * 999 + b"\n"
    lines = 2 * (WAITING_MAX_BYTES + (1 << 16)) // len(line)
    began = time.monotonic()
    for _ in range(lines):
        pipe.writer.write(line)
    assert time.monotonic() - began < 1
    content = pipe.read()
    *kept, told = content.splitlines(keepends=True)
    assert set(kept) == {line}
    assert told == f"warning: {lines - len(kept)} lines of this log were dropped: nobody read, or nothing could be written\n".encode()


def test_the_flags_of_a_pipe_that_others_write_to_as_well_are_left_alone(pipe: Pipe) -> None:
    pipe.writer.write(b"x\n")
    assert os.get_blocking(pipe.descriptor)


def test_a_reader_that_has_gone_fails_nothing() -> None:
    reader, descriptor = os.pipe()
    writer = PatientWriter(descriptor)
    os.close(reader)
    assert writer.write(b"one\n") == 4
    writer.close()
    os.close(descriptor)


def test_a_socket_nobody_reads_fails_nothing() -> None:
    ours, theirs = socket.socketpair()
    writer = PatientWriter(theirs.fileno())
    began = time.monotonic()
    for _ in range(1000):
        writer.write(b"x" * 1000 + b"\n")
    assert time.monotonic() - began < 2
    ours.close()
    writer.close()
    theirs.close()


@pytest.mark.parametrize("redirection", ["2>/dev/full", "2>&-", "2> >(exec true)"])
def test_a_script_that_logs_answers_whatever_becomes_of_stderr(folder: Path, save: Save, redirection: str) -> None:
    save("noisy", f"function handle() {NOISY} return 'done' end")
    command = f'"$0" lua chat "$1" "!noisy" {redirection}; echo $?'
    done = subprocess.run(["bash", "-c", command, GOOP2, folder], capture_output=True, env=environment(), timeout=PATIENCE_SECONDS)
    assert done.stdout == b"done\n0\n"


def test_an_error_has_its_exit_code_when_stderr_is_full(folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([GOOP2, "id", folder / "nothing"], stderr=full, env=environment(), timeout=PATIENCE_SECONDS)
    assert done.returncode == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_peer_whose_stderr_nobody_reads_answers_and_ends_as_it_is_told(folder: Path, save: Save, number: signal.Signals) -> None:
    save("functions/noisy", f"function call() {NOISY} return 'done' end")
    on_any_port(folder)
    with start("peer", folder) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdin
        process.stdin.close()
        site = process.stdout.readline().decode().partition("site: ")[2].strip()
        host = site.partition("//")[2].partition("/")[0]
        for _ in range(5):
            request = urllib.request.Request(
                f"http://127.0.0.1:{host.rpartition(':')[2]}/api/data/lua/call",
                json.dumps({"function": "noisy", "params": {}}).encode(),
                {"Host": host, "Content-Type": "application/json"},
            )
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                assert answer.status == 200
        process.send_signal(number)
        assert process.wait(PATIENCE_SECONDS) == 0


def test_nohup_keeps_a_peer_from_ending_with_its_terminal(folder: Path) -> None:
    on_any_port(folder)
    with Started[bytes](["nohup", GOOP2, "peer", folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment()) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        time.sleep(1)  # a peer that heeds the signal would be gone by now
        assert process.poll() is None
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0


def answers_soon(url: str) -> bool:
    """Whether it answers 200, once what was closed has been noticed."""
    ends = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < ends:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:
            return bool(answer.status == 200)
        time.sleep(0.1)
    return False


def test_a_peer_takes_all_descriptors_its_user_may_have_and_survives_their_end(folder: Path) -> None:
    on_any_port(folder)
    command = f'ulimit -Sn 50; ulimit -Hn {LOW_LIMIT}; exec "$0" peer "$1"'
    with Started[bytes](
        ["bash", "-c", command, GOOP2, folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout
        assert process.stderr
        port = int(process.stdout.readline().decode().partition("127.0.0.1:")[2].partition("/")[0])
        limit = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
        assert limit == (LOW_LIMIT, LOW_LIMIT)
        # Right after "is up": the network is not there yet.
        held: list[socket.socket] = []
        for _ in range(2 * LOW_LIMIT):
            with contextlib.suppress(OSError):  # a connection beyond what there is room for may be reset
                held.append(socket.create_connection(("127.0.0.1", port)))
        time.sleep(2)  # its network loads meanwhile, without a descriptor
        for each in held:
            each.close()
        assert answers_soon(f"http://127.0.0.1:{port}/healthz")
        process.terminate()
        assert process.wait(PATIENCE_SECONDS) == 0
        lines = process.stderr.read().decode().splitlines()
        assert sum("no file descriptor is left" in line for line in lines) <= 1
        assert [line for line in lines if not line.startswith(("warning: ", "this peer is on the network again"))] == []
        assert len(lines) < 12


# ── what libraries say ───────────────────────────────────────────────────────────────────────────


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What is warned of."""
    lines: list[str] = []
    monkeypatch.setattr(output, "warn", lines.append)
    monkeypatch.setattr(logs, "_said", {})
    before, handlers, hook, unraisable = (logging.root.level, logging.root.handlers[:], threading.excepthook, sys.unraisablehook)
    logs._take_lines_of_libraries()
    yield lines
    logging.captureWarnings(False)
    logging.root.handlers[:], threading.excepthook, sys.unraisablehook = handlers, hook, unraisable
    logging.root.setLevel(before)


def test_a_library_s_line_is_one_line_of_ours_without_its_traceback(said: list[str]) -> None:
    try:
        raise ValueError("odd")
    except ValueError:
        logging.getLogger("some.library").exception("Something\nhappened")
    assert said == ["some.library: Something (ValueError: odd)"]


def test_an_error_in_a_thread_is_one_line(said: list[str]) -> None:
    thread = threading.Thread(target=lambda: [][0])
    thread.start()
    thread.join()
    assert said == ["a thread ended: IndexError: list index out of range"]


def test_a_shortage_of_descriptors_is_said_once_whoever_meets_it(said: list[str]) -> None:
    for number in range(100):
        logging.getLogger("asyncio").error(f"socket.accept() {number}", exc_info=OSError(24, "Too many open files"))
        logs.warn(f"changes of files are polled reason={OSError(24, 'Too many open files')}")
    (line,) = said
    assert line.startswith("no file descriptor is left, this process may have ")


def test_the_same_warning_is_not_said_again_and_again(said: list[str]) -> None:
    for _ in range(100):
        logging.getLogger("zeroconf").warning("Error with socket 7")
    assert said == ["zeroconf: Error with socket 7"]


def test_an_error_of_the_system_is_not_blamed_on_a_stream() -> None:
    from goop2.cli.main import _code_and_sentence

    assert _code_and_sentence(OSError(24, "Too many open files")) == (
        "system",
        "the system refused what goop2 needs: Too many open files; "
        "this process has no file descriptor left; a higher limit (ulimit -n) helps",
    )
    assert _code_and_sentence(OSError(13, "Permission denied", "x/y")) == ("system", "x/y: Permission denied")
