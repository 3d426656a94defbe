"""`goop2 data DIR rows` and its like: filters, pages, values, the owner's SQL and saved queries."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_SECONDS, goop2, start


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


def test_new_rows_are_followed(filled: Path) -> None:
    with start("data", filled, "rows", "posts", "-f") as following:
        assert following.stdout is not None
        while b"Post 119" not in (line := following.stdout.readline()):
            assert line
        goop2("data", filled, "write", "INSERT INTO posts (_owner, title) VALUES ('me', 'just now')")
        while b"just now" not in (line := following.stdout.readline()):
            assert line
        following.send_signal(2)
        assert following.wait(PATIENCE_SECONDS) == 130


def test_sql_writes_is_explained_and_kept(filled: Path) -> None:
    assert goop2("data", filled, "write", "DELETE FROM posts WHERE state = 'old'").stdout == "changed  60 rows\n"
    assert "may not change tables" in goop2("data", filled, "write", "DROP TABLE posts").stderr
    assert goop2("data", filled, "explain", "SELECT * FROM posts").stdout == "SCAN posts\n"
    assert goop2("data", filled, "save", "many", "SELECT count(*) AS n FROM posts").stdout == "saved  many\n"
    assert goop2("data", filled, "query", "@many", "--json").stdout == '[\n{"n":60}\n]\n'
    assert json.loads(goop2("data", filled, "saved", "--json").stdout) == [{"name": "many", "sql": "SELECT count(*) AS n FROM posts"}]
    assert goop2("data", filled, "forget", "many").stdout == "forgotten  many\n"
    assert 'no query is saved as "many"' in goop2("data", filled, "query", "@many").stderr
