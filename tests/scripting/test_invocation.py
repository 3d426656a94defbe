"""Whom the worker time of a caller is charged to."""

from __future__ import annotations

import pytest

from goop2.scripting.invocation import Caller


@pytest.mark.parametrize("address", ["203.0.113.7", "2001:db8:1:2::/64"])
def test_all_ids_of_one_address_share_one_account(address: str) -> None:
    assert Caller("ann", address=address).account == Caller("eve", address=address).account == address


@pytest.mark.parametrize("address", ["", "127.0.0.1", "127.8.0.1", "::/64"])
def test_without_an_address_and_on_loopback_each_id_has_its_own(address: str) -> None:
    assert Caller("ann", address=address).account == "ann"
