"""Networks whose neurons give integers (E-SpikeFormer): every layout and precision."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import onnxruntime
import pytest

from export.fold.network import make_plan
from export.fold.neurons import integer_staircase
from export.graph.unroll import unroll
from export.options import ExportOptions
from tests.export.dyadic import (
    EPSILON,
    Bundle,
    Numpy,
    OnnxRuntime,
    Trace,
    assert_same,
    dyadic_config,
    dyadic_network,
    run_torch,
)
from train.config import HaltingConfig, LIFConfig, ModelConfig, StemConfig
from train.models import SpikingTransformer
from train.staircase import evaluate


def config_of(mode: str = "block_time", **changes: object) -> ModelConfig:
    """Width 32 and 6 tokens; halting is over blocks alone, since there is one timestep."""
    base = dyadic_config("spikingformer", "sps", mode, 1 if mode == "block_time" else 0)
    config = replace(
        base, arch="espikeformer", dim=32, heads=4, timesteps=1, stem=StemConfig("sps"),
        image_size=(48, 32), head_lif=True, head_readout=True, linear_first=True, mlp_ratio=2.0,
        halting=HaltingConfig(mode=mode, alpha=0.25, beta=-0.5),
    )  # fmt: skip
    return replace(config, **changes)  # type: ignore[arg-type]


def inputs_of(config: ModelConfig, batch: int = 3) -> np.ndarray:
    shape = (batch, *config.image_size, config.channels)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@cache
def expected_of(mode: str = "block_time", levels: int = 4) -> tuple[SpikingTransformer, Trace]:
    network = dyadic_network(config_of(mode, lif=LIFConfig(levels=levels)))
    trace = run_torch(network, inputs_of(network.config))
    halts = any(0 < live.mean() < 1 for step in trace.live for live in step)
    assert halts == (mode != "none")
    assert all(np.unique(x, axis=0).shape[0] > 4 for x in trace.tokens[0][:2])
    return network, trace


CASES = [("block_time", 4, "packed"), ("none", 8, "dense")]


@pytest.mark.parametrize(
    ("mode", "levels", "layout", "kind"),
    [*((*case, OnnxRuntime) for case in CASES), (*CASES[0], Numpy)],
)
def test_graphs_equal_torch(
    mode: str, levels: int, layout: str, kind: type[OnnxRuntime] | type[Numpy]
) -> None:
    network, expected = expected_of(mode, levels)
    graphs = unroll(make_plan(network), ExportOptions(1, layout, live_masks=True))  # type: ignore[arg-type]
    assert list(graphs) == ["first.onnx"]
    assert_same(expected, Bundle(kind, graphs, network.config, 1).run(inputs_of(network.config)))


@pytest.mark.parametrize(("qdq", "layout"), [(False, "packed"), (True, "dense")])
def test_activations_are_exact_in_bytes(qdq: bool, layout: str) -> None:
    network = dyadic_network(config_of())
    for name, weight in network.state_dict().items():
        if weight.ndim > 1 and "head" not in name:  # 127 levels of 1/64 to every channel
            weight.copy_((weight * 8).clamp(-127, 127) / 64)
            weight.flatten(1)[:, 0] = 127 / 64
    expected = run_torch(network, inputs_of(network.config))
    options = ExportOptions(1, layout, precision="int8", live_masks=True, qdq=qdq)  # type: ignore[arg-type]
    graphs = unroll(make_plan(network), options)
    kinds = {node.op_type for node in graphs["first.onnx"].graph.node}
    assert kinds & {"SpikeLinearInteger", "DequantizeLinear"}
    found = Bundle(OnnxRuntime, graphs, network.config, 1).run(inputs_of(network.config))
    assert_same(expected, found)


def test_float16_decides_as_float32() -> None:
    network, expected = expected_of()
    options = ExportOptions(1, "dense", precision="fp16", live_masks=True)
    graphs = unroll(make_plan(network), options)
    session = onnxruntime.InferenceSession(graphs["first.onnx"].SerializeToString())
    names = [each.name for each in session.get_outputs()]
    feed = {"image": inputs_of(network.config), "epsilon": np.array(EPSILON, np.float32)}
    outputs = dict(zip(names, session.run(names, feed), strict=True))
    for number, live in enumerate(expected.live[0], 1):
        np.testing.assert_array_equal(outputs[f"live.block{number}"][:, 0], live)
    np.testing.assert_allclose(outputs["logits"], expected.logits[0], rtol=1e-2, atol=1e-2)


def test_steps_are_where_training_rounds() -> None:
    import torch

    from train.models.neurons import Integer

    edges = np.arange(10, dtype=np.float32) / 2
    x = np.concatenate([edges, *(np.nextafter(edges, np.float32(to)) for to in (-9, 9))])
    found = evaluate(integer_staircase(4), x) / 4
    np.testing.assert_array_equal(found, Integer(4)(torch.from_numpy(x)).numpy())
