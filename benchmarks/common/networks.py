"""Networks of random weights that benchmarks time, and their graphs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from benchmarks.common.densities import Densities, impose_densities
from benchmarks.common.replay import SILENT, imposed
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from spikehalt.vocabulary import Layout
from train.architectures.spikformer import SPIKFORMER
from train.config import HaltingConfig, ModelConfig
from train.models import SpikingTransformer, named_model

MODEL = "spikformer-4-384"
DENSITY_IMAGES = 8
LARGE = "spikingformer-8-384"


def config_of(kind: str, *, halting: bool, model: str = MODEL) -> ModelConfig:
    """Return a named model with the stem `kind`, with replayed halting or without."""
    base = named_model(model)
    chosen = SILENT if halting else HaltingConfig()
    return replace(base, stem=replace(base.stem, kind=kind), halting=chosen)  # type: ignore[arg-type]


def random_network(config: ModelConfig) -> SpikingTransformer:
    """Return a network whose random weights let a fair share of neurons fire."""
    generator = torch.Generator().manual_seed(0)
    network = SpikingTransformer(config).eval()
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim > 1:
            parameter.data = noise * 3.2 / parameter[0].numel() ** 0.5
        elif name.endswith("bn.bias"):
            parameter.data = noise * 0.3 + 0.4
    return network


def our_network(config: ModelConfig, densities: Densities | None) -> SpikingTransformer:
    """Return random weights; a Spikformer's neurons fire as a trained one's, where known."""
    network = random_network(config)
    if densities is not None and config.architecture is SPIKFORMER:
        images = torch.from_numpy(random_images(config, DENSITY_IMAGES)).permute(0, 3, 1, 2)
        impose_densities(network, densities, images)
    return network


def random_images(config: ModelConfig, count: int) -> NDArray[np.uint8]:
    """Return uint8 [count, H, W, C]."""
    shape = (count, *config.image_size, config.channels)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


def our_graphs(
    config: ModelConfig,
    *,
    int8: bool = False,
    layout: Layout = "packed",
    chunk: int = 1,
    densities: Densities | None = None,
    spike_ops: bool = True,
) -> dict[str, onnx.ModelProto]:
    """Return graphs of `chunk` timesteps; halting is replayed, a static network is dense."""
    halting = config.halting.mode != "none"
    options = ExportOptions(
        chunk, layout if halting else "dense", "int8" if int8 else "fp32", spike_ops=spike_ops
    )
    plan = make_plan(our_network(config, densities))
    if not halting:
        return unroll(plan, options)
    with imposed():
        return unroll(plan, options)
