"""Energy of a spiking network from measured firing rates (STAS appendix A, eq. 11-12).

    E = 4.6 pJ * FLOPs(first conv) + 0.9 pJ * sum over layers of firing rate * T * FLOPs

A layer that sees pixels multiplies and accumulates (MAC); a layer that sees spikes only accumulates
(AC), once per spike. Firing rates are the mean spike counts per input element: a Spikformer token
of 3 costs three accumulations, an I-SPS rate of k/T costs k over the image. The halting overhead is
counted as MACs. Constants are for 45 nm CMOS (Horowitz 2014).

The papers leave memory access out, and so does the default; `memory_pj_per_byte` counts a weight
fetched for every operation, and a membrane read and written for every neuron and timestep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from train.architectures.stages import gates
from train.config import ModelConfig
from train.measure.constants import AC_PJ, MAC_PJ, Constants
from train.measure.firing_rates import measure_firing_rates
from train.models.layers import ConvBN, LinearBN
from train.models.network import SpikingTransformer
from train.models.stages import Stages

__all__ = [
    "AC_PJ",
    "MAC_PJ",
    "MODULES",
    "Constants",
    "Cost",
    "EnergyModel",
    "ModuleEnergy",
    "costs",
    "energy_by_module",
    "energy_model",
    "measure_firing_rates",
]

_PJ_PER_MJ = 1e9

Module = Literal["SPS", "SSA", "MLP", "halting", "head"]
MODULES: tuple[Module, ...] = ("SPS", "SSA", "MLP", "halting", "head")
Unit = Literal["image", "timestep", "token"]


@dataclass(frozen=True)
class Cost:
    """Operations of one layer, per image, per timestep, or per live token and timestep.

    Attributes:
        module: the part of the network it belongs to.
        unit: what it is counted per.
        macs: multiply-accumulates.
        acs: accumulates, firing rate included.
        neurons: membranes updated.
        block: its block, 0-based; -1 outside the blocks.
    """

    module: Module
    unit: Unit
    macs: float = 0.0
    acs: float = 0.0
    neurons: float = 0.0
    block: int = -1

    def energy_mj(self, constants: Constants) -> float:
        """Energy per unit."""
        bytes_moved = (self.macs + self.acs) * constants.weight_bytes
        bytes_moved += self.neurons * 2 * constants.state_bytes
        operations = self.macs * constants.mac_pj + self.acs * constants.ac_pj
        return (operations + bytes_moved * constants.memory_pj_per_byte) / _PJ_PER_MJ


@dataclass(frozen=True)
class EnergyModel:
    """Energy as a linear function of what an image used.

    E = once_mj + sum over executed timesteps of (per_timestep_mj + sum_l live_l * per_token_mj[l])

    Attributes:
        mac_pj: energy of a multiply-accumulate.
        ac_pj: energy of an accumulate.
        once_mj: work done once per image.
        per_timestep_mj: work per timestep that does not depend on tokens.
        per_token_mj: per block, work per live token and timestep, halting overhead included.
        source: where the firing rates come from.
    """

    mac_pj: float
    ac_pj: float
    once_mj: float
    per_timestep_mj: float
    per_token_mj: tuple[float, ...]
    source: str

    def energy_mj(self, live_tokens: Tensor, timesteps: Tensor) -> Tensor:
        """Per image [B] from live tokens [B, T, L] (0 where not executed) and timesteps [B]."""
        per_token = torch.tensor(self.per_token_mj, dtype=torch.float64)
        tokens = (live_tokens.double() * per_token).sum((1, 2))
        return self.once_mj + self.per_timestep_mj * timesteps.double() + tokens


@dataclass(frozen=True)
class ModuleEnergy:
    """What a part of the network spends on an average image."""

    module: Module
    energy_mj: float
    macs: float
    acs: float


def energy_model(
    network: SpikingTransformer,
    rates: dict[str, float],
    *,
    mac_pj: float = MAC_PJ,
    ac_pj: float = AC_PJ,
    source: str = "validation images",
) -> EnergyModel:
    """Energy per image, timestep and live token, from firing rates by module name."""
    constants = Constants(mac_pj, ac_pj)
    once = per_timestep = 0.0
    per_token = [0.0] * network.config.depth
    for cost in costs(network, rates):
        energy = cost.energy_mj(constants)
        if cost.unit == "image":
            once += energy
        elif cost.unit == "timestep":
            per_timestep += energy
        else:
            per_token[cost.block] += energy
    return EnergyModel(mac_pj, ac_pj, once, per_timestep, tuple(per_token), source)


def energy_by_module(
    network: SpikingTransformer,
    rates: dict[str, float],
    tokens_per_block: Tensor,
    constants: Constants,
) -> list[ModuleEnergy]:
    """Where an average image's energy goes (the papers' figure 8).

    Args:
        network: the network.
        rates: from `measure_firing_rates`.
        tokens_per_block: mean live tokens [T, L] over the executed timesteps.
        constants: what an operation costs.

    Returns:
        One entry for each of MODULES.
    """
    timesteps, tokens = tokens_per_block.shape[0], tokens_per_block.double().sum(0)
    used = {"image": 1.0, "timestep": float(timesteps)}
    totals = {module: [0.0, 0.0, 0.0] for module in MODULES}
    for cost in costs(network, rates):
        times = float(tokens[cost.block]) if cost.unit == "token" else used[cost.unit]
        for index, value in enumerate((cost.energy_mj(constants), cost.macs, cost.acs)):
            totals[cost.module][index] += times * value
    return [ModuleEnergy(module, *totals[module]) for module in MODULES]


def costs(network: SpikingTransformer, rates: dict[str, float]) -> Iterator[Cost]:
    """Every layer's operations."""
    config = network.config
    yield from _stem(network, rates)
    for index in range(config.depth):
        yield from _block(network, rates, index)
    yield Cost("halting", "timestep", macs=config.halting_macs[1])
    yield Cost("head", "timestep", macs=config.head_width * config.classes)


