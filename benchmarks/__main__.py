"""`python -m benchmarks [SUITE ...]`: runs the suites and writes their sections of docs/benchmarks.md."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable

import structlog
import uvloop

from benchmarks import (
    console,
    curves,
    data,
    fairness,
    footprint,
    goodput,
    idle,
    lock,
    many_sites,
    outbound,
    p2p,
    rendezvous,
    report,
    rivals,
    scripting,
    web,
)

SUITES: dict[str, Callable[[], Awaitable[str]]] = {
    "scripting": scripting.run,
    "outbound": outbound.run,
    "data": data.run,
    "fairness": fairness.run,
    "goodput": goodput.run,
    "lock": lock.run,
    "web": web.run,
    "rivals": rivals.run,
    "p2p": p2p.run,
    "rendezvous": rendezvous.run,
    "footprint": footprint.run,
    "idle": idle.run,
    "sites": many_sites.run,
    "growth": curves.run,
    "console": console.run,
}


async def main(names: list[str]) -> None:
    """Run `names`, all of them when there are none."""
    for name in names or SUITES:
        section = await SUITES[name]()
        report.write(name, section)
        print(section, end="\n\n")


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    uvloop.run(main(sys.argv[1:]))
