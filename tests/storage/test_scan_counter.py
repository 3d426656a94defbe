"""Rows that are stepped over without an index are counted, and only those of statements that count."""

from __future__ import annotations

import apsw

from goop2.storage.scan_counter import ScanCounter


def test_rows_stepped_over_without_an_index_are_counted_once() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, a)")
    connection.executemany("INSERT INTO t (a) VALUES (?)", [(number,) for number in range(100)])
    ours = False
    counter = ScanCounter(connection, lambda: not ours)
    counter.watch(True)
    list(connection.execute("SELECT * FROM t WHERE id = 7"))
    assert counter.take() == 0
    list(connection.execute("SELECT * FROM t WHERE a = 7"))
    assert counter.take() == 99
    assert counter.take() == 0
    ours = True
    list(connection.execute("SELECT * FROM t WHERE a = 7"))
    assert counter.take() == 0


def test_nothing_is_counted_until_it_is_told_to_and_that_is_told() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE t (a)")
    connection.execute("INSERT INTO t VALUES (1), (2), (3)")
    counter = ScanCounter(connection, lambda: True)
    list(connection.execute("SELECT * FROM t WHERE a = 1"))
    assert counter.take() is None
    counter.watch(True)
    list(connection.execute("SELECT * FROM t WHERE a = 1"))
    assert counter.take() == 2
    list(connection.execute("SELECT * FROM t WHERE a = 1"))
    counter.watch(False)
    assert counter.take() is None
    counter.watch(True)
    assert counter.take() == 0, "what was counted before belongs to another run"
