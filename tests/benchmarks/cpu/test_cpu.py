"""The arithmetic behind the CPU benchmark's table."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx.inliner import inline_local_functions

from benchmarks.common import networks, peers
from benchmarks.common.replay import Replay
from benchmarks.common.table import Row
from benchmarks.cpu import command as cpu
from benchmarks.cpu import macs
from benchmarks.cpu import worker as cpu_worker
from benchmarks.cpu.curve import fit, thinned
from benchmarks.cpu.process import Setup
from train.config import StemConfig
from train.models import named_model

BLOCKS, TOKENS, TIMESTEPS = 4, 64, 4


def everything(images: int = 2) -> Replay:
    last = np.full((images, TIMESTEPS, TOKENS), BLOCKS)
    return Replay(last, np.array([1, 3]), BLOCKS)


def test_every_candidate_of_the_table_can_be_served() -> None:
    assert {*cpu.KINDS, *cpu.PEAKS} == set(cpu_worker.CANDIDATES)


def test_macs_of_one_pass_are_those_of_the_layers() -> None:
    config = networks.config_of("isps", halting=False)
    stem = 9 * (32 * 32 * (3 * 48 + 48 * 96 + 96 * 192) + 16 * 16 * 192 * 384 + 64 * 384 * 384)
    block = 64 * (4 * 384**2 + 2 * 384 * 1536) + 2 * 64 * 384 * 32
    live = np.full((1, 4), 64)
    assert macs.spiking_macs(config, live, 1) == stem + 4 * block


def test_what_is_hoisted_is_counted_once() -> None:
    once, always = (networks.config_of(kind, halting=False) for kind in ("isps", "sps"))
    live = np.full((4, 4), 64)
    first, *rest = macs.stem_macs(once)
    saved = 3 * (sum(rest) + 64 * 3 * 384**2)
    found = macs.spiking_macs(always, live, 4) - macs.spiking_macs(once, live, 4)
    assert found == saved
    assert first == 9 * 3 * 48 * 32 * 32


def products(model: onnx.ModelProto) -> int:
    """Multiply-accumulates of a graph's products at batch 1, by its inferred shapes."""
    copy = inline_local_functions(model)
    for each in copy.graph.input:
        for axis in each.type.tensor_type.shape.dim:
            if axis.dim_param:
                axis.dim_value = 1
    for each in copy.graph.output:
        each.type.tensor_type.ClearField("shape")
    graph = onnx.shape_inference.infer_shapes(copy, data_prop=True).graph
    shapes = {
        each.name: [axis.dim_value for axis in each.type.tensor_type.shape.dim]
        for each in [*graph.value_info, *graph.input, *graph.output]
    } | {each.name: list(each.dims) for each in graph.initializer}
    total = 0
    for node in graph.node:
        x, weight = (shapes.get(name, []) for name in [*node.input, "", ""][:2])
        if node.op_type == "Conv":
            total += math.prod(shapes[node.output[0]]) * math.prod(weight[1:])
        if node.op_type in ("MatMul", "Gemm") and not node.name.startswith("head"):
            total += math.prod(shapes[node.output[0]]) * x[-1]
    return total


@pytest.mark.parametrize("arch", ["spikformer", "spikingformer"])
@pytest.mark.parametrize("stem", ["isps", "sps"])
def test_macs_are_those_of_the_graphs(arch: str, stem: str) -> None:
    config = replace(
        networks.config_of(stem, halting=False), arch=arch, depth=2, dim=32, heads=2,
        image_size=(40, 40), stem=StemConfig(kind=stem, pool=(True, True, True, True)),  # type: ignore[arg-type]
    )  # fmt: skip
    graphs, live = networks.our_graphs(config), np.full((4, 2), config.tokens)
    first, two = (macs.spiking_macs(config, live, steps) for steps in (1, 2))
    assert products(graphs["first.onnx"]) == first
    assert products(graphs["next.onnx"]) == two - first


def test_macs_at_the_size_of_imagenet() -> None:
    config = networks.config_of("isps", halting=False, model=networks.LARGE)
    stem = 9 * (
        224**2 * 3 * 48 + 112**2 * 48 * 96 + 56**2 * 96 * 192 + 28**2 * 192 * 384 + 196 * 384**2
    )
    block = 196 * (4 * 384**2 + 2 * 384 * 1536) + 2 * 196 * 384 * 32
    live = np.full((4, 8), 196)
    assert config.tokens == 196
    assert macs.spiking_macs(config, live, 4) == stem + 4 * 8 * block
    softmax = 2 * 196 * 384 * (196 - 32)  # more, for want of a cheaper order
    assert macs.dense_macs(config) == stem + 8 * (block + softmax)


