"""Energy with memory access, beside a dense network of the same shape (as STEP, arXiv 2505.11151).

The papers' formula counts arithmetic alone (train/measure/energy.py), and by it spikes always win.
Here three kinds of traffic are added, alike for both networks, without reuse in registers:

    weights       one from SRAM for every operation; all of them from DRAM once per image
    activations   every output written to and read from SRAM: a spike is a bit, a dense value a word
    membranes     read and written for every neuron and timestep; a dense network has none

The dense network has the same layers with ReLU in place of neurons, no timesteps and no halting, so
every token of every block. With int8 it multiplies and adds integers; the spiking network with int8
weights adds integers, and multiplies them in its first convolution, halting and head.

Energies are Horowitz's for 45 nm CMOS at 0.9 V (ISSCC 2014, fig. 1.1.9): per 64 bits 10 pJ from an
SRAM of 8 KB, 20 pJ of 32 KB, 100 pJ of 1 MB, and 1.3 to 2.6 nJ from DRAM.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Literal

from torch import Tensor

from train.measure.constants import MemoryConstants
from train.measure.energy import Cost, costs
from train.models.layers import ConvBN, LinearBN
from train.models.network import SpikingTransformer

Number = Literal["fp32", "int8"]
_PJ_PER_MJ = 1e9
_SPIKE_BYTES = 1 / 8
_MEMBRANE_BYTES = 4

MAC_PJ: dict[Number, float] = {
    "fp32": 3.7 + 0.9,
    "int8": 0.2 + 0.1,
}  # multiply, then add in 32 bits
ADD_PJ: dict[Number, float] = {"fp32": 0.9, "int8": 0.1}
WORD_BYTES: dict[Number, int] = {"fp32": 4, "int8": 1}


@dataclass(frozen=True)
class Breakdown:
    """Where an average image's energy goes, in mJ."""

    operations_mj: float
    weights_sram_mj: float
    weights_dram_mj: float
    activations_mj: float
    membranes_mj: float

    @property
    def total_mj(self) -> float:
        """Everything together."""
        return sum(float(getattr(self, field.name)) for field in fields(self))


@dataclass(frozen=True)
class Work:
    """What an average image needs, in operations, words and membrane updates.

    Attributes:
        macs: multiply-accumulates.
        adds: accumulates.
        activations: outputs of neurons or ReLUs, each written and read once.
        membranes: updates, each a read and a write.
        spikes: whether activations are bits.
    """

    macs: float
    adds: float
    activations: float
    membranes: float
    spikes: bool


def spiking_work(
    network: SpikingTransformer, rates: dict[str, float], tokens_per_block: Tensor
) -> Work:
    """Work of the spiking network, from measured firing rates and live tokens.

    Args:
        network: the network.
        rates: from `measure_firing_rates`.
        tokens_per_block: mean live tokens [T, L] over the executed timesteps.
    """
    timesteps, tokens = tokens_per_block.shape[0], tokens_per_block.double().sum(0)

    def times(cost: Cost) -> float:
        if cost.unit == "token":
            return float(tokens[cost.block])
        return float(timesteps) if cost.unit == "timestep" else 1.0

    found = [(times(cost), cost) for cost in costs(network, rates)]
    neurons = sum(n * cost.neurons for n, cost in found)
    return Work(
        macs=sum(n * cost.macs for n, cost in found),
        adds=sum(n * cost.acs for n, cost in found),
        activations=neurons,
        membranes=neurons,
        spikes=True,
    )


def dense_work(network: SpikingTransformer) -> Work:
    """Work of the dense network of the same shape: every product is one multiply-accumulate."""
    layers = list(_dense_layers(network))
    return Work(
        macs=sum(macs for macs, _ in layers),
        adds=0.0,
        activations=sum(outputs for _, outputs in layers),
        membranes=0.0,
        spikes=False,
    )


def _dense_layers(network: SpikingTransformer) -> Iterator[tuple[float, float]]:
    """Multiply-accumulates and outputs of each layer."""
    config = network.config
    for stage, layer in enumerate(network.stem.convs):
        assert isinstance(layer, ConvBN)
        height, width = config.resolution(stage)
        yield layer.conv.weight.numel() * height * width, layer.conv.out_channels * height * width
    for block, tokens in zip(network.blocks, config.static().tokens_per_block, strict=True):
        linears = [layer.linear for layer in block.modules() if isinstance(layer, LinearBN)]
        for linear in linears:
            yield linear.weight.numel() * tokens, linear.out_features * tokens
        inner = config.architecture.attention.meets(tokens, config.dim // config.heads)
        yield 2 * config.dim * inner * tokens, config.dim * tokens
    yield config.head_width * config.classes, config.classes


def breakdown(work: Work, parameters: int, number: Number, memory: MemoryConstants) -> Breakdown:
    """Energy of an image.

    Args:
        work: of a spiking or a dense network.
        parameters: weights, fetched from DRAM once.
        number: type of weights, and of a dense network's activations.
        memory: what a byte costs.
    """
    word = WORD_BYTES[number]
    activation = _SPIKE_BYTES if work.spikes else word
    sram, dram = memory.sram_pj_per_byte, memory.dram_pj_per_byte
    return Breakdown(
        operations_mj=(work.macs * MAC_PJ[number] + work.adds * ADD_PJ[number]) / _PJ_PER_MJ,
        weights_sram_mj=(work.macs + work.adds) * word * sram / _PJ_PER_MJ,
        weights_dram_mj=parameters * word * dram / _PJ_PER_MJ,
        activations_mj=2 * work.activations * activation * sram / _PJ_PER_MJ,
        membranes_mj=2 * work.membranes * _MEMBRANE_BYTES * sram / _PJ_PER_MJ,
    )


def parameters_of(network: SpikingTransformer) -> int:
    """Weights of convolutions and linear layers, BatchNorm folded in."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.ndim > 1)