def _stem(network: SpikingTransformer, rates: dict[str, float]) -> Iterator[Cost]:
    """I-SPS runs once per image; SPS at every timestep, but for an image's first convolution.

    With I-SPS the inputs are rates k/T, k accumulations over the T iterations: its cost is
    rate * T * FLOPs, as if iterated, which is what eq. 12 counts.
    """
    config = network.config
    isps = config.stem.kind == "isps"
    unit: Unit = "image" if isps else "timestep"
    times = config.timesteps if isps else 1
    for stage, layer in enumerate(network.stem.convs):
        assert isinstance(layer, ConvBN)
        height, width = config.resolution(stage)
        macs = layer.conv.weight.numel() * height * width
        yield Cost("SPS", unit, neurons=times * network.stem.neurons_behind(stage))
        if stage == 0 and config.input == "image":
            yield Cost("SPS", "image", macs=macs)
        else:
            rate = rates.get(f"stem.convs.{stage}.conv", 0.0)
            yield Cost("SPS", unit, acs=rate * times * macs)
    for number, stage in enumerate(gates(config.stages)):
        rate = rates.get(f"stem.gates.{number}", 0.0)
        assert isinstance(network.stem, Stages)
        yield Cost("SPS", unit, acs=network.stem.gate_spikes(stage, rate))


def _block(network: SpikingTransformer, rates: dict[str, float], index: int) -> Iterator[Cost]:
    """Per live token and timestep."""
    config = network.config
    for name, layer in network.blocks[index].named_modules():
        if isinstance(layer, LinearBN):
            module: Module = "SSA" if name.startswith("attention.") else "MLP"
            rate = rates.get(f"blocks.{index}.{name}.linear", 0.0)
            weights, neurons = layer.linear.weight.numel(), layer.linear.out_features
            yield Cost(module, "token", acs=rate * weights, neurons=neurons, block=index)
    acs = _attention_acs(config, rates, index)
    yield Cost("SSA", "token", acs=acs, neurons=config.dim, block=index)
    if config.halting.mode != "none":
        yield Cost("halting", "token", macs=config.halting_macs[0], block=index)


def _attention_acs(config: ModelConfig, rates: dict[str, float], index: int) -> float:
    """Both products of q, k, v per token, in the attention's cheaper order."""
    name = f"blocks.{index}.attention"
    rate = rates.get(f"{name}.qkv_lif", rates.get(f"{name}.proj.linear", 0.0))
    tokens, head = config.tokens_per_block[index], config.dim // config.heads
    return 2 * config.dim * config.architecture.attention.meets(tokens, head) * rate
