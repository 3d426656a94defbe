"""Groups between peers that exchange messages in memory: each message goes through the network's own form and back."""

from __future__ import annotations

import json

import pytest
from tests.services.groups.network import Network, said

from goop2.protocols import topics
from goop2.protocols.errors import RemoteProtocolError
from goop2.protocols.mq import MESSAGE_MAX_BYTES
from goop2.services.groups import limits
from goop2.services.groups import state as module
from goop2.services.groups.errors import (
    GroupFullError,
    InvalidGroupMessageError,
    TooManyGroupsError,
    UnknownGroupError,
    UnknownMemberError,
)


def test_what_a_host_says_has_every_key_of_the_network_whatever_its_value(network: Network) -> None:
    host = network.peers["host"]
    group = host.host("Game", "template").id
    (welcome,) = host.received("ann", topics.Group(group, "join", topics.Plain(b"null")))
    said = json.loads(welcome.payload)
    assert said["members"] == [{"peer_id": "ann", "joined_at": said["members"][0]["joined_at"], "role": "viewer"}]
    bounds = {"app_type": "template", "group_type": "template", "max_members": 0, "group_context": ""}
    assert said == {"group_name": "Game", **bounds, "volatile": False, "members": said["members"]}
    (meta,) = host.change(group, "Game two")
    assert json.loads(meta.payload) == {"group_name": "Game two", **bounds}


def test_who_joins_is_welcomed_and_all_others_hear_of_it(network: Network, game: str) -> None:
    ann = network.peers["ann"].joined()[0]
    assert (ann.id, ann.name, ann.kind, ann.max_members, ann.members) == (game, "Game", "template", 2, ("ann", "bob"))
    assert network.told("ann") == [("joined", ("ann",)), ("members", ("ann", "bob"))]
    assert network.told("bob") == [("joined", ("ann", "bob"))]


def test_a_full_group_lets_nobody_in(network: Network, game: str) -> None:
    network.deliver("eve", network.peers["eve"].join("host", game))
    change = network.changes["eve"][-1]
    assert (change.what, change.refused.code) == ("refused", "full")
    assert network.peers["eve"].joined() == ()
    assert not network.peers["host"].is_member("eve", "template")


def test_who_joins_twice_is_in_once(network: Network, game: str) -> None:
    network.deliver("ann", network.peers["ann"].join("host", game))
    assert network.peers["host"].hosted()[0].members == ("ann", "bob")
    assert network.peers["ann"].joined()[0].joined, "though the group is full"


def test_a_message_of_a_member_reaches_host_and_all_others_but_itself(network: Network, game: str) -> None:
    network.deliver("ann", network.peers["ann"].send("host", game, b'{"move":1}'))
    assert [(change.sender, change.payload) for change in network.changes["host"] if change.what == "msg"] == [("ann", b'{"move":1}')]
    assert [(change.sender, change.payload) for change in network.changes["bob"] if change.what == "msg"] == [("host", b'{"move":1}')]
    assert [change for change in network.changes["ann"] if change.what == "msg"] == []


def test_the_host_speaks_to_all(network: Network, game: str) -> None:
    network.deliver("host", network.peers["host"].send("host", game, b"1"))
    assert [network.changes[name][-1].payload for name in ("ann", "bob")] == [b"1", b"1"]


@pytest.mark.parametrize("type_", ["msg", "leave", "ping", "close", "members", "welcome"])
def test_a_stranger_does_nothing_in_a_group(network: Network, game: str, type_: str) -> None:
    before = network.peers["host"].hosted()
    payload = {"members": [{"peer_id": "eve"}]} if type_ in ("members", "welcome") else None
    assert network.peers["host"].received("eve", said(type_, game, payload)) == []
    assert network.peers["host"].hosted() == before
    assert [change for change in network.changes["host"] if change.sender == "eve"] == []


def test_who_asks_for_a_group_that_is_none_is_told_so(network: Network) -> None:
    network.deliver("eve", network.peers["eve"].join("host", "nosuch"))
    change = network.changes["eve"][-1]
    assert (change.what, change.refused.code) == ("refused", "not_found")
    assert network.peers["eve"].joined() == ()
    network.passes_ms = 0
    answered = [each for _ in range(1000) for each in network.peers["host"].received("eve", said("join", "nosuch"))]
    assert len(answered) < 50, "a storm of them is not answered"
    assert network.peers["host"].received("eve", said("msg", "nosuch", 1)) == []


