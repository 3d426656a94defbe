"""The files of a cluster: made, changed, and what stands in the server's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from goop2.cluster.bus import ClusterError
from goop2.cluster.keys import read_key
from goop2.cluster.setup_files import CONFIGURATION, FOLDER, NODES, NodeNames, ask_to_reload, invite, read_files, remove, set_up


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    set_up(tmp_path, "0.0.0.0", 4222, ("hub",), tmp_path / "data/cluster.nk")
    return tmp_path


def configuration(folder: Path) -> str:
    return (folder / FOLDER / CONFIGURATION).read_text()


def test_the_server_encrypts_knows_its_owner_and_keeps_what_it_acknowledged(folder: Path) -> None:
    text = configuration(folder)
    key = read_key(folder / "data/cluster.nk")
    for line in ('listen: "0.0.0.0:4222"', "max_payload: 8MB", "sync_interval: always", "cert_file:", f"nkey: {key.public}"):
        assert line in text
    assert key.certificate == (folder / FOLDER / "server.pem").read_text()


def test_nobody_else_may_read_what_is_secret(folder: Path) -> None:
    invite(folder, "attic", "worker")
    for file in (folder / FOLDER).rglob("*"):
        assert file.stat().st_mode & 0o077 == 0, file


def test_an_invited_machine_may_say_and_hear_its_own_alone(folder: Path) -> None:
    files, file = invite(folder, "attic", "worker")
    key = read_key(file)
    user = next(line for line in configuration(folder).splitlines() if key.public in line)
    says, hears = user.split("subscribe:")
    assert f'publish: ["goop2-cluster.owner.{key.public}.>"]' in says
    assert hears.split("]")[0].strip() == f'["goop2-cluster.node.{key.public}.>"'
    assert (files.url, files.own_url) == ("tls://hub:4222", "tls://127.0.0.1:4222")


def test_a_standby_may_what_the_owner_may(folder: Path) -> None:
    _, file = invite(folder, "spare", "standby")
    lines = configuration(folder).splitlines()
    owner, spare = (
        next(line for line in lines if read_key(path).public in line).partition("permissions")[2]
        for path in (folder / "data/cluster.nk", file)
    )
    assert owner == spare


def test_a_removed_machine_is_gone_with_its_key(folder: Path) -> None:
    _, file = invite(folder, "attic", "worker")
    public = read_key(file).public
    remove(folder, "attic")
    assert (public in configuration(folder), file.exists(), read_files(folder).nodes) == (False, False, {})


def test_names_follow_later_invitations(folder: Path) -> None:
    names = NodeNames(folder)
    assert names("U" * 56) == "U" * 12
    _, file = invite(folder, "attic", "worker")
    assert names(read_key(file).public) == "attic"


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda folder: set_up(folder, "0.0.0.0", 1, (), folder / "data/cluster.nk"), "holds a cluster already"),
        (lambda folder: [invite(folder, "attic", "worker") for _ in range(2)], "attic is invited already"),
        (lambda folder: remove(folder, "nobody"), "no machine 'nobody' is invited; there are: none"),
        (lambda folder: invite(folder, "../../x", "worker"), "is no name for a machine"),
        (lambda folder: read_files(folder / "elsewhere"), "has no cluster; goop2 cluster init"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(folder: Path, act: object, says: str) -> None:
    with pytest.raises(ClusterError, match=says):
        act(folder)  # type: ignore[operator]


def test_a_damaged_list_is_refused_with_a_sentence(folder: Path) -> None:
    (folder / FOLDER / NODES).write_text("{")
    with pytest.raises(ClusterError, match=r"nodes\.json is damaged"):
        read_files(folder)


def test_no_other_program_is_sent_a_signal(folder: Path) -> None:
    assert not ask_to_reload(folder)
    (folder / FOLDER / "nats-server.pid").write_text("1")
    assert not ask_to_reload(folder)
