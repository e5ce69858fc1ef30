"""The lagged layout computes what PyTorch computes, bit for bit, whoever leaves and halts."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from export.bundle.write import check_model
from export.fold.network import make_plan
from export.graph.unroll import unroll
from export.options import ExportOptions
from runtime.backends.lagged import PADDING, next_rows
from tests.export.dyadic import (
    EPSILON,
    TIMESTEPS,
    Numpy,
    OnnxRuntime,
    Trace,
    assert_same,
    collect,
    dyadic_config,
    dyadic_network,
    pictures,
    run_torch,
    source,
    token_names,
)
from train.config import ModelConfig
from train.models import SpikingTransformer

ARCHITECTURES = ("spikformer", "spikingformer", "sdt")
Graphs = dict[str, onnx.ModelProto]
Values = dict[str, NDArray[Any]]


@cache
def network_of(arch: str, stem: str, gamma: int) -> SpikingTransformer:
    return dyadic_network(dyadic_config(arch, stem, "block_time", gamma))


@cache
def lagged_graphs(arch: str, stem: str, gamma: int, chunk: int) -> Graphs:
    options = ExportOptions(chunk, "lagged", live_masks=True)
    return unroll(make_plan(network_of(arch, stem, gamma)), options)


def run_lagged(
    graphs: Graphs,
    config: ModelConfig,
    images: NDArray[Any],
    chunk: int,
    kind: Any = OnnxRuntime,
    padding: int = 0,
) -> Trace:
    """All chunks, with `padding` superfluous rows."""
    first, following = loaded(graphs, config, kind)
    feed = {"epsilon": np.array(EPSILON, np.float32), **source(config, images, 0, chunk)}
    outputs = first(feed)
    trace = Trace([], [], [], [])
    collect(trace, outputs, config, chunk)
    for start in range(chunk, config.timesteps, chunk):
        feed = next_feed(following, outputs, config, np.arange(len(images)), padding)
        if config.input == "frames":
            feed |= source(config, images, start, chunk)
        outputs = following(feed)
        spread_rows(outputs, feed, config, chunk)
        collect(trace, outputs, config, chunk)
    return trace


def loaded(graphs: Graphs, config: ModelConfig, kind: Any = OnnxRuntime) -> list[Any]:
    """Both graphs, with the tokens after every block given out."""
    extra = token_names(config.depth)
    return [kind(graphs[f"{name}.onnx"], extra) for name in ("first", "next")]


def next_feed(
    graph: Any, outputs: Values, config: ModelConfig, alive: NDArray[Any], padding: int = 0
) -> Values:
    masks = [outputs[f"live.block{n}"] for n in range(1, config.depth + 1)]
    rows = next_rows(masks, alive)
    feed = {name: np.pad(r, (0, padding), constant_values=PADDING) for name, r in rows.items()}
    feed |= {n: outputs[f"next.{n}"] for n in graph.inputs if n.startswith("state.")}
    return feed | {"alive": alive, "epsilon": np.array(EPSILON, np.float32)}


def spread_rows(outputs: Values, feed: Values, config: ModelConfig, chunk: int) -> None:
    """Replace each block's rows by one row a slot, as `collect` expects; NaN where none was."""
    for name in token_names(config.depth):
        block = int(name.split("block")[1].split("/")[0])
        if block > 1:
            rows, images = feed[f"rows.block{block}"], len(feed["alive"])
            slots = config.tokens_per_block[block - 1]
            full = np.full((chunk, images * slots, config.dim), np.nan, np.float32)
            by_step = outputs[name].reshape(chunk, len(rows), config.dim)
            full[:, rows[rows >= 0]] = by_step[:, rows >= 0]
            outputs[name] = full.reshape(-1, config.dim)


@pytest.mark.parametrize(
    ("stem", "gamma", "chunk"), [("sps", 0, 2), ("isps", 0, 1), ("isps", 3, 2), ("sps", 25, 1)]
)
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_chunk_equals_torch(arch: str, stem: str, gamma: int, chunk: int) -> None:
    network, graphs = network_of(arch, stem, gamma), lagged_graphs(arch, stem, gamma, chunk)
    for batch, padding in ((1, 0), (5, 7)):
        found = run_lagged(graphs, network.config, pictures(batch), chunk, padding=padding)
        assert_same(run_torch(network, pictures(batch)), found)


