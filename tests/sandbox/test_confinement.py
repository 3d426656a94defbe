"""The wall, layer by layer: read from /proc of a running worker, and shown to keep out what gets through without it.

What a layer keeps out is tried in a scratch process of its own, with all other layers switched off.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from tests.sandbox.machines import NAMES
from tests.scripting.workshop import HELLO, invocation_of, is_alive, open_pool, setup_of
from tests.started import Started

from goop2.sandbox.confinement import (
    ALLOWED_ENVIRONMENT,
    CPU_START_SECONDS,
    HOST_ALLOWANCE_BYTES,
    LAYERS,
    OOM_SCORE_FORK_SERVER,
    OOM_SCORE_WORKER,
    RLIMITS,
)
from goop2.sandbox.syscalls import RULES, SyscallRule
from goop2.scripting.limits import WARM_WORKERS, InvocationLimits

MEGABYTE_BYTES = 1024 * 1024


# ── what /proc says of a worker ──────────────────────────────────────────────────────────────


@asynccontextmanager
async def running_workers(*skip: str) -> AsyncIterator[list[Path]]:
    """The /proc folders of workers that are ready."""
    async with open_pool(InvocationLimits(workers=2), setup_of(skip_layers=skip)) as pool:
        await pool.run(invocation_of(HELLO))
        while len(pool._idle) < WARM_WORKERS:  # noqa: ASYNC110 - the pool tells nobody
            await asyncio.sleep(0.01)
        yield [Path(f"/proc/{pid}") for pid in pool.worker_pids]


def status(process: Path) -> dict[str, str]:
    lines = (process / "status").read_text("ascii").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def environment(process: Path) -> set[str]:
    names = {item.partition(b"=")[0].decode() for item in (process / "environ").read_bytes().split(b"\0") if item}
    return {name for name in names if not name.startswith("glibc.")}  # the C library cuts GLIBC_TUNABLES into its parts, in place


async def test_a_worker_has_nothing_of_the_owners_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the owner")
    async with running_workers() as processes:
        for process in processes:
            assert "GLIBC_TUNABLES" in environment(process) <= set(ALLOWED_ENVIRONMENT)


async def test_without_the_environment_layer_it_has_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the owner")
    async with running_workers("environment") as processes:
        assert "SECRET" in environment(processes[0])


async def test_a_worker_holds_one_socket_and_nothing_else() -> None:
    async with running_workers() as processes:
        for process in processes:
            links = [str(link.readlink()) for link in (process / "fd").iterdir()]
            assert len(links) == 1
            assert links[0].startswith("socket:")


async def test_without_the_descriptors_layer_it_holds_more() -> None:
    async with running_workers("descriptors") as processes:
        assert len(list((processes[0] / "fd").iterdir())) > 1


async def test_a_worker_can_gain_no_privileges_and_makes_no_system_call_but_the_allowed() -> None:
    async with running_workers() as processes:
        for process in processes:
            assert (status(process)["NoNewPrivs"], status(process)["Seccomp"]) == ("1", "2")


async def test_a_worker_is_one_thread_that_yields_to_the_peer() -> None:
    async with running_workers() as processes:
        for process in processes:
            assert status(process)["Threads"] == "1"
            assert int((process / "stat").read_text("ascii").rpartition(")")[2].split()[16]) == os.nice(0) + 5


async def test_the_limits_of_a_worker_are_in_force() -> None:
    async with running_workers() as processes:
        for process in processes:
            pid = int(process.name)
            for name, value in RLIMITS.items():
                assert resource.prlimit(pid, getattr(resource, name)) == (value, value), name
            soft, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
            assert soft == hard
            assert HOST_ALLOWANCE_BYTES < hard < HOST_ALLOWANCE_BYTES + 64 * MEGABYTE_BYTES


async def test_a_worker_has_a_limit_of_processor_time_before_it_has_a_call() -> None:
    async with open_pool(InvocationLimits(workers=2)) as pool:
        while not pool._idle:  # noqa: ASYNC110 - the pool tells nobody
            await asyncio.sleep(0.01)
        for pid in pool.worker_pids:
            assert resource.prlimit(pid, resource.RLIMIT_CPU)[0] == CPU_START_SECONDS


# ── what gets through without a layer ────────────────────────────────────────────────────────

ATTEMPTS = {
    # layer: code that sets `through` after the wall stands; `kept` is a file opened before
    "descriptors": "through = os.pread(kept, 1, 0) == b'#'",
    "no-new-privileges": "through = ctypes.CDLL(None).prctl(39, 0, 0, 0, 0) == 0",
    "landlock": "through = bool(open('/etc/passwd').read(1))",
    "rlimits": "through = os.dup(1) > 2 and len(bytearray(400 * 1024 * 1024)) > 0",
    "seccomp": "through = _socket.socket(2, 1) is not None",
}

SCRATCH = """
    import _socket, _thread, ctypes, os, resource, sys
    from goop2.sandbox.confinement import LAYERS, Wall, confine, held_memory, prepare
    kept, this = os.open({file!r}, os.O_RDONLY), os.getpid()
    wall = Wall(keep_descriptors=(0, 1, 2), memory_bytes=10 * 1024 * 1024, parent=os.getppid(), held=held_memory(), skip={skip!r})
    report = confine(wall, prepare())
    through = False
    try:
        {attempt}
    except (OSError, MemoryError, ValueError, RuntimeError):
        pass
    os._exit({through} if through else {stopped})
