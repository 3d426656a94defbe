"""`goop2 data`: what the owner sees of the tables, beside a running peer and without one."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from tests.cli.command import GOOP2, PATIENCE_SECONDS, Terminal, goop2, on_any_port, start

POSTS = {
    "name": "posts",
    "columns": [
        {"name": "title", "type": "text", "required": True},
        {"name": "body", "type": "text"},
        {"name": "state", "type": "enum", "values": [{"key": "new", "label": "New"}, {"key": "old", "label": "Old"}], "default": "new"},
    ],
    "access": {"read": "open", "insert": "email", "update": "owner", "delete": "local"},
}
BIG = 2**53 + 1


@pytest.fixture
def filled(folder: Path) -> Path:
    """A peer folder that has run once, with a typed, a classic and an unregistered table."""
    shutil.rmtree(folder / "schemas")  # the template's own
    (folder / "schemas").mkdir()
    (folder / "schemas/posts.json").write_text(json.dumps(POSTS))
    assert goop2("lua", "chat", folder, "!hello Bob").returncode == 0
    connection = sqlite3.connect(folder / "data.db")
    connection.execute("INSERT INTO posts (_owner, title, body) VALUES ('me', 'One', 'a, \"b\"'), ('me', 'Two', NULL)")
    connection.execute("CREATE TABLE notes (_id INTEGER PRIMARY KEY, text, number, raw)")
    connection.execute("INSERT INTO _tables (name, schema, insert_policy) VALUES ('notes', '', 'open')")
    connection.execute("INSERT INTO notes (text, number, raw) VALUES (?, ?, ?)", ("evil \x1b[31m red", BIG, b"\x00\x01\xff"))
    connection.execute("CREATE TABLE loose (x)")
    connection.commit()
    connection.close()
    return folder


def test_tables_are_listed_with_rows_kind_and_policies(filled: Path) -> None:
    found = {each["name"]: each for each in json.loads(goop2("data", filled, "tables", "--json").stdout)}
    assert found["posts"] == {
        "name": "posts",
        "kind": "typed",
        "rows": 2,
        "read": "open",
        "insert": "email",
        "update": "owner",
        "delete": "local",
    }
    assert (found["notes"]["kind"], found["notes"]["insert"], found["notes"]["rows"]) == ("classic", "open", 1)
    assert (found["loose"]["kind"], found["loose"]["read"]) == ("unregistered", "local")
    assert set(found) == {"posts", "notes", "loose"}
    shown = goop2("data", filled, "tables").stdout.splitlines()
    assert shown[0].split() == ["table", "kind", "rows", "read", "insert", "update", "delete"]
    assert ["posts", "typed", "2", "open", "email", "owner", "local"] in [line.split() for line in shown]


def test_a_table_is_described_by_its_declaration(filled: Path) -> None:
    columns = {each["name"]: each for each in json.loads(goop2("data", filled, "describe", "posts", "--json").stdout)}
    assert columns["title"] == {"name": "title", "type": "text", "required": True, "default": None, "key": False, "values": []}
    assert columns["state"]["values"] == ["new", "old"]
    assert columns["_id"]["key"]
    assert "state" in goop2("data", filled, "describe", "posts").stdout


def test_a_query_gives_a_table_csv_and_json(filled: Path) -> None:
    sql = "SELECT _id, title, body FROM posts ORDER BY _id"
    assert [line.split()[:2] for line in goop2("data", filled, "query", sql).stdout.splitlines()] == [
        ["_id", "title"],
        ["1", "One"],
        ["2", "Two"],
    ]
    assert list(csv.reader(io.StringIO(goop2("data", filled, "query", sql, "--csv").stdout))) == [
        ["_id", "title", "body"],
        ["1", "One", 'a, "b"'],
        ["2", "Two", ""],
    ]
    assert json.loads(goop2("data", filled, "query", sql, "--json").stdout) == [
        {"_id": 1, "title": "One", "body": 'a, "b"'},
        {"_id": 2, "title": "Two", "body": None},
    ]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("SELECT 1 AS x, 2 AS x, 3 AS x", ["x:1", "x:2", "x"]),
        ('SELECT 1 AS x, 2 AS "x:1", 3 AS x', ["x:2", "x:1", "x"]),
        ("SELECT 1 AS x, 2 AS X", ["x", "X"]),
    ],
)
def test_double_columns_are_named_as_in_lua(filled: Path, sql: str, names: list[str]) -> None:
    (row,) = json.loads(goop2("data", filled, "query", sql, "--json").stdout)
    assert list(row) == names
    code = f"function call() local rows = goop.db.query([[{sql}]]) local t = {{}} for k, v in pairs(rows[1]) do t[v] = k end return t end"
    (filled / "site/lua/functions").mkdir(parents=True, exist_ok=True)
    (filled / "site/lua/functions/names.lua").write_text(code)
    assert json.loads(goop2("lua", "call", filled, "names").stdout) == names


def test_values_that_need_care(filled: Path) -> None:
    sql = "SELECT text, number, raw, number AS text FROM notes"
    (row,) = json.loads(goop2("data", filled, "query", sql, "--json").stdout)
    assert row == {"text:1": "evil \x1b[31m red", "number": str(BIG), "raw": "AAH/", "text": str(BIG)}
    shown = goop2("data", filled, "query", sql).stdout
    assert "blob, 3 bytes" in shown
    assert "\x1b" not in shown
    with Terminal(["data", filled, "query", sql, "--csv"]) as terminal:
        assert terminal.ended() == 0
        assert "\x1b[31m" not in terminal.raw


def test_no_rows(filled: Path) -> None:
    sql = "SELECT * FROM posts WHERE _id = 99"
    assert goop2("data", filled, "query", sql, "--json").stdout == "[]\n"
    assert goop2("data", filled, "query", sql).stderr == "no rows\n"


def test_more_rows_than_a_table_shows(filled: Path) -> None:
    sql = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2500) SELECT x FROM n"
    done = goop2("data", filled, "query", sql)
    assert len(done.stdout.splitlines()) == 1001
    assert "the first 1000 rows" in done.stderr
    assert len(goop2("data", filled, "query", sql, "--csv").stdout.splitlines()) == 2501


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("DELETE FROM posts", "may not write to the table posts"),
        ("CREATE TABLE x (y)", "may not change tables"),
        ("ATTACH 'other.db' AS other", "may not use ATTACH"),
        ("SELECT 1; SELECT 2", "takes one statement"),
        ("PRAGMA user_version = 7", "may not use PRAGMA"),
        ("SELECT nope FROM posts", "no such column: nope"),
        ("", "there is no statement"),
        ("PRAGMA wal_checkpoint", "may not use PRAGMA"),
        ("PRAGMA writable_schema = 1", "may not use PRAGMA"),
    ],
)
def test_a_query_only_reads_and_says_so(filled: Path, sql: str, sentence: str) -> None:
    before = (filled / "data.db").read_bytes()
    done = goop2("data", filled, "query", sql)
    assert (done.returncode, done.stdout) == (2, "")
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert (filled / "data.db").read_bytes() == before
    assert not (filled / "other.db").exists()


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        ("SELECT rowid FROM search WHERE search MATCH 'hello'", "1"),
        ("EXPLAIN QUERY PLAN SELECT * FROM posts WHERE _id = 1", "SEARCH posts USING INTEGER PRIMARY KEY"),
        ("PRAGMA table_info(posts)", "title"),
        ("PRAGMA quick_check", "ok"),
        ("SELECT title FROM titles", "Two"),
    ],
)
def test_an_owner_may_look_at_anything(filled: Path, sql: str, found: str) -> None:
    with closing(sqlite3.connect(filled / "data.db")) as connection:
        connection.execute("CREATE VIRTUAL TABLE search USING fts5(text)")
        connection.execute("INSERT INTO search VALUES ('hello world')")
        connection.execute("CREATE VIEW titles AS SELECT title FROM posts")
        connection.commit()
    done = goop2("data", filled, "query", sql)
    assert done.returncode == 0, done.stderr
    assert found in done.stdout
    assert [line.split()[0] for line in goop2("data", filled, "tables").stdout.splitlines()[1:]] == ["loose", "notes", "posts", "search"]
    assert "title" in goop2("data", filled, "describe", "titles").stdout


def test_what_has_no_rows_has_columns(filled: Path) -> None:
    assert goop2("data", filled, "export", "loose").stdout == "x\n"
    assert goop2("data", filled, "query", "SELECT title, body FROM posts WHERE 0", "--csv").stdout == "title,body\n"


def test_a_long_text_leaves_room_for_the_other_columns(filled: Path) -> None:
    columns = ", ".join(f"{10**9 + number} AS n{number}" for number in range(5))
    with Terminal(["data", filled, "query", f"SELECT hex(zeroblob(150)) AS long, 'short' AS short, {columns}"]) as terminal:
        assert terminal.ended() == 0
        (line,) = [line for line in terminal.text.splitlines() if "short" in line and "000" in line]
    assert line.split()[1:] == ["short", *(str(10**9 + number) for number in range(5))], "numbers are never cut"
    assert line.split()[0].endswith("0…")


def test_rows_too_wide_for_the_terminal_are_written_a_value_a_line(filled: Path) -> None:
    columns = ", ".join(f"'value {number}' AS c{number}" for number in range(30))
    with Terminal(["data", filled, "query", f"SELECT {columns} FROM posts"]) as terminal:
        assert terminal.ended() == 0
        lines = [line.split() for line in terminal.text.splitlines()]
    one = [[f"c{number}", "value", str(number)] for number in range(30)]
    assert [line for line in lines if line] == one + one
    assert [] in lines, "a blank line between"


def test_infinity_is_no_null(filled: Path) -> None:
    sql = "SELECT 9e999 AS a, -9e999 AS b"
    assert goop2("data", filled, "query", sql, "--json").stdout == '[\n{"a":1e999,"b":-1e999}\n]\n'
    assert goop2("data", filled, "query", sql, "--csv").stdout == "a,b\ninf,-inf\n"


@pytest.mark.parametrize("command", [("tables",), ("describe", "posts"), ("query", "SELECT 1")])
def test_one_form_at_a_time(filled: Path, command: tuple[str, ...]) -> None:
    done = goop2("data", filled, *command, "--csv", "--json")
    assert (done.returncode, done.stderr) == (2, "error: --json or --csv, not both\n")


def test_a_damaged_file_is_told_and_a_damaged_declaration_is_one_tables(filled: Path) -> None:
    with closing(sqlite3.connect(filled / "data.db")) as connection:
        connection.execute("UPDATE _orm_schemas SET schema_json = '{'")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    kinds = {each["name"]: each["kind"] for each in json.loads(goop2("data", filled, "tables", "--json").stdout)}
    assert kinds == {"loose": "unregistered", "notes": "classic", "posts": "unreadable"}
    assert "title" in goop2("data", filled, "describe", "posts").stdout
    page = 4096
    content = (filled / "data.db").read_bytes()
    (filled / "data.db").write_bytes(content[:page] + b"\xaa" * (len(content) - page))
    done = goop2("data", filled, "tables")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "damaged" in done.stderr


@pytest.mark.parametrize("command", [("export", "posts", "--output"), ("backup",)])
def test_where_no_file_can_be_is_told(filled: Path, command: tuple[str, ...]) -> None:
    for target, sentence in (
        (filled / "site", "is a folder: name a file in it"),
        (filled / "nosuch/a", "is not there: make the folder first"),
    ):
        done = goop2("data", filled, *command, target)
        assert (done.returncode, done.stdout) == (2, "")
        assert sentence in done.stderr


def test_the_peers_own_tables_can_be_read_by_its_owner(filled: Path) -> None:
    assert json.loads(goop2("data", filled, "query", "SELECT name FROM _tables WHERE name = 'notes'", "--json").stdout) == [
        {"name": "notes"}
    ]


def test_a_folder_that_has_not_run_says_so_and_stays_as_it_is(folder: Path) -> None:
    done = goop2("data", folder, "tables")
    assert done.returncode == 2
    assert "data.db is not there yet" in done.stderr
    assert not (folder / "data.db").exists()


def test_export_writes_a_whole_file_or_none(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "posts.csv"
    assert goop2("data", filled, "export", "posts", "--output", target).returncode == 0
    assert [row["title"] for row in csv.DictReader(io.StringIO(target.read_text()))] == ["One", "Two"]
    assert goop2("data", filled, "export", "posts").stdout == target.read_text()
    before = sorted(tmp_path.iterdir())
    done = goop2("data", filled, "export", "nothing", "--output", tmp_path / "nothing.csv")
    assert done.returncode == 2
    assert 'there is no table "nothing"; tables here: loose, notes, posts' in done.stderr
    assert sorted(tmp_path.iterdir()) == before


def test_export_of_everything(filled: Path, tmp_path: Path) -> None:
    assert goop2("data", filled, "export", "--all", "--format", "json", "--output", tmp_path / "all").returncode == 0
    assert sorted(file.name for file in (tmp_path / "all").iterdir()) == ["loose.json", "notes.json", "posts.json"]
    assert json.loads((tmp_path / "all/notes.json").read_text())[0]["number"] == str(BIG)


def test_a_tables_name_leads_to_no_other_folder(filled: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(filled / "data.db")) as connection:
        connection.execute('CREATE TABLE "../out" (x)')
        connection.execute('CREATE TABLE "a/b" (x)')
    done = goop2("data", filled, "export", "--all", "--output", tmp_path / "all")
    assert done.returncode == 0
    assert sorted(file.name for file in (tmp_path / "all").iterdir()) == [
        "%2E.%2Fout.csv",
        "a%2Fb.csv",
        "loose.csv",
        "notes.csv",
        "posts.csv",
    ]
    assert not (tmp_path / "out.csv").exists()


def test_a_table_that_cannot_be_exported_is_named(filled: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(filled / "data.db")) as connection:
        connection.execute("INSERT INTO loose VALUES ('no JSON')")
        connection.execute("ALTER TABLE loose ADD COLUMN computed AS (json(x))")
        connection.commit()
    done = goop2("data", filled, "export", "--all", "--output", tmp_path / "all")
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "error: table loose: malformed JSON")


def test_a_text_of_old_bytes_is_named_and_the_rest_is_read(filled: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(filled / "data.db")) as connection:
        connection.execute("CREATE TABLE guests (id INTEGER PRIMARY KEY, name TEXT)")
        connection.execute("INSERT INTO guests (name) VALUES ('Ann'), (CAST(x'4a6f73e9' AS TEXT)), ('Zoe')")
        connection.commit()
    named = "table guests, row 2, column name: the text is not UTF-8;"
    done = goop2("data", filled, "export", "guests")
    assert (done.returncode, done.stdout, done.stderr[: len(named)]) == (0, "id,name\n1,Ann\n2,Jos\ufffd\n3,Zoe\n", named)
    done = goop2("data", filled, "query", "SELECT name FROM guests;", "--json")
    assert ([row["name"] for row in json.loads(done.stdout)], done.stderr[: len(named)]) == (["Ann", "Jos\ufffd", "Zoe"], named)
    done = goop2("data", filled, "export", "--all", "--output", tmp_path / "all")
    assert (done.returncode, named in done.stderr, len(list((tmp_path / "all").iterdir()))) == (0, True, 4)
    assert goop2("data", filled, "query", "SELECT hex(CAST(name AS BLOB)) AS h FROM guests WHERE id = 2", "--csv").stdout == "h\n4A6F73E9\n"


def test_a_computed_column_is_described_and_exported(filled: Path) -> None:
    with closing(sqlite3.connect(filled / "data.db")) as connection:
        connection.execute("CREATE TABLE sums (a INTEGER, twice INTEGER AS (2 * a))")
        connection.execute("INSERT INTO sums (a) VALUES (4)")
        connection.commit()
    assert goop2("data", filled, "export", "sums").stdout == "a,twice\n4,8\n"
    assert goop2("data", filled, "describe", "sums").stdout.splitlines()[2].split() == ["twice", "INTEGER", "computed"]


def test_an_export_that_finds_no_room_names_its_file_and_leaves_nothing(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    with closing(sqlite3.connect(filled / "data.db")) as connection:
        connection.execute("INSERT INTO loose VALUES (?)", ("x" * 100_000,))
        connection.commit()
    done = subprocess.run(
        [GOOP2, "data", filled, "export", "loose", "--output", tmp_path / "full/loose.csv"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)),
    )
    assert (done.returncode, done.stderr) == (2, f"error: {tmp_path}/full/loose.csv was not written: File too large\n")
    assert list((tmp_path / "full").iterdir()) == []


def test_no_file_is_put_in_the_place_of_a_pipe(filled: Path, tmp_path: Path) -> None:
    """Nor of a terminal or /dev/null, which root could replace."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as threads:
        read = threads.submit(pipe.read_text)
        assert goop2("data", filled, "export", "posts", "--output", pipe).returncode == 0
        assert read.result() == goop2("data", filled, "export", "posts").stdout
    done = goop2("data", filled, "backup", pipe, "--force")
    assert (done.returncode, "is no file" in done.stderr) == (2, True)
    assert pipe.is_fifo()


