"""`goop2 init`, `goop2 id` and `goop2 keys`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.command import goop2

from goop2.folder.templates import TEMPLATES


def test_init_makes_a_folder_whose_scripts_answer(tmp_path: Path) -> None:
    done = goop2("init", "mysite", "--label", "Zoë", cwd=tmp_path)
    assert "made  mysite/goop.json\n" in done.stdout
    assert done.stderr == 'next: "goop2 peer mysite --live", open the site it names, and read mysite/README.md\n'
    assert goop2("lua", "chat", "mysite", "!hello", cwd=tmp_path).stdout == "Hello, world!\n"
    assert json.loads(goop2("id", "mysite", "--json", cwd=tmp_path).stdout)["label"] == "Zoë"


def test_init_starts_from_the_template_that_is_named(tmp_path: Path) -> None:
    assert goop2("init", tmp_path / "x", "--template", "quiz").returncode == 0
    assert (tmp_path / "x/site/questions.json").exists()
    refused = goop2("init", tmp_path / "y", "--template", "nosuch")
    assert (refused.stdout, refused.returncode) == ("", 2)
    assert "'guestbook'" in refused.stderr
    assert not (tmp_path / "y").exists()


def test_the_help_of_init_says_what_each_template_shows() -> None:
    shown = goop2("init", "--help").stdout
    assert all(f"{name:<10} {what}\n" in shown for name, what in TEMPLATES.items())


def test_init_keeps_what_is_there_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text("mine")
    assert f"kept  {tmp_path}/site/index.html\n" in goop2("init", tmp_path).stdout
    assert (tmp_path / "site/index.html").read_text() == "mine"


def test_init_refuses_a_peer_folder(folder: Path) -> None:
    done = goop2("init", folder)
    assert (done.stdout, done.returncode) == ("", 2)
    assert done.stderr == f"error: {folder}/goop.json is there already: {folder} is a peer folder, and stays as it is\n"


def test_what_to_type_next_can_be_typed(tmp_path: Path) -> None:
    done = goop2("init", "my site", cwd=tmp_path)
    assert done.stderr == "next: \"goop2 peer 'my site' --live\", open the site it names, and read 'my site/README.md'\n"
    refused = goop2("id", "no site", cwd=tmp_path)
    assert refused.stderr.endswith("\"goop2 init 'no site'\" makes one\n")


@pytest.mark.parametrize("command", [["init"], ["id"], ["demo"], ["lua", "list"], ["peers"]], ids=" ".join)
def test_a_variable_that_was_never_set_is_not_the_current_folder(tmp_path: Path, command: list[str]) -> None:
    done = goop2(*command, "", cwd=tmp_path)
    assert (done.stdout, done.returncode) == ("", 2)
    assert 'an empty text names no folder; "." is the current one' in done.stderr
    assert not list(tmp_path.iterdir())


def test_the_id_is_made_once(folder: Path) -> None:
    first = goop2("id", folder)
    assert first.stdout.startswith("12D3Koo")
    assert (goop2("id", folder).stdout, first.stderr, first.returncode) == (first.stdout, "", 0)
    assert json.loads(goop2("id", folder, "--json").stdout) == {"id": first.stdout.strip(), "label": folder.name}


def test_keys_are_made_once_and_said(folder: Path) -> None:
    made = goop2("keys", folder)
    assert made.returncode == 0
    assert f"stands in {folder}/goop.json: copies of that file are copies of your private key" in made.stderr
    assert json.loads((folder / "goop.json").read_text())["p2p"]["nacl_public_key"] == made.stdout.strip()
    again = json.loads(goop2("keys", folder, "--json").stdout)
    assert again == {"public_key": made.stdout.strip(), "made": False}
    (folder / "goop.json").chmod(0o644)
    assert "chmod 600" in goop2("keys", folder).stderr
