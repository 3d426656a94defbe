"""`goop2 group files`: two running peers share, list, fetch and remove; and a command that joins the network itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

from tests.cli.command import goop2
from tests.cli.test_peers import ALICE, on_the_network, running

from goop2.folder.identity import load_or_create

BOB = f"Bob {os.getpid()}"
"""No other test beside this one has a peer of this name near by, which would make it the name of several."""


def test_a_file_is_shared_listed_fetched_and_removed(tmp_path: Path) -> None:
    alice, bob = tmp_path / "alice", tmp_path / "bob"
    content = os.urandom(5_000_000)
    (tmp_path / "thesis.pdf").write_bytes(content)
    with running(alice, ALICE), running(bob, BOB) as address:
        for folder in (alice, bob):
            on_the_network(folder)
        assert goop2("connect", alice, address).returncode == 0
        host = load_or_create(bob).peer_id
        nothing = goop2("group", "files", bob, "list")
        assert (nothing.returncode, nothing.stdout) == (0, "")
        assert 'no group of type "files"' in nothing.stderr
        group = goop2("group", "create", "Papers", "--type", "files", "--dir", bob).stdout.strip()
        shared = goop2("group", "files", bob, "share", group, tmp_path / "thesis.pdf")
        assert (shared.returncode, shared.stderr) == (0, "shared as thesis.pdf\n")
        assert goop2("group", "files", bob, "list").stdout == f"{group}  Papers  (1 file shared here, 5.0 MB)\n"
        assert goop2("group", "files", alice, "list", group).stderr.startswith(f"not_found: '{group}' is no group of type 'files'")
        assert goop2("group", "join", host, group, "--dir", alice).returncode == 0
        assert goop2("group", "files", alice, "list", group).stdout == f"{BOB}  5.0 MB  thesis.pdf\n"
        fetched = goop2("group", "files", alice, "fetch", group, "thesis.pdf")
        assert (fetched.returncode, fetched.stdout) == (0, f"{alice / 'received' / group / 'thesis.pdf'}\n")
        assert Path(fetched.stdout.strip()).read_bytes() == content
        copied = goop2("group", "files", alice, "fetch", group, "thesis.pdf", "--from", BOB, "--to", tmp_path / "copy.pdf", "--json")
        assert (json.loads(copied.stdout)["path"], (tmp_path / "copy.pdf").read_bytes()) == (str(tmp_path / "copy.pdf"), content)
        for arguments, sentence in (
            (("fetch", group, "nosuch"), "not_found: nobody who is here shares a file 'nosuch'"),
            (("share", group, tmp_path / "nosuch"), f"bad_request: {tmp_path / 'nosuch'} cannot be shared: No such file or directory"),
            (("share", group, tmp_path / "thesis.pdf", "--name", "../x"), "bad_request: '../x' is no name for a shared file"),
            (("remove", group, "nosuch"), "not_found: there is no file 'nosuch'"),
            (("list", "nosuch"), "not_found: 'nosuch' is no group of type 'files'"),
        ):
            refused = goop2("group", "files", alice, *arguments)
            assert (refused.returncode, refused.stdout, refused.stderr.startswith(sentence)) == (1, "", True), refused.stderr
        assert goop2("group", "files", bob, "remove", group, "thesis.pdf").stderr == "removed\n"
        assert goop2("group", "files", alice, "list", group).stderr == "nobody who is here shares a file in it\n"
        shared = goop2("group", "files", alice, "share", group, tmp_path / "thesis.pdf", "--name", "mine.pdf", "--json")
        assert (json.loads(shared.stdout)["name"], json.loads(shared.stdout)["size"]) == ("mine.pdf", 5_000_000)
        listed = json.loads(goop2("group", "files", bob, "list", group, "--json").stdout)
        assert [(one["this"], one["label"], [file["name"] for file in one["files"]]) for one in listed][1] == (False, ALICE, ["mine.pdf"])
