"""cli/default_folder.py: which folder a command means, whatever is written and wherever one stands."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from tests.cli.command import goop2

from goop2.cli.commands import goop2 as root
from goop2.cli.default_folder import nearest, with_folder


@pytest.fixture
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A peer folder, which is the current one, with another one beside it and one of a sub-folder's name."""
    for name in ("mysite", "other"):
        (tmp_path / name / "site/lua").mkdir(parents=True)
        (tmp_path / name / "goop.json").write_text("{}")
    (tmp_path / "mysite/plain").mkdir()
    monkeypatch.chdir(tmp_path / "mysite")
    return tmp_path


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("lua call score", "lua call . score"),
        ("lua call score {}", "lua call . score {}"),
        ('lua call score {"a":"b/c"}', 'lua call . score {"a":"b/c"}'),
        ("lua call . score", "lua call . score"),
        ("lua call ../other score", "lua call ../other score"),
        ("lua call ./nosuch score", "lua call ./nosuch score"),
        ("lua call nosuch score {}", "lua call nosuch score {}"),
        ("lua call --as bob score", "lua call --as bob . score"),
        ("lua call --json score", "lua call --json . score"),
        ("lua call score --as=bob", "lua call . score --as=bob"),
        ("lua call score --dir ../other", "lua call ../other score"),
        ("lua call --dir=../other score", "lua call ../other score"),
        ("lua chat !hello a/b", "lua chat . !hello a/b"),
        ("lua chat !a/b", "lua chat . !a/b"),
        ("lua chat -- !hello", "lua chat -- . !hello"),
        ("lua list", "lua list ."),
        ("lua test", "lua test ."),
        ("lua test more --watch", "lua test . more --watch"),
        ("peer", "peer ."),
        ("peer --live", "peer --live ."),
        ("peer nosuch", "peer nosuch"),
        ("chat --as bob", "chat --as bob ."),
        ("data tables", "data . tables"),
        ("data tables --dir ../other", "data ../other tables"),
        ("data ../other tables", "data ../other tables"),
        ("data nosuch tables", "data nosuch tables"),
        ("data insret notes {}", "data . insret notes {}"),
        ("data insret", "data . insret"),
        ("data query SELECT 1/2", "data . query SELECT 1/2"),
        ("kv weather list", "kv . weather list"),
        ("kv functions/score get best", "kv . functions/score get best"),
        ("kv ../other weather list", "kv ../other weather list"),
        ("kv . weather list", "kv . weather list"),
        ("schedule list", "schedule . list"),
        ("schedule run tidy", "schedule . run tidy"),
        ("new command hello", "new . command hello"),
        ("connect /ip4/192.0.2.7/tcp/4001/p2p/12D3", "connect . /ip4/192.0.2.7/tcp/4001/p2p/12D3"),
        ("connect ../other /ip4/192.0.2.7/tcp/4001", "connect ../other /ip4/192.0.2.7/tcp/4001"),
        ("init new", "init new"),
        ("init", "init"),
        ("group create Chess --dir ../other", "group create Chess --dir ../other"),
        ("call 12D3Koo score", "call 12D3Koo score"),
        ("lua call --help", "lua call --help"),
        ("data tables --help", "data . tables --help"),
        ("data --help", "data --help"),
        ("data", "data"),
        ("kv list --help", "kv . . list --help"),
        ("kv weather list --help", "kv . weather list --help"),
        ("schedule . run --help", "schedule . run --help"),
        ("nosuch", "nosuch"),
        ("--version", "--version"),
        ("", ""),
    ],
)
def test_the_folder_is_put_where_it_belongs(inside: Path, written: str, meant: str) -> None:
    assert with_folder(root, written.split(" ") if written else []) == (meant.split(" ") if meant else [])


def test_the_nearest_folder_above_is_meant(inside: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(inside / "mysite/site/lua")
    assert nearest() == inside / "mysite"
    assert with_folder(root, ["lua", "list"]) == ["lua", "list", str(inside / "mysite")]
    monkeypatch.chdir(inside)
    assert nearest() is None
    assert with_folder(root, ["lua", "call", "mysite", "score"]) == ["lua", "call", "mysite", "score"]
    assert with_folder(root, ["data", "nosuch", "tables"]) == ["data", "nosuch", "tables"]
    with pytest.raises(click.UsageError, match="no DIR is given, and neither the current folder"):
        with_folder(root, ["lua", "list"])
    with pytest.raises(click.UsageError, match="--dir names no folder"):
        with_folder(root, ["lua", "list", "--dir"])


def test_a_command_works_from_a_folder_inside(folder: Path) -> None:
    done = goop2("lua", "chat", "!hello Ann", cwd=folder / "site")
    assert (done.stdout, done.stderr) == ("Hello, Ann!\n", "")
    assert goop2("lua", "chat", "!hello Ann", "--dir", folder, cwd=Path("/")).stdout == "Hello, Ann!\n"
    lost = goop2("lua", "list", cwd=Path("/"))
    assert (lost.returncode, lost.stderr.count("\n")) == (2, 1)
