"""`goop2 rendezvous`, as a process."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request

import pytest
from tests.started import Started

SECONDS = 60
COMMAND = [sys.executable, "-c", "from goop2.cli.main import main; main()", "rendezvous"]


@pytest.mark.parametrize("relay", [[], ["--relay", "127.0.0.1:0"]], ids=["alone", "with a relay"])
def test_it_says_where_it_is_serves_its_page_and_ends_when_told(relay: list[str]) -> None:
    with Started([*COMMAND, "--http", "127.0.0.1:0", *relay], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("rendezvous is up  page: http://127.0.0.1:")
            with urllib.request.urlopen(line.rsplit(" ", 1)[1].strip(), timeout=SECONDS) as page:
                assert b"Who is here" in page.read()
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0


@pytest.mark.parametrize("where", ["nonsense", "127.0.0.1:99999"])
def test_an_address_that_is_none_is_a_sentence(where: str) -> None:
    ended = subprocess.run([*COMMAND, "--http", where], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode == 2
    assert "is not host:port with a port from 0 to 65535, such as 127.0.0.1:8787" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("where", ["example.org:4001", "[::1]:4001"])
def test_a_relay_listens_on_an_ipv4_address(where: str) -> None:
    ended = subprocess.run([*COMMAND, "--relay", where], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode == 2
    assert f"'{where}' has no IPv4 address to listen on, such as 0.0.0.0:4001" in ended.stderr
