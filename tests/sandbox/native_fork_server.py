"""A fork server whose workers also execute Python text, as native code that got hold of a worker could act.

For tests only: `tests/sandbox/native.py` starts it in place of goop2.sandbox.fork_server. The text is the argument of a call of the
script NAME. It runs behind the wall, with `channel`, `worker`, `ctypes` and `out` at hand; `out` comes back as JSON.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import json
import mmap
import os
import resource
import signal
import stat
import sys
import threading
import time

from goop2.sandbox import fork_server
from goop2.sandbox.messages import Done, Invoke
from goop2.sandbox.vm import VirtualMachine
from goop2.sandbox.worker import Worker

NAME = "native"
AT_HAND = (ctypes, errno, fcntl, json, mmap, os, resource, signal, stat, sys, threading, time)
"""Imported here, since behind the wall nothing can be."""

_run_script = Worker._invoke


def _invoke(self: Worker, vm: VirtualMachine, invoke: Invoke) -> Done:
    if invoke.script != NAME:
        return _run_script(self, vm, invoke)
    out: dict[str, object] = {}
    at_hand = {"channel": self._channel, "worker": self, "out": out, **{module.__name__: module for module in AT_HAND}}
    try:
        exec(invoke.argument.decode(), at_hand)
    except Exception as error:
        out["error"] = f"{type(error).__name__}: {error}"
    return Done("ok", json.dumps(out, default=repr).encode(), 0)


if __name__ == "__main__":
    Worker._invoke = _invoke  # type: ignore[method-assign]
    fork_server.main()
