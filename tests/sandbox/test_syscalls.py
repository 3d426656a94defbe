"""The system calls of a worker: each that is allowed, and next to each what is not.

What a rule is for stands here a second time, as calls with numbers: a rule that is removed or widened fails a test. Whether each
is really needed is shown in test_confinement.py.
"""

from __future__ import annotations

import os
import signal

import pyseccomp
import pytest
from tests.sandbox.bpf import Filter, near

from goop2.sandbox.syscalls import RULES, STAT_CALLS, Descriptors, add_descriptors, index_max_bytes, open_filter

SOCKET, DATABASE, LOG, INDEX, QUEUE = 4, 5, 6, 7, 10
OTHER_DESCRIPTORS = (0, 1, 2, 3, 8, 9, 11, -1)
INDEX_BYTES = index_max_bytes(1 << 30)
MEMORY, SOMEWHERE, LENGTH = 0x7F0000000000, 0x7F0000001000, 100
ANONYMOUS, SHARED, FIXED = 0x20, 0x01, 0x10
READ, WRITE, EXECUTE = 1, 2, 4

ALLOWED = {
    # a name: the call, its arguments, and which of them are conditions
    "answer": ("sendto", (SOCKET, MEMORY, LENGTH, 0, 0, 0), (0, 3, 4, 5)),
    "hear": ("recvfrom", (SOCKET, MEMORY, LENGTH, 0, 0, 0), (0, 3, 4, 5)),
    "grow the heap": ("brk", (MEMORY,), ()),
    "take memory": ("mmap", (0, LENGTH, READ | WRITE, ANONYMOUS | 2, -1, 0), (2, 3)),
    "take memory near code": ("mmap", (SOMEWHERE, LENGTH, READ | WRITE, ANONYMOUS | 2, -1, 0), (2, 3)),
    "give memory back": ("munmap", (MEMORY, LENGTH), ()),
    "enlarge memory": ("mremap", (MEMORY, LENGTH, 2 * LENGTH, 1, 0), (3,)),
    "make code runnable": ("mprotect", (MEMORY, LENGTH, READ | EXECUTE), (2,)),
    "make code writable": ("mprotect", (MEMORY, LENGTH, READ | WRITE), (2,)),
    "wake": ("futex", (MEMORY, 129, 1), (1,)),
    "seed": ("getrandom", (MEMORY, 32, 0), (2,)),
    "end": ("exit_group", (1,), ()),
    "the time": ("clock_gettime", (0, MEMORY), (0,)),
    "the clock": ("clock_gettime", (1, MEMORY), (0,)),
    "the clock that counts sleep": ("clock_gettime", (7, MEMORY), (0,)),
    "the own processor time": ("clock_gettime", (2, MEMORY), (0,)),
    "the time of day": ("gettimeofday", (MEMORY, 0), (1,)),
    "the seconds": ("time", (MEMORY,), ()),
    "sleep as Python": ("clock_nanosleep", (1, 1, MEMORY, 0), (0, 1)),
    "sleep as SQLite": ("clock_nanosleep", (0, 0, MEMORY, 0), (0, 1)),
    "set the alarm": ("setitimer", (0, MEMORY, MEMORY), (0,)),
    "read the database": ("pread64", (DATABASE, MEMORY, LENGTH, 0), (0,)),
    "read the log": ("pread64", (LOG, MEMORY, LENGTH, 0), (0,)),
    "write the database": ("pwrite64", (DATABASE, MEMORY, LENGTH, 0), (0,)),
    "write the log": ("pwrite64", (LOG, MEMORY, LENGTH, 0), (0,)),
    "extend the index": ("pwrite64", (INDEX, MEMORY, 1, 4095), (0, 2)),
    "sync the database": ("fdatasync", (DATABASE,), (0,)),
    "sync the log": ("fdatasync", (LOG,), (0,)),
    "sync the database wholly": ("fsync", (DATABASE,), (0,)),
    "sync the log wholly": ("fsync", (LOG,), (0,)),
    "truncate the database": ("ftruncate", (DATABASE, 4096), (0,)),
    "truncate the log": ("ftruncate", (LOG, 4096), (0,)),
    "size of the database": ("fstat", (DATABASE, MEMORY), (0,)),
    "size of the log": ("fstat", (LOG, MEMORY), (0,)),
    "size of the index": ("fstat", (INDEX, MEMORY), (0,)),
    "lock the index": ("fcntl", (INDEX, 6, MEMORY), (0, 1)),
    "wait for the queue": ("fcntl", (QUEUE, 7, MEMORY), (0, 1)),
    "ask about the queue": ("fcntl", (QUEUE, 5, MEMORY), (0, 1)),
    "leave the queue": ("fcntl", (QUEUE, 6, MEMORY), (0, 1)),
    "map the index": ("mmap", (0, 32768, READ | WRITE, SHARED, INDEX, 32768), (0, 1, 2, 3, 4)),
}

