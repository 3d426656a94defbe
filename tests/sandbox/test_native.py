"""What native code that has taken over a worker cannot do, tried by such code (native.py)."""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import signal
import sys
from pathlib import Path

import pytest
from tests.sandbox.native import native_workers
from tests.scripting.workshop import invocation_of, is_alive, resident_bytes, script_of
from tests.started import Started

from goop2.sandbox.confinement import CPU_START_SECONDS, FILE_ALLOWANCE_BYTES, HOST_ALLOWANCE_BYTES
from goop2.scripting.invocation import ErrorCode
from goop2.scripting.limits import CPU_SPARE_SECONDS, RESULT_MAX_BYTES, InvocationLimits
from goop2.scripting.outcomes import WORKER_LOST
from goop2.storage.errors import StorageError
from goop2.storage.sqlite_errors import FILE_TOO_LARGE

MEGABYTE_BYTES = 1024 * 1024


# ── signals ──────────────────────────────────────────────────────────────────────────────────

SIGNAL_BY_FCNTL = """
fd = channel._socket.fileno()
F_SETOWN_EX, O_ASYNC = 15, 0o20000
out["refused"] = []
for command, argument in ((fcntl.F_SETOWN, {victim}), (10, 9), (fcntl.F_SETFL, O_ASYNC | os.O_NONBLOCK), (fcntl.F_GETOWN, 0)):
    try:
        fcntl.fcntl(fd, command, argument)
    except PermissionError:
        out["refused"].append(command)
# an answer arrives while nobody waits for it: then the kernel signals
channel.send(sys.modules["goop2.sandbox.messages"].HostCall("commands", ()))
time.sleep(0.2)
fcntl.fcntl(fd, fcntl.F_SETFL, 0) if not out["refused"] else None
channel.receive_answer()
"""


@pytest.mark.parametrize("skip", [(), ("landlock",)])
async def test_it_sends_no_signal_through_its_socket_also_where_landlock_has_no_scope_for_signals(
    skip: tuple[str, ...], tmp_path: Path
) -> None:
    with Started([sys.executable, "-c", "import time; time.sleep(60)"]) as victim:
        async with native_workers(tmp_path, skip=skip) as workers:
            out = await workers.out(SIGNAL_BY_FCNTL.format(victim=victim.pid))
            assert out == {"refused": [8, 10, 4, 9]}
            assert victim.poll() is None
        victim.kill()


async def test_without_seccomp_and_landlock_such_a_signal_ends_another_process(tmp_path: Path) -> None:
    """What the rule keeps away: the same code, and a process of the same user is killed."""
    with Started([sys.executable, "-c", "import time; time.sleep(60)"]) as victim:
        async with native_workers(tmp_path, skip=("landlock", "seccomp")) as workers:
            await workers.out(SIGNAL_BY_FCNTL.format(victim=victim.pid))
            for _ in range(200):
                if victim.poll() is not None:
                    break
                await asyncio.sleep(0.01)
            assert victim.poll() == -signal.SIGKILL
        victim.kill()


def told_to(pid: int | None) -> list[bytes]:
    """The arguments and the environment of a process."""
    return b"\0".join(Path(f"/proc/{pid}/{what}").read_bytes() for what in ("cmdline", "environ")).split(b"\0")


