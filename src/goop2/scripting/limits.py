"""Every number of scripting, named with its unit and the reason for its value.

What an owner may set in goop.json is a field of `InvocationLimits`, everything else a constant. This file
knows no settings file: services/script_settings.py fills `InvocationLimits` from it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

MEGABYTE_BYTES = 1024 * 1024
"""What "MB" means wherever we write it."""

# What a script is, and what crosses to it and back (behaviour.md, "Data functions", "Chat commands").

SCRIPT_MAX_BYTES = 1 * MEGABYTE_BYTES
"""A source file. It fits in one frame to the worker; the largest script we have seen is 30 KB."""

PARAMS_MAX_BYTES = 1 * MEGABYTE_BYTES
"""Parameters of a data function, as JSON."""

RESULT_MAX_BYTES = 1 * MEGABYTE_BYTES
"""Result of a data function, as JSON."""

ERROR_MAX_BYTES = 64 * 1024
"""An error's message from a worker. Ours have 2,000 bytes; a compiler quotes the source in its own."""

REPLY_MAX_BYTES = 4096
"""Reply of a chat command, before it is cut; a direct message carries no more."""

SITE_READ_MAX_BYTES = 1 * MEGABYTE_BYTES
"""A file `goop.site.read` gives."""

DESCRIPTION_MAX_CHARS = 200
"""Description of a script, which goes into lists that strangers read; one line on a wide screen."""

WARNINGS_MAX = 20
"""Warnings about one script, or about one folder; whoever made more mistakes than that mends these first."""

# Who waits for whom (behaviour.md, "Limits, and what stopping means").

BUSY_RETRY_SECONDS = 1.0
"""What a caller who finds the queue full is told to wait: the queue moves many times in that."""

WAITING_MAX = 256
"""Invocations in the queue. At 1 ms each that is a quarter of a second of work."""

CALLER_SHARE_OF_WORKERS = 4
"""One caller holds at most one part in this many of the workers."""

OWNER_WORKERS = 1
"""Workers no stranger gets, so that the owner is answered whatever strangers do."""

KEPT_SHARE_OF_WORKERS = 4
"""One part in this many of the workers, and at least one of two, is kept for callers whose recent calls were short, half of it for
these alone and the rest for callers nobody knows yet too: a newcomer is answered although eight callers loop."""

NEWCOMER_SECONDS = 0.01
"""Before a caller nobody knows gets one of the kept workers: by then one that asks for eight things at once has shown it."""

LIGHT_WORKER_SECONDS = 1.0
"""Worker-seconds, faded, up to which a caller's recent calls count as short. With the half-life below that is one part in a hundred
of a worker all the time, or one call of a second now and then; a loop is known for one before its time-out."""

ACCOUNT_HALF_LIFE_SECONDS = 60.0
"""After which half of what a caller has used is forgotten. Who held a worker for five seconds counts as heavy for two minutes."""

ACCOUNTS_MAX = 4096
"""Accounts remembered, some 200 bytes each. Light ones are forgotten first."""

STOP_SECONDS = 0.25
"""After the deadline: by then no CPU is spent on the invocation, and its caller has the answer."""

TICK_SECONDS = 0.025
"""How often deadlines are looked at while there are invocations: a tenth of what STOP_SECONDS allows."""

RATE_WINDOW_SECONDS = 60.0
"""The sliding minute all rates are counted in."""

RATE_KEYS_MAX = 65_536
"""Pairs of caller and script whose calls of the last minute are counted apart; 10 MB. That many in a minute are a thousand a second."""

# Workers.

COMPILE_SECONDS = 2.0
"""A compiler's own deadline. A megabyte of honest source takes 50 ms; a parse bomb is stopped."""

COMPILE_TOGETHER_FROM = 100
"""So many new sources are compiled some at a time, a start's say; fewer each for itself, so that one that takes long holds up no other."""
COMPILE_TOGETHER_MAX = 64
"""Sources a worker gets at a time: a round trip each would take as long as the compiling."""
COMPILE_TOGETHER_BYTES = 64 * 1024
"""Of them together: some ten milliseconds."""

COMPILES_AT_ONCE = 4
"""Files compiled side by side; more would keep workers from the invocations of others."""

WARM_WORKERS = 2
"""Workers that stand ready once somebody has called. Two keep two callers going at once; more come when somebody waits. Before the first
call there is one: the second takes 4 MB that a peer nobody calls does not need, and comes in some hundredths of a second."""

GROW_AFTER_SECONDS = 0.05
"""A queue that stands still for so long gets one more worker. Work that only computes is done before."""

COMPUTING_WORKERS_PER_CORE = 2
"""So many are worth having for a queue that moves: one computes while the other's next VM is built and its answer read. With more
they only take turns: the same calls a second, and one call in a hundred waits ten times as long."""

START_SECONDS = 10.0
"""Until the first worker must be ready; it takes a fifth of a second on a busy small machine."""

EXIT_REPORT_SECONDS = 0.5
"""How long a lost call waits to hear from the fork server how its worker ended: a millisecond, where all are busy more than a hundred."""

REASON_MAX_CHARS = 300
"""What the log says of a message that is none: it may be a stranger's text."""

COMPUTING_AFTER_SECONDS = 0.1
"""A stranger's call that keeps its worker for so long is watched: has it computed, or only waited for a busy machine?"""

LOWERED_AFTER_CPU_SECONDS = 0.15
"""Processor time after which a call that is watched goes on at the lowest priority, so that short calls and the peer itself come first.
Where the worker cannot be raised again it is replaced after such a call: at most four times a second, each some milliseconds."""

