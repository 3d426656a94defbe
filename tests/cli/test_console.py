"""`goop2 console`: the ways into a running peer. What they open: tests/web/http/test_admission.py."""

from __future__ import annotations

import json
import re
import signal
import stat
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.cli.command import goop2, on_any_port, start
from tests.cli.test_peers import running

from goop2.folder.creation import create


def test_it_prints_the_addresses_of_a_running_peer(tmp_path: Path) -> None:
    with running(tmp_path / "peer", "Ann"):
        line = goop2("console", tmp_path / "peer").stdout
        found = json.loads(goop2("console", tmp_path / "peer", "--json").stdout)
    form = (
        r"console: (http://127\.0\.0\.1:\d+/#token=[\w-]{43})  site: (http://k51\w+\.localhost:\d+/p/12D3\w{48}/\?goop2-code=[\w-]{22})\n"
    )
    match = re.fullmatch(form, line)
    assert match is not None
    assert found["console"] == match[1]
    assert found["site"] != match[2]  # a code is good once


def test_a_peer_that_does_not_run_is_said(tmp_path: Path) -> None:
    goop2("init", tmp_path / "peer")
    done = goop2("console", tmp_path / "peer")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no peer runs in" in done.stderr


def a_browser(tmp_path: Path) -> dict[str, str]:
    """The environment in which a browser is a program that writes down what it was started with."""
    program = tmp_path / "browser"
    program.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {tmp_path}/started\n')
    program.chmod(0o755)
    return {"BROWSER": f"{program} %s"}


def test_it_opens_a_browser_whose_arguments_tell_nobody_the_key(tmp_path: Path) -> None:
    with running(tmp_path / "peer", "Ann"):
        done = goop2("console", tmp_path / "peer", "--open", env=a_browser(tmp_path))
        assert done.returncode == 0, done.stderr
        console = done.stdout.split()[1]
        page = tmp_path / "peer/data/console-open.html"
        assert (tmp_path / "started").read_text() == f"{page.as_uri()}\n"
        assert stat.S_IMODE(page.stat().st_mode) == 0o600
        found = re.search(r'url=(http://127\.0\.0\.1:\d+/)#code=([\w-]{22})"', page.read_text())
        assert found is not None
        assert console.startswith(f"{found[1]}#token=")
        assert token_of(found[1], found[2]) == console.partition("#token=")[2]
        with pytest.raises(urllib.error.HTTPError):
            token_of(found[1], found[2])


def test_where_there_is_no_browser_it_says_so(tmp_path: Path) -> None:
    with running(tmp_path / "peer", "Ann"):
        done = goop2("console", tmp_path / "peer", "--open", env={"BROWSER": "/nowhere/browser", "PATH": str(tmp_path)})
    assert done.returncode == 1
    assert "no browser could be opened from here" in done.stderr
    assert done.stdout.startswith("console: http://127.0.0.1:")


def asked(console: str, path: str, body: object = None, token: str = "") -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{console}api/console/{path}", data, {"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def token_of(console: str, code: str) -> str:
    return str(asked(console, "tab/enter", {"code": code})["token"])


def test_a_peer_restarts_from_its_console_at_the_same_port_and_in_the_same_process(tmp_path: Path) -> None:
    create(tmp_path / "peer", "Ann")
    on_any_port(tmp_path / "peer")
    with start("peer", tmp_path / "peer") as peer:
        try:
            assert peer.stdout is not None
            console, token = peer.stdout.readline().decode().split("console: ")[1].split()[0].split("#token=")
            settings = asked(console, "settings", token=token)
            asked(console, "settings", {"version": settings["version"], "changes": {"lua.max_workers": 3}}, token)
            waits = {one["path"] for one in asked(console, "settings", token=token)["settings"] if one["waits"]}
            assert waits == {"lua.max_workers"}
            asked(console, "settings/restart", {}, token)
            again, other = peer.stdout.readline().decode().split("console: ")[1].split()[0].split("#token=")
            assert (again, other != token) == (console, True)
            assert peer.poll() is None
            assert not any(one["waits"] for one in asked(again, "settings", token=other)["settings"])
            # One that would not start is not ended.
            (tmp_path / "peer/goop.json").write_text('{"lua": {"timeout_seconds": 99}}')
            with pytest.raises(urllib.error.HTTPError) as refused:
                asked(again, "settings/restart", {}, other)
            assert "it would not start" in json.load(refused.value)["message"]
            assert asked(again, "who", token=other)["label"] == "Ann"
        finally:
            peer.send_signal(signal.SIGINT)
            assert peer.wait(20) == 0