def test_recorded_sets_are_stretched_to_the_model() -> None:
    stretched = cpu.fitted(everything(), networks.LARGE)
    assert stretched.live.shape == (2, 4, 8)
    assert (stretched.live == 196).all()
    tokens, timesteps, macs = cpu.work(cpu.KINDS["halting-exit"], stretched, networks.LARGE)
    assert (tokens, timesteps) == (1.0, 2)
    assert macs is not None and macs > 6000


@pytest.mark.parametrize(
    ("words", "model", "batch", "rounds", "images"),
    [
        ([], "spikformer-4-384", [1, 16], 9, 16),
        (["--large"], "spikingformer-8-384", [1], 5, 4),
        (["--large", "--batch", "8", "--rounds", "3"], "spikingformer-8-384", [8], 3, 8),
        (["--model", "spikformer-2-384", "--quick"], "spikformer-2-384", [1], 2, 16),
    ],
)
def test_effort_follows_the_size_of_the_model(
    words: list[str], model: str, batch: list[int], rounds: int, images: int
) -> None:
    found = cpu.settled(cpu.parser().parse_args(words))
    assert found.model == model
    assert (list(found.batch), found.rounds, found.images) == (batch, rounds, images)


def test_the_peer_is_called_what_it_is() -> None:
    assert peers.spikingjelly_name(named_model(networks.MODEL)) == "Spikformer of this shape"
    assert "it has no Spikingformer" in peers.spikingjelly_name(named_model(networks.LARGE))


def test_a_candidate_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    everything().save(tmp_path / "replay.npz")
    worker = Setup(patience_s=0.0).worker("gemm", tmp_path / "replay.npz")
    worker.run()
    worker.close()
    assert worker.failed == "not ready after 0 s"
    assert worker.rounds == []


@pytest.mark.parametrize(
    ("name", "timesteps"), [("halting", 4), ("halting-exit", 2), ("int8-t3", 3), ("ann", 1)]
)
def test_timesteps_and_tokens_of_a_candidate(name: str, timesteps: float) -> None:
    tokens, found, macs = cpu.work(cpu.KINDS[name], everything())
    assert (tokens, found) == (1.0, timesteps)
    assert macs is not None


def test_fewer_live_tokens_mean_fewer_macs() -> None:
    (_, _, all_of_them), (tokens, _, some) = (
        cpu.work(cpu.KINDS["halting"], replay) for replay in (thinned(1.0), thinned(0.5))
    )
    assert tokens == (1 + 3 * 0.5) / 4
    assert all_of_them is not None and some is not None
    per_token = 4 * 384**2 + 2 * 384 * 1536
    assert all_of_them - some == pytest.approx(4 * 3 * 32 * per_token / 1e6)


def test_a_failed_peer_is_shown_with_its_reason() -> None:
    ann = {
        "ms": 10.0, "spread_ms": 0.1, "cpu_ms": 9.9, "macs": 100.0, "tokens": 1.0,
        "timesteps": 1.0, "peak_share": 0.5,
    }  # fmt: skip
    rows = [
        Row("ann", ann, "a dense ANN"),
        Row("int8", ann | {"ms": 5.0, "macs": None, "peak_share": None}, "ours"),
        Row("spikingjelly-onnx", {}, "its export", failed="no such op"),
    ]
    peer, ours = map(cpu.table(rows, 1).cells, rows[:2])
    assert peer[:5] == ["a dense ANN", "10.00", "0.10", "9.90", "100"]
    assert peer[5:] == ["1.00", "1.00", "100", "50%", "", "1.00"]
    assert ours[4] == "200" and ours[7:] == ["", "", "", "2.00"]  # twice as fast as the ANN
    with cpu.console.capture() as captured:
        cpu.table(rows, 1).print(rows)
    assert "its export: no such op" in captured.get()


def test_a_line_through_points_on_a_line_explains_everything() -> None:
    tokens = np.array([1.0, 2.0, 5.0])
    line = fit(tokens, 3 + 0.5 * tokens)
    assert line.fixed_ms == pytest.approx(3)
    assert line.per_token_ms == pytest.approx(0.5)
    assert line.r_squared == pytest.approx(1)
    assert fit(tokens, np.array([1.0, -1.0, 1.0])).r_squared < 0.5
