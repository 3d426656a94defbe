"""Whom a peer tells its owner's e-mail address, and what a site says to those that tell none."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.net.hosts import until
from tests.peers.test_network import Joined, joined

from goop2.net.address import parse
from goop2.protocols import data, topics
from goop2.protocols.presence import write
from goop2.storage.database import open_database
from goop2.storage.policies import WANTS_EMAIL
from goop2.storage.typed_tables import TypedTables

ACCESS = dict.fromkeys(("read", "insert", "update", "delete"), "email")


async def answer(by: Joined, of: Joined, op: str, **request: Any) -> data.Answer:
    return await by.network.client.ask(of.id, data.requested(json.dumps({"op": op, **request}).encode()))


def email_of(peer: Joined, at: Joined) -> str | None:
    known = at.network.roster.get(peer.id)
    return None if known is None else known.email


@pytest.mark.parametrize(("share", "told"), [(False, ""), (True, "alice@example.org"), ("bob", "alice@example.org"), (["12D3Koo"], "")])
async def test_an_address_is_told_to_those_it_is_shared_with(tmp_path: Path, share: object, told: str) -> None:
    async with AsyncExitStack() as stack:
        bob = await joined(stack, tmp_path / "bob", "bob")
        alice = await joined(stack, tmp_path / "alice", "alice", share_email=[bob.id] if share == "bob" else share)
        await alice.network.discovery.connect(parse(bob.network.host.addresses[0]))
        await until(lambda: (known := bob.network.roster.get(alice.id)) is not None and known.label == "alice")
        if told:
            await until(lambda: email_of(alice, bob) == told)
        else:
            await bob.network.client.send(alice.id, topics.IDENTITY, b"{}")
            await asyncio.sleep(1)  # an answer that tells it would be here by now
            assert email_of(alice, bob) == ""
        assert alice.peer.owner.email == "alice@example.org", "to the own scripts it is known"
        if share == "bob":
            assert b"alice@example.org" not in write(alice.network.discovery.announcer._says()), "presence goes to everybody"


async def test_a_site_that_wants_an_address_says_what_to_do(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        bob = await joined(stack, tmp_path / "bob", "bob")
        database = open_database(bob.peer.folder / "data.db", guarded=False)
        TypedTables(database).create("mailers", [{"name": "x", "type": "text"}], {"access": ACCESS})
        database.close()
        alice = await joined(stack, tmp_path / "alice", "alice")
        await alice.network.discovery.connect(parse(bob.network.host.addresses[0]))
        asked: tuple[tuple[str, dict[str, Any]], ...] = (
            ("query", {}),
            ("insert", {"data": {"x": "hi"}}),
            ("update", {"id": 1, "data": {"x": "x"}}),
            ("delete", {"id": 1}),
        )
        for op, request in asked:
            refused = await answer(alice, bob, op, table="mailers", **request)
            assert isinstance(refused, data.FailureAnswer)
            assert (refused.code, refused.error) == ("forbidden", WANTS_EMAIL)
        # Whatever address a caller claims is taken: the policy is a courtesy.
        claim = {"peerID": alice.id, "content": "alice", "email": "boss@example.org"}
        await alice.network.client.send(bob.id, topics.IDENTITY_RESPONSE, json.dumps(claim).encode())
        assert isinstance(await answer(alice, bob, "insert", table="mailers", data={"x": "hi"}), data.SuccessAnswer)