@pytest.mark.parametrize("type_", ["msg", "close", "members", "welcome", "error", "meta", "state"])
def test_only_the_host_speaks_for_the_group(network: Network, game: str, type_: str) -> None:
    before, heard = network.peers["ann"].joined(), len(network.changes["ann"])
    payload = {"members": [{"peer_id": "eve"}]} if type_ in ("members", "welcome") else None
    assert network.peers["ann"].received("bob", said(type_, game, payload)) == []
    assert (network.peers["ann"].joined(), len(network.changes["ann"])) == (before, heard)


@pytest.mark.parametrize("type_", ["msg", "members", "meta", "state"])
def test_a_host_that_has_not_let_us_in_tells_us_nothing(network: Network, type_: str) -> None:
    network.peers["ann"].join("host", "g")
    network.peers["ann"].received("host", said(type_, "g", {"members": []} if type_ == "members" else None))
    assert network.changes["ann"] == []
    with pytest.raises(UnknownGroupError):
        network.peers["ann"].send("host", "g", b"1")


def test_who_leaves_is_no_member_and_who_is_away_keeps_its_place(network: Network, game: str) -> None:
    host = network.peers["host"]
    network.deliver("host", host.gone("ann"))
    assert (host.hosted()[0].members, host.hosted()[0].away) == (("bob",), ("ann",))
    assert network.changes["bob"][-1].group.members == ("bob",)
    assert host.is_member("ann")
    network.deliver("eve", network.peers["eve"].join("host", game))
    assert network.changes["eve"][-1].what == "refused", "the group is full"
    network.deliver("ann", network.peers["ann"].join("host", game))
    assert host.hosted()[0].members == ("ann", "bob")
    network.deliver("host", host.gone("bob"))
    network.deliver("bob", network.peers["bob"].leave("host", game))
    assert not host.is_member("bob")
    assert (host.hosted()[0].members, host.hosted()[0].away) == (("ann",), ())


def test_nobody_keeps_a_place_in_a_volatile_group(network: Network) -> None:
    group = network.peers["host"].host("Chat", "template", volatile=True).id
    network.deliver("ann", network.peers["ann"].join("host", group))
    network.deliver("host", network.peers["host"].gone("ann"))
    assert not network.peers["host"].is_member("ann")
    network.peers["ann"].gone("host")
    assert network.peers["ann"].joined() == ()


def test_who_speaks_is_here_though_it_was_away(network: Network, game: str) -> None:
    network.deliver("host", network.peers["host"].gone("ann"))
    network.deliver("ann", network.peers["ann"].send("host", game, b"1"))
    assert network.peers["host"].hosted()[0].members == ("ann", "bob")
    assert network.changes["bob"][-1].payload == b"1"


def test_a_group_whose_host_is_back_is_asked_for_again(network: Network, game: str) -> None:
    ann = network.peers["ann"]
    ann.gone("host")
    assert network.changes["ann"][-1].what == "away"
    assert not ann.joined()[0].joined
    with pytest.raises(UnknownGroupError):
        ann.send("host", game, b"1")
    network.deliver("ann", ann.back("host"))
    assert ann.joined()[0].joined
    assert ann.back("host") == []


def test_what_is_restored_is_away_and_comes_back(network: Network, game: str) -> None:
    host = network.peers["host"]
    kept, since = host.hosted()[0], host.members_since(game)
    joined = network.peers["ann"].joined()
    again, ann = network.peer("host"), network.peer("ann")
    again.restore([(kept, since, ())], [])
    ann.restore([], joined)
    assert (again.hosted()[0].members, again.is_member("ann"), again.is_member("eve")) == ((), True, False)
    network.deliver("ann", ann.back("host"))
    assert (again.hosted()[0].members, ann.joined()[0].joined) == (("ann",), True)
    assert again.members_since(game) == since


@pytest.mark.parametrize("payload", [None, "bye", {"code": 7}, [1]])
def test_an_end_is_an_end_whatever_comes_with_it(network: Network, game: str, payload: object) -> None:
    network.peers["ann"].received("host", said("close", game, {"type": "close", "group": game, "payload": payload}))
    assert network.changes["ann"][-1].what == "ended"


def test_an_invitation_says_which_group_where(network: Network, game: str) -> None:
    invite = topics.read(topics.INVITE, network.peers["host"].invitation(game, "eve"))
    assert isinstance(invite, topics.Invite)
    assert (invite.group_id, invite.group_name, invite.host_peer_id, invite.kind) == (game, "Game", "host", "template")


