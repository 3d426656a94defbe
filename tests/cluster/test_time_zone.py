"""The owner's rule of time, from its zone's file or from TZ."""

from __future__ import annotations

from pathlib import Path

import msgspec
from tests.scripting.workshop import setup_of

from goop2.cluster import messages
from goop2.cluster.messages import NodeSetup
from goop2.cluster.owner import node_setup_of
from goop2.cluster.time_zone import rule_of_time
from goop2.scripting.limits import InvocationLimits

RULE = "CET-1CEST,M3.5.0,M10.5.0/3"


def zone(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"TZif2\x00\x01\x02\n\x00binary\n" + RULE.encode() + b"\n")
    return file


def test_the_rule_is_the_last_line_of_the_zones_file(tmp_path: Path) -> None:
    local = zone(tmp_path / "localtime")
    zone(tmp_path / "zones/Europe/Berlin")
    assert rule_of_time({}, local, tmp_path / "zones") == RULE
    assert rule_of_time({"TZ": "Europe/Berlin"}, tmp_path / "none", tmp_path / "zones") == RULE
    assert rule_of_time({"TZ": f":{local}"}, tmp_path / "none", tmp_path / "zones") == RULE


def test_a_rule_in_tz_stands_for_itself_and_nothing_means_utc(tmp_path: Path) -> None:
    assert rule_of_time({"TZ": RULE}, tmp_path / "none", tmp_path) == RULE
    assert rule_of_time({}, tmp_path / "none", tmp_path) == "UTC0"
    (tmp_path / "odd").write_text("no zone")
    assert rule_of_time({}, tmp_path / "odd", tmp_path) == "UTC0"


def test_other_machines_are_told_nothing_but_how_workers_are_to_be() -> None:
    setup = msgspec.structs.replace(setup_of(), database=b"/home/ann/site/data.db", time_zone="secret", kv_enabled=True)
    told = messages.encode(node_setup_of(setup, InvocationLimits(), b"boot"))
    assert (b"data.db" in told, b"ann" in told, b"secret" in told) == (False, False, False)
    assert set(NodeSetup.__struct_fields__) == {
        "owner",
        "digest",
        "flavour",
        "self_id",
        "self_label",
        "memory_bytes",
        "process_per_call",
        "time_zone",
    }