"""
THROUGH, STOPPED = 40, 41
"""How such a process ends; it cannot write."""


def attempt(code: str, file: Path, *, on: tuple[str, ...]) -> str:
    """What became of `code` in a process with the layers `on`."""
    skip = tuple(layer for layer in LAYERS if layer not in on)
    source = textwrap.dedent(SCRATCH).format(file=str(file), skip=skip, attempt=code, through=THROUGH, stopped=STOPPED)
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode in (THROUGH, STOPPED), done.stderr
    return "through" if done.returncode == THROUGH else "stopped"


@pytest.fixture
def opened(tmp_path: Path) -> Path:
    file = tmp_path / "opened"
    file.write_text("# what the peer had open")
    return file


@pytest.mark.parametrize("layer", ATTEMPTS)
def test_what_a_layer_keeps_out_gets_through_without_it(layer: str, opened: Path) -> None:
    assert attempt(ATTEMPTS[layer], opened, on=(layer,)) == "stopped"
    assert attempt(ATTEMPTS[layer], opened, on=()) == "through"


FORBIDDEN = {
    "start a program": "os.execv('/bin/true', ['true'])",
    "fork": "os.fork()",
    "open a file": "os.open('/dev/null', os.O_RDONLY)",
    "make a file": "os.open('/tmp/goop2-scratch', os.O_CREAT | os.O_WRONLY)",
    "remove a file": "os.unlink({file!r})",
    "list a folder": "os.listdir('/')",
    "open a network socket": "_socket.socket(2, 1)",
    "open a UNIX socket": "_socket.socket(1, 1)",
    "make a pipe": "os.pipe()",
    "signal the parent": "os.kill(os.getppid(), 0)",
    "signal itself": "os.kill(this, 0)",
    "raise a limit": "resource.setrlimit(8, (1 << 20, 1 << 20))",
    "look into another process": "os.readlink('/proc/1/exe')",
    "change the user": "os.setuid(65534)",
    "change directory": "os.chdir('/')",
    "make a thread": "_thread.start_new_thread(print, ())",
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_behind_the_whole_wall_a_worker_cannot(what: str, opened: Path) -> None:
    code = FORBIDDEN[what].replace("{file!r}", repr(str(opened)))
    assert attempt(f"{code}; through = True", opened, on=tuple(LAYERS)) == "stopped"
    assert opened.exists()


def test_an_inherited_environment_is_reported(opened: Path) -> None:
    code = "through = report['environment'].startswith('RuntimeError: the environment still holds ')"
    assert attempt(code, opened, on=("environment",)) == "through"


def test_a_layer_that_is_off_says_so(opened: Path) -> None:
    code = "through = set(report.values()) == {'switched off'} and list(report) == list(LAYERS)"
    assert attempt(code, opened, on=()) == "through"


ORPHAN = """
    import os, time
    from goop2.sandbox.confinement import LAYERS, Wall, confine, held_memory, prepare
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        confine(Wall(keep_descriptors=(0, 1, 2), memory_bytes=1 << 20, parent=parent, held=held_memory(), skip={skip!r}), prepare())
        os.write(1, b"%d" % os.getpid())
        time.sleep(30)
        os._exit(0)
    time.sleep(30)
