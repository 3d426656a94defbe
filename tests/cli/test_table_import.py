"""`goop2 data DIR import`: rows of files, shown, checked and added."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.command import goop2

CSV = "First name,Age\nAnn,30\nBob,many\n"


def test_a_file_is_tried_corrected_and_imported_into_a_new_table(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "people.csv"
    file.write_text(CSV)
    tried = goop2("data", folder, "import", "people", file, "--create", "--type", "Age=integer", "--dry-run")
    assert tried.returncode == 1
    assert tried.stdout.splitlines() == [
        "First name -> First_name, text",
        "Age -> Age, integer",
        "1 row would be added to people, 1 wrong",
    ]
    assert 'line 3: Age takes a whole number, not "many"' in tried.stderr
    refused = goop2("data", folder, "import", "people", file, "--create", "--type", "Age=integer")
    assert refused.returncode == 2
    assert "1 of 2 rows are wrong, so none was added: mend the file, or pass over them with --skip-wrong" in refused.stderr
    done = goop2("data", folder, "import", "people", file, "--create", "--type", "Age=integer", "--skip-wrong")
    assert (done.returncode, done.stdout) == (0, "added  1 row to people, 1 wrong ones passed over\n")
    assert "is for you alone" in done.stderr
    more = goop2("data", folder, "import", "people", file, "--column", "Age=")
    assert more.stdout == "added  2 rows to people\n"
    rows = json.loads(goop2("data", folder, "query", "SELECT First_name, Age FROM people", "--json").stdout)
    assert rows == [{"First_name": "Ann", "Age": 30}, {"First_name": "Ann", "Age": None}, {"First_name": "Bob", "Age": None}]


def test_what_export_writes_comes_back(folder: Path, tmp_path: Path) -> None:
    goop2("data", folder, "create", "posts", "title:text", "points:integer")
    goop2("data", folder, "create", "copies", "title:text", "points:integer")
    (tmp_path / "a.json").write_text('[{"title": "=1+1", "points": 5}, {"title": "b, \\"c\\"\\nd"}]')
    assert goop2("data", folder, "import", "posts", tmp_path / "a.json").returncode == 0
    for form in ("csv", "json"):
        out = tmp_path / f"out.{form}"
        goop2("data", folder, "export", "posts", "--format", form, "--output", out)
        assert goop2("data", folder, "import", "copies", out).returncode == 0
    rows = json.loads(goop2("data", folder, "query", "SELECT title, points FROM copies", "--json").stdout)
    assert rows == [{"title": "=1+1", "points": 5}, {"title": 'b, "c"\nd', "points": None}] * 2


def test_wrong_words_are_a_sentence(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("a\n1\n")
    for words, sentence in (
        (("x", file), 'there is no table "x"'),
        (("x", tmp_path / "none.csv"), "is not there: name a CSV or JSON file"),
        (("x", tmp_path), "does not say what it is: add --format"),
        (("x", file, "--type", "a=text"), "--type is for a table that is made"),
        (("x", file, "--column", "a"), "is not understood; write the file's column, =, and ours"),
        (("x", file, "--create", "--column", "b=c"), 'the file has no column "b"'),
    ):
        done = goop2("data", folder, "import", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in done.stderr
