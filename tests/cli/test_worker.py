"""`goop2 worker` as a user runs it; that it carries out calls is in tests/cluster/test_owner.py."""

from __future__ import annotations

from pathlib import Path

from tests.cli.command import GOOP2, environment, goop2
from tests.started import Started

from goop2.cluster.setup_files import invite, set_up


def test_it_says_that_the_server_is_away_and_tries_again(tmp_path: Path) -> None:
    set_up(tmp_path, "127.0.0.1", 4222, (), tmp_path / "data/cluster.nk")
    _, key = invite(tmp_path, "attic", "worker")
    with Started([GOOP2, "worker", "--join", "tls://127.0.0.1:9", "--key", str(key)], env=environment(), text=True, stderr=-1) as worker:
        assert worker.stderr is not None
        assert (
            worker.stderr.readline() == "warning: the server at tls://127.0.0.1:9 is not reached: Connection refused; it is tried again\n"
        )
        worker.terminate()
        assert worker.wait(10) == 0


def test_a_file_that_is_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.nk").write_text("nothing")
    done = goop2("worker", "--join", "tls://hub:4222", "--key", tmp_path / "x.nk")
    assert (done.returncode, "x.nk is no key for a cluster; goop2 cluster invite NAME DIR makes one" in done.stderr) == (2, True)
