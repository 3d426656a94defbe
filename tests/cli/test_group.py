"""`goop2 group`: from the making of a group to its end, between two running peers, and with none running."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from tests.cli.command import PATIENCE_SECONDS, goop2
from tests.cli.test_peers import ALICE, on_the_network, running

from goop2.folder.creation import create
from goop2.folder.identity import load_or_create


def listed(folder: Path) -> dict[str, list[dict[str, object]]]:
    done = goop2("group", "list", "--dir", folder, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, list[dict[str, object]]] = json.loads(done.stdout)
    return found


def test_a_group_is_made_joined_left_and_closed(tmp_path: Path) -> None:
    alice, bob = tmp_path / "alice", tmp_path / "bob"
    with running(alice, ALICE), running(bob, "Bob") as address:
        for folder in (alice, bob):
            on_the_network(folder)
        assert goop2("connect", alice, address).returncode == 0
        host, member = (load_or_create(folder).peer_id for folder in (bob, alice))
        made = goop2("group", "create", "Chess", "--max", "1", "--dir", bob)
        group = made.stdout.strip()
        assert (made.returncode, len(group)) == (0, 16)
        invited = goop2("group", "invite", group, member, "--dir", bob)
        assert (invited.returncode, invited.stderr) == (0, "invited\n")
        assert listed(alice)["invites"] == [{"host": host, "group": group, "name": "Chess", "type": "template"}]
        assert f"{group}  Chess  (invited by {host})" in goop2("group", "list", "--dir", alice).stdout
        joined = goop2("group", "join", host, group, "--dir", alice, "--json")
        assert json.loads(joined.stdout)["members"] == [member]
        assert listed(bob)["hosted"][0]["members"] == [member]
        assert "1 here, 0 away" in goop2("group", "list", "--dir", bob).stdout
        listing = goop2("group", "members", group, "--dir", bob)
        assert listing.stdout == f"{member}  {ALICE}\n"
        assert goop2("group", "roles", group, "author", "viewer", "--dir", bob).stderr == "set\n"
        assert "'writer' is none of them" in goop2("group", "set-role", group, ALICE, "writer", "--dir", bob).stderr
        assert goop2("group", "set-role", group, ALICE, "author", "--dir", bob).stderr == "set\n"
        assert goop2("group", "members", group, "--dir", bob).stdout == f"{member}  {ALICE}  [author]\n"
        assert goop2("group", "default-role", group, "author", "--dir", bob).returncode == 0
        assert goop2("group", "change", group, "--name", "Chess club", "--context", "games", "--dir", bob).returncode == 0
        end = time.monotonic() + PATIENCE_SECONDS
        while f"Chess club  (joined, hosted by {host}, template, role author)" not in goop2("group", "list", "--dir", alice).stdout:
            assert time.monotonic() < end
        assert "1 here, 0 away, new members are author" in goop2("group", "list", "--dir", bob).stdout
        removed = goop2("group", "remove", group, ALICE, "--dir", bob)
        assert (removed.returncode, removed.stderr) == (0, "removed\n")
        assert goop2("group", "members", group, "--dir", bob).stderr == "nobody has joined it yet\n"
        kept_out = goop2("group", "join", host, group, "--dir", alice)
        assert (kept_out.returncode, kept_out.stderr.strip().rpartition(": ")[2]) == (1, "the host has removed this peer")
        assert goop2("group", "remove", group, member, "--dir", bob).stderr.startswith("not_found: ")
        assert goop2("group", "invite", group, ALICE, "--dir", bob).returncode == 0
        assert goop2("group", "refuse", group, "--dir", alice).stderr == "refused\n"
        assert goop2("group", "refuse", group, "--dir", alice).stderr.startswith("not_found: nobody has invited to a group ")
        assert goop2("group", "join", host, group, "--dir", alice).returncode == 0
        refused = goop2("group", "join", host, "nosuch", "--dir", alice)
        assert (refused.returncode, refused.stderr.split(":")[0]) == (1, "not_found")
        assert goop2("group", "leave", group, "--dir", alice).returncode == 0
        again = goop2("group", "leave", group, "--dir", alice)
        assert (again.returncode, again.stderr.split(":")[0]) == (1, "not_found")
        end = time.monotonic() + PATIENCE_SECONDS
        while listed(bob)["hosted"][0]["members"]:
            assert time.monotonic() < end
            time.sleep(0.05)
        assert goop2("group", "close", group, "--dir", bob).returncode == 0
        assert listed(bob) == {"hosted": [], "joined": [], "invites": []}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("create", " "), 1),
        (("create", "x", "--max", "-1"), 2),
        (("close", "nosuch"), 1),
        (("create", "x", "--max", "5000"), 1),
        (("members", "nosuch"), 1),
        (("refuse", "nosuch"), 1),
        (("remove", "nosuch", "Ann"), 1),
        (("set-role", "nosuch", "Ann", "author"), 1),
        (("default-role", "nosuch", "x" * 65), 1),
        (("roles", "nosuch", " "), 1),
        (("change", "nosuch"), 2),
        (("change", "nosuch", "--name", "Chess"), 1),
    ],
)
def test_what_cannot_be_is_one_sentence(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    create(tmp_path / "mine")
    done = goop2("group", *arguments, "--dir", tmp_path / "mine")
    assert done.returncode == code
    assert len(done.stderr.strip().splitlines()) >= 1
    assert done.stdout == ""


def test_a_group_made_while_no_peer_runs_is_kept(tmp_path: Path) -> None:
    create(tmp_path / "mine")
    assert "no group" in goop2("group", "list", "--dir", tmp_path / "mine").stderr
    made = goop2("group", "create", "Chess", "--type", "chess", "--dir", tmp_path / "mine", "--json")
    assert json.loads(made.stdout)["name"] == "Chess"
    assert [one["type"] for one in listed(tmp_path / "mine")["hosted"]] == ["chess"]