def test_in_a_session_members_do_not_speak_for_the_host(network: Network) -> None:
    group = network.peers["host"].host("Radio", "listen").id
    for name in ("ann", "bob"):
        network.deliver(name, network.peers[name].join("host", group))
    forged = b'{"app_type":"listen","listen":{"action":"seek","position":3}}'
    network.deliver("ann", network.peers["ann"].send("host", group, forged))
    assert [change for name in ("bob", "host") for change in network.changes[name] if change.what == "msg"] == []


@pytest.mark.parametrize("by", ["host", "ann"])
def test_a_huge_message_goes_nowhere(network: Network, game: str, by: str) -> None:
    huge = json.dumps("x" * limits.PAYLOAD_MAX_BYTES).encode()
    with pytest.raises(InvalidGroupMessageError, match="65536"):
        network.peers[by].send("host", game, huge)
    assert network.peers["host"].received("ann", topics.Group(game, "msg", topics.Plain(huge))) == []
    network.peers["ann"].received("host", topics.Group(game, "msg", topics.Plain(huge)))
    assert [change for name in ("ann", "host") for change in network.changes[name] if change.what == "msg"] == []


def test_a_member_that_floods_is_not_handed_on_and_the_next_minute_it_is(network: Network, game: str) -> None:
    network.passes_ms = 0
    handed_on = [network.peers["host"].received("ann", said("msg", game, number)) for number in range(limits.BUDGET_PER_MINUTE + 100)]
    assert len([each for each in handed_on if each]) <= limits.BUDGET_PER_MINUTE
    assert network.peers["host"].received("bob", said("msg", game, 1)) != [], "the others speak"
    network.now_ms += 60_000
    assert network.peers["host"].received("ann", said("msg", game, 1)) != []


def test_a_host_that_floods_is_not_handed_on_to_pages(network: Network, game: str) -> None:
    network.passes_ms = 0
    for number in range(limits.BUDGET_PER_MINUTE + 100):
        network.peers["ann"].received("host", said("msg", game, number))
    assert len([change for change in network.changes["ann"] if change.what == "msg"]) <= limits.BUDGET_PER_MINUTE
    network.peers["ann"].received("host", said("close", game))
    assert network.changes["ann"][-1].what == "ended", "its end is heard all the same"


def test_a_storm_of_joins_and_leaves_is_told_to_the_others_once_a_second(network: Network, game: str) -> None:
    network.passes_ms = 0
    host = network.peers["host"]
    host.received("bob", said("leave", game))
    told = [
        each for _ in range(500) for type_ in ("leave", "join") for each in host.received("bob", said(type_, game)) if each.peer == "ann"
    ]
    assert told == []
    network.now_ms += 1000
    assert [(each.peer, each.topic) for each in host.tick() if each.peer == "ann"] == [("ann", f"group:{game}:members")]
    assert host.tick() == []
    assert host._spent["bob"] > limits.BUDGET_PER_MINUTE
    assert host.received("bob", said("join", game)) == [], "and not answered"


def test_what_a_host_says_of_itself_is_bounded(network: Network) -> None:
    ann = network.peers["ann"]
    ann.join("host", "g")
    members = [{"peer_id": "x" * 10_000}, {"peer_id": "bob"}]
    welcome = {"group_name": "n" * 10_000, "app_type": "t" * 10_000, "members": members}
    ann.received("host", said("welcome", "g", welcome))
    group = ann.joined()[0]
    assert (len(group.name), len(group.kind), group.members) == (limits.NAME_MAX_CHARS, limits.NAME_MAX_CHARS, ("bob",))


@pytest.mark.parametrize("id_", ["", "a:b", "x" * 200])
def test_what_is_no_group_is_not_asked_for(network: Network, id_: str) -> None:
    with pytest.raises(UnknownGroupError, match="no group's id"):
        network.peers["ann"].join("host", id_)


def test_one_host_does_not_take_all_the_places(network: Network) -> None:
    for number in range(limits.JOINED_PER_HOST_MAX):
        network.peers["ann"].join("host", f"g{number}")
    with pytest.raises(TooManyGroupsError, match="of one peer"):
        network.peers["ann"].join("host", "one more")
    network.peers["ann"].join("eve", "g")


def test_a_group_ends_with_its_host(network: Network, game: str) -> None:
    network.deliver("host", network.peers["host"].close(game))
    assert network.changes["ann"][-1].what == "ended"
    network.peers["bob"].join("host", "other")
    network.peers["bob"].gone("host")
    assert [network.peers[name].joined() for name in ("ann", "bob")] == [(), ()]


def test_a_new_name_is_told(network: Network, game: str) -> None:
    network.deliver("host", network.peers["host"].change(game, "Finale", 3))
    assert [(group.name, group.max_members) for group in network.peers["ann"].joined()] == [("Finale", 3)]


