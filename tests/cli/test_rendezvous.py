"""`goop2 rendezvous`, as a process."""

from __future__ import annotations

import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
import trustme
from click.testing import CliRunner
from tests.started import Started

from goop2.cli.rendezvous import rendezvous

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


def refused(*arguments: str) -> str:
    """What is said of arguments that are wrong; one sentence."""
    ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_proxies_and_certificates_that_are_none_are_a_sentence(tmp_path: Path) -> None:
    for proxy in ("proxy.example", "10.0.0.1:80", "0.0.0.0/0"):
        assert f"{proxy!r} is not an IPv4 or IPv6 address, or a network such as 10.0.0.0/8" in refused("--proxy", "::1", "--proxy", proxy)
    nothing, text = str(tmp_path / "no.pem"), tmp_path / "text.pem"
    text.write_text("hello")
    assert "--tls-cert and --tls-key belong together: give both" in refused("--tls-cert", str(text))
    assert "--tls-cert and --tls-key belong together: give both" in refused("--tls-key", str(text))
    assert f"the certificate {nothing!r} cannot be read (No such file" in refused("--tls-cert", nothing, "--tls-key", str(text))
    assert "cannot be used" in refused("--tls-cert", str(text), "--tls-key", str(text))


def test_a_bus_that_cannot_be_used_is_a_sentence(tmp_path: Path) -> None:
    nothing = str(tmp_path / "no.nk")
    for arguments, says in (
        (["--bus", "http://hub"], "'http://hub' is no address of a NATS server that may be used; allowed is "),
        (["--bus", "nats://192.0.2.1:4222"], "'nats://192.0.2.1:4222' is no address of a NATS server that may be used"),
        (["--bus", "tls://hub:4222"], "tls://hub:4222 needs --bus-key: goop2 cluster invite NAME DIR --rendezvous makes one"),
        (["--bus", "tls://hub:4222", "--bus-key", nothing], f"{nothing}, the key for the cluster, cannot be read: No such file"),
        (["--bus-key", nothing], "--bus-key belongs to --bus"),
    ):
        ended = CliRunner().invoke(rendezvous, arguments)
        assert (ended.exit_code, says in ended.output.replace("\n", " ")) == (2, True), ended.output


def test_with_a_certificate_it_is_told_with_https(tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("meet.example")
    (tmp_path / "key.pem").write_bytes(issued.private_key_pem.bytes())
    (tmp_path / "cert.pem").write_bytes(b"".join(each.bytes() for each in issued.cert_chain_pems))
    said = said_at_start("--http", "0.0.0.0:0", "--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    assert all('"rendezvous_wan": "https://' in line for line in said[:-1])


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