REFUSED = {
    # fcntl: the socket as a source of signals (SIGIO or any other, to any process), leases, notifications, descriptors
    **{
        f"fcntl {command} on {descriptor}": ("fcntl", (descriptor, command, 1))
        for descriptor in (SOCKET, DATABASE, LOG, INDEX)
        for command in (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 15, 16, 36, 37, 38, 1024, 1025, 1026, 1030, 1031, 1032, 1033, 1034, 1036)
    },
    **{
        f"fcntl {command} on the queue": ("fcntl", (QUEUE, command, 1))
        for command in (0, 1, 2, 3, 4, 8, 9, 10, 11, 15, 16, 36, 37, 38, 1024, 1025, 1026, 1030, 1031, 1032, 1033, 1034, 1036)
    },
    "read the queue": ("pread64", (QUEUE, MEMORY, LENGTH, 0)),
    "write the queue": ("pwrite64", (QUEUE, MEMORY, LENGTH, 0)),
    "truncate the queue": ("ftruncate", (QUEUE, 4096)),
    "map the queue": ("mmap", (0, 32768, READ | WRITE, SHARED, QUEUE, 0)),
    "lock the database": ("fcntl", (DATABASE, 6, MEMORY)),
    "lock the log": ("fcntl", (LOG, 6, MEMORY)),
    "lock the socket": ("fcntl", (SOCKET, 6, MEMORY)),
    # files
    "truncate the index": ("ftruncate", (INDEX, 0)),
    "truncate the index by its upper bits": ("ftruncate", (INDEX | DATABASE << 32, 0)),
    "truncate the index, the descriptor sign-extended": ("ftruncate", (INDEX - (1 << 32), 0)),
    "write more into the index": ("pwrite64", (INDEX, MEMORY, 2, 0)),
    "extend the index without bound": ("pwrite64", (INDEX, MEMORY, 1, INDEX_BYTES)),
    "read the index as a file": ("pread64", (INDEX, MEMORY, LENGTH, 0)),
    "sync the index": ("fdatasync", (INDEX,)),
    # memory
    "shared memory of no file": ("mmap", (0, LENGTH, READ | WRITE, SHARED | ANONYMOUS, -1, 0)),
    "shared memory that is there at once": ("mmap", (0, LENGTH, READ | WRITE, SHARED | ANONYMOUS | 0x8000, -1, 0)),
    "shared memory, validated": ("mmap", (0, 32768, READ | WRITE, 3, INDEX, 0)),
    "droppable memory": ("mmap", (0, LENGTH, READ | WRITE, 8 | ANONYMOUS, -1, 0)),
    "the index at a place": ("mmap", (SOMEWHERE, 32768, READ | WRITE, SHARED, INDEX, 0)),
    "the index over memory": ("mmap", (SOMEWHERE, 32768, READ | WRITE, SHARED | FIXED, INDEX, 0)),
    "the index as code": ("mmap", (0, 32768, READ | EXECUTE, SHARED, INDEX, 0)),
    "the index as code that can be written": ("mmap", (0, 32768, READ | WRITE | EXECUTE, SHARED, INDEX, 0)),
    "the index whole": ("mmap", (0, 65536, READ | WRITE, SHARED, INDEX, 0)),
    "the index far out": ("mmap", (0, 32768, READ | WRITE, SHARED, INDEX, INDEX_BYTES)),
    "the database as memory": ("mmap", (0, 32768, READ | WRITE, SHARED, DATABASE, 0)),
    "the log as memory": ("mmap", (0, 32768, READ | WRITE, SHARED, LOG, 0)),
    "a private copy of the database": ("mmap", (0, 32768, READ, 2, DATABASE, 0)),
    "code that can be written": ("mmap", (0, LENGTH, READ | WRITE | EXECUTE, ANONYMOUS | 2, -1, 0)),
    "memory that only reads": ("mmap", (0, LENGTH, READ, ANONYMOUS | 2, -1, 0)),
    "memory over memory": ("mmap", (SOMEWHERE, LENGTH, READ | WRITE, ANONYMOUS | FIXED | 2, -1, 0)),
    "huge pages": ("mmap", (0, LENGTH, READ | WRITE, ANONYMOUS | 0x40000 | 2, -1, 0)),
    "locked memory": ("mmap", (0, LENGTH, READ | WRITE, ANONYMOUS | 0x2000 | 2, -1, 0)),
    "make writable code": ("mprotect", (MEMORY, LENGTH, READ | WRITE | EXECUTE)),
    "make memory read-only": ("mprotect", (MEMORY, LENGTH, READ)),
    "make memory unreadable": ("mprotect", (MEMORY, LENGTH, 0)),
    "double shared memory": ("mremap", (MEMORY, 0, LENGTH, 1, 0)),
    "move memory over memory": ("mremap", (MEMORY, LENGTH, LENGTH, 3, SOMEWHERE)),
    "move memory and keep it": ("mremap", (MEMORY, LENGTH, LENGTH, 5, 0)),
    # the socket
    "out of band": ("sendto", (SOCKET, MEMORY, LENGTH, 1, 0, 0)),
    "to an address": ("sendto", (SOCKET, MEMORY, LENGTH, 0, MEMORY, 16)),
    "into a file": ("sendto", (DATABASE, MEMORY, LENGTH, 0, 0, 0)),
    "peek": ("recvfrom", (SOCKET, MEMORY, LENGTH, 2, 0, 0)),
    # other processes
    "the processor time of process 1": ("clock_gettime", (~1 << 3 | 2, MEMORY)),
    "wait by the processor time of process 1": ("clock_nanosleep", (~1 << 3 | 2, 0, MEMORY, 0)),
    "a futex shared with others": ("futex", (MEMORY, 1, 1)),
    "wait for a futex of others": ("futex", (MEMORY, 0, 1)),
    "a priority futex": ("futex", (MEMORY, 6, 1)),
    "the alarm of profiling": ("setitimer", (2, MEMORY, MEMORY)),
}

