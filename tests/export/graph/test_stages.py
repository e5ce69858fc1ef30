"""Networks with convolutional stages in the stem's place: every form, layout and precision."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from plugins import SPIKE_OPS
from tests.export.dyadic import (
    SCORES,
    TIMESTEPS,
    Bundle,
    Numpy,
    OnnxRuntime,
    Trace,
    assert_same,
    dyadic_config,
    dyadic_network,
    run_torch,
)
from tests.export.graph.layouts.test_lagged import run_lagged
from train.architectures import ARCHITECTURES, architecture
from train.config import HaltingConfig, ModelConfig, StemConfig
from train.models import SpikingTransformer

FORMS = {"imagenet": (40, 33), "cifar": (16, 13), "events": (33, 48)}
STAGED = [name for name, each in ARCHITECTURES.items() if each.forms and not each.integer]
CASES = [(arch, form) for arch in STAGED for form in architecture(arch).forms]


def config_of(arch: str, form: str, **changes: object) -> ModelConfig:
    """Width 32; with the hidden width of the event form an MLP may also add its first layer."""
    alpha, beta = SCORES[arch]
    config = replace(
        dyadic_config("spikingformer", "sps", "block_time", 1), arch=arch, dim=32, heads=4,  # type: ignore[arg-type]
        stem=StemConfig("sps", form=form), head_lif=architecture(arch).lif_first,  # type: ignore[arg-type]
        image_size=FORMS[form], mlp_ratio=1.0 if form == "events" else 2.0,
        halting=HaltingConfig(mode="block_time", alpha=alpha, beta=beta),
    )  # fmt: skip
    if form == "events":
        config = replace(config, input="frames", channels=2, pixel_mean=(0.5,), pixel_std=(0.5,))
    return replace(config, **changes)  # type: ignore[arg-type]


def inputs_of(config: ModelConfig, batch: int = 3) -> np.ndarray:
    generator, size = np.random.default_rng(0), config.image_size
    if config.input == "frames":
        shape = (batch, TIMESTEPS, config.channels, *size)
        return generator.integers(0, 3, shape).astype(np.float32)
    return generator.integers(0, 256, (batch, *size, config.channels), dtype=np.uint8)


@cache
def expected_of(arch: str, form: str) -> tuple[SpikingTransformer, Trace]:
    network = dyadic_network(config_of(arch, form))
    trace = run_torch(network, inputs_of(network.config))
    assert any(0 < live.mean() < 1 for step in trace.live for live in step)
    assert all(np.unique(x, axis=0).shape[0] > 4 for x in trace.tokens[0][:2])
    return network, trace


@pytest.mark.parametrize(("layout", "chunk"), [("packed", 1), ("packed", 4), ("dense", 2)])
@pytest.mark.parametrize(("arch", "form"), CASES)
def test_every_form_equals_torch(arch: str, form: str, layout: str, chunk: int) -> None:
    network, expected = expected_of(arch, form)
    graphs = unroll(make_plan(network), ExportOptions(chunk, layout, live_masks=True))
    found = Bundle(OnnxRuntime, graphs, network.config, chunk).run(inputs_of(network.config))
    assert_same(expected, found)


@pytest.mark.parametrize("arch", STAGED)
def test_lagged_graphs_equal_torch(arch: str) -> None:
    network, expected = expected_of(arch, "cifar")
    graphs = unroll(make_plan(network), ExportOptions(1, "lagged", live_masks=True))
    assert_same(expected, run_lagged(graphs, network.config, inputs_of(network.config), 1))


@pytest.mark.parametrize("arch", STAGED)
def test_the_numpy_references_agree(arch: str) -> None:
    network, expected = expected_of(arch, "cifar")
    graphs = unroll(make_plan(network), ExportOptions(4, "packed", live_masks=True))
    found = Bundle(Numpy, graphs, network.config, 4).run(inputs_of(network.config))
    assert_same(expected, found)


@pytest.mark.parametrize("arch", STAGED)
@pytest.mark.parametrize("qdq", [False, True], ids=["int8", "qdq"])
def test_weights_that_bytes_hold_give_the_same_in_int8(arch: str, qdq: bool) -> None:
    network = dyadic_network(config_of(arch, "cifar"))
    for name, weight in network.state_dict().items():
        if weight.ndim > 1 and "head" not in name:  # 127 levels of 1/64 to every channel
            weight.copy_((weight * 8).clamp(-127, 127) / 64)
            weight.flatten(1)[:, 0] = 127 / 64
    expected = run_torch(network, inputs_of(network.config))
    options = ExportOptions(2, "dense", precision="int8", live_masks=True, qdq=qdq)
    graphs = unroll(make_plan(network), options)
    found = Bundle(OnnxRuntime, graphs, network.config, 2).run(inputs_of(network.config))
    assert_same(expected, found)


@pytest.mark.parametrize(("arch", "form"), CASES)
def test_convolutions_of_spikes_pay_for_spikes_alone(arch: str, form: str) -> None:
    """Those of 3 x 3 and of single pixels; depth-wise ones are dense, and strides of 3 x 3."""
    network = dyadic_network(config_of(arch, form))
    (graph,) = unroll(make_plan(network), ExportOptions(TIMESTEPS, "dense")).values()
    kinds = {node.name: node.op_type for node in graph.graph.node}
    for number, conv in enumerate(network.config.stages, start=1):
        dense = conv.takes < 0 or conv.depthwise or (conv.kernel, conv.stride) == (3, 2)
        sparse = "SpikeLinear" if conv.kernel == 1 else "SpikeConv"
        assert kinds[f"stem/conv{number}"] == ("Conv" if dense else sparse), number
    assert kinds["block1/qkv"] == "SpikeLinear"


@pytest.mark.parametrize(("arch", "form"), CASES)
def test_graphs_without_these_ops_equal_torch(arch: str, form: str) -> None:
    network, expected = expected_of(arch, form)
    graphs = unroll(
        make_plan(network), ExportOptions(4, "packed", live_masks=True, spike_ops=False)
    )
    assert not any(
        node.domain == "spikehalt" and node.op_type in SPIKE_OPS
        for graph in graphs.values()
        for node in graph.graph.node
    )
    found = Bundle(OnnxRuntime, graphs, network.config, 4).run(inputs_of(network.config))
    assert_same(expected, found)
