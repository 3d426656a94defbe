"""The share of a core that a stranger's flood may have."""

from __future__ import annotations

from tests.clock import Clock

from goop2.peers.discovery.cpu_share import SLICE_SECONDS, CpuShare


def test_little_work_never_waits() -> None:
    clock = Clock()
    share = CpuShare(0.2, clock)
    for _ in range(1000):
        clock.now += 0.01
        assert share.owed(0.001) == 0.0


def test_work_without_end_has_its_share_of_the_time() -> None:
    clock = Clock()
    share = CpuShare(0.2, clock)
    began, used = clock.now, 0.0
    for _ in range(1000):
        used += 0.004
        clock.now += 0.004 + share.owed(0.004)
    assert used / (clock.now - began) < 0.21


def test_rest_is_not_saved_up() -> None:
    clock = Clock()
    share = CpuShare(0.2, clock)
    clock.now += 3600
    assert share.owed(2 * SLICE_SECONDS) > 0
