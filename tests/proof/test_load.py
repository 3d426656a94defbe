"""What grows is told, what does not is not."""

from __future__ import annotations

from dataclasses import replace

from proof.load import Sample, _grown

STEADY = Sample(memory_mb=100.0, descriptors=40.0, threads=12.0, processes=4.0, files=60.0)


def test_a_peer_that_stays_as_it_is_has_not_grown() -> None:
    assert _grown([STEADY] * 30) == []


def test_what_comes_while_it_warms_up_does_not_count() -> None:
    assert _grown([replace(STEADY, memory_mb=50.0)] * 5 + [STEADY] * 25) == []


def test_each_figure_that_grows_is_named() -> None:
    for name in ("memory_mb", "descriptors", "threads", "processes", "files"):
        grown = replace(STEADY, **{name: getattr(STEADY, name) * 1.5 + 10})
        assert [name.replace("_", " ") in fault for fault in _grown([STEADY] * 15 + [grown] * 15)] == [True]


def test_too_few_samples_show_nothing() -> None:
    assert "more minutes" in _grown([STEADY])[0]
