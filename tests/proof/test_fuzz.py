"""Every target of the fuzzer, over the inputs that are kept, and a moment of hypothesis; and the oracle of the guard can fail."""

from __future__ import annotations

import apsw
import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from proof.fuzz import sql
from proof.fuzz.__main__ import nearly
from proof.fuzz.corpus import FOLDER, chosen, keep, kept
from proof.fuzz.target import TARGETS, Finding, Target, finding_of, minimized
from proof.fuzz.targets import TARGETS as ALL

from goop2.storage import guard
from goop2.storage.database import Database
from goop2.storage.errors import StorageError

SEEDS_MAX = 80
"""The SQL of attackers that the targets begin with is tested one by one elsewhere (tests/storage/hostile_sql.py)."""
EXAMPLES = 12
"""Of each target: two seconds for all of them."""


def _named(name: str) -> tuple[Target, list[bytes]]:
    inputs, faults = kept(name)
    return ALL[name], [*ALL[name].seeds, *inputs, *(content for _, content in faults)]


@pytest.mark.parametrize("name", sorted(ALL))
def test_nothing_that_is_kept_shows_a_fault(name: str) -> None:
    one, inputs = _named(name)
    inputs = inputs if len(inputs) < SEEDS_MAX else inputs[:: len(inputs) // SEEDS_MAX + 1] + [content for _, content in kept(name)[1]]
    assert [finding for content in inputs if (finding := finding_of(one, content)) is not None] == []


@pytest.mark.parametrize("name", sorted(ALL))
def test_a_moment_of_random_input_shows_no_fault(name: str) -> None:
    one, inputs = _named(name)

    @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(nearly(inputs))
    def give(content: bytes) -> None:
        found = finding_of(one, content)
        assert found is None, f"{found}: keep this input in proof/fuzz/corpora/{name}.txt, below a line `# what is wrong`"

    give()


def test_every_file_of_inputs_belongs_to_a_target() -> None:
    assert {file.stem for file in FOLDER.glob("*.txt")} <= set(ALL)
    assert TARGETS is ALL


def test_a_fault_is_found_named_and_made_short() -> None:
    def fails(data: bytes) -> None:
        """It fails."""
        if b"x" in data:
            raise KeyError
        raise ValueError

    one = Target("fails", "", fails, (ValueError,), ())
    found = finding_of(one, b"abcdefxghi")
    assert found is not None
    assert found.kind.startswith("KeyError at tests/proof/test_fuzz.py:")
    assert minimized(one, found) == Finding(found.kind, b"x")
    assert finding_of(one, b"abc") is None


def test_inputs_are_kept_when_they_reach_something_new(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setattr("proof.fuzz.corpus.FOLDER", tmp_path)
    inputs = chosen(ALL["varint"], [b"\x01", b"\x02", b"\x03", b"\xff" * 20])
    assert inputs == [b"\x01", b"\xff" * 20]
    keep("varint", inputs, [("slow", b"\0")])
    assert kept("varint") == (inputs, [("slow", b"\0")])


LET_THROUGH = {
    guard.SCRIPT_READS: (guard.QUERY, "SELECT count(*) FROM _chat_messages", "opened _chat_messages"),
    guard.SCRIPT_WRITES: (guard.EXEC, "DELETE FROM _chat_messages", "opened _chat_messages"),
}


@pytest.mark.parametrize("kind", LET_THROUGH)
def test_the_oracle_notices_a_guard_that_lets_through_what_it_should_not(
    kind: guard.StatementKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = dict.fromkeys((*guard.PERMITTED[guard.SCRIPT_WRITES], apsw.SQLITE_PRAGMA), lambda *_: True)
    monkeypatch.setitem(guard.PERMITTED, kind, everything)
    world = sql.GuardedWorld()
    role, text, complaint = LET_THROUGH[kind]
    run = Database.change if role.kind.writes else Database.query
    with pytest.raises(AssertionError, match=complaint):
        world.run(lambda: run(world.database, role, text), text)


def test_the_oracle_lets_pass_what_is_permitted_and_what_is_refused() -> None:
    world = sql.GuardedWorld()
    world.run(lambda: world.database.query(guard.QUERY, "SELECT body FROM shown"), "")
    world.run(lambda: world.database.change(guard.EXEC, "INSERT INTO notes (body, _owner) VALUES ('x', 'me')"), "")
    with pytest.raises(StorageError, match="may not read the table _chat_messages"):
        world.run(lambda: world.database.query(guard.QUERY, "SELECT content FROM leak"), "")


def test_the_exceptions_of_msgspec_are_three() -> None:
    """The kind of fault that was found most: what reads others' bytes with msgspec itself has all of them to expect."""
    for content, error in ((b'"\xff"', UnicodeDecodeError), (b"[" * 10_000, RecursionError), (b"{", msgspec.DecodeError)):
        with pytest.raises(error):
            msgspec.json.decode(content)