NONE_OF_THEM = (
    *("open", "openat", "openat2", "creat", "close", "socket", "connect", "sendmsg", "sendmmsg", "recvmsg", "recvmmsg", "setsockopt"),
    *("getsockopt", "execve", "execveat", "fork", "vfork", "clone", "clone3", "kill", "tkill", "tgkill", "rt_sigqueueinfo"),
    *("rt_tgsigqueueinfo", "pidfd_open", "pidfd_send_signal", "pidfd_getfd", "process_vm_readv", "process_vm_writev", "process_madvise"),
    *("ptrace", "ioctl", "prctl", "arch_prctl", "prlimit64", "setrlimit", "getrlimit", "sched_setaffinity", "sched_setscheduler"),
    *("sched_setattr", "sched_yield", "setpriority", "ioprio_set", "unlink", "rename", "dup", "dup2", "dup3", "pipe", "pipe2", "eventfd2"),
    *(
        "memfd_create",
        "shmget",
        "shmat",
        "semget",
        "msgget",
        "mq_open",
        "userfaultfd",
        "io_uring_setup",
        "io_uring_enter",
        "bpf",
        "seccomp",
    ),
    *(
        "fallocate",
        "fadvise64",
        "copy_file_range",
        "splice",
        "sendfile",
        "write",
        "writev",
        "pwritev",
        "pwritev2",
        "read",
        "readv",
        "lseek",
    ),
    *(
        "madvise",
        "mlock",
        "mlock2",
        "msync",
        "mincore",
        "remap_file_pages",
        "pkey_mprotect",
        "rt_sigaction",
        "rt_sigprocmask",
        "rt_sigreturn",
    ),
    *("sigaltstack", "timer_create", "timerfd_create", "signalfd4", "kcmp", "perf_event_open", "keyctl", "add_key", "name_to_handle_at"),
    *(
        "fstatfs",
        "statfs",
        "access",
        "faccessat",
        "readlink",
        "getdents64",
        "chdir",
        "fchdir",
        "fchmod",
        "fchown",
        "flock",
        "getpid",
        "getppid",
    ),
    *("sync_file_range", "getcpu", "modify_ldt", "personality", "set_tid_address", "set_robust_list", "rseq", "restart_syscall", "exit"),
    *STAT_CALLS,
)


@pytest.fixture(scope="module")
def worker() -> Filter:
    return filter_of(Descriptors(SOCKET, DATABASE, LOG, INDEX, QUEUE))


