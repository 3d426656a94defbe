"""A Go peer behind a router and ours behind another reach each other through `goop2 rendezvous --relay`, 20 MB each way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.e2e.nats import NEW_PORTS
from tests.e2e.peers import Running, made, running
from tests.e2e.test_hole_punching import program
from tests.e2e.test_lan import until
from tests.e2e.test_nats import nats
from tests.e2e.test_relay import MEETING_SECONDS, meeting_point
from tests.interop.others import go_peer

BIG_BYTES = 20 * 1024 * 1024
THEIRS = b"0123456789abcdef" * (BIG_BYTES // 16)
READ = """
import hashlib, sys, urllib.request
request = urllib.request.Request(sys.argv[1], headers={"Host": sys.argv[2]})
content = urllib.request.urlopen(request, timeout=60).read()
print(len(content), hashlib.sha256(content).hexdigest())
"""


def read(ours: Running, other: str, path: str) -> str:
    """Size and hash of a file of another peer's site, as our peer's owner gets it."""
    assert ours.machine is not None
    site = urlsplit(ours.visiting(ours, path))
    host = urlsplit(ours.visiting(Running(**{**vars(ours), "id": other}))).netloc
    command = ["ip", "netns", "exec", ours.machine.namespace, sys.executable, "-c", READ, f"http://127.0.0.1:{site.port}/{path}", host]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_twenty_megabytes_go_both_ways_through_our_relay(tmp_path: Path) -> None:
    go = go_peer(tmp_path)[0]
    ours = os.urandom(BIG_BYTES)
    with nats(NEW_PORTS, NEW_PORTS) as machines, meeting_point(machines.public):
        url = f"http://{machines.public.address}:8787"
        made(tmp_path / "alice", "Alice", presence={"rendezvous_wan": url})
        (tmp_path / "alice/site/big.bin").write_bytes(ours)
        with (
            running(tmp_path / "alice", "Alice", machines.b) as alice,
            program(machines.a, go, "behind", url, "Gopher", "Alice", "/big.bin") as gopher,
        ):
            other = gopher.said()["id"]
            assert gopher.said() == {"size": BIG_BYTES, "sum": hashlib.sha256(ours).hexdigest(), "relayed": True}
            until(lambda: alice.sees() == ["Gopher"], alice.process, MEETING_SECONDS)
            assert read(alice, other, "big.bin") == f"{BIG_BYTES} {hashlib.sha256(THEIRS).hexdigest()}"
