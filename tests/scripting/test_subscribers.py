"""Those who want to be told."""

from __future__ import annotations

from structlog.testing import capture_logs

from goop2.scripting.subscribers import Subscribers


def test_a_subscriber_hears_until_it_unsubscribes() -> None:
    heard: list[int] = []
    subscribers: Subscribers[int] = Subscribers()
    unsubscribe = subscribers.add(heard.append)
    subscribers.notify(1)
    unsubscribe()
    unsubscribe()
    subscribers.notify(2)
    assert heard == [1]
    assert not subscribers


def test_a_subscriber_that_fails_is_logged_and_harms_nobody() -> None:
    def fail(_: int) -> None:
        raise LookupError("no such page")

    heard: list[int] = []
    subscribers: Subscribers[int] = Subscribers()
    subscribers.add(fail)
    subscribers.add(heard.append)
    with capture_logs() as logs:
        subscribers.notify(1)
    assert heard == [1]
    assert [line["event"] for line in logs] == ["a subscriber failed"]


def test_a_subscriber_may_unsubscribe_while_it_is_told() -> None:
    heard: list[int] = []
    subscribers: Subscribers[int] = Subscribers()

    def once(event: int) -> None:
        heard.append(event)
        unsubscribe()

    unsubscribe = subscribers.add(once)
    subscribers.add(heard.append)
    subscribers.notify(1)
    assert heard == [1, 1]
