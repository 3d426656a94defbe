"""go-libp2p's own mDNS service and ours, under the tag every peer of the network uses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.interop.others import go_peer

from goop2.net.address import parse

ROOT = Path(__file__).parent.parent.parent
NETWORK = """set -e
ip link set lo up
ip link add v0 type veth peer name v1
ip addr add 10.9.9.1/24 dev v0
ip link set v0 up
ip link set v1 up
ip route add 224.0.0.0/4 dev v0
exec "$@"
"""


def test_go_libp2ps_own_mdns_service_and_ours_find_each_other(tmp_path_factory: pytest.TempPathFactory) -> None:
    (go,) = go_peer(tmp_path_factory.mktemp("go"))
    if subprocess.run(["unshare", "-n", "sh", "-c", NETWORK, "sh", "true"], capture_output=True, check=False).returncode:
        pytest.skip("go-libp2p interop by mDNS: no network of its own can be made here")
    arguments = ["unshare", "-n", "sh", "-c", NETWORK, "sh", sys.executable, "-m", "tests.interop.near_by", go]
    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=180, check=False, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    seen = json.loads(ended.stdout)
    assert seen["we_found"] == [seen["go"]]
    assert {parse(address).peer for address in seen["go_found"]} == {seen["ours"]}
    assert {parse(address).transport.split("/")[2] for address in seen["go_found"]} == {"10.9.9.1"}