@pytest.mark.parametrize(("stem", "mode", "chunk"), [
    ("sps", "block_time", 2), ("isps", "block_time", 1), ("isps", "none", 2), ("sps", "none", 1),
])  # fmt: skip
def test_every_chunk_equals_torch_where_similar_tokens_merge(
    stem: str, mode: str, chunk: int
) -> None:
    config = dyadic_config("spikformer", stem, mode, 0, merge_threshold=0.9)
    network = dyadic_network(config)
    graphs = unroll(make_plan(network), ExportOptions(chunk, "lagged", live_masks=True))
    expected = run_torch(network, pictures(5))
    assert expected.live[0][0].min() == 0
    for kind in (OnnxRuntime, Numpy):
        found = run_lagged(graphs, config, pictures(5), chunk, kind, padding=3)
        assert_same(expected, found)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_numpy_references_agree(arch: str) -> None:
    network, graphs = network_of(arch, "isps", 3), lagged_graphs(arch, "isps", 3, 2)
    found = run_lagged(graphs, network.config, pictures(2), 2, Numpy)
    assert_same(run_torch(network, pictures(2)), found)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_event_frames_equal_torch(arch: str) -> None:
    config = dyadic_config(arch, "sps", "block_time", 3, input="frames", channels=2)
    network = dyadic_network(config)
    frames = np.random.default_rng(1).integers(0, 3, (3, TIMESTEPS, 2, 8, 8)).astype(np.float32)
    graphs = unroll(make_plan(network), ExportOptions(1, "lagged", live_masks=True))
    assert_same(run_torch(network, frames), run_lagged(graphs, config, frames, 1))


@pytest.mark.parametrize("gamma", [0, 3])
@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_images_that_leave_take_their_rows_along(arch: str, gamma: int) -> None:
    """After others left, an image's answers are those it gets alone."""
    config, images = network_of(arch, "isps", gamma).config, pictures(5)
    first, following = loaded(lagged_graphs(arch, "isps", gamma, 1), config)
    together = following_chunks(first, following, config, images, [[4, 2, 0], [1, 2], [1]])
    alone = following_chunks(first, following, config, images[[0]], [[0], [0], [0]])
    # Of the images 4, 2, 0 the last two go on, 2 and 0; of these the second, 0.
    for name in ("logits", "halt_score", "live_tokens"):
        np.testing.assert_array_equal(together[name], alone[name], err_msg=name)
    assert 0 < together["live_tokens"][0, 0, 1] < config.tokens_per_block[1]


def following_chunks(
    first: OnnxRuntime,
    following: OnnxRuntime,
    config: ModelConfig,
    images: NDArray[Any],
    leaving: list[list[int]],
) -> Values:
    outputs = first({"image": images, "epsilon": np.array(EPSILON, np.float32)})
    for alive in leaving:
        outputs = following(next_feed(following, outputs, config, np.array(alive)))
    return outputs


@pytest.mark.parametrize("epsilon", [0.999, 0.0])
def test_all_halted_and_none_halted(epsilon: float) -> None:
    config = network_of("spikformer", "isps", 0).config
    graphs = lagged_graphs("spikformer", "isps", 0, 1)
    dense = unroll(
        make_plan(network_of("spikformer", "isps", 0)), ExportOptions(1, "dense", live_masks=True)
    )
    results = []
    for models in (graphs, dense):
        first, following = loaded(models, config)
        outputs = first({"image": pictures(2), "epsilon": np.array(epsilon, np.float32)})
        feed = next_feed(following, outputs, config, np.arange(2))
        feed["epsilon"] = np.array(epsilon, np.float32)
        results.append(following({name: feed[name] for name in following.inputs}))
    lagged, expected = results
    np.testing.assert_array_equal(lagged["live_tokens"], expected["live_tokens"])
    np.testing.assert_allclose(lagged["logits"], expected["logits"], rtol=1e-5, atol=1e-6)
    assert (lagged["live_tokens"][:, 0, 1:] == 0).all() == (epsilon > 0.5)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_graphs_are_valid_and_name_one_row_list_per_later_block(precision: Any) -> None:
    plan = make_plan(network_of("spikingformer", "sps", 3))
    graphs = unroll(plan, ExportOptions(2, "lagged", precision, live_masks=True))
    for name, model in graphs.items():
        check_model(name, model)
        assert not any(node.op_type == "TokenPack" for node in model.graph.node)
    inputs = {value.name: value for value in graphs["next.onnx"].graph.input}
    rows = {name: value for name, value in inputs.items() if name.startswith("rows.")}
    assert sorted(rows) == ["rows.block2", "rows.block3"]
    for name, value in rows.items():
        assert value.type.tensor_type.elem_type == onnx.TensorProto.INT32
        (dim,) = value.type.tensor_type.shape.dim
        assert dim.dim_param == f"M_{name.split('.')[1]}"


def test_states_of_later_blocks_have_one_row_per_token_that_was_live() -> None:
    config = network_of("spikformer", "isps", 0).config
    first, following = loaded(lagged_graphs("spikformer", "isps", 0, 1), config)
    outputs = first({"image": pictures(5), "epsilon": np.array(EPSILON, np.float32)})
    for _ in range(2):
        before, outputs = outputs, following(next_feed(following, outputs, config, np.arange(5)))
    lives = before["live_tokens"][:, 0, 1:].sum(0)
    for block, live in zip((2, 3), lives, strict=True):
        assert outputs[f"next.state.block{block}.qkv_lif"].shape == (live + 1, 3 * config.dim)
    assert 0 < lives[1] < 5 * config.tokens