def filter_of(descriptors: Descriptors, stat_calls: tuple[str, ...] = ()) -> Filter:
    syscalls = open_filter(stat_calls)
    add_descriptors(syscalls, descriptors, INDEX_BYTES)
    return Filter(syscalls)


def is_allowed_otherwise(call: str, arguments: tuple[int, ...]) -> bool:
    """Whether another line of ALLOWED is this very call, or one that differs only where nothing is asked."""
    return any(
        name == call and all(given[place] == arguments[place] for place in conditions) for name, given, conditions in ALLOWED.values()
    )


@pytest.mark.parametrize("what", ALLOWED)
def test_a_worker_can(what: str, worker: Filter) -> None:
    call, arguments, conditions = ALLOWED[what]
    assert worker.allows(call, *arguments)
    for place in conditions:
        for value in near(arguments[place]):
            changed = (*arguments[:place], value, *arguments[place + 1 :])
            assert is_allowed_otherwise(call, changed) or not worker.allows(call, *changed), (place, hex(value))


@pytest.mark.parametrize("what", REFUSED)
def test_a_worker_cannot(what: str, worker: Filter) -> None:
    call, arguments = REFUSED[what]
    assert not worker.allows(call, *arguments)


@pytest.mark.parametrize("call", NONE_OF_THEM)
def test_a_worker_never_calls(call: str, worker: Filter) -> None:
    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, call)
    if number < 0:
        pytest.skip(f"{call} is no system call of this architecture")
    assert not worker.allows_number(number, SOCKET, DATABASE, LOG, INDEX)


def test_no_other_call_passes_whatever_its_number(worker: Filter) -> None:
    allowed = {pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, rule.call) for rule in RULES}
    arguments = ((), *((descriptor, MEMORY, LENGTH) for descriptor in (SOCKET, DATABASE, LOG, INDEX)))
    passed = {number for number in range(1024) for given in arguments if worker.allows_number(number, *given)}
    assert passed <= allowed


def test_every_rule_is_tried_here(worker: Filter) -> None:
    """As many lines of ALLOWED as rules: a rule without a line would not be tried, a line without a rule fails above."""
    tried = {(call, *(arguments[place] for place in conditions)) for call, arguments, conditions in ALLOWED.values()}
    assert len(tried) == len(RULES)


@pytest.mark.parametrize("descriptor", OTHER_DESCRIPTORS)
def test_nothing_is_done_on_other_descriptors(descriptor: int, worker: Filter) -> None:
    for call, arguments, conditions in ALLOWED.values():
        # A clock has a number too, which is no descriptor.
        if call != "clock_gettime" and 0 in conditions and arguments[0] in (SOCKET, DATABASE, LOG, INDEX):
            assert not worker.allows(call, descriptor, *arguments[1:]), call


def test_without_a_database_a_worker_has_no_call_on_files() -> None:
    worker = filter_of(Descriptors(socket=SOCKET))
    for call in ("pread64", "pwrite64", "fdatasync", "fsync", "ftruncate", "fstat", "fcntl"):
        for descriptor in range(-2, 64):
            assert not worker.allows(call, descriptor, MEMORY, LENGTH), (call, descriptor)
    assert not worker.allows("mmap", 0, 32768, READ | WRITE, SHARED, INDEX, 0)


def test_the_index_of_the_largest_log_fits() -> None:
    frames = (1 << 30) // (512 + 24)
    regions = 1 + (max(0, frames - 4062) + 4095) // 4096
    assert regions * 32768 <= INDEX_BYTES < 2 * regions * 32768


@pytest.mark.parametrize("calls", [("newfstatat",), ("newfstatat", "statx")])
def test_where_sqlite_needs_another_stat_call_exactly_that_is_allowed(calls: tuple[str, ...]) -> None:
    worker = filter_of(Descriptors(SOCKET, DATABASE, LOG, INDEX, QUEUE), calls)
    assert {call for call in STAT_CALLS if worker.allows(call, -100, MEMORY)} == set(calls)


def test_the_numbers_here_are_those_of_this_system() -> None:
    import fcntl
    import mmap

    assert (fcntl.F_SETLK, signal.ITIMER_REAL) == (6, 0)
    assert (mmap.MAP_ANONYMOUS, mmap.MAP_SHARED, mmap.PROT_EXEC) == (ANONYMOUS, SHARED, EXECUTE)
    assert os.sysconf("SC_PAGE_SIZE") <= 32768
