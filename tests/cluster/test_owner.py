"""Calls on other machines, with a real nats-server and real workers: carried out there, lost, drained, and what is refused."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.hub import Hub, ended, open_owner, running_hub, until, until_ready, view

from goop2.cluster import messages
from goop2.cluster.bus import ClusterError
from goop2.cluster.keys import new_key, read_key
from goop2.cluster.nats_bus import ServerUnreachableError, check_url, connected_to
from goop2.scripting.engine import Failure, Success
from goop2.scripting.invocation import Caller, ErrorCode
from goop2.services.peer import Peer

LOST = "the machine this call ran on went away; it may have been carried out"
STRANGER = Caller("stranger")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with running_hub(tmp_path_factory.mktemp("hub") / "mysite", "attic", "cellar", "guest") as hub:
        yield hub


@pytest.fixture(scope="module")
def attic(hub: Hub) -> Iterator[None]:
    """A machine that is there for all tests that only need one."""
    with ended(hub.worker("attic", slots=4)):
        yield


def state(peer: Peer, name: str) -> str:
    """Return the state of the machine that was started last under a name."""
    return next((node.state for node in reversed(view(peer).nodes) if node.name == name), "")


async def called(peer: Peer, function: str, **params: object) -> object:
    answer = await peer.engine.call(peer.owner, function, json.dumps(params).encode())
    assert isinstance(answer, Success), answer
    return json.loads(answer.json)


async def test_calls_of_the_owner_and_of_strangers_run_on_another_machine(hub: Hub, attic: None) -> None:
    async with open_owner(hub) as peer:
        await until_ready(peer)
        assert (await peer.engine.command(peer.owner, "!hello World")).text == "Hello, World!"
        assert (await peer.engine.command(STRANGER, "!hello World")).text == "Hello, World!"
        assert await called(peer, "score", n=41) == {"n": 42}
        (run,) = peer.runs.recent(1)
        assert (run.log, run.status) == ((("info", "counted"),), "ok")
        assert view(peer).nodes[0].calls == 3


async def test_a_far_script_has_the_owners_data_one_operation_at_a_time(hub: Hub, attic: None) -> None:
    async with open_owner(hub) as peer:
        await until_ready(peer)
        assert [await called(peer, "mark", n=n) for n in range(3)] == [1, 2, 3]
        assert [row[0] for row in peer.database.rows("SELECT x FROM marks")] == [0, 1, 2]
        (run,) = peer.runs.recent(1)
        assert [call.operation for call in run.calls] == ["schema.create", "schema.insert", "schema.count"]
        assert view(peer).nodes[0].calls == 3


async def test_a_far_transaction_holds_the_lock_for_one_second(hub: Hub, attic: None) -> None:
    async with open_owner(hub) as peer:
        await until_ready(peer)
        failure = await peer.engine.call(peer.owner, "hold")
        assert isinstance(failure, Failure)
        assert "held the database longer than a second" in failure.message
        assert await called(peer, "mark", n=9)


async def test_the_owner_asks_the_web_for_a_far_script_by_its_own_rules(hub: Hub, attic: None) -> None:
    async with open_owner(hub) as peer:
        await until_ready(peer)
        answer = await called(peer, "asks")
        assert isinstance(answer, dict)
        assert (answer["err"], answer["page"]) == ("blocked: 127.0.0.1 is a loopback address", True)
        assert "not available inside goop.db.transaction" in str(await called(peer, "inside"))


async def test_a_call_past_its_deadline_ends_here_and_there(hub: Hub, attic: None) -> None:
    async with open_owner(hub) as peer:
        await until_ready(peer)
        peer.engine._limits = peer.engine._limits.__class__(timeout_seconds=1.0)
        begun = time.monotonic()
        failure = await peer.engine.call(peer.owner, "spin", b'{"s": 60}')
        assert isinstance(failure, Failure)
        assert (failure.code, time.monotonic() - begun < 1.25) == (ErrorCode.TIMEOUT, True)
        assert (await peer.engine.command(peer.owner, "!hello again")).text == "Hello, again!"


async def test_what_computes_goes_far_only_when_no_worker_is_idle(hub: Hub, attic: None) -> None:
    async with open_owner(hub, spill="auto") as peer:
        await until_ready(peer)
        await called(peer, "spin", s=0.01)
        assert view(peer).nodes[0].calls == 0
        await asyncio.gather(*(called(peer, "spin", s=0.02) for _ in range(12)))
        assert view(peer).nodes[0].calls > 0


async def test_a_killed_machine_is_told_within_two_seconds_and_the_site_goes_on(hub: Hub) -> None:
    async with open_owner(hub) as peer:
        with ended(hub.worker("cellar", slots=32)) as worker:
            await until(lambda: state(peer, "cellar") == "ready")
            await called(peer, "score", n=1)
            call = asyncio.create_task(peer.engine.call(peer.owner, "wait", b'{"s": 9}'))
            await until(lambda: view(peer).under_way == 1)
            worker.send_signal(signal.SIGKILL)
            begun = time.monotonic()
            failure = await call
            assert isinstance(failure, Failure)
            assert (failure.code, failure.message) == (ErrorCode.UNAVAILABLE, LOST)
            assert time.monotonic() - begun <= 2.0
            assert await called(peer, "score", n=1) == {"n": 2}


async def test_a_frozen_machine_is_lost_and_heals(hub: Hub) -> None:
    async with open_owner(hub) as peer:
        with ended(hub.worker("cellar", slots=32)) as worker:
            await until(lambda: state(peer, "cellar") == "ready")
            call = asyncio.create_task(peer.engine.call(peer.owner, "wait", b'{"s": 9}'))
            await until(lambda: view(peer).under_way == 1)
            worker.send_signal(signal.SIGSTOP)
            begun = time.monotonic()
            failure = await call
            assert isinstance(failure, Failure)
            assert (failure.message, time.monotonic() - begun <= 2.0) == (LOST, True)
            assert state(peer, "cellar") == "lost"
            worker.send_signal(signal.SIGCONT)
            assert await until(lambda: state(peer, "cellar") == "ready") <= 2.0
            assert await called(peer, "score", n=1) == {"n": 2}


async def test_a_machine_told_to_end_finishes_what_it_has(hub: Hub) -> None:
    async with open_owner(hub) as peer:
        with ended(hub.worker("cellar", slots=32)) as worker:
            await until(lambda: state(peer, "cellar") == "ready")
            call = asyncio.create_task(called(peer, "wait", s=2))
            await until(lambda: view(peer).under_way == 1)
            worker.send_signal(signal.SIGTERM)
            await until(lambda: state(peer, "cellar") == "leaving")
            assert await called(peer, "score", n=1) == {"n": 2}
            assert await call == "done"
            assert await asyncio.to_thread(worker.wait, 10) == 0
            assert sum(node.losses for node in view(peer).nodes) == 0


async def test_the_server_lets_nobody_speak_or_hear_for_another(hub: Hub) -> None:
    attic, guest = read_key(hub.keys["attic"]), read_key(hub.keys["guest"])
    errors: list[str] = []
    async with connected_to(hub.url, guest, "guest") as bus:

        async def failed(error: Exception) -> None:
            errors.append(str(error))

        bus.client._error_cb = failed
        bus.send(messages.beat_subject(attic.public), b"forged")
        bus.send("goop2-cluster.owner.self.echo", b"")
        await bus.listen(f"goop2-cluster.node.{attic.public}.>", lambda *_: None)
        await bus.listen("goop2-cluster.owner.>", lambda *_: None)
        await until(lambda: len(errors) >= 4, 5)
    assert all("permissions violation" in error.lower() for error in errors)


async def test_a_payload_over_the_limit_is_not_sent(hub: Hub) -> None:
    guest = read_key(hub.keys["guest"])
    async with connected_to(hub.url, guest, "guest") as bus:
        assert bus.max_bytes == 8 << 20
        bus.send(messages.beat_subject(guest.public), b"x" * ((8 << 20) + 1))
        await bus.flush()
        assert bus.connected


async def test_an_unknown_key_is_refused_with_a_sentence(hub: Hub) -> None:
    stranger = new_key("stranger", read_key(hub.keys["guest"]).certificate)
    with pytest.raises(ClusterError, match=r"does not know the key of this machine: invite this machine again"):
        async with connected_to(hub.url, stranger, "stranger"):
            pass


async def test_another_certificate_is_refused_with_a_sentence(hub: Hub, tmp_path: Path) -> None:
    from goop2.cluster.setup_files import set_up

    set_up(tmp_path, "127.0.0.1", 4222, (), tmp_path / "data/other.nk")
    with pytest.raises(ClusterError, match="shows another certificate than the one of the key file"):
        async with connected_to(hub.url, read_key(tmp_path / "data/other.nk"), "other"):
            pass


@pytest.mark.parametrize(
    ("version", "max_payload", "says"),
    [
        ("2.10.26", 8 << 20, "is nats-server 2.10.26; 2.11 or newer is needed"),
        ("2.11.0", 1 << 20, "takes messages of 1024 KB, which is too few: write max_payload: 8MB into its configuration"),
    ],
)
async def test_a_server_that_cannot_be_used_is_refused_with_a_sentence(hub: Hub, version: str, max_payload: int, says: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "x", "version": version, "max_payload": max_payload, "headers": True, "proto": 1}
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        while line := await reader.readline():
            if line.startswith(b"PING"):
                writer.write(b"PONG\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ClusterError, match=says):
            async with connected_to(f"nats://127.0.0.1:{port}", read_key(hub.keys["guest"]), "guest"):
                pass


@pytest.mark.parametrize("url", ["nats://hub:4222", "http://hub", "hub:4222", "tls://", "nats://10.0.0.1", "tls://hub:4222/x", "tls://h:x"])
def test_only_an_encrypted_server_is_joined_but_on_this_machine(url: str) -> None:
    with pytest.raises(ClusterError, match="allowed is tls://host:port, or nats://host:port of this machine itself"):
        check_url(url)


async def test_without_its_server_the_site_goes_on_and_says_why(hub: Hub) -> None:
    async with open_owner(hub, url="tls://127.0.0.1:9") as peer:
        assert (await peer.engine.command(peer.owner, "!hello World")).text == "Hello, World!"
        await until(lambda: "the server at tls://127.0.0.1:9 is not reached" in view(peer).why)
    with pytest.raises(ServerUnreachableError):
        async with connected_to("tls://127.0.0.1:9", read_key(hub.keys["guest"]), "guest"):
            pass


async def test_a_server_that_is_away_for_a_while_is_joined_again_by_all(tmp_path: Path) -> None:
    with running_hub(tmp_path / "mysite", "attic") as hub, ended(hub.worker("attic", slots=1)):
        async with open_owner(hub) as peer:
            await until_ready(peer)
            call = asyncio.create_task(called(peer, "wait", s=2))
            await until(lambda: view(peer).under_way == 1)
            hub.stop()
            await until(lambda: not view(peer).connected)
            assert await called(peer, "score", n=1) == {"n": 2}  # near
            hub.start()
            assert await call == "done"  # its end was told once the server was back
            await until_ready(peer)


LOADED = """
import asyncio, sys
from pathlib import Path
from goop2.app import open_peer

async def main():
    async with open_peer(Path(sys.argv[1]), {"GOOP2_CLUSTER_NATS": ""}, watch=True):
        print([name for name in sys.modules if name.split(".")[0] == "nats" or name.startswith("goop2.cluster")])

asyncio.run(main())
"""


def test_nothing_of_it_is_loaded_where_no_cluster_is_set_up(hub: Hub) -> None:
    done = subprocess.run([sys.executable, "-c", LOADED, str(hub.folder)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


async def test_without_nats_py_the_remedy_is_named(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nats.aio.client", None)
    with pytest.raises(ClusterError, match=r"the cluster needs nats-py, which is not installed: pip install 'goop2\[cluster\]'"):
        async with connected_to(hub.url, read_key(hub.keys["guest"]), "guest"):
            pass
    async with open_owner(hub) as peer:
        assert (await peer.engine.command(peer.owner, "!hello World")).text == "Hello, World!"
        await until(lambda: "the cluster needs nats-py" in view(peer).why)
