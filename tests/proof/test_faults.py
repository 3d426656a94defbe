"""The table of faults is whole: each row says what, when and what should happen."""

from __future__ import annotations

from proof.faults import FAULTS


def test_each_fault_is_a_row_of_the_table() -> None:
    assert FAULTS
    for fault in FAULTS:
        assert fault.__doc__ is not None
        assert [bool(cell.strip()) for cell in fault.__doc__.split("|")] == [True] * 3, fault.__name__
