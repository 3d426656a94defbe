"""A shell that asks gets commands, options and names of functions; nothing else is printed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from tests.cli.command import goop2

from goop2.cli.completion import SHELLS
from goop2.folder.creation import create


def offered(*words: str) -> list[str]:
    """Return what bash is offered for the last of `words`."""
    asked = {"_GOOP2_COMPLETE": "bash_complete", "COMP_WORDS": " ".join(("goop2", *words)), "COMP_CWORD": str(len(words))}
    done = goop2(env=asked)
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


def test_commands_and_options_are_offered() -> None:
    assert offered("ren") == ["rendezvous"]
    assert offered("lua", "c") == ["call", "chat", "check"]
    assert "--template" in offered("init", "--t")


def test_functions_of_the_folder_are_offered(tmp_path: Path) -> None:
    create(tmp_path / "peer", "Peer", "quiz")
    assert offered("lua", "call", str(tmp_path / "peer"), "sc") == ["score-quiz"]
    assert offered("lua", "call", str(tmp_path / "nothing"), "sc") == []


def test_an_unknown_question_is_no_traceback() -> None:
    done = goop2(env={"_GOOP2_COMPLETE": "nosuch"})
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_the_code_for_a_shell_is_taken_by_it(shell: str, tmp_path: Path) -> None:
    done = goop2("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "_GOOP2_COMPLETE" in done.stdout
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine; its code was made, and not read by it")
    (tmp_path / "code").write_text(done.stdout)
    checked = subprocess.run([shell, "-n", tmp_path / "code"], capture_output=True, text=True, timeout=20, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
