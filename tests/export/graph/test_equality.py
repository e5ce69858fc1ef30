"""PyTorch, numpy and ONNX Runtime agree bit for bit in every layout and chunk."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest

from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from tests.export.dyadic import (
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
from train.config import ModelConfig, StemConfig
from train.models import NAMED_MODELS, SpikingTransformer

ARCHITECTURES = sorted({each.arch for each in NAMED_MODELS.values() if not each.stages})
CHUNKS = (1, 2, TIMESTEPS)
BATCHES = (1, 5)


@cache
def network_of(arch: str, stem: str, mode: str, gamma: int) -> SpikingTransformer:
    return dyadic_network(dyadic_config(arch, stem, mode, gamma))


def layouts(mode: str) -> tuple[str, ...]:
    """Mode `block` exists in the dense layout only (design section 2)."""
    return ("dense",) if mode == "block" else ("packed", "dense")


@pytest.mark.parametrize("gamma", [0, 3, 25])
@pytest.mark.parametrize("mode", ["none", "block", "block_time"])
@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_layout_and_chunk_equals_torch(arch: str, stem: str, mode: str, gamma: int) -> None:
    network = network_of(arch, stem, mode, gamma)
    expected = {batch: run_torch(network, pictures(batch)) for batch in BATCHES}
    assert_lively(expected[5], mode)
    for layout in layouts(mode):
        for chunk in CHUNKS:
            options = ExportOptions(chunk=chunk, layout=layout, live_masks=True)
            graphs = unroll(make_plan(network), options)
            for kind in (OnnxRuntime, Numpy):
                bundle = Bundle(kind, graphs, network.config, chunk)
                for batch in BATCHES:
                    assert_same(expected[batch], bundle.run(pictures(batch)))


SIMILAR = {"spikformer": 0.9, "spikingformer": 0.6, "sdt": 0.8}
"""A similarity that some pairs of the networks reach, by architecture."""


@pytest.mark.parametrize("mode", ["none", "block", "block_time"])
@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("arch", sorted(SIMILAR))
def test_merging_what_is_similar_equals_torch(arch: str, stem: str, mode: str) -> None:
    config = dyadic_config(arch, stem, mode, 0, merge_threshold=SIMILAR[arch])
    network = dyadic_network(config)
    expected = run_torch(network, pictures(3))
    assert 0 < expected.live[0][0].mean() < 1  # before any halting
    assert len({counts.tobytes() for counts in expected.live[0][0].sum(1)}) > 1  # by image
    for layout, chunk in product(layouts(mode), CHUNKS):
        graphs = unroll(make_plan(network), ExportOptions(chunk, layout))
        for kind in (OnnxRuntime, Numpy):
            assert_same(expected, Bundle(kind, graphs, config, chunk).run(pictures(3)))


@pytest.mark.parametrize("layout", ["packed", "dense"])
def test_similar_tokens_of_event_frames_equal_torch(layout: str) -> None:
    changes = {"input": "frames", "channels": 2, "merge_threshold": 0.9}
    config = dyadic_config("spikformer", "sps", "block_time", 0, **changes)
    network = dyadic_network(config)
    frames = np.random.default_rng(1).integers(0, 3, (3, TIMESTEPS, 2, 8, 8)).astype(np.float32)
    expected = run_torch(network, frames)
    for chunk in CHUNKS:
        graphs = unroll(make_plan(network), ExportOptions(chunk, layout))
        assert_same(expected, Bundle(OnnxRuntime, graphs, config, chunk).run(frames))


def assert_lively(trace: Trace, mode: str) -> None:
    """The comparison means something: tokens differ, and where tokens can halt, some do."""
    assert all(np.unique(x, axis=0).shape[0] > 4 for x in trace.tokens[0][:2])
    shares = [live.mean() for step in trace.live for live in step]
    if mode != "none":
        assert any(0 < share < 1 for share in shares)


@pytest.mark.parametrize("arch", ARCHITECTURES)
@pytest.mark.parametrize("layout", ["packed", "dense"])
def test_event_frames_equal_torch(arch: str, layout: str) -> None:
    config = dyadic_config(arch, "sps", "block_time", 3, input="frames", channels=2)
    network = dyadic_network(config)
    frames = np.random.default_rng(1).integers(0, 3, (3, TIMESTEPS, 2, 8, 8)).astype(np.float32)
    expected = run_torch(network, frames)
    for chunk in CHUNKS:
        graphs = unroll(make_plan(network), ExportOptions(chunk, layout, live_masks=True))
        assert_same(expected, Bundle(OnnxRuntime, graphs, config, chunk).run(frames))


@pytest.mark.parametrize("position", ["after_lif", "before_lif"])
@pytest.mark.parametrize("stem", ["sps", "isps"])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_pooled_stems_equal_torch(arch: str, stem: str, position: str) -> None:
    pooled = StemConfig(kind=stem, pool=(True, False, False, True), pool_position=position)
    config = replace(dyadic_config(arch, stem, "block_time", 0, image_size=(9, 7)), stem=pooled)
    network = dyadic_network(config)
    images = np.random.default_rng(2).integers(0, 256, (2, 9, 7, 3), dtype=np.uint8)
    graphs = unroll(make_plan(network), ExportOptions(2, "packed", live_masks=True))
    assert_same(run_torch(network, images), Bundle(OnnxRuntime, graphs, config, 2).run(images))


@pytest.mark.parametrize("chunk", CHUNKS)
def test_a_neuron_before_the_head_equals_torch(chunk: int) -> None:
    config = dyadic_config("sdt", "sps", "none", 0, head_lif=True)
    network = dyadic_network(config)
    expected = run_torch(network, pictures(3))
    assert len({logits.tobytes() for logits in expected.logits if logits is not None}) > 1
    graphs = unroll(make_plan(network), ExportOptions(chunk, "packed", live_masks=True))
    for kind in (OnnxRuntime, Numpy):
        assert_same(expected, Bundle(kind, graphs, config, chunk).run(pictures(3)))


@pytest.mark.parametrize("layout", ["packed", "dense"])
@pytest.mark.parametrize("chunk", CHUNKS)
def test_spread_attention_equals_torch(chunk: int, layout: str) -> None:
    config = dyadic_config("sdt", "sps", "none", 0, spread_attention=True)
    network = dyadic_network(config)
    expected = run_torch(network, pictures(3))
    plain = replace(config, spread_attention=False)
    other = run_torch(dyadic_network(plain), pictures(3))
    assert not np.array_equal(expected.tokens[0][0], other.tokens[0][0])
    graphs = unroll(make_plan(network), ExportOptions(chunk, layout, live_masks=True))
    assert_same(expected, Bundle(OnnxRuntime, graphs, config, chunk).run(pictures(3)))


def soft_reset(config: ModelConfig) -> ModelConfig:
    return replace(config, lif=replace(config.lif, v_reset=None))


@pytest.mark.parametrize("stem", ["sps", "isps"])
def test_soft_reset_equals_torch(stem: str) -> None:
    network = dyadic_network(soft_reset(dyadic_config("spikformer", stem, "block_time", 3)))
    graphs = unroll(make_plan(network), ExportOptions(1, "packed", live_masks=True))
    for kind in (OnnxRuntime, Numpy):
        found = Bundle(kind, graphs, network.config, 1).run(pictures(2))
        assert_same(run_torch(network, pictures(2)), found)
