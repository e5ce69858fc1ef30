from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from spikehalt.errors import ConfigError
from tests.train.measure.test_energy import ATTENTION, FIRST, HEAD, LINEAR, STEM, rates, smallest
from train.config import HaltingConfig
from train.measure.constants import MemoryConstants
from train.measure.energy_with_memory import (
    Work,
    breakdown,
    dense_work,
    parameters_of,
    spiking_work,
)
from train.models import SpikingTransformer

TOKENS = 4
NEURONS = (1 + 2 + 4) * 16 + 8 * 16 + 8 * 4  # stem: five convolutions, the last behind the pool
BLOCK_NEURONS = 24 + 8 + 16 + 8 + 8


def test_a_dense_network_multiplies_everything_once() -> None:
    work = dense_work(SpikingTransformer(smallest()))
    assert work.macs == FIRST + STEM + TOKENS * (LINEAR + ATTENTION) + HEAD
    assert work.activations == NEURONS + TOKENS * BLOCK_NEURONS + 3
    assert (work.adds, work.membranes, work.spikes) == (0, 0, False)


def test_a_dense_network_does_not_merge() -> None:
    merging = smallest(merge_gamma=2)
    assert dense_work(SpikingTransformer(merging)) == dense_work(SpikingTransformer(smallest()))


def test_a_spiking_network_adds_by_its_firing_rates_and_updates_membranes_at_every_timestep() -> (
    None
):
    network = SpikingTransformer(smallest(halting=HaltingConfig(mode="none")))
    live = torch.full((2, 1), float(TOKENS))
    silent, loud = (spiking_work(network, rates(rate), live) for rate in (0.0, 0.5))
    assert silent.macs == loud.macs == FIRST + 2 * HEAD
    assert silent.adds == 0
    assert loud.adds == 0.5 * 2 * (STEM + TOKENS * (LINEAR + ATTENTION))
    assert loud.membranes == 2 * (NEURONS + TOKENS * BLOCK_NEURONS)


def test_energy_counts_operations_weights_activations_and_membranes() -> None:
    memory = MemoryConstants(sram_pj_per_byte=2.0, dram_pj_per_byte=100.0)
    spiking = Work(macs=10, adds=100, activations=80, membranes=20, spikes=True)
    found = breakdown(spiking, 7, "int8", memory)
    assert found.operations_mj * 1e9 == pytest.approx(10 * 0.3 + 100 * 0.1)
    assert found.weights_sram_mj * 1e9 == pytest.approx(110 * 1 * 2.0)
    assert found.weights_dram_mj * 1e9 == pytest.approx(7 * 1 * 100.0)
    assert found.activations_mj * 1e9 == pytest.approx(2 * 80 / 8 * 2.0)
    assert found.membranes_mj * 1e9 == pytest.approx(2 * 20 * 4 * 2.0)
    assert found.total_mj == pytest.approx((13 + 220 + 700 + 40 + 320) / 1e9)
    dense = breakdown(replace(spiking, spikes=False), 7, "fp32", memory)
    assert dense.activations_mj * 1e9 == pytest.approx(2 * 80 * 4 * 2.0)


def test_parameters_are_the_weights() -> None:
    network = SpikingTransformer(smallest())
    convolutions = 9 * (1 * 1 + 1 * 2 + 2 * 4 + 4 * 8 + 8 * 8)
    assert parameters_of(network) == convolutions + LINEAR + HEAD


def test_negative_constants_are_refused() -> None:
    with pytest.raises(ConfigError, match="dram_pj_per_byte is -1"):
        MemoryConstants(dram_pj_per_byte=-1)
