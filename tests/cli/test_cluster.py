"""`goop2 cluster` as a user runs it: set up, invite, join, look, remove; and what is said when something is wrong."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.command import GOOP2, environment, goop2
from tests.cluster.hub import SERVER, free_port
from tests.cluster.hub import _listens as listens
from tests.cluster.hub import _until as until
from tests.started import Started

from goop2.cluster.keys import read_key


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def cluster(folder: Path, port: int) -> Iterator[Path]:
    """A folder whose cluster's server runs."""
    assert goop2("cluster", "init", folder, "--listen", f"127.0.0.1:{port}").returncode == 0
    with Started([SERVER, "-c", str(folder / "data/cluster/nats-server.conf")], stderr=-3) as server:
        until(lambda: listens(port))
        yield folder
        server.kill()


def test_a_machine_joins_is_seen_and_is_removed(cluster: Path, port: int) -> None:
    invited = goop2("cluster", "invite", "attic", cluster)
    key = Path(invited.stdout.strip())
    assert f"goop2 worker --join tls://127.0.0.1:{port} --key attic.nk" in invited.stderr
    arguments = [GOOP2, "worker", "--join", f"tls://127.0.0.1:{port}", "--key", str(key), "--slots", "3"]
    with Started(arguments, env=environment(), text=True, stderr=-1) as worker:
        seen: list[dict[str, object]] = []

        def is_seen() -> bool:
            seen[:] = json.loads(goop2("cluster", "status", cluster, "--json").stdout)["nodes"]
            return bool(seen)

        until(is_seen)
        assert [(node["name"], node["slots"], node["state"]) for node in seen] == [("attic", 3, "waiting")]
        assert "attic    waiting      3" in goop2("cluster", "status", cluster).stdout
        assert goop2("cluster", "remove", "attic", cluster).stdout == "attic is removed\n"
        _, said = worker.communicate(timeout=30)
        assert (worker.returncode, "does not know the key of this machine" in said) == (2, True)


def test_a_worker_that_nobody_uses_yet_ends_at_once_when_told(cluster: Path, port: int) -> None:
    key = Path(goop2("cluster", "invite", "attic", cluster).stdout.strip())
    arguments = [GOOP2, "worker", "--join", f"tls://127.0.0.1:{port}", "--key", str(key)]
    with Started(arguments, env=environment(), text=True) as worker:
        until(lambda: bool(json.loads(goop2("cluster", "status", cluster, "--json").stdout)["nodes"]))
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(10) == 0


def test_init_sets_the_server_in_the_settings_and_is_refused_twice(folder: Path) -> None:
    assert goop2("cluster", "init", folder, "--listen", "0.0.0.0:4567", "--host", "hub").returncode == 0
    assert json.loads((folder / "goop.json").read_text())["cluster"] == {"nats": "tls://127.0.0.1:4567"}
    again = goop2("cluster", "init", folder)
    assert (again.returncode, "holds a cluster already" in again.stderr) == (2, True)
    invited = goop2("cluster", "invite", "attic", folder)
    assert "tls://hub:4567" in invited.stderr
    assert "have it read its configuration again" in invited.stderr
    assert read_key(Path(invited.stdout.strip())).name == "attic"


def test_the_server_that_is_away_is_told_by_status(folder: Path, port: int) -> None:
    goop2("cluster", "init", folder, "--listen", f"127.0.0.1:{port}")
    said = goop2("cluster", "status", folder, "--json")
    assert (said.returncode, f"the server at tls://127.0.0.1:{port} is not reached" in said.stderr) == (2, True)
    assert json.loads(said.stdout)["code"] == "cluster"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("cluster", "status", "DIR"), "has no cluster; goop2 cluster init"),
        (("cluster", "invite", "attic", "DIR"), "has no cluster; goop2 cluster init"),
        (("worker", "--join", "nats://hub:4222", "--key", "x"), "allowed is tls://host:port"),
        (
            ("worker", "--join", "tls://hub:4222", "--key", "none.nk"),
            "none.nk, the key for the cluster, cannot be read: No such file or directory",
        ),
        (("worker", "--join", "tls://hub:4222"), "Missing option '--key'"),
        (("worker", "--join", "tls://hub:4222", "--key", "x", "--slots", "0"), "0 is not in the range 1<=x<=256"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(folder: Path, arguments: tuple[str, ...], says: str) -> None:
    done = goop2(*(str(folder) if each == "DIR" else each for each in arguments))
    assert (done.returncode, says in done.stderr) == (2, True), done.stderr


def test_doctor_says_what_of_the_cluster_is_there(cluster: Path, port: int) -> None:
    (finding,) = [check for check in json.loads(goop2("doctor", cluster, "--json").stdout)["checks"] if check["what"] == "cluster"]
    assert (finding["ok"], "; 0 machines with 0 slots" in finding["says"]) == (True, True)
    assert f"nats-server 2.15.1 at tls://127.0.0.1:{port}" in finding["says"]


def test_doctor_says_that_the_server_is_away(folder: Path, port: int) -> None:
    goop2("cluster", "init", folder, "--listen", f"127.0.0.1:{port}")
    (finding,) = [check for check in json.loads(goop2("doctor", folder, "--json").stdout)["checks"] if check["what"] == "cluster"]
    assert (finding["ok"], "is not reached" in finding["says"]) == (False, True)
