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


def test_a_relay_listens_on_an_ip_address() -> None:
    ended = subprocess.run([*COMMAND, "--relay", "example.org:4001"], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode == 2
    assert "'example.org:4001' has no IP address to listen on, such as 0.0.0.0:4001" in ended.stderr


def said_at_start(*arguments: str) -> list[str]:
    """Lines on stderr of a server that was started and ended."""
    with Started([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "is up" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        return process.stderr.read().splitlines()


def test_it_says_what_peers_have_to_be_told_and_which_ports_to_open() -> None:
    (only,) = said_at_start("--http", "127.0.0.1:0")
    assert only.startswith("only this machine reaches it: --http 0.0.0.0:")
    *peers, ports = said_at_start("--http", "[::]:0", "--relay", "[::]:0")
    port = ports.partition("the TCP ports ")[2].partition(" ")[0]
    assert "through its router or firewall" in ports
    for line in peers:
        assert line.startswith('in goop.json of each peer: "presence": {"rendezvous_wan": "http://')
        assert line.endswith(f':{port}"}}')