def test_a_ping_is_answered_both_ways(network: Network, game: str) -> None:
    assert [each.topic for each in network.peers["host"].received("ann", said("ping", game))] == [f"group:{game}:pong"]
    assert [each.topic for each in network.peers["ann"].received("host", said("ping", game))] == [f"group:{game}:pong"]


def test_two_hosts_may_have_chosen_the_same_id(network: Network) -> None:
    for host in ("host", "eve"):
        network.peers[host].host(host, "template", group="same")
        network.deliver("ann", network.peers["ann"].join(host, "same"))
    assert [group.name for group in network.peers["ann"].joined()] == ["host", "eve"]


def test_the_policy_asks_for_members_of_one_kind(network: Network, game: str) -> None:
    assert network.peers["host"].is_member("ann", "template")
    assert not network.peers["host"].is_member("ann", "listen")


def test_a_host_that_takes_part_is_on_its_list(network: Network) -> None:
    group = network.peers["host"].host("Radio", "listen", take_part=True)
    network.deliver("ann", network.peers["ann"].join("host", group.id))
    assert network.peers["ann"].joined()[0].members == ("host", "ann")


def test_groups_are_bounded(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOSTED_MAX", 1)
    monkeypatch.setattr(module, "JOINED_MAX", 1)
    network.peers["host"].host("one", "template")
    network.peers["ann"].join("host", "one")
    with pytest.raises(TooManyGroupsError, match="close one"):
        network.peers["host"].host("two", "template")
    with pytest.raises(TooManyGroupsError, match="leave one"):
        network.peers["ann"].join("host", "two")


def test_members_are_bounded_where_the_host_sets_no_bound(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MEMBERS_MAX", 1)
    group = network.peers["host"].host("Game", "template").id
    for name in ("ann", "bob"):
        network.deliver(name, network.peers[name].join("host", group))
    assert network.peers["host"].hosted()[0].members == ("ann",)


def test_a_new_member_has_the_default_role_and_everybody_hears_the_roles(network: Network) -> None:
    host = network.peers["host"]
    group = host.host("Board", "template", context="kanban", default_role="author").id
    for name in ("ann", "bob"):
        network.deliver(name, network.peers[name].join("host", group))
    network.deliver("host", host.set_role(group, "ann", "editor"))
    network.deliver("host", host.tick())
    for name in ("ann", "bob"):
        (known,) = network.peers[name].joined()
        assert (known.context, dict(known.roles)) == ("kanban", {"ann": "editor", "bob": "author"})
    assert host.template_roles("ann") == {group: "editor"}
    assert host.template_roles("eve") == {group: None}
    host.set_role_rules(group, "viewer", ("viewer", "editor"))
    network.deliver("eve", network.peers["eve"].join("host", group))
    assert host.roles(group) == {"ann": "editor", "bob": "author", "eve": "viewer"}, "who is in already keeps its role"
    network.deliver("ann", network.peers["ann"].leave("host", group))
    network.deliver("ann", network.peers["ann"].join("host", group))
    assert host.roles(group)["ann"] == "viewer", "whoever comes back is a new member"


@pytest.mark.parametrize("type_", ["join", "members", "meta", "state", "msg", "welcome"])
def test_a_member_gets_no_role_by_claiming_it(network: Network, game: str, type_: str) -> None:
    host = network.peers["host"]
    claim = {"members": [{"peer_id": "ann", "role": "owner"}], "role": "owner", "default_role": "owner"}
    bare = type_ in topics.BARE
    network.deliver("ann", host.received("ann", said(type_, game, claim if bare else {"type": type_, "group": game, "payload": claim})))
    assert host.roles(game) == {"ann": "viewer", "bob": "viewer"}
    assert host.hosted()[0].default_role == "viewer"
    assert network.peers["bob"].joined()[0].roles == {"ann": "viewer", "bob": "viewer"}


def test_a_host_that_tells_no_roles_shows_none(network: Network) -> None:
    ann = network.peers["ann"]
    ann.join("host", "g")
    ann.received("host", said("welcome", "g", {"group_name": "Old", "group_type": "chess", "members": [{"peer_id": "ann"}]}))
    assert (ann.joined()[0].kind, ann.joined()[0].roles, ann.joined()[0].members) == ("chess", {}, ("ann",))


@pytest.mark.parametrize(
    ("type_", "payload", "why"),
    [
        ("welcome", {"group_context": "x" * 201}, "group_context of 201 characters; the most is 200"),
        ("meta", {"group_context": "x" * 100_000}, "group_context of 100000 characters; the most is 200"),
        ("members", {"members": [{"peer_id": "a", "role": "r" * 65}]}, "a role of 65 characters; the most is 64"),
    ],
)
def test_huge_contexts_and_roles_are_refused_in_a_sentence(type_: str, payload: object, why: str) -> None:
    with pytest.raises(RemoteProtocolError, match=why):
        said(type_, "g", payload)
    invite = {"group_id": "g", "group_context": "x" * 201}
    with pytest.raises(RemoteProtocolError, match=r"the group\.invite message has a group_context of 201"):
        topics.read(topics.INVITE, json.dumps(invite).encode())


def asked_again(network: Network, name: str, seconds: int) -> list[int]:
    """The seconds after which a peer asks to be let in again, within so many."""
    network.passes_ms, again = 0, []
    for second in range(1, seconds + 1):
        network.now_ms += 1000
        again += [second for each in network.peers[name].tick() if each.topic.endswith(":join")]
    return again


def test_a_join_that_is_lost_is_sent_again_until_there_is_an_answer(network: Network, game: str) -> None:
    eve = network.peers["eve"]
    eve.join("host", "lost")
    assert asked_again(network, "eve", 180) == [3, 13, 43, 103, 163]
    eve.received("host", said("welcome", "lost", {"group_name": "Found", "members": []}))
    assert asked_again(network, "eve", 180) == []
    eve.join("host", game)
    eve.received("host", said("error", game, {"type": "error", "group": game, "payload": {"code": "full"}}))
    assert asked_again(network, "eve", 180) == []


def test_who_left_and_whose_host_is_away_asks_no_more(network: Network) -> None:
    eve = network.peers["eve"]
    for group in ("left", "away"):
        eve.join("host", group)
        eve.received("host", said("welcome", group, {"group_name": group, "members": []}))
        network.now_ms += 5000
    eve.connected("host")
    eve.leave("host", "left")
    eve.gone("host")
    assert asked_again(network, "eve", 180) == []
    assert [each.topic for each in eve.back("host")] == ["group:away:join"]
    assert asked_again(network, "eve", 4) == [3]


def test_a_new_connection_to_the_host_asks_again_though_nobody_noticed_that_it_was_away(network: Network, game: str) -> None:
    kept, since = network.peers["host"].hosted()[0], network.peers["host"].members_since(game)
    again = network.peer("host")
    again.restore([(kept, since, ())], [])
    assert again.hosted()[0].members == ()
    ann = network.peers["ann"]
    assert ann.joined()[0].joined, "it has not heard of the restart"
    asking = ann.connected("host")
    network.deliver("ann", asking)
    assert again.hosted()[0].members == ("ann",)
    assert again.roles(game) == {"ann": "viewer", "bob": "viewer"}
    assert ann.connected("bob") == []


def test_a_host_enters_and_leaves_its_own_list(network: Network, game: str) -> None:
    host = network.peers["host"]
    with pytest.raises(GroupFullError, match=r"the group 'Game' has 2 members, the most there may be"):
        host.enter(game)
    host.change(game, "Game", 3)
    network.deliver("host", host.enter(game))
    network.deliver("host", host.tick())
    assert network.peers["ann"].joined()[0].roles == {"ann": "viewer", "bob": "viewer", "host": "owner"}
    assert host.enter(game) == []
    host.step_out(game)
    assert host.roles(game) == {"ann": "viewer", "bob": "viewer"}
    with pytest.raises(UnknownMemberError, match="not on the list"):
        host.step_out(game)


def test_a_hosts_own_pages_get_what_it_sends(network: Network, game: str) -> None:
    host = network.peers["host"]
    host.send("host", game, b'"hi"')
    assert [(change.sender, change.payload) for change in network.changes["host"] if change.what == "msg"] == [("host", b'"hi"')]
    radio = host.host("Radio", "listen").id
    host.send("host", radio, b'"play"')
    assert network.changes["host"][-1].what == "hosted", "the controls of a session are for its listeners"


def test_a_list_of_all_the_members_there_may_be_fits_into_a_message(network: Network) -> None:
    host = network.peers["host"]
    host.label = lambda peer: "\u0001" * 5000
    network.passes_ms = 0  # so that the list is not sent with each
    group = host.host("Crowd", "template", default_role="r" * topics.ROLE_MAX_CHARS).id
    sent = [each for number in range(topics.MEMBERS_MAX) for each in host.received(f"{number:052}", said("join", group))]
    assert len(host.hosted()[0].members) == topics.MEMBERS_MAX
    assert max(len(each.payload) for each in sent) < MESSAGE_MAX_BYTES
