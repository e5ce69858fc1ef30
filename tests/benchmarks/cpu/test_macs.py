"""Multiply-accumulates, against a count written out by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.common import networks
from benchmarks.cpu import macs
from tests.benchmarks.cpu.test_cost import tiny

CONFIG = networks.config_of("isps", halting=True)


def everyone(timesteps: int) -> np.ndarray:
    return np.full((timesteps, CONFIG.depth), CONFIG.tokens)


def test_a_token_costs_its_four_projections_and_its_two_mlp_layers() -> None:
    assert macs.token_macs(CONFIG) == (384 * 3 * 384) + (384 * 384) + 2 * (384 * 1536)


def test_attention_takes_the_cheaper_order() -> None:
    assert macs.attention_macs(CONFIG) == 2 * 64 * 32 * 384  # keys times values first
    few = replace(CONFIG, heads=1)
    assert macs.attention_macs(few) == 2 * 64 * 64 * 384  # a head of 384 is wider than 64 tokens


def test_the_stems_convolutions_shrink_with_the_pools() -> None:
    config = tiny()
    sizes = [config.resolution(stage) for stage in range(5)]
    assert len(macs.stem_macs(config)) == 5
    assert macs.stem_macs(config)[0] == 9 * 3 * 2 * sizes[0][0] * sizes[0][1]
    assert macs.stem_macs(config)[-1] == 9 * 16 * 16 * config.tokens


@given(st.integers(1, 4))
def test_every_timestep_costs_the_same_with_all_tokens(timesteps: int) -> None:
    one, more, last = (
        macs.spiking_macs(CONFIG, everyone(t), t) for t in (1, timesteps, timesteps + 1)
    )
    step = macs.spiking_macs(CONFIG, everyone(2), 2) - one
    assert last - more == step
    assert more == one + (timesteps - 1) * step


@given(st.lists(st.integers(0, 64), min_size=16, max_size=16))
def test_a_dead_token_saves_its_layers_and_nothing_else(counts: list[int]) -> None:
    live = np.array(counts).reshape(4, 4)
    saved = macs.spiking_macs(CONFIG, everyone(4), 4) - macs.spiking_macs(CONFIG, live, 4)
    assert saved == (everyone(4).sum() - live.sum()) * macs.token_macs(CONFIG)


def test_timesteps_that_are_not_run_cost_nothing() -> None:
    live = everyone(4)
    early = macs.spiking_macs(CONFIG, live, 2)
    live[2:] = 0
    assert macs.spiking_macs(CONFIG, live, 2) == early


@pytest.mark.parametrize("arch", ["spikformer", "spikingformer"])
def test_only_spikformers_first_product_is_hoisted(arch: str) -> None:
    config = replace(CONFIG, arch=arch)  # type: ignore[arg-type]
    one, two = (macs.spiking_macs(config, everyone(t), t) for t in (1, 2))
    whole = 4 * (64 * macs.token_macs(config) + macs.attention_macs(config))
    hoisted = 64 * 3 * 384**2 if arch == "spikformer" else 0
    assert two - one == whole - hoisted


def test_an_iterated_stem_is_paid_at_every_timestep_but_for_its_first_layer() -> None:
    config = networks.config_of("sps", halting=True)
    one, two = (macs.spiking_macs(config, everyone(t), t) for t in (1, 2))
    whole = 4 * (64 * macs.token_macs(config) + macs.attention_macs(config))
    assert two - one == whole + sum(macs.stem_macs(config)[1:])
