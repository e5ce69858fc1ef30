"""Where the energy of a trained network's average image goes."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from train.checkpoint import load_checkpoint
from train.measure.constants import Constants, MemoryConstants
from train.measure.energy import ModuleEnergy, energy_by_module
from train.measure.energy_with_memory import (
    MAC_PJ,
    Breakdown,
    Number,
    breakdown,
    dense_work,
    parameters_of,
    spiking_work,
)
from train.measure.evaluate import evaluate
from train.measure.firing_rates import firing_rates
from train.measure.overhead import Overhead, overheads
from train.measure.splits import checkpoint_data, part_of
from train.models import SpikingTransformer
from train.parallel.devices import best_device

_BATCH = 64  # what a processor's cache holds: 256 images take a fifth longer


@dataclass(frozen=True)
class EnergyReport:
    """One network's average image.

    Attributes:
        checkpoint: of the network.
        accuracy: with all timesteps.
        average_tokens: live tokens over K_0.
        density: share of the live tokens' accumulates that spikes cause.
        modules: energy by the papers' formula.
        with_memory: with memory access, by the type of the weights.
        dense_with_memory: likewise of the dense network of the same shape.
        overhead: of halting and merging, by block.
    """

    checkpoint: str
    accuracy: float
    average_tokens: float
    density: float
    modules: list[ModuleEnergy]
    with_memory: dict[Number, Breakdown]
    dense_with_memory: dict[Number, Breakdown]
    overhead: list[Overhead]

    @property
    def total_mj(self) -> float:
        """Energy of the whole network."""
        return sum(module.energy_mj for module in self.modules)


def energy_report(
    path: str,
    constants: Constants,
    *,
    split: str = "test",
    count: int | None = None,
    epsilon: float | None = None,
    data_path: str = "",
    memory: MemoryConstants | None = None,
) -> EnergyReport:
    """Energy of an average image, all timesteps executed.

    One pass gives accuracy, tokens and firing rates.

    Args:
        path: the checkpoint.
        constants: energy of an operation, and of a byte moved.
        split: images to measure on.
        count: at most so many of them, spread over all classes; None = all.
        epsilon: halting margin; None = the configured one.
        data_path: see `checkpoint_data`.
        memory: energy of a byte moved, where memory counts; None = the usual.
    """
    memory = memory or MemoryConstants()
    checkpoint = load_checkpoint(path)
    device = best_device()
    network = checkpoint.network().to(device)
    images = part_of(checkpoint_data(checkpoint, data_path), split, count).to(device)
    with firing_rates(network) as rates:
        found = evaluate(network, images, batch_size=_BATCH, epsilon=epsilon)
    tokens = torch.tensor(found.tokens_per_block)
    modules = energy_by_module(network, rates, tokens, constants)
    spiking, dense = (
        {number: breakdown(work, parameters_of(network), number, memory) for number in MAC_PJ}
        for work in (spiking_work(network, rates, tokens), dense_work(network))
    )
    return EnergyReport(
        path, found.accuracy[-1], found.average_tokens, _density(network, rates, tokens), modules,
        spiking, dense, overheads(network.config, tokens, memory),
    )  # fmt: skip


def _density(network: SpikingTransformer, rates: dict[str, float], tokens: torch.Tensor) -> float:
    """Accumulates over those of the same tokens with every input firing."""
    caused, most = (
        sum(module.acs for module in energy_by_module(network, each, tokens, Constants()))
        for each in (rates, dict.fromkeys(rates, 1.0))
    )
    return caused / most if most else 0.0