async def test_the_peers_pid_is_in_no_argument_and_no_environment_of_a_worker(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        for pid in (*workers.pool.worker_pids, workers.pool.fork_server_pid):
            assert str(os.getpid()).encode() not in told_to(pid)


# ── files ────────────────────────────────────────────────────────────────────────────────────


async def test_it_cannot_truncate_the_index_under_the_peers_feet(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        out = await workers.out(
            """
            out["errors"] = []
            for descriptor in (FILES["-shm"], FILES["-shm"] | FILES[""] << 32, FILES["-shm"] - (1 << 32)):
                out["errors"].append([call("ftruncate", descriptor, 0), call("fallocate", descriptor, 3, 0, 32768)])
            """
        )
        assert out == {"errors": [[1, 1]] * 3}
        assert (tmp_path / "data.db-shm").stat().st_size == 32768
        assert workers.beside.scalar("SELECT count(*) FROM t") == 0


async def test_it_learns_of_no_path_and_no_process_whether_it_exists(tmp_path: Path) -> None:
    async with native_workers(tmp_path, skip=("landlock",)) as workers:
        out = await workers.out(
            """
            name, buffer = ctypes.create_string_buffer(b"/proc/1"), ctypes.create_string_buffer(256)
            path, room = ctypes.addressof(name), ctypes.addressof(buffer)
            out["newfstatat"] = call("newfstatat", -100, path, room, 0)
            for name in {"stat", "lstat"} & NUMBERS.keys():
                out[name] = call(name, path, room)
            out["statx"] = call("statx", -100, path, 0, 0xFFF, room)
            out["clocks"] = [call("clock_gettime", ~pid << 3 | 2, room) for pid in (1, 999999)]
            """
        )
        assert out.pop("clocks") == [1, 1]
        assert set(out) >= {"newfstatat", "statx"}
        assert set(out.values()) == {1}


async def test_no_file_grows_beyond_its_limit_and_the_worker_lives_on(tmp_path: Path) -> None:
    async with native_workers(tmp_path, storage_max_bytes=MEGABYTE_BYTES) as workers:
        out = await workers.out(
            """
            buffer = ctypes.create_string_buffer(4096)
            for what in ("", "-wal"):
                out[what] = [call("pwrite64", FILES[what], ctypes.addressof(buffer), 4096, offset << 20) for offset in (1024, 256)]
                out[what].append(call("ftruncate", FILES[what], 1 << 40))
            """
        )
        assert out == {"": [27, 0, 27], "-wal": [27, 0, 27]}  # EFBIG
        assert (tmp_path / "data.db").stat().st_size < MEGABYTE_BYTES + FILE_ALLOWANCE_BYTES
        assert (await workers.pool.run(invocation_of("function handle() return 'here' end"))).payload == b"here"


async def test_a_script_whose_write_meets_that_limit_is_told_so_in_a_sentence(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        pid = workers.pool.worker_pids[0]
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (2 * MEGABYTE_BYTES,) * 2)  # far below, so that little must be written
        script = """function call()
            local done, why = goop.db.exec([[WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
                INSERT INTO t SELECT zeroblob(2000) FROM n]])
            return {done = done, why = why, rows = goop.db.scalar("SELECT count(*) FROM t")} end"""
        outcome = await workers.pool.run(invocation_of(script_of(script, "function"), argument=b"{}"))
        assert outcome.code == "ok", outcome
        assert FILE_TOO_LARGE.encode() in outcome.payload
        assert b'"rows":0' in outcome.payload


async def test_a_database_that_is_larger_already_may_still_be_written(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        workers.beside.rows("INSERT INTO t VALUES (zeroblob(1500000))")
        workers.beside.rows("PRAGMA wal_checkpoint(TRUNCATE)")
    async with native_workers(tmp_path, storage_max_bytes=1) as workers:
        limit = resource.prlimit(workers.pool.worker_pids[0], resource.RLIMIT_FSIZE)
        assert limit[0] == limit[1] >= 1_500_000 + FILE_ALLOWANCE_BYTES


@pytest.mark.parametrize("transactions", [1, 10])
async def test_the_log_may_outgrow_its_first_region_of_the_index(transactions: int, tmp_path: Path) -> None:
    """100 MB in one transaction and in many: SQLite extends and maps the -shm, in the worker, behind the whole wall."""
    async with native_workers(tmp_path) as workers:
        held = await workers.out(
            f"""
            database = worker.data._database
            begin, write = "BEGIN IMMEDIATE", "INSERT INTO t SELECT zeroblob(1000000) FROM json_each('[1,2,3,4,5,6,7,8,9,10]')"
            database.bound(float("inf"))
            for turn in range({transactions}):
                database.rows(begin)
                for _ in range(10 // {transactions}):
                    database.rows(write)
                database.rows("COMMIT")
            out["rows"] = database.scalar("SELECT count(*) FROM t")
            out["sum"] = database.scalar("SELECT sum(length(x)) FROM t")
            """,
            seconds=60.0,
        )
        assert held == {"rows": 100, "sum": 100_000_000}
        assert workers.beside.scalar("SELECT sum(length(x)) FROM t") == 100_000_000
        assert workers.beside.scalar("PRAGMA integrity_check") == "ok"
        assert (tmp_path / "data.db-shm").stat().st_size > 32768 or transactions > 1


# ── memory ───────────────────────────────────────────────────────────────────────────────────

BOUND_BYTES = InvocationLimits().memory_bytes + HOST_ALLOWANCE_BYTES


async def test_it_takes_no_memory_shared_or_private_beyond_the_limits(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        out = await workers.out(
            """
            size, taken = 16 << 20, 0
            for flags in (0x8021, 0x21, 0x8022):
                while (place := libc.mmap(None, size, 3, flags, -1, 0)) not in (None, FAILED):
                    ctypes.memset(place, 1, size)
                    taken += size
            out["taken"] = taken
            """
        )
        assert out == {"taken": 0}


async def test_memory_it_wrote_and_made_code_counts_too(tmp_path: Path) -> None:
    """RLIMIT_DATA does not see what is no longer writable; RLIMIT_AS does."""
    async with native_workers(tmp_path) as workers:
        await workers.out(
            """
            size = 16 << 20
            for _ in range(200):
                place = libc.mmap(None, size, 3, 0x22, -1, 0)
                if place in (None, FAILED):
                    break
                ctypes.memset(place, 1, size)
                libc.mprotect(place, size, 5)
            """
        )
        assert resident_bytes(workers.pool.worker_pids[0]) < 2 * BOUND_BYTES + 64 * MEGABYTE_BYTES


async def test_it_starts_no_thread(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        out = await workers.out("__import__('_thread').start_new_thread(print, ())")
        assert out == {"error": "RuntimeError: can't start new thread"}


async def test_it_maps_no_database_and_no_index_but_as_sqlite_does(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        out = await workers.out(
            """
            for what, descriptor in FILES.items():
                out[what] = [call("mmap", 0, 32768, prot, flags, descriptor, 0) for prot in (1, 3, 5, 7) for flags in (1, 2, 3)]
            """
        )
        assert out == {"": [1] * 12, "-wal": [1] * 12, "-shm": [1, 1, 1, 0, *[1] * 8]}


# ── time ─────────────────────────────────────────────────────────────────────────────────────


async def test_it_cannot_mask_the_signals_that_end_it(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        out = await workers.out("signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM, signal.SIGXCPU})")
        assert out == {"error": "PermissionError: [Errno 1] Operation not permitted"}


async def test_a_worker_that_computes_after_its_call_is_ended_by_the_kernel(tmp_path: Path) -> None:
    """The second line, without the check of idle workers: its limit is lowered here, so that the test need not wait for it."""
    async with native_workers(tmp_path) as workers:
        pid = workers.pool.worker_pids[0]
        await workers.out("out[1] = 1")
        limit, most = resource.prlimit(pid, resource.RLIMIT_CPU)
        assert CPU_START_SECONDS < limit <= 5 + CPU_SPARE_SECONDS + 1
        resource.prlimit(pid, resource.RLIMIT_CPU, (1, most))
        burner = """
            channel.send(sys.modules["goop2.sandbox.messages"].Done("ok", b"{}", 0))
            while True:
                pass
        """
        await workers.outcome(burner)
        for _ in range(1000):
            if not is_alive(pid):
                break
            await asyncio.sleep(0.01)
        assert not is_alive(pid)


# ── the protocol ─────────────────────────────────────────────────────────────────────────────

VIOLATIONS = {
    "no message": 'channel._socket.sendall(b"\\x03\\0\\0\\0abc"); time.sleep(5)',
    "ready again": 'channel.send(sys.modules["goop2.sandbox.messages"].Ready({})); time.sleep(5)',
    "an operation nobody lends": 'channel.send(sys.modules["goop2.sandbox.messages"].HostCall("os.execute", ())); time.sleep(5)',
}
FORGED = {
    "a second line": b'{}\n{"result":"of another call"}',
    "no UTF-8": b'"\xff"',
    "nothing": b"",
}
VIOLATIONS |= {
    f"a result that is {what}": f'channel.send(sys.modules["goop2.sandbox.messages"].Done("ok", {head!r} * {times}, 0)); time.sleep(5)'
    for what, (head, times) in {
        **{what: (payload, 1) for what, payload in FORGED.items()},
        "too large": (b"1", RESULT_MAX_BYTES + 1),
    }.items()
}
VIOLATIONS["an endless error"] = (
    'channel.send(sys.modules["goop2.sandbox.messages"].Done("script_error", b"x" * 100_000, 0)); time.sleep(5)'
)


VIOLATIONS["a host call with an argument too many"] = (
    'channel.send(sys.modules["goop2.sandbox.messages"].HostCall("commands", (b"x",))); time.sleep(5)'
)


@pytest.mark.parametrize("what", VIOLATIONS)
async def test_a_broken_protocol_is_logged_counted_and_not_the_scripts_error(
    what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with native_workers(tmp_path) as workers:
        pid = workers.pool.worker_pids[0]
        assert await workers.outcome(VIOLATIONS[what]) == WORKER_LOST
        assert workers.pool.protocol_violations == 1
        logged = capsys.readouterr().out
        assert "a worker broke the protocol" in logged
        for told in (f"pid={pid}", "script=native", "caller=owner", "reason="):
            assert told in logged, logged


# ── whose error it is ────────────────────────────────────────────────────────────────────────

WRITE = """function call()
    local done, why = goop.db.exec("INSERT INTO t VALUES (1)")
    if not done then error(why) end
    return done end"""


async def test_another_programs_lock_on_the_database_is_not_the_scripts_error(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        workers.beside.begin()
        outcome = await workers.pool.run(invocation_of(script_of(WRITE, "function"), argument=b"{}", seconds=1.0))
        assert outcome.code is ErrorCode.UNAVAILABLE, outcome
        assert b"the database is busy" in outcome.payload
        workers.beside.rollback()
        outcome = await workers.pool.run(invocation_of(script_of(WRITE, "function"), argument=b"{}", seconds=5.0))
        assert outcome.code is ErrorCode.OK, outcome


async def test_a_scripts_own_error_after_it_met_a_lock_stays_its_own(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        workers.beside.begin()
        script = "function call() goop.db.exec('INSERT INTO t VALUES (1)') error('mine') end"
        outcome = await workers.pool.run(invocation_of(script_of(script, "function"), argument=b"{}", seconds=1.0))
        workers.beside.rollback()
        assert (outcome.code, outcome.payload) == (ErrorCode.SCRIPT_ERROR, b"hello:1: mine")


# ── other ways into the kernel ───────────────────────────────────────────────────────────────

GETPID_BY_32_BITS = "b814000000cd80c3"
"""mov eax, 20; int 0x80; ret"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has the calls of 32-bit programs beside its own")
async def test_calls_of_32_bit_programs_end_the_worker(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        out = await workers.outcome(
            f"""
            code = bytes.fromhex({GETPID_BY_32_BITS!r})
            place = libc.mmap(None, 4096, 3, 0x22, -1, 0)
            ctypes.memmove(place, code, len(code))
            libc.mprotect(place, 4096, 5)
            out["pid"] = ctypes.CFUNCTYPE(ctypes.c_int)(place)()
            """
        )
        assert out == WORKER_LOST


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86-64 has the x32 calls beside its own")
async def test_x32_calls_end_the_worker(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        assert await workers.outcome('out["pid"] = call(0x40000000 + 39)') == WORKER_LOST


async def test_the_database_is_never_mapped_so_that_no_truncation_ends_the_peer(tmp_path: Path) -> None:
    async with native_workers(tmp_path) as workers:
        assert workers.beside.scalar("PRAGMA mmap_size") == 0
        workers.beside.rows("INSERT INTO t VALUES (zeroblob(1000000))")
        workers.beside.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        assert await workers.out('out["error"] = call("ftruncate", FILES[""], 8192)') == {"error": 0}
        with pytest.raises(StorageError):
            workers.beside.scalar("SELECT sum(length(hex(x))) FROM t")