"""


@pytest.mark.parametrize(("on", "survives"), [(True, False), (False, True)])
def test_a_worker_dies_with_its_parent_and_without_that_layer_it_does_not(on: bool, survives: bool) -> None:
    skip = tuple(layer for layer in LAYERS if not (on and layer == "parent-death"))
    with Started([sys.executable, "-c", textwrap.dedent(ORPHAN).format(skip=skip)], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(os.read(parent.stdout.fileno(), 20))
        parent.kill()
    try:
        end = time.monotonic() + (0.2 if survives else 10)
        while is_alive(child) and time.monotonic() < end:
            time.sleep(0.01)
        assert is_alive(child) is survives
    finally:
        if is_alive(child):
            os.kill(child, signal.SIGKILL)


# ── no permission that nobody needs ──────────────────────────────────────────────────────────

WITHOUT_VDSO = {"gettimeofday", "time", "clock_gettime 0", "clock_gettime 1", "clock_gettime 7"}
"""Asked of the kernel only where the vDSO does not answer."""

OTHER_BUILDS = {"fsync Slot.DATABASE", "fsync Slot.LOG"}
"""For fdatasync, where SQLite was built so."""

SELDOM = {"clock_nanosleep 0 0"}
"""Of SQLite in a race for the log's index, which no test can bring about."""


def name_of(rule: SyscallRule) -> str:
    """The call, and what tells the rule from others of that call."""
    told = {0, 1} if rule.call in ("fcntl", "clock_nanosleep") else {2} if rule.call == "mprotect" else {4} if rule.call == "mmap" else {0}
    return " ".join([rule.call, *(str(value) for place, value in sorted(rule.arguments.items()) if place in told)])


BY_NAME = {name_of(rule): rule for rule in RULES}

