"""Architectures that nobody published: graphs follow what the object says, not its name."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from export.fold.network import make_plan
from export.graph.blocks import MIXTURES
from export.graph.unroll import unroll
from export.options import ExportOptions
from tests.export.dyadic import (
    TIMESTEPS,
    Bundle,
    OnnxRuntime,
    assert_same,
    dyadic_config,
    dyadic_network,
    pictures,
    run_torch,
)
from train.architectures import ARCHITECTURES, Architecture
from train.architectures.attention import SDSA, SSA

PUBLISHED = [replace(each, name="sdt") for each in ARCHITECTURES.values()]
OTHERS = [
    each
    for points in product((False, True), (SSA, SDSA), (False, True))
    if (each := Architecture("sdt", *points)) not in PUBLISHED
]


def described(each: Architecture) -> str:
    """An id of a test."""
    sides = "currents" if each.lif_first else "spikes"
    position = ", position added" if each.adds_position else ""
    return f"{each.attention.name} of {sides}{position}"


def test_every_attention_of_an_architecture_is_emitted() -> None:
    assert {each.attention for each in ARCHITECTURES.values()} == set(MIXTURES)


@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("other", OTHERS, ids=described)
def test_graphs_of_other_combinations_equal_torch(
    other: Architecture, stem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    likest = "sdt" if other.lif_first else "spikformer"  # whose halting scores suit its tokens
    config = dyadic_config(likest, stem, "block_time", 3)
    monkeypatch.setitem(ARCHITECTURES, likest, other)
    network = dyadic_network(config)
    expected = run_torch(network, pictures(3))
    assert any(0 < live.mean() < 1 for step in expected.live for live in step)
    options = ExportOptions(chunk=TIMESTEPS, layout="packed", live_masks=True)
    graphs = unroll(make_plan(network), options)
    assert_same(expected, Bundle(OnnxRuntime, graphs, config, TIMESTEPS).run(pictures(3)))
