"""Queries that the owner keeps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from goop2.storage import saved_queries
from goop2.storage.errors import StorageError
from goop2.storage.saved_queries import SavedQuery


def test_queries_are_kept_replaced_and_forgotten(tmp_path: Path) -> None:
    assert saved_queries.saved(tmp_path) == []
    saved_queries.save(tmp_path, "b", "SELECT 2")
    saved_queries.save(tmp_path, "A", "SELECT 1")
    saved_queries.save(tmp_path, "b", " SELECT 3 ")
    assert saved_queries.saved(tmp_path) == [SavedQuery("A", "SELECT 1"), SavedQuery("b", "SELECT 3")]
    assert saved_queries.find(tmp_path, "b") == "SELECT 3"
    assert (tmp_path / saved_queries.FILE).stat().st_mode & 0o777 == 0o600
    saved_queries.forget(tmp_path, "A")
    with pytest.raises(StorageError, match='no query is saved as "A"; saved are: b'):
        saved_queries.find(tmp_path, "A")
    with pytest.raises(StorageError, match='no query is saved as "A"'):
        saved_queries.forget(tmp_path, "A")


@pytest.mark.parametrize(
    ("name", "sql"), [("", "SELECT 1"), ("x" * 81, "SELECT 1"), ("a\nb", "SELECT 1"), ("a", " "), ("a", "x" * 100_001)]
)
def test_what_is_no_query_is_not_kept(tmp_path: Path, name: str, sql: str) -> None:
    with pytest.raises(StorageError):
        saved_queries.save(tmp_path, name, sql)
    assert saved_queries.saved(tmp_path) == []


@pytest.mark.parametrize("content", ["{", '{"a": 1}', '[{"name": 1}]', "[" * 5000])
def test_a_damaged_file_is_a_sentence_and_stays(tmp_path: Path, content: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / saved_queries.FILE).write_text(content)
    with pytest.raises(StorageError, match="mend it or remove it"):
        saved_queries.save(tmp_path, "a", "SELECT 1")
    assert (tmp_path / saved_queries.FILE).read_text() == content


def test_a_named_pipe_in_its_place_holds_nobody(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.mkfifo(tmp_path / saved_queries.FILE)
    with pytest.raises(StorageError, match="cannot be read"):
        saved_queries.saved(tmp_path)
