"""An interpreter of seccomp filters, for tests: what a filter answers to a system call, without making it.

Classic BPF as in the kernel's net/core/filter.c, as far as libseccomp uses it.
"""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Sequence

import pyseccomp

ALLOW = 0x7FFF0000
_WORD_MASK = 0xFFFFFFFF
_DATA = struct.Struct("<iIQ6Q")


class Filter:
    """A filter as the kernel would run it."""

    def __init__(self, syscalls: pyseccomp.SyscallFilter) -> None:
        with tempfile.TemporaryFile() as file:
            syscalls.export_bpf(file)
            file.seek(0)
            self._program = list(struct.iter_unpack("<HBBI", file.read()))
        self._arch = pyseccomp.system_arch()

    def allows(self, call: str, *arguments: int) -> bool:
        """Whether `call` with `arguments`, the rest 0, passes."""
        number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, call)
        assert number >= 0, f"{call} is no system call here"
        return self.allows_number(number, *arguments)

    def allows_number(self, number: int, *arguments: int) -> bool:
        """The same by number."""
        words = [argument & 0xFFFFFFFFFFFFFFFF for argument in (*arguments, *[0] * (6 - len(arguments)))]
        return self._run(_DATA.pack(number, self._arch, 0, *words)) == ALLOW

    def _run(self, data: bytes) -> int:  # noqa: C901 (one case an instruction)
        accumulator, scratch, at = 0, [0] * 16, 0
        while True:
            code, when_true, when_false, k = self._program[at]
            at += 1
            match code:
                case 0x20:
                    accumulator = struct.unpack_from("<I", data, k)[0]
                case 0x54:
                    accumulator &= k
                case 0x02:
                    scratch[k] = accumulator
                case 0x60:
                    accumulator = scratch[k]
                case 0x05:
                    at += k
                case 0x15:
                    at += when_true if accumulator == k else when_false
                case 0x25:
                    at += when_true if accumulator > k else when_false
                case 0x35:
                    at += when_true if accumulator >= k else when_false
                case 0x06:
                    return int(k)
                case _:
                    raise AssertionError(f"instruction {code:#x} is not interpreted")


def near(value: int) -> Sequence[int]:
    """Values a sloppy condition would take for `value`: its neighbours, and those whose lower 32 bits are the same."""
    return (value - 1, value + 1, value | 1 << 32, value | 1 << 63, value ^ 1 << 31, ~value)
