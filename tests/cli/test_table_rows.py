"""`goop2 data DIR rows` and its like: filters, pages, values, the owner's SQL and saved queries."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_SECONDS, goop2, start
from tests.started import Started

from goop2.cli import table_rows
from goop2.storage.database import open_database
from goop2.storage.table_browser import RowsFound, RowsWanted, TableBrowser


@pytest.fixture
def filled(folder: Path, tmp_path: Path) -> Path:
    goop2("data", folder, "create", "posts", "title:text", "state:enum:values=new,old", "likes:integer")
    rows = [{"title": f"Post {number}", "state": "old" if number % 2 else "new", "likes": number} for number in range(120)]
    (tmp_path / "posts.json").write_text(json.dumps(rows))
    assert goop2("data", folder, "import", "posts", tmp_path / "posts.json").returncode == 0
    return folder


def titles(folder: Path, *words: str) -> list[str]:
    done = goop2("data", folder, "rows", "posts", *words)
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    place = head.index("title")
    return [line[place:].split("  ")[0].strip() for line in lines]


def test_rows_are_filtered_sorted_and_turned(filled: Path) -> None:
    assert titles(filled, "--where", "likes less than 2") == ["Post 0", "Post 1"]
    assert titles(filled, "--where", "state is old", "--where", "likes at most 3", "--order", "-likes") == ["Post 3", "Post 1"]
    assert titles(filled, "--where", "title is not empty", "--page", "3")[0] == "Post 100"
    assert goop2("data", filled, "rows", "posts", "--page", "2").stderr == "page 2 of 3, 120 rows\n"
    assert goop2("data", filled, "rows", "posts", "--values", "state").stdout.split() == ["state", "rows", "new", "60", "old", "60"]
    for words, sentence in (
        (("--where", "likes"), "is not understood"),
        (("--where", "likes above 3"), "is not understood"),
        (("--where", "nope is 3"), 'posts has no column "nope"'),
        (("--search", "x"), "has no full-text index"),
        (("--order", "nope"), 'posts has no column "nope"'),
    ):
        done = goop2("data", filled, "rows", "posts", *words)
        assert (done.returncode, sentence in done.stderr) == (2, True), done.stderr


def read_until(following: Started[bytes], text: bytes) -> None:
    """Read lines up to one with `text`; the program is ended when it does not come."""
    assert following.stdout is not None
    timer = threading.Timer(PATIENCE_SECONDS, following.kill)
    timer.start()
    try:
        while text not in (line := following.stdout.readline()):
            assert line, f"{text!r} did not come"
    finally:
        timer.cancel()


def test_new_rows_are_followed(filled: Path) -> None:
    with start("data", filled, "rows", "posts", "-f") as following:
        read_until(following, b"Post 119")
        goop2("data", filled, "write", "INSERT INTO posts (_owner, title) VALUES ('me', 'just now')")
        read_until(following, b"just now")
        many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250) "
        goop2("data", filled, "write", f"INSERT INTO posts (_owner, title) {many} SELECT 'me', 'at once ' || i FROM n")
        read_until(following, b"at once 250")
        following.send_signal(2)
        assert following.wait(PATIENCE_SECONDS) == 130


def test_a_row_that_is_written_while_the_first_ones_are_read_is_followed_too(filled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class MeanwhileError(Exception):
        """The row came."""

    real = TableBrowser.rows

    def rows_and_a_write(browser: TableBrowser, wanted: RowsWanted) -> RowsFound:
        found = real(browser, wanted)
        monkeypatch.setattr(TableBrowser, "rows", real)
        goop2("data", filled, "write", "INSERT INTO posts (_owner, title) VALUES ('me', 'meanwhile')")
        return found

    def printed(_columns: object, lines: Iterator[Sequence[object]]) -> None:
        if "meanwhile" in str(list(lines)):
            raise MeanwhileError

    monkeypatch.setattr(TableBrowser, "rows", rows_and_a_write)
    monkeypatch.setattr("goop2.cli.rows.print_table", printed)
    with closing(open_database(filled / "data.db")) as database, pytest.raises(MeanwhileError):
        table_rows._follow(TableBrowser(database), RowsWanted(table="posts", limit=50))


def test_sql_writes_is_explained_and_kept(filled: Path) -> None:
    assert goop2("data", filled, "write", "DELETE FROM posts WHERE state = 'old'").stdout == "changed  60 rows\n"
    assert "may not change tables" in goop2("data", filled, "write", "DROP TABLE posts").stderr
    assert goop2("data", filled, "explain", "SELECT * FROM posts").stdout == "SCAN posts\n"
    assert goop2("data", filled, "save", "many", "SELECT count(*) AS n FROM posts").stdout == "saved  many\n"
    assert goop2("data", filled, "query", "@many", "--json").stdout == '[\n{"n":60}\n]\n'
    assert json.loads(goop2("data", filled, "saved", "--json").stdout) == [{"name": "many", "sql": "SELECT count(*) AS n FROM posts"}]
    assert goop2("data", filled, "forget", "many").stdout == "forgotten  many\n"
    assert 'no query is saved as "many"' in goop2("data", filled, "query", "@many").stderr