WITNESS = """
    import os, pyseccomp, socket, sys, threading
    from pathlib import Path
    from goop2.sandbox import data_calls, syscalls
    from goop2.storage.database import open_database
    from goop2.sandbox.data_calls import DataCalls
    from goop2.sandbox.messages import Invoke
    from tests.sandbox.machines import NAMES, run
    from tests.sandbox.test_confinement import BY_NAME
    from tests.scripting.workshop import OPERATION_RULES
    data_calls.LOCK_MAX_SECONDS = 60.0  # however busy this machine is
    ours, theirs = socket.socketpair()
    for name in NAMES:
        run(name, "function handle() return 1 end")
    path = Path(sys.argv[1]) / "data.db"
    (path.parent / "data").mkdir(exist_ok=True)  # where the queue of writers is
    beside = open_database(path, guarded=False)
    beside.rows("CREATE TABLE t (x)")
    data = DataCalls(path, kv_enabled=False, rules=OPERATION_RULES)
    def begin(seconds):
        data.begin(Invoke("function", "f", b"", None, b"", "c", "C", seconds, ""), 0.0)
    begin(1e12)
    watched = pyseccomp.SyscallFilter(pyseccomp.ALLOW)
    files = {{suffix: descriptor for suffix, descriptor in data.descriptors.items()}}
    mine = syscalls.Descriptors(ours.fileno(), files[""], files["-wal"], files["-shm"], files["queue"])
    if {kills!r}:
        syscalls._add(watched, BY_NAME[{name!r}], mine, 1 << 30, pyseccomp.KILL_PROCESS)
    watched.load()
    for name in NAMES:
        theirs.send(b"x")
        ours.recv(10)
        ours.sendall(b"x")
        run(name, "function handle() local t = 0 for i = 1, 1e6 do if i % 7 == 0 then t = t + 1 else t = t + i % 5 end end end")
        run(name, "function handle() local s = '' for i = 1, 60 do s = s .. ('x'):rep(5e4) end end")
        run(name, "function handle() local t = {{}} while true do t[#t + 1] = {{}} end end")
        run(name, "function handle() return os.clock() .. os.time() .. os.date() end")
    def do(operation, *arguments):
        answer = data(operation, data.entries[operation], arguments)
        assert answer[0] != b"!" and answer[1:2] != (None,) or operation in (b"db.begin", b"db.commit"), answer
        return answer
    numbers = b"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2500)"
    for _ in range(2):
        begin(1e12)  # another call, with a second of lock time of its own
        do(b"db.begin")
        for _ in range(4):  # more than 4,062 frames: the index of the log is extended, the log is truncated afterwards
            do(b"db.exec", b"INSERT INTO t " + numbers + b" SELECT zeroblob(2000) FROM n")
        do(b"db.commit")
        begin(1e12)
        do(b"db.exec", b"DELETE FROM t")
        do(b"db.query", b"SELECT * FROM t LIMIT 3")
    beside.begin()
    import fcntl, time
    from goop2.storage import write_queue
    other = os.open(path.parent / "data/write-queue.lock", os.O_RDWR)
    fcntl.fcntl(other, fcntl.F_OFD_SETLK, write_queue._TAKE_WRITER)  # as another process would: the script waits behind it
    threading.Timer(0.2, os.close, (other,)).start()
    begin(time.monotonic() + 0.5)
    data(b"db.exec", data.entries[b"db.exec"], (b"DELETE FROM t",))  # waits for the lock in vain
    os._exit(0)
"""


def witness(name: str, folder: Path, *, kills: bool = True) -> int:
    """How a worker's day ends, in a process that dies when it makes the call of that rule."""
    command = [sys.executable, "-c", textwrap.dedent(WITNESS).format(name=name, kills=kills), str(folder)]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert not done.stderr, done.stderr.decode()
    return done.returncode


@pytest.mark.parametrize("name", sorted(set(BY_NAME) - WITHOUT_VDSO - OTHER_BUILDS - SELDOM))
def test_no_system_call_is_allowed_that_nothing_makes(name: str, tmp_path: Path) -> None:
    assert witness(name, tmp_path) == -signal.SIGSYS


def test_such_a_day_ends_well_where_no_call_is_watched(tmp_path: Path) -> None:
    assert witness("brk", tmp_path, kills=False) == 0


def test_every_exception_to_that_is_allowed_at_all() -> None:
    assert set(BY_NAME) > WITHOUT_VDSO | OTHER_BUILDS | SELDOM
    assert len(BY_NAME) == len(RULES)


# ── when memory runs out ─────────────────────────────────────────────────────────────────────


async def test_out_of_memory_would_end_a_worker_first_then_the_fork_server() -> None:
    async with running_workers() as processes:
        assert [oom_score(process) for process in processes] == [OOM_SCORE_WORKER] * len(processes)
        fork_server = psutil.Process(int(processes[0].name)).ppid()
        assert oom_score(Path(f"/proc/{fork_server}")) == OOM_SCORE_FORK_SERVER
    assert OOM_SCORE_WORKER > OOM_SCORE_FORK_SERVER > oom_score(Path("/proc/self"))


def oom_score(process: Path) -> int:
    return int((process / "oom_score_adj").read_text("ascii"))


