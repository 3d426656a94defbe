"""A peer made of py-libp2p alone. It knows streams and gossip, and nothing of what peers say to each other: the tests write and compare the
bytes. How it is told what to do is in tests/interop/others.py, the same for every implementation.

    python peer.py noise|plaintext LISTEN_ADDRESS
"""

from __future__ import annotations

import base64
import json
import secrets
import sys
from typing import Any

import trio
from libp2p import new_host
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.crypto.x25519 import create_new_key_pair as create_noise_key_pair
from libp2p.identity.identify_push import push_identify_to_peers
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.pubsub.gossipsub import PROTOCOL_ID, PROTOCOL_ID_V11, GossipSub
from libp2p.pubsub.pubsub import Pubsub
from libp2p.security.insecure.transport import PLAINTEXT_PROTOCOL_ID, InsecureTransport
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as NoiseTransport
from libp2p.stream_muxer.yamux.yamux import PROTOCOL_ID as YAMUX
from libp2p.stream_muxer.yamux.yamux import Yamux
from libp2p.tools.anyio_service.context import background_trio_service
from multiaddr import Multiaddr

MQ = "/goop/mq/1.0.0"
PATIENCE_SECONDS = 30
READ_BYTES = 64 * 1024
HEARTBEAT_SECONDS = 1


def say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def read(stream: Any, enough: Any) -> bytes:
    """Bytes until there are enough, or the end."""
    data = b""
    while not enough(data):
        try:
            piece = await stream.read(READ_BYTES)
        except Exception:  # however the library calls the end
            break
        if not piece:
            break
        data += piece
    return data


def lines(count: int) -> Any:
    return lambda data: data.count(b"\n") >= count


def tell_asked(stream: Any, data: bytes) -> None:
    say({"event": str(stream.get_protocol()), "sender": str(stream.muxed_conn.peer_id), "data": text(data)})


class Peer:
    def __init__(self, host: Any, nursery: trio.Nursery) -> None:
        self._host = host
        self._nursery = nursery
        self._pubsub: Pubsub | None = None
        host.set_stream_handler(MQ, self._acknowledge)

    async def do(self, told: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"n": told["n"]}
        try:
            with trio.fail_after(PATIENCE_SECONDS):
                data = await getattr(self, told["do"])(told)
            if data is not None:
                answer["data"] = text(data)
        except Exception as error:
            answer["error"] = f"{type(error).__name__}: {error}"
        say(answer)

    async def connect(self, told: dict[str, Any]) -> None:
        await self._host.connect(info_from_p2p_addr(Multiaddr(told["address"])))

    async def ask(self, told: dict[str, Any]) -> bytes:
        stream = await self._host.new_stream(ID.from_string(told["peer"]), [told["protocol"]])
        try:
            if told.get("data"):
                await stream.write(base64.b64decode(told["data"]))
            return (await read(stream, lambda data: len(data) >= told["most"]))[: told["most"]]
        finally:
            await stream.reset()

    async def answer(self, told: dict[str, Any]) -> None:
        async def handle(stream: Any) -> None:
            tell_asked(stream, await read(stream, lines(told["lines"])) if told["lines"] else b"")
            await stream.write(base64.b64decode(told["data"]))
            await stream.close()

        self._host.set_stream_handler(told["protocol"], handle)
        # The others do this themselves when their protocols change.
        await push_identify_to_peers(self._host)

    async def subscribe(self, told: dict[str, Any]) -> None:
        if self._pubsub is None:
            self._pubsub = await self._nursery.start(self._gossip)
        heard = await self._pubsub.subscribe(told["topic"])
        self._nursery.start_soon(self._listen, told["topic"], heard)

    async def publish(self, told: dict[str, Any]) -> None:
        assert self._pubsub is not None
        await self._pubsub.publish(told["topic"], base64.b64decode(told["data"]))

    async def _gossip(self, task_status: trio.TaskStatus[Pubsub]) -> None:
        # Its own guards count ten messages a second of a peer, and as many addresses as tests do not have.
        router = GossipSub(
            (PROTOCOL_ID_V11, PROTOCOL_ID),
            degree=6,
            degree_low=4,
            degree_high=12,
            heartbeat_interval=HEARTBEAT_SECONDS,
            adaptive_gossip_enabled=False,
            spam_protection_enabled=False,
            eclipse_protection_enabled=False,
        )
        pubsub = Pubsub(self._host, router, strict_signing=True)
        async with background_trio_service(pubsub), background_trio_service(router):
            await pubsub.wait_until_ready()
            task_status.started(pubsub)
            await trio.sleep_forever()

    async def _listen(self, topic: str, heard: Any) -> None:
        while True:
            message = await heard.get()
            if ID(message.from_id) != self._host.get_id():
                say({"event": topic, "sender": str(ID(message.from_id)), "data": text(message.data)})

    async def _acknowledge(self, stream: Any) -> None:
        """Each message, as every peer of the network does."""
        line = await read(stream, lines(1))
        message = json.loads(line)
        tell_asked(stream, line)
        await stream.write(json.dumps({"type": "ack", "id": message["id"], "seq": message["seq"]}, separators=(",", ":")).encode() + b"\n")
        await stream.close()


async def main(security: str, address: str) -> None:
    keys = create_new_key_pair(secrets.token_bytes(32))
    noise = NoiseTransport(keys, noise_privkey=create_noise_key_pair().private_key)
    host = new_host(
        key_pair=keys,
        sec_opt={PLAINTEXT_PROTOCOL_ID: InsecureTransport(keys)} if security == "plaintext" else {NOISE: noise},
        muxer_opt={YAMUX: Yamux},
    )
    async with host.run([Multiaddr(address)]), trio.open_nursery() as nursery:
        peer = Peer(host, nursery)
        listening = str(host.get_transport_addrs()[0]).split("/p2p/")[0]
        say({"event": "up", "address": f"{listening}/p2p/{host.get_id()}"})
        async for line in trio.wrap_file(sys.stdin):
            nursery.start_soon(peer.do, json.loads(line))
        nursery.cancel_scope.cancel()


trio.run(main, *sys.argv[1:])
