"""Every file that takes part in an exchange belongs to a layer, and the layers are all of the time."""

from __future__ import annotations

from collections import Counter

import pytest
from benchmarks.layers import LAYERS, OTHER, layer_of, sampled, shares

import goop2.net.muxer
import goop2.net.noise
import goop2.net.requests
import goop2.net.transport
import goop2.protocols.data


@pytest.mark.parametrize(
    ("module", "layer"),
    [
        (goop2.net.noise, "encryption (Noise)"),
        (goop2.net.transport, "sockets"),
        (goop2.net.muxer, "frames and streams (Yamux)"),
        (goop2.protocols.data, "messages, JSON"),
        (goop2.net.requests, OTHER),
    ],
)
def test_a_file_has_a_layer(module: object, layer: str) -> None:
    assert layer_of(str(getattr(module, "__file__", ""))) == layer


def test_all_layers_together_are_all_of_the_time() -> None:
    found = shares(Counter({LAYERS[0][0]: 30, OTHER: 10}))
    assert sum(found.values()) == pytest.approx(100)
    assert found[OTHER] == pytest.approx(25)


def test_what_runs_is_seen() -> None:
    with sampled() as counted:
        while not counted:
            sum(range(1000))
    assert set(counted) >= {OTHER}
