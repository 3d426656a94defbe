"""The bare loop: the same flavour and prelude, a new VM a call, one thread of one process, no wall.

Run as `python -m benchmarks.bare WORKLOAD SECONDS`; prints calls a second. A process of its own, so
that it has a core to itself and can be given the workers' malloc tuning, which it would else lack.
"""

from __future__ import annotations

import sys
import time

from benchmarks.workloads import WORKLOADS, Workload
from goop2.sandbox.messages import Scalar
from goop2.sandbox.vm import Flavour, Host, VirtualMachine
from goop2.scripting.api import FUNCTIONS
from goop2.scripting.api.stubs import stubs

MEMORY_BYTES = 10 * 1024 * 1024


def _host(_operation: bytes, *_arguments: Scalar) -> tuple[Scalar, ...]:
    return b"v", None


def measure(workload: Workload, seconds: float, host: Host = _host) -> float:
    """Calls a second of `workload`."""
    flavour = Flavour("luajit21", stubs(FUNCTIONS))
    bytecode = VirtualMachine(flavour, host, MEMORY_BYTES).compile(workload.name, workload.source.encode())
    argument = workload.argument.encode()
    calls, begun = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - begun) < seconds:
        vm = VirtualMachine(flavour, host, MEMORY_BYTES)
        outcome = vm.run(workload.kind, workload.name, bytecode, argument, ("caller", "Caller"), ("self", "Self"))
        assert outcome.code == "ok", outcome
        calls += 1
    return calls / elapsed


if __name__ == "__main__":
    print(measure(next(each for each in WORKLOADS if each.name == sys.argv[1]), float(sys.argv[2])))
