"""The host function: it answers what it knows, bounds what it sends, and never raises."""

from __future__ import annotations

import pytest
from tests.sandbox.machines import COMMANDS

from goop2.sandbox.host_calls import CALLS_RECORDED_MAX, HostCalls
from goop2.sandbox.messages import HostCall, HostCallAnswer, Invoke, Log


def hosts() -> tuple[HostCalls, list[Log | HostCall]]:
    sent: list[Log | HostCall] = []
    return HostCalls(sent.append, lambda: HostCallAnswer(b"v", (5,)), COMMANDS), sent


def test_an_operation_of_the_peer_is_asked_and_its_answer_handed_on() -> None:
    host, sent = hosts()
    assert host(b"commands", b"a", None) == (b"v", 5)
    assert sent == [HostCall("commands", (b"a", None))]


def test_an_operation_nobody_lends_is_not_available() -> None:
    host, sent = hosts()
    assert host(b"http.get", b"x") == (b"!", b"goop.http is not available")
    assert not sent


@pytest.mark.parametrize("arguments", [(), (b"info",), (5, b"x"), (b"info", None), (b"shout", b"x"), (b"info", b"x", b"y")])
def test_bad_arguments_are_answered_and_not_raised(arguments: tuple[bytes, ...]) -> None:
    host, _ = hosts()
    shape, *values = host(b"log", *arguments)
    (message,) = values
    assert shape == b"!"
    assert isinstance(message, bytes)
    assert message.endswith(b" in the host")


def test_calls_are_recorded_with_their_times_up_to_a_bound() -> None:
    host, _ = hosts()
    for _ in range(CALLS_RECORDED_MAX + 50):
        host(b"commands")
    assert len(host.calls) == CALLS_RECORDED_MAX
    assert all(call.operation == "commands" and call.started >= 0 and call.duration >= 0 for call in host.calls)


def test_every_run_begins_anew() -> None:
    host, sent = hosts()
    for _ in range(300):
        host(b"log", b"info", b"x")
    host(b"commands")
    before = len(sent)
    host.begin(Invoke("function", "f", b"", None, b"", "them", "Them", 0.0))
    assert host.calls == ()
    host(b"log", b"warn", b"y")
    assert sent[before:] == [Log("warn", "y")]
