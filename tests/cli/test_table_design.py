"""`goop2 data DIR create` and its like: tables are changed at rest and beside a running peer, and what goes wants its name."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.cli.command import Terminal, goop2, on_any_port, start


def said(folder: Path, *words: str) -> str:
    done = goop2("data", folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refused(folder: Path, *words: str) -> str:
    done = goop2("data", folder, *words)
    assert done.returncode == 2, done.stdout
    return done.stderr


def columns(folder: Path, table: str) -> list[str]:
    return [each["name"] for each in json.loads(said(folder, "describe", table, "--json")) if not each["name"].startswith("_")]


def test_a_table_is_made_changed_and_dropped_in_a_folder_that_never_ran(folder: Path) -> None:
    assert (
        said(folder, "create", "posts", "title:text:required", "state:enum:values=new,old:default=new", "--insert", "email")
        == "made  posts\n"
    )
    assert said(folder, "add-column", "posts", "body:text") == "added  posts.body\n"
    assert said(folder, "rename-column", "posts", "body", "text") == "renamed  posts.body -> posts.text\n"
    assert columns(folder, "posts") == ["title", "state", "text"]
    assert "say so with --confirm text" in refused(folder, "drop-column", "posts", "text")
    assert "'Text' is not 'text': nothing was dropped" in refused(folder, "drop-column", "posts", "text", "--confirm", "Text")
    assert said(folder, "drop-column", "posts", "text", "--confirm", "text") == "dropped  posts.text\n"
    assert said(folder, "rename", "posts", "articles") == "renamed  posts -> articles\n"
    assert "say so with --confirm articles" in refused(folder, "drop", "articles")
    assert said(folder, "drop", "articles", "--confirm", "articles") == "dropped  articles, 0 rows\n"
    assert said(folder, "tables", "--csv") == "table,kind,rows,read,insert,update,delete\n"


def test_policies_are_told_as_sentences_and_changed(folder: Path) -> None:
    said(folder, "create", "posts", "title:text")
    assert said(folder, "policy", "posts").splitlines()[:2] == ["anyone may read", "you alone may add rows"]
    assert said(folder, "policy", "posts", "read=local", "insert=open").splitlines()[:2] == ["you alone may read", "anyone may add rows"]
    assert json.loads(said(folder, "policy", "posts", "--json"))["read"] == "local"
    assert "allowed is open, group, email, owner, local" in refused(folder, "policy", "posts", "read=all")
    assert "there is no table" in refused(folder, "policy", "nope")


def test_on_a_terminal_the_name_is_asked_for(folder: Path) -> None:
    said(folder, "create", "posts", "title:text")
    with Terminal(["data", folder, "drop", "posts"]) as terminal:
        terminal.wait_for("Type its name to go on: ")
        terminal.type("posts\n")
        assert terminal.ended() == 0
    assert said(folder, "tables", "--csv").count("\n") == 1


def test_a_running_peer_has_the_change_at_once(folder: Path) -> None:
    """Its schema file changes with the table, so that the peer does not undo it."""
    on_any_port(folder)
    (folder / "schemas").mkdir(exist_ok=True)
    (folder / "schemas/posts.json").write_text(
        json.dumps({"name": "posts", "columns": [{"name": "title", "type": "text"}, {"name": "body", "type": "text"}]})
    )
    (folder / "site/lua/functions/all.lua").parent.mkdir(exist_ok=True)
    (folder / "site/lua/functions/all.lua").write_text('function call() return goop.schema.describe("posts").columns end')
    with start("peer", folder) as peer:
        assert peer.stdout is not None
        while not re.search(rb"is up|site  |http://", line := peer.stdout.readline()):
            assert line
        done = goop2("data", folder, "drop-column", "posts", "body", "--confirm", "body")
        assert (done.returncode, done.stderr) == (0, "schemas/posts.json was changed with it\n")
        said(folder, "add-column", "posts", "likes:integer:required:default=0")
        answer = goop2("lua", "call", folder, "all")
        assert [each["name"] for each in json.loads(answer.stdout)] == ["title", "likes"]
        peer.terminate()
    assert [each["name"] for each in json.loads((folder / "schemas/posts.json").read_text())["columns"]] == ["title", "likes"]


def test_wrong_words_are_a_sentence(folder: Path) -> None:
    assert 'the column "title" is not understood' in refused(folder, "create", "posts", "title")
    assert "allowed is text, integer" in refused(folder, "create", "posts", "title:string")
    assert 'there is no table "nope"; tables here: none yet' in refused(folder, "drop", "nope", "--confirm", "nope")
