"""`goop2 template` and `goop2 init --from`: the plan is always shown, nothing happens without consent, a running peer does it itself."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import Terminal, goop2, on_any_port, start
from tests.services.templates.clubhouse import template

SHOWN = (
    "Its rights\n  Pages and scripts of Clubhouse run with your rights on this peer. Apply only what you trust: somebody else wrote it.\n"
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A template as it is handed on."""
    template(tmp_path, {"schemas/draft.json": None})
    with tarfile.open(tmp_path / "club.tar.gz", "w:gz") as packed:
        packed.add(tmp_path / "club", "club")
    return tmp_path / "club.tar.gz"


def content(folder: Path) -> dict[str, object]:
    files = (path for path in (folder / "site").rglob("*") if path.is_file())
    return {
        "settings": json.loads((folder / "goop.json").read_text()),
        **{str(path.relative_to(folder)): path.read_bytes() for path in files},
    }


def test_nothing_happens_without_consent(folder: Path, bundle: Path) -> None:
    before = content(folder)
    refused = goop2("template", "apply", folder, bundle)
    assert (refused.returncode, refused.stdout.startswith(SHOWN)) == (2, True)
    assert refused.stderr == "error: nothing was changed: --yes agrees to the plan above, and --dry-run only shows it\n"
    shown = goop2("template", "apply", folder, bundle, "--dry-run")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, refused.stdout, "nothing was changed: --dry-run only shows\n")
    assert json.loads(goop2("template", "apply", folder, bundle, "--dry-run", "--json").stdout)["plan"]["name"] == "Clubhouse"
    assert content(folder) == before


@pytest.mark.slow
def test_on_a_terminal_it_asks(folder: Path, bundle: Path) -> None:
    before = content(folder)
    for answer, code in (("n", 1), ("", 1), ("y", 0)):
        assert content(folder) == before
        with Terminal(["template", "apply", folder, bundle]) as terminal:
            terminal.wait_for("Do that? [y/N]")
            terminal.type(f"{answer}\r")
            assert terminal.ended() == code
    assert "site/css/style.css" in "".join(content(folder))


@pytest.fixture
def running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    on_any_port(folder)
    with start("peer", folder, "--quiet") as peer:
        assert peer.stdout is not None
        peer.stdout.readline()
        yield peer
        peer.terminate()


@pytest.mark.slow
def test_beside_a_running_peer_that_peer_does_it(folder: Path, bundle: Path, running: subprocess.Popen[bytes]) -> None:
    before = content(folder)
    done = goop2("template", "apply", folder, bundle, "--yes")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "applied  Clubhouse")
    assert goop2("lua", "call", folder, "board", "--as", "stranger").stdout == "1\n"
    assert "Clubhouse; undo takes that back" in goop2("template", "list", folder).stderr
    assert goop2("template", "undo", folder).stdout.splitlines()[-1] == "taken back  Clubhouse"
    assert content(folder) == before
    assert running.poll() is None
    broken = goop2("template", "apply", folder, folder / "goop.json", "--yes")
    assert (broken.returncode, broken.stderr) == (2, f"error: {folder}/goop.json is neither a folder nor a .tar.gz file\n")


def test_without_a_peer_the_command_does_it_and_takes_it_back(folder: Path, bundle: Path) -> None:
    before = content(folder)
    assert goop2("template", "apply", folder, bundle, "--yes").returncode == 0
    assert goop2("lua", "call", folder, "board").stdout == "1\n"
    assert goop2("template", "undo", folder, "--dry-run").returncode == 0
    assert goop2("template", "undo", folder).returncode == 0
    assert content(folder) == before


def test_a_new_folder_begins_with_a_template(tmp_path: Path, bundle: Path) -> None:
    new = tmp_path / "new"
    shown = goop2("init", new, "--from", bundle, "--dry-run")
    assert (shown.returncode, shown.stdout.startswith(SHOWN), new.exists()) == (0, True, False)
    assert goop2("init", new, "--from", bundle).returncode == 2
    assert not new.exists()
    done = goop2("init", new, "--from", bundle, "--yes", "--label", "Club")
    assert (done.returncode, done.stdout.splitlines()[-2:]) == (0, [f"made  {new}", "applied  Clubhouse"])
    assert json.loads((new / "goop.json").read_text())["profile"]["label"] == "Club"
    assert goop2("lua", "call", new, "board").stdout == "1\n"
    again = goop2("init", new, "--from", bundle, "--yes")
    assert (again.returncode, "is there already" in again.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["template", "apply", "{}", "nosuch", "--yes"], "there is no template 'nosuch'"),
        (["template", "undo", "{}"], "nothing to take back"),
        (["init", "{}/new", "--from", "{}", "--template", "blog"], "give one of them"),
        (["init", "{}/new", "--yes"], "are for --from"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(folder: Path, arguments: list[str], why: str) -> None:
    done = goop2(*(each.format(folder) for each in arguments))
    assert done.returncode == 2
    assert why in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_they_are_listed() -> None:
    assert "blog        posts under tags" in goop2("template", "list").stdout
    assert json.loads(goop2("template", "list", "--json").stdout)["templates"][0]["name"] == "start"


KILLED = """
import os, signal, sys
from goop2.services.templates import change, service

def end(*_):
    os.kill(os.getpid(), signal.SIGKILL)

moved = change.carry_out
def half(folder, journal):
    journal.moves[:] = journal.moves[:2]
    moved(folder, journal)
    end()

if sys.argv[1] == "half":
    change.carry_out = half
else:
    service.TemplateService._follow = end
from goop2.cli.main import run
run(["template", "apply", *sys.argv[2:], "--yes"])
"""


@pytest.mark.slow
def test_a_kill_leaves_the_old_state_or_the_new_one(folder: Path, bundle: Path) -> None:
    goop2("lua", "list", folder)  # makes the database
    before, tables = content(folder), goop2("data", folder, "tables").stdout
    killed = subprocess.run([sys.executable, "-c", KILLED, "half", folder, bundle], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert content(folder) != before
    looked = goop2("data", folder, "tables")
    assert "everything is as it was before" in looked.stderr
    assert (looked.stdout, content(folder)) == (tables, before)

    killed = subprocess.run([sys.executable, "-c", KILLED, "after", folder, bundle], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert "site/css/style.css" in content(folder)
    assert json.loads(goop2("lua", "call", folder, "board").stdout) == 0  # seed has not run
    on_any_port(folder)
    with start("peer", folder, "--quiet") as peer:
        assert peer.stdout is not None
        peer.stdout.readline()
        assert json.loads(goop2("lua", "call", folder, "board").stdout) == 1  # now it has
        peer.terminate()
