from __future__ import annotations

import pytest
import torch

from tests.train.samples import tiny_model
from train.measure.constants import MemoryConstants
from train.measure.overhead import overheads

LIVE = torch.tensor([[16.0, 8.0, 4.0]] * 3)  # T 3, three blocks, D 32


def test_scores_readouts_and_packing_follow_live_tokens() -> None:
    first, second, third = overheads(tiny_model(halting="block_time"), LIVE, MemoryConstants(2.0))
    assert (first.score_macs, first.readout_macs, first.packed_bytes) == (3 * 48, 32 * 48, 0)
    assert (second.readout_macs, second.packed_bytes) == (32 * 24, 2 * 4 * 32 * 24)
    assert third.block == 3 and third.similarity_macs == 0
    expected = (3 * 24 + 32 * 24) * 4.6 + second.packed_bytes * 2.0
    assert second.energy_uj == pytest.approx(expected / 1e6)


def test_merging_compares_even_with_odd_tokens_at_every_timestep() -> None:
    first, second, _ = overheads(tiny_model(merge_gamma=3), LIVE, MemoryConstants())
    assert first.similarity_macs == 3 * 8 * 8 * 32
    assert second.similarity_macs == 3 * 7 * 6 * 32  # 13 tokens are left
    assert first.score_macs == 0  # nothing halts


def test_where_slots_stay_every_block_compares_all_of_them() -> None:
    found = overheads(tiny_model(merge_threshold=0.9), LIVE, MemoryConstants())
    assert [each.similarity_macs for each in found] == [3 * 8 * 8 * 32] * 3


def test_a_static_network_has_no_overhead() -> None:
    assert overheads(tiny_model(), LIVE, MemoryConstants()) == []
