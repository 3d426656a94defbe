"""Rows that are hidden from a caller change no answer and no error, and take no more time than they are many.

One thing is told all the same, and documented: a unique index refuses a key that is taken.
`make long` looks at 1,000 worlds; `GOOP2_EXAMPLES=5000 pytest tests/storage/test_hidden_rows.py` looks longer still.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import apsw
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.storage.worlds import EVE, FAILING, LASTING, Built, Row, World, requests, worlds

from goop2.storage.errors import AccessError

EXAMPLES = int(os.environ.get("GOOP2_EXAMPLES", "60"))
REQUESTS = 8
"""Of one world."""
STEPS_A_HIDDEN_ROW = 100
"""SQLite's own for each: whether it is the caller's and meets the site's condition, read, sorted and passed over."""
STEPS_BESIDES = 150
"""A table without a row is read, and a key that is not there looked for, by another way."""
THOROUGH = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
WRITING = ("insert", "update", "delete")
Asked = list[tuple[str, dict[str, object]]]


@contextmanager
def built(world: World) -> Iterator[tuple[Built, Built, Built]]:
    """With the hidden rows, with others, without."""
    three = Built(world).whole(world), Built(world).with_others(world), Built(world).without_hidden(world)
    try:
        yield three
    finally:
        for one in three:
            one.close()


def told(one: Built, world: World, operation: str, request: dict[str, object]) -> object:
    """The answer; with one that writes, the rows that can be read then. It is undone."""
    writes = operation in WRITING
    if writes:
        one.database.rows("BEGIN")
    try:
        answer = one.access.perform(operation, EVE, request, condition=world.condition)
        return (answer, one.visible(world)) if writes else answer
    except AccessError as error:
        return error.code, str(error)
    finally:
        one.database.rollback()


def steps(one: Built, world: World, operation: str, request: dict[str, object]) -> int:
    """SQLite's own steps for it."""
    counted = [0]

    def count(event: dict[str, dict[str, int]]) -> None:
        counted[0] += event["stmt_status"]["SQLITE_STMTSTATUS_VM_STEP"]

    one.database.connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, count)
    try:
        told(one, world, operation, request)
    finally:
        one.database.connection.trace_v2(0, None)
    return counted[0]


@THOROUGH
@given(world=worlds(), asked=st.lists(requests(FAILING), min_size=REQUESTS, max_size=REQUESTS))
def test_hidden_rows_change_no_answer_and_no_error(world: World, asked: Asked) -> None:
    with built(world) as (whole, others, without):
        for operation, request in asked:
            answers = [told(one, world, operation, request) for one in (whole, others, without)]
            if "UNIQUE constraint failed" not in str(answers):
                assert answers[0] == answers[2]
                assert answers[1] == answers[2]


@THOROUGH
@given(world=worlds(), asked=st.lists(requests(LASTING), min_size=REQUESTS, max_size=REQUESTS))
def test_hidden_rows_take_no_more_time_than_they_are_many(world: World, asked: Asked) -> None:
    with built(world) as (whole, others, without):
        bound = STEPS_BESIDES + STEPS_A_HIDDEN_ROW * len(whole.hidden)
        for operation, request in asked:
            if operation in WRITING:
                continue
            for one in (whole, others, without):
                told(one, world, operation, request)
            taken = [steps(one, world, operation, request) for one in (whole, others, without)]
            assert abs(taken[0] - taken[2]) <= bound, taken
            assert abs(taken[1] - taken[2]) <= bound, taken


def test_a_key_that_is_taken_is_told_by_a_refusal_and_nothing_else_of_its_row() -> None:
    taken = Row(False, "taken", 5, "secret")
    world = World("keyed", "email", "", (Row(True, "mine", 1, "x"), taken), (taken, taken))
    one = Built(world)
    told_of = told(one, world, "insert", {"table": "things", "data": {"code": "taken"}})
    assert told_of == ("bad_request", "UNIQUE constraint failed: things.code")
    assert told(one, world, "update", {"table": "things", "id": 1, "data": {"code": "taken"}}) == told_of
    one.close()