LOWERED_NICENESS = 19
"""The lowest there is that still gets a share of a busy processor: a worker that holds a lock of the database must come to its end."""

CPU_SPARE_SECONDS = 10.0
"""Processor time a worker is allowed beyond the invocation it is given: the limit is then raised once in so many seconds of work,
not at each call. A worker that computes without an invocation is ended by the kernel after at most this and one time-out."""

CPU_LEAST_SECONDS = 2.0
"""Processor time that is left in any case: the kernel counts in whole seconds, and building a VM takes some."""

ENDED_LOOK_SECONDS = 0.005
"""How often a pool that stops looks whether killed workers have closed their files, which takes some milliseconds."""

RESPAWN_SECONDS = 0.1
"""Pause before the fork server is started again after it ended by itself."""

IDLE_WORKER_SECONDS = 30.0
"""A worker beyond the warm ones that has had nothing to do for so long is ended: it holds about 10 MB."""

CALLS_PER_WORKER = 100_000
"""Calls after which a worker is replaced, so that whatever one did to it does not last. At full load that is every fifteen seconds; with
10,000 the replacing cost a tenth of the calls a second."""

WORKER_LIFE_SECONDS = 600.0
"""Age after which a worker that has run a script is replaced."""

IDLE_CHECK_SECONDS = 1.0
"""How often idle workers that have run a script are looked at (idle_check.py)."""

IDLE_CPU_MAX_SECONDS = 0.05
"""Processor time an idle worker may use between two looks; the kernel counts in hundredths of a second."""

IDLE_GROWTH_MAX_BYTES = 8 * MEGABYTE_BYTES
"""What the memory of an idle worker may grow by between two looks."""

IDLE_OWN_MAX_BYTES = 64 * MEGABYTE_BYTES
"""Memory of its own an idle worker may hold beyond the limit of one VM: SQLite keeps up to 32 MB, Python some 10."""

# Hot reload: live within 500 ms, so quiet + pulse + compile must stay below that.

RELOAD_LIVE_SECONDS = 0.5
"""What is promised (behaviour.md): a saved change runs within this."""

RELOAD_QUIET_MS = 50
"""No file changed for so long: the editor has finished saving. Truncate-then-write takes less."""

EMPTY_HELD_SECONDS = 2.0
"""A script that was emptied keeps its last good version so long: scp, network disks and some editors empty a file and write it later."""

RELOAD_DEBOUNCE_MS = 200
"""Files that never become quiet are looked at this often all the same."""

RELOAD_PULSE_SECONDS = 0.2
"""How often we look whether the script folder is still the same folder: no event tells that a parent was renamed."""

SLOW_PULSE_SECONDS = 2.0
"""The same where the kernel tells of the folders above too."""

NOTIFIED_PULSE_SECONDS = 10.0
"""The same on a file system of this machine: only what is mounted over a folder comes without a word."""

RESCAN_COST = 300.0
"""Looks without any event are so many times as far apart as one takes, so that they cost a three-hundredth of a core at most."""

RESCAN_SECONDS = 5.0
"""A look at everything without any event: the kernel's queue may have overflowed, some file systems send none."""

NOTIFIED_RESCANS = 6.0
"""So many times as far apart are such looks on a file system of this machine, whose kernel says when its queue has overflowed."""

STAT_SETTLED_SECONDS = 2.0
"""A file younger than this when read is read again at the next scan: its next edit may carry the same
time stamp. The coarsest file system in use (FAT) counts in 2 s."""

# Runs and their logs (behaviour.md, "goop.log").

LOG_LINES_MAX = 200
"""Log lines of one run."""

LOG_MAX_BYTES = 64 * 1024
"""Log of one run, as UTF-8."""

RUNS_MAX = 1000
"""Runs in the ring that the console, metrics and `goop2 lua log` show."""

RUNS_MAX_BYTES = 16 * MEGABYTE_BYTES
"""The ring with its log lines. 1000 runs with full logs would be 64 MB, more than an idle peer."""


def cores() -> int:
    """Return how many processors this process may use; in a container they are fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """Return four workers a core, at most 32: most scripts wait on something most of the time."""
    return min(4 * cores(), 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class InvocationLimits:
    """What the owner may set, with the defaults of behaviour.md; the values are trusted to be in range."""

    enabled: bool = True
    """Whether scripts answer at all."""
    timeout_seconds: float = 5.0
    """From accepting an invocation to its result, waiting included."""
    memory_bytes: int = 10 * MEGABYTE_BYTES
    """What one VM may hold."""
    rate_per_caller: int = 30
    """Accepted calls a minute, of one caller to one script."""
    rate_global: int = 120
    """Accepted calls a minute, of all callers to all scripts."""
    workers: int = field(default_factory=default_workers)
    """The most worker processes at a time."""
    http_enabled: bool = False
    kv_enabled: bool = False
    process_per_call: bool = False
    """Whether a worker ends after one call (`lua.isolation`)."""

    @property
    def workers_per_caller(self) -> int:
        """Return the most workers one caller holds at a time; at least one."""
        return max(1, self.workers // CALLER_SHARE_OF_WORKERS)

    @property
    def workers_reserved(self) -> int:
        """Return how many of the strangers' workers are kept for callers whose recent calls were short; none where strangers have one."""
        strangers = self.workers - OWNER_WORKERS
        return max(1, self.workers // KEPT_SHARE_OF_WORKERS) if strangers > 1 else 0

    @property
    def calls_per_worker(self) -> int:
        """Return after how many calls a worker is replaced."""
        return 1 if self.process_per_call else CALLS_PER_WORKER