def test_an_export_goes_where_a_link_leads(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "there.csv").write_text("old")
    (tmp_path / "link.csv").symlink_to("there.csv")
    assert goop2("data", filled, "export", "posts", "--output", tmp_path / "link.csv").returncode == 0
    assert (tmp_path / "link.csv").is_symlink()
    assert "One" in (tmp_path / "there.csv").read_text()


def test_what_strangers_wrote_steers_no_terminal(filled: Path) -> None:
    with Terminal(["data", filled, "export", "notes"]) as terminal:
        terminal.wait_for("red")
        assert "\x1b[31m" not in terminal.raw


@pytest.mark.parametrize("arguments", [(), ("posts", "--all"), ("--all",)])
def test_export_wants_one_thing(filled: Path, arguments: tuple[str, ...]) -> None:
    assert goop2("data", filled, "export", *arguments).returncode == 2


def test_a_backup_is_a_database_of_its_own(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    assert goop2("data", filled, "backup", target).returncode == 0
    assert sorted(file.name for file in tmp_path.iterdir() if "copy" in file.name) == ["copy.db"]
    connection = sqlite3.connect(target)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert connection.execute("SELECT count(*) FROM posts").fetchone() == (2,)
    connection.close()


def test_a_backup_replaces_nothing_unasked(filled: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    done = goop2("data", filled, "backup", target)
    assert done.returncode == 2
    assert "--force" in done.stderr
    assert target.read_text() == "precious"
    assert goop2("data", filled, "backup", target, "--force").returncode == 0
    assert target.read_bytes().startswith(b"SQLite format 3")
    assert goop2("data", filled, "backup", filled / "data.db", "--force").returncode == 2


@pytest.fixture
def running(filled: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The peer of the folder, running."""
    with start("chat", filled) as peer:
        yield peer
        peer.send_signal(signal.SIGINT)
        peer.communicate(timeout=PATIENCE_SECONDS)


def test_a_backup_beside_a_running_peer_is_of_one_moment(filled: Path, running: subprocess.Popen[bytes], tmp_path: Path) -> None:
    assert running.stdin is not None
    assert running.stdout is not None
    running.stdin.write(b"!hello\n")
    running.stdin.flush()
    assert running.stdout.readline()
    stop = threading.Event()

    def write() -> None:
        connection = sqlite3.connect(filled / "data.db", isolation_level=None, timeout=10)
        while not stop.is_set():
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO notes (text) VALUES ('pair')")
            connection.execute("INSERT INTO notes (text) VALUES ('pair')")
            connection.execute("COMMIT")
        connection.close()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            assert goop2("data", filled, "backup", tmp_path / f"{number}.db").returncode == 0
            connection = sqlite3.connect(tmp_path / f"{number}.db")
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("SELECT count(*) % 2 FROM notes WHERE text = 'pair'").fetchone() == (0,)
            connection.close()
    finally:
        stop.set()
        writer.join()


def test_a_backup_is_restored_in_one_command(filled: Path, tmp_path: Path) -> None:
    assert goop2("data", filled, "backup", tmp_path / "b.db").returncode == 0
    with closing(sqlite3.connect(filled / "data.db")) as database, database:
        database.execute("DELETE FROM posts")
    done = goop2("data", filled, "restore", tmp_path / "b.db")
    assert done.returncode == 0, done.stderr
    restored, kept = done.stdout.splitlines()
    assert restored == f"restored  {tmp_path / 'b.db'}, 3 tables"
    assert kept.startswith(f"kept  {filled}/data.db.before-")
    assert goop2("data", filled, "query", "SELECT count(*) FROM posts", "--csv").stdout.splitlines()[1] == "2"


def test_a_restore_under_a_running_peer_is_refused(filled: Path, tmp_path: Path) -> None:
    assert goop2("data", filled, "backup", tmp_path / "b.db").returncode == 0
    on_any_port(filled)
    with Terminal(["peer", filled]) as peer:
        peer.wait_for("is up")
        done = goop2("data", filled, "restore", tmp_path / "b.db")
        assert done.returncode == 2
        assert "runs" in done.stderr
        peer.process.send_signal(signal.SIGINT)
        peer.ended()


@pytest.mark.parametrize("name", ["nowhere.db", "."])
def test_what_is_no_file_is_no_backup(filled: Path, tmp_path: Path, name: str) -> None:
    done = goop2("data", filled, "restore", tmp_path / name)
    assert done.returncode == 2
    assert "name a backup" in done.stderr


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "＝1+1"])
def test_a_text_that_a_spreadsheet_would_run_is_marked_as_text(filled: Path, text: str) -> None:
    with closing(sqlite3.connect(filled / "data.db")) as database, database:
        database.execute("UPDATE posts SET title = ? WHERE _id = 1", (text,))
    exported = goop2("data", filled, "export", "posts").stdout
    rows = list(csv.DictReader(io.StringIO(exported, newline="")))
    assert rows[0]["title"] == f"'{text}"


@pytest.mark.parametrize("text", ["-5", "+3.5", "-1e9", "a=b", "plain", "'quoted"])
def test_what_is_no_formula_is_exported_as_it_is(filled: Path, text: str) -> None:
    with closing(sqlite3.connect(filled / "data.db")) as database, database:
        database.execute("UPDATE posts SET title = ? WHERE _id = 1", (text,))
    rows = list(csv.DictReader(io.StringIO(goop2("data", filled, "export", "posts").stdout)))
    assert rows[0]["title"] == text
