"""Networks of random weights that benchmarks time, and their graphs."""

from __future__ import annotations

from dataclasses import replace

import onnx
import torch

from benchmarks.common.replay import SILENT, imposed
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from spikehalt.vocabulary import Layout
from train.config import HaltingConfig, ModelConfig, require
from train.models import SpikingTransformer, named_model

MODEL = "spikformer-4-384"
LARGE = "spikingformer-8-384"


def config_of(kind: str, *, halting: bool, model: str = MODEL) -> ModelConfig:
    """Return a named model with the stem `kind`, with replayed halting or without."""
    base = named_model(model)
    require(not base.stages, f"{model} has no counterpart among the peers: their stems are patches")
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


def our_graphs(
    config: ModelConfig, *, int8: bool = False, layout: Layout = "packed", chunk: int = 1
) -> dict[str, onnx.ModelProto]:
    """Return graphs of `chunk` timesteps; halting is replayed, a static network is dense."""
    halting = config.halting.mode != "none"
    options = ExportOptions(chunk, layout if halting else "dense", "int8" if int8 else "fp32")
    plan = make_plan(random_network(config))
    if not halting:
        return unroll(plan, options)
    with imposed():
        return unroll(plan, options)
