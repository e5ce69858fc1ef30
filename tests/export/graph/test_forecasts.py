"""Networks that halt by forecasts: PyTorch, numpy and ONNX Runtime agree in every layout."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import onnxruntime
import pytest
import torch

from export.errors import UnsupportedError
from export.fold.finite import check_finite
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from spikehalt.errors import ConfigError
from tests.export.dyadic import (
    EPSILON,
    PATCH_SPLITTING,
    TIMESTEPS,
    Bundle,
    Numpy,
    OnnxRuntime,
    Trace,
    assert_same,
    dyadic_config,
    dyadic_network,
    pictures,
    run_torch,
)
from tests.export.graph.layouts.test_lagged import run_lagged
from train.config import HaltingConfig, ModelConfig
from train.models import SpikingTransformer

# Slope and offset under which a fair share of tokens halts, of spikes and of currents.
SPIKES = HaltingConfig("block_time", alpha=0.25, beta=-1.5, score="forecast")
CURRENTS = replace(SPIKES, alpha=0.0625)


def config_of(arch: str, stem: str = "sps", **changes: object) -> ModelConfig:
    config = dyadic_config(arch, stem, "block_time", 0)
    halting = CURRENTS if config.architecture.lif_first else SPIKES
    return replace(config, **{"halting": halting, **changes})  # type: ignore[arg-type]


@cache
def expected_of(arch: str, stem: str) -> tuple[SpikingTransformer, Trace]:
    network = dyadic_network(config_of(arch, stem))
    trace = run_torch(network, pictures(5))
    shares = [live.mean() for step in trace.live for live in step[1:]]
    assert sum(0 < share < 1 for share in shares) > 2, shares
    return network, trace


@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("arch", PATCH_SPLITTING)
def test_every_layout_and_chunk_equals_torch(arch: str, stem: str) -> None:
    network, expected = expected_of(arch, stem)
    for layout, chunk in (("packed", 1), ("packed", TIMESTEPS), ("dense", 2)):
        graphs = unroll(make_plan(network), ExportOptions(chunk, layout, live_masks=True))
        for kind in (OnnxRuntime, Numpy) if chunk > 1 else (OnnxRuntime,):
            assert_same(expected, Bundle(kind, graphs, network.config, chunk).run(pictures(5)))


@pytest.mark.parametrize("chunk", [1, 2])
def test_lagged_graphs_equal_torch(chunk: int) -> None:
    network, expected = expected_of("spikformer", "isps")
    graphs = unroll(make_plan(network), ExportOptions(chunk, "lagged", live_masks=True))
    assert_same(expected, run_lagged(graphs, network.config, pictures(5), chunk))


@pytest.mark.parametrize("qdq", [False, True], ids=["int8", "qdq"])
def test_weights_that_bytes_hold_give_the_same_in_int8(qdq: bool) -> None:
    network = dyadic_network(config_of("spikformer", "isps"))
    for name, weight in network.state_dict().items():
        if weight.ndim > 1 and "head" not in name and "forecasts" not in name:
            weight.copy_((weight * 8).clamp(-127, 127) / 64)  # 127 levels of 1/64
            weight.flatten(1)[:, 0] = 127 / 64
    expected = run_torch(network, pictures(3))
    options = ExportOptions(1, "dense" if qdq else "packed", precision="int8", qdq=qdq)
    graphs = unroll(make_plan(network), options)
    assert_same(expected, Bundle(OnnxRuntime, graphs, network.config, 1).run(pictures(3)))


def test_float16_graphs_decide_alike() -> None:
    network, expected = expected_of("spikformer", "sps")
    options = ExportOptions(TIMESTEPS, "dense", precision="fp16", live_masks=True)
    graph = unroll(make_plan(network), options)["first.onnx"]
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    feed = {"image": pictures(5), "epsilon": np.array(EPSILON, np.float32)}
    for number in range(network.config.depth):
        (live,) = session.run([f"live.block{number + 1}"], feed)
        for t, step in enumerate(expected.live):
            np.testing.assert_array_equal(live[:, t], step[number])


@pytest.mark.parametrize("arch", PATCH_SPLITTING)
def test_where_nothing_halts_logits_are_those_of_the_static_network(arch: str) -> None:
    """To the bit, in PyTorch and in graphs, whatever the forecasts are."""
    generator = torch.Generator().manual_seed(1)
    config = config_of(arch, "isps", halting=replace(SPIKES, alpha=0.0, beta=-30.0))
    adapted, static = dyadic_network(config), SpikingTransformer(config.static()).eval()
    for parameter in adapted.parameters():  # sums that round
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)
    kept = {name: w for name, w in adapted.state_dict().items() if "forecasts" not in name}
    static.load_state_dict(kept)
    logits = [run_torch(each, pictures(4)).logits for each in (adapted, static)]
    assert len({each.tobytes() for each in logits[0] if each is not None}) > 1
    assert all(np.array_equal(a, b) for a, b in zip(*logits, strict=True))
    found = [
        Bundle(
            OnnxRuntime,
            unroll(make_plan(each), ExportOptions(1, "dense", spike_ops=False)),
            each.config,
            1,
        ).run(pictures(4))
        for each in (adapted, static)
    ]
    assert all(np.array_equal(a, b) for a, b in zip(found[0].logits, found[1].logits, strict=True))


def test_forecasts_that_are_no_numbers_are_named() -> None:
    network = dyadic_network(config_of("spikformer"))
    assert network.forecasts is not None
    network.forecasts.values[1].bias.data[0] = torch.inf
    with pytest.raises(UnsupportedError, match="forecast bias behind block 2"):
        check_finite(make_plan(network))


def test_merging_at_export_is_refused() -> None:
    plan = make_plan(dyadic_network(config_of("spikformer")))
    with pytest.raises(ConfigError, match="merge_gamma 0"):
        unroll(plan, ExportOptions(merge_gamma=2))