HUNGRY_PEER = """
    import asyncio, msgspec, sys
    sys.path.insert(0, {tests!r})
    from tests.scripting.workshop import invocation_of, open_pool, script_of, setup_of
    from goop2.scripting.limits import InvocationLimits
    GROW = "function call() local t = {{}} for i = 1, 400 do t[i] = ('x'):rep(1e6) .. i end while true do end end"
    async def main():
        setup = msgspec.structs.replace(setup_of(), memory_bytes=600 << 20)
        async with open_pool(InvocationLimits(workers=2), setup) as pool:
            kept = bytearray(b"x") * (150 << 20)  # the peer is the largest process until the script grows
            print("grow", flush=True)
            sys.stdin.readline()
            outcome = await pool.run(invocation_of(script_of(GROW, "function"), argument=b"{{}}", seconds=20.0))
            print(outcome.code.value, outcome.payload.decode(), len(kept) > 0, flush=True)
    asyncio.run(main())
"""


def memory_cgroup(name: str, limit_bytes: int) -> Path:
    """A new cgroup with that much memory; skips where none can be made."""
    for root, limit, swap in (
        (Path("/sys/fs/cgroup"), "memory.max", "memory.swap.max"),
        (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.memsw.limit_in_bytes"),
    ):
        if not (root / "cgroup.procs").exists() or (root.name == "cgroup" and not (root / "cgroup.controllers").exists()):
            continue
        group = root / name
        try:
            group.mkdir()
            (group / limit).write_text(str(limit_bytes))
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        with contextlib.suppress(OSError):
            (group / swap).write_text(str(limit_bytes) if "memsw" in swap else "0")
        return group
    pytest.skip("no cgroup with a limit of memory can be made here (needs root, and the memory controller)")


def test_out_of_memory_ends_a_worker_and_not_the_peer() -> None:
    group = memory_cgroup(f"goop2-test-{os.getpid()}", 260 * MEGABYTE_BYTES)
    source = textwrap.dedent(HUNGRY_PEER).format(tests=str(Path(__file__).parents[2]))
    try:
        with Started([sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as peer:
            assert peer.stdin is not None
            assert peer.stdout is not None
            (group / "cgroup.procs").write_text(str(peer.pid))
            assert peer.stdout.readline() == "grow\n"
            for pid in (peer.pid, *children_of(peer.pid)):  # the fork server and its workers, who were born before
                (group / "cgroup.procs").write_text(str(pid))
            peer.stdin.write("\n")
            peer.stdin.flush()
            said = peer.stdout.readline()
        assert said == "unavailable the worker of this call ended; the call may have been carried out True\n"
        assert peer.returncode == 0
    finally:
        for _ in range(100):
            try:
                group.rmdir()
                break
            except OSError:
                time.sleep(0.05)


def children_of(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]


# ── the time zone ────────────────────────────────────────────────────────────────────────────

ELSEWHERE = """
    import asyncio, sys
    sys.path.insert(0, {tests!r})
    from tests.scripting.workshop import invocation_of, open_pool, setup_of
    async def main():
        async with open_pool(setup=setup_of({flavour!r})) as pool:
            for _ in range(2):
                print((await pool.run(invocation_of("function handle() return os.date('%Z') end"))).payload.decode())
    asyncio.run(main())
"""


@pytest.mark.parametrize("flavour", NAMES)
@pytest.mark.parametrize("time_zone", [None, "Asia/Tokyo"])
def test_scripts_have_the_systems_time_zone_though_a_worker_can_read_no_file(time_zone: str | None, flavour: str) -> None:
    """The system's zone is another one in a mount namespace of its own."""
    tokyo = Path("/usr/share/zoneinfo/Asia/Tokyo")
    local = Path("/etc/localtime")
    if os.geteuid() != 0 or shutil.which("unshare") is None or not tokyo.exists() or not local.exists():
        pytest.skip("needs root, unshare and the zones of the system")
    source = textwrap.dedent(ELSEWHERE).format(flavour=flavour, tests=str(Path(__file__).parents[2]))
    mount = f"mount --bind {tokyo} {local.resolve()} && exec {shlex.quote(sys.executable)} -c {shlex.quote(source)}"
    environment = {name: value for name, value in os.environ.items() if name != "TZ"} | ({"TZ": time_zone} if time_zone else {})
    command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", mount]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, env=environment)
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"no mount namespace here: {done.stderr.strip()}")
    assert (done.stdout, done.stderr) == ("JST\nJST\n", "")
