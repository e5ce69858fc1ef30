"""The products of a timestep alone: which they are, and that they run."""

from __future__ import annotations

import pytest

from benchmarks.cpu.macs import token_macs
from benchmarks.cpu.products import Products, _layers
from tests.benchmarks.cpu.test_cost import tiny


def test_they_are_the_layers_whose_work_the_tables_count() -> None:
    config = tiny()
    macs = sum(width * out for _, width, out in _layers(config).values())
    assert macs == config.depth * token_macs(config) - 3 * config.dim**2


@pytest.mark.parametrize("int8", [False, True])
def test_every_block_takes_its_own_number_of_rows(int8: bool) -> None:
    config = tiny()
    assert Products(config, int8=int8).ms([5, 1, 0, 3]) > 0
