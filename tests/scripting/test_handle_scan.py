"""Whether a data function's file seems to define `handle`: definitions, and what only looks like one."""

from __future__ import annotations

import time

import pytest

from goop2.scripting.handle_scan import HANDLE, defines

DEFINED = [
    "function handle(args) return args end",
    "local x = 1\nfunction  handle (args) end",
    "handle = function(args) end",
    "_G.handle = print",
    "handle = goop.owner(function() end)",
]
NOT_DEFINED = [
    "function call() end",
    "local function handle(args) end",
    "function board.handle(args) end",
    "function board:handle(args) end",
    "-- function handle(args)",
    "--[[ function handle(args)\n]]",
    "return [==[\nhandle = 1]==]",
    'local text = "function handle(args)"',
    "if handle == nil then end",
    "local handle = 1",
]


@pytest.mark.parametrize("source", DEFINED)
def test_a_global_handle_is_seen(source: str) -> None:
    assert defines(source.encode(), HANDLE)


@pytest.mark.parametrize("source", NOT_DEFINED)
def test_what_is_no_global_handle_is_not_taken_for_one(source: str) -> None:
    assert not defines(source.encode(), HANDLE)


@pytest.mark.parametrize("part", [b'\\"', b"--[[\n", b"[=[\n", b"--[==["])
def test_what_is_never_closed_is_looked_through_once(part: bytes) -> None:
    """A template's author could else have the peer look for hours at a script of a megabyte."""
    begun = time.process_time()
    assert not defines(b'local handled = "' + part * 100_000, HANDLE)
    assert time.process_time() - begun < 20
